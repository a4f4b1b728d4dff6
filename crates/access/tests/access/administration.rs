//! Who may administer what, and what becomes of it.

use railhead_access::{Access, Actor, Error, Reason, Settings};
use railhead_catalog::{AuditFilter, Error as CatalogError, Limit, Role, Visibility};
use secrecy::ExposeSecret as _;

use crate::world::{PASSWORD, World, basic, denial, repository};

#[tokio::test]
async fn only_a_new_catalog_is_bootstrapped() {
    let directory = tempfile::tempdir().unwrap();
    let location = railhead_catalog::Location::Sqlite(directory.path().join("catalog.sqlite"));
    let catalog = railhead_catalog::Catalog::open(location).await.unwrap();
    let access = Access::open(catalog.clone(), Settings::default()).await.unwrap();
    let first = access.bootstrap().await.unwrap().unwrap();
    assert!(access.bootstrap().await.unwrap().is_none());
    let header = basic(&first.account, first.secret.expose_secret());
    let who = access.authenticate(Some(&header), crate::world::address(1)).await.unwrap();
    access.require_admin(&who).await.unwrap();
    let again = Access::open(catalog, Settings::default()).await.unwrap();
    let issued = access.issue(&who, &[]).await.unwrap().token;
    let header = format!("Bearer {issued}");
    again.authenticate(Some(&header), crate::world::address(1)).await.expect("the key is kept");
}

#[tokio::test]
async fn administration_needs_an_administrator_who_is_not_narrowed() {
    let world = World::new().await;
    let access = &world.access;
    let root = world.account("root").await;
    access.require_admin(&root).await.unwrap();
    let (_, wide) = world.token("root", &["admin"]).await;
    access.require_admin(&world.login(&basic("root", &wide)).await.unwrap()).await.unwrap();

    let (_, narrow) = world.token("root", &["admin:team", "push", "delete"]).await;
    let narrow = world.login(&basic("root", &narrow)).await.unwrap();
    let bearer = world.login(&world.bearer(&root, &["repository:team/private:*"]).await).await.unwrap();
    for (who, reason) in [
        (access.anonymous(), Reason::Unauthenticated),
        (world.account("own").await, Reason::Role),
        (narrow, Reason::TokenScope),
        (bearer, Reason::TokenScope),
    ] {
        assert_eq!(denial(access.require_admin(&who).await).reason, reason, "{}", who.name());
        let by = Actor { who, from: None };
        assert!(matches!(access.create_user(&by, "eve", None, true).await, Err(Error::Denied(_))));
        assert!(matches!(access.create_organisation(&by, "evil").await, Err(Error::Denied(_))));
        assert!(matches!(
            access.set_limits(&by, "team", Some(Limit::None), None).await,
            Err(Error::Denied(_))
        ));
        assert!(matches!(access.owners(&by, None, 10).await, Err(Error::Denied(_))));
        assert!(matches!(access.audit_records(&by, AuditFilter::default(), 1).await, Err(Error::Denied(_))));
        assert!(matches!(access.tokens(&by, None, None, 10).await, Err(Error::Denied(_))));
    }
    assert!(world.catalog.user("eve").await.unwrap().is_none());
}

#[tokio::test]
async fn users_have_their_own_tokens_only_and_a_narrow_token_makes_none() {
    let world = World::new().await;
    let pull = ["pull".parse().unwrap()];
    let everything = ["admin".parse().unwrap()];
    let alice = world.actor("alice").await;
    let (own, _) = world.access.create_token(&alice, "ALICE", "mine", &everything, None).await.unwrap();
    let bobs = world.token("bob", &["pull"]).await.0;
    let missing = railhead_catalog::TokenId(999);
    let refused = denial(world.access.create_token(&alice, "bob", "x", &pull, None).await);
    assert_eq!(refused, denial(world.access.create_token(&alice, "nobody", "x", &pull, None).await));
    assert_eq!(
        denial(world.access.revoke_token(&alice, bobs.id).await),
        denial(world.access.revoke_token(&alice, missing).await),
    );
    denial(world.access.tokens(&alice, Some("bob"), None, 10).await);
    denial(world.access.set_password(&alice, "bob", None).await);
    let listed = world.access.tokens(&alice, Some("alice"), None, 10).await.unwrap();
    assert_eq!(listed, std::slice::from_ref(&own));

    let (info, secret) = world.token("alice", &["push"]).await;
    let narrow = Actor { who: world.login(&basic("alice", &secret)).await.unwrap(), from: None };
    let widened = denial(world.access.create_token(&narrow, "alice", "wide", &everything, None).await);
    assert_eq!(widened.reason, Reason::TokenScope);
    denial(world.access.set_password(&narrow, "alice", None).await);
    denial(world.access.revoke_token(&narrow, own.id).await);
    world.access.revoke_token(&narrow, info.id).await.expect("a token may end itself");
}

#[tokio::test]
async fn an_organisation_is_run_by_its_owners() {
    let world = World::new().await;
    let own = world.actor("own").await;
    world.access.set_member(&own, "TEAM", "bob", Some(Role::Reader)).await.unwrap();
    assert_eq!(world.access.members(&world.actor("bob").await, "team", None, 10).await.unwrap().len(), 4);
    for name in ["write", "read", "alice"] {
        let by = world.actor(name).await;
        let refused = denial(world.access.set_member(&by, "team", name, Some(Role::Owner)).await);
        assert_eq!(refused.reason, Reason::Role, "{name}");
    }
    denial(world.access.members(&world.actor("alice").await, "team", None, 10).await);
    let (name, public) = (repository("team/private"), Visibility::Public);
    let (writer, stranger) = (world.actor("write").await, world.actor("alice").await);
    let refused = world.access.set_visibility(&writer, &name, public).await;
    assert_eq!(denial(refused).reason, Reason::Role);
    let refused = world.access.set_visibility(&stranger, &name, public).await;
    assert_eq!(denial(refused).reason, Reason::Visibility);
    world.access.set_visibility(&own, &name, public).await.unwrap();
}

#[tokio::test]
async fn wrong_input_is_refused_with_a_reason() {
    let world = World::new().await;
    let (access, by) = (&world.access, &world.operator);
    let pull = ["pull".parse().unwrap()];
    let invalid = |error: Error| matches!(error, Error::Invalid(_));
    assert!(invalid(access.create_user(by, "a/b", None, false).await.unwrap_err()));
    assert!(invalid(access.create_user(by, "V2", None, false).await.unwrap_err()));
    assert!(invalid(access.create_user(by, "eve", Some("short".into()), false).await.unwrap_err()));
    assert!(invalid(access.create_user(by, "eve", Some("x".repeat(2000).into()), false).await.unwrap_err()));
    assert!(invalid(access.create_token(by, "alice", "", &pull, None).await.unwrap_err()));
    assert!(invalid(access.create_token(by, "alice", "x", &[], None).await.unwrap_err()));
    let taken = access.create_user(by, "ALICE", None, false).await.unwrap_err();
    assert!(matches!(taken, Error::Catalog(CatalogError::AlreadyExists(_))));
    let taken = access.create_organisation(by, "alice").await.unwrap_err();
    assert!(matches!(taken, Error::Catalog(CatalogError::AlreadyExists(_))));
    for missing in [
        access.set_password(by, "nobody", None).await,
        access.set_disabled(by, "team", true).await,
        access.set_member(by, "alice", "bob", None).await,
        access.revoke_token(by, railhead_catalog::TokenId(999)).await,
        access.set_visibility(by, &repository("team/missing"), Visibility::Public).await,
        access.delete_owner(by, "nobody").await,
    ] {
        assert!(matches!(missing, Err(Error::Catalog(CatalogError::NotFound(_)))), "{missing:?}");
    }
    let root = world.actor("root").await;
    assert!(invalid(access.set_disabled(&root, "root", true).await.unwrap_err()));
    assert!(invalid(access.set_admin(&root, "root", false).await.unwrap_err()));
}

#[tokio::test]
async fn what_administrators_do_is_in_the_audit() {
    let world = World::new().await;
    let root = world.actor("root").await;
    world.access.create_user(&root, "Eve", Some(PASSWORD.into()), false).await.unwrap();
    let (info, _) =
        world.access.create_token(&root, "eve", "ci", &["pull".parse().unwrap()], None).await.unwrap();
    world.access.revoke_token(&root, info.id).await.unwrap();
    let records = world.catalog.audit(AuditFilter::default(), 3).await.unwrap();
    let seen: Vec<_> = records.iter().rev().map(|one| (&*one.entry.action, &*one.entry.target)).collect();
    assert_eq!(
        seen,
        [("user.create", "Eve"), ("token.create", "eve"), ("token.revoke", &*info.id.to_string())]
    );
    assert!(records.iter().all(|one| one.entry.account == root.who.account_id()));
}
