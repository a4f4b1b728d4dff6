//! A change counts at once, for what is remembered and for what is under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use railhead_access::{Action, Actor, Reason};
use railhead_catalog::Role;

use crate::world::{PASSWORD, World, basic, denial, repository};

/// Every way in of one account is warm; after `change` none works, nor does an identity from before.
async fn ends_everything(change: impl AsyncFnOnce(&World, &Actor)) {
    let world = World::new().await;
    let (_, secret) = world.token("write", &["push"]).await;
    let by_token = world.login(&basic("write", &secret)).await.unwrap();
    let bearer = world.bearer(&by_token, &["repository:team/private:pull,push"]).await;
    let by_bearer = world.login(&bearer).await.unwrap();
    for who in [&by_token, &by_bearer] {
        assert_eq!(world.decide(who, Action::Push, "team/private").await, "yes");
        let name = repository("team/private");
        assert!(world.access.remembered_decision(who, Action::Push, &name).is_some());
    }
    change(&world, &world.operator).await;
    for who in [&by_token, &by_bearer] {
        let name = repository("team/private");
        assert!(world.access.remembered_decision(who, Action::Push, &name).is_none());
        assert_eq!(world.decide(who, Action::Push, "team/private").await, "credentials");
    }
    for header in [basic("write", &secret), bearer] {
        assert!(world.access.remembered(&header).is_none());
        assert_eq!(denial(world.login(&header).await).reason, Reason::Credentials);
    }
}

#[tokio::test]
async fn revoking_a_token_ends_it_and_its_bearer_tokens() {
    ends_everything(async |world, by| {
        let token = world.access.tokens(by, Some("write"), None, 10).await.unwrap().remove(0);
        world.access.revoke_token(by, token.id).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn disabling_an_account_ends_its_tokens_and_bearer_tokens() {
    ends_everything(async |world, by| world.access.set_disabled(by, "write", true).await.unwrap()).await;
}

#[tokio::test]
async fn a_new_password_ends_what_the_old_one_began() {
    let world = World::new().await;
    let alice = world.account("alice").await;
    let bearer = world.bearer(&alice, &["repository:alice/private:pull"]).await;
    world.login(&bearer).await.unwrap();
    let (_, secret) = world.token("alice", &["pull"]).await;
    let by = Actor { who: Arc::clone(&alice), from: None };
    world.access.set_password(&by, "alice", Some("battery staple".into())).await.unwrap();
    assert_eq!(denial(world.login(&basic("alice", PASSWORD)).await).reason, Reason::Credentials);
    assert_eq!(denial(world.login(&bearer).await).reason, Reason::Credentials);
    assert_eq!(world.decide(&alice, Action::Pull, "alice/private").await, "credentials");
    world.login(&basic("alice", "battery staple")).await.unwrap();
    world.login(&basic("alice", &secret)).await.expect("tokens stay");
}

#[tokio::test]
async fn a_lost_role_counts_at_once() {
    let world = World::new().await;
    let write = world.account("write").await;
    assert_eq!(world.decide(&write, Action::Push, "team/private").await, "yes");
    world.access.set_member(&world.operator, "team", "write", Some(Role::Reader)).await.unwrap();
    assert_eq!(world.decide(&write, Action::Push, "team/private").await, "role");
    world.access.set_member(&world.operator, "team", "write", None).await.unwrap();
    assert_eq!(world.decide(&write, Action::Pull, "team/private").await, "visibility");
}

#[tokio::test]
async fn a_change_elsewhere_counts_once_told() {
    let world = World::new().await;
    let anonymous = world.access.anonymous();
    assert_eq!(world.decide(&anonymous, Action::Pull, "team/public").await, "yes");
    let found = world.catalog.repository(&repository("team/public")).await.unwrap().unwrap();
    world.catalog.delete_repository(found.id, world.now()).await.unwrap();
    world.access.changed();
    assert_eq!(world.decide(&anonymous, Action::Pull, "team/public").await, "unauthenticated");
}

/// Readers authenticate and decide without pause while tokens are revoked: after the revocation has returned, none
/// may be let in, however the look-ups and the change were interleaved.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_revoked_token_is_let_in_by_a_race() {
    let world = Arc::new(World::new().await);
    for _ in 0..30 {
        let (info, secret) = world.token("write", &["push"]).await;
        let header: Arc<str> = basic("write", &secret).into();
        let revoked = Arc::new(AtomicBool::new(false));
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let (world, header, revoked) =
                    (Arc::clone(&world), Arc::clone(&header), Arc::clone(&revoked));
                tokio::spawn(async move {
                    loop {
                        let was_revoked = revoked.load(Ordering::SeqCst);
                        let let_in = match world.login(&header).await {
                            Ok(who) => world.decide(&who, Action::Push, "team/private").await == "yes",
                            Err(_) => false,
                        };
                        assert!(!(was_revoked && let_in), "let in after the revocation");
                        if was_revoked {
                            return;
                        }
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        tokio::task::yield_now().await;
        world.access.revoke_token(&world.operator, info.id).await.unwrap();
        revoked.store(true, Ordering::SeqCst);
        for reader in readers {
            reader.await.unwrap();
        }
    }
}

/// First logins under way while the token is revoked: whatever they found, nothing of it may be remembered after.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_login_under_way_outlives_the_revocation() {
    let world = Arc::new(World::new().await);
    for _ in 0..200 {
        let (info, secret) = world.token("write", &["push"]).await;
        let headers =
            [basic("write", &secret), basic("token", &secret), basic("", &secret), basic("Write", &secret)];
        let logins = headers.clone().map(|header| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.login(&header).await.is_ok() })
        });
        world.access.revoke_token(&world.operator, info.id).await.unwrap();
        for login in logins {
            login.await.unwrap();
        }
        for header in headers {
            assert!(world.login(&header).await.is_err(), "let in after the revocation");
        }
    }
}
