//! Ways in, wrong ways in, and how those are slowed.

use std::sync::Arc;
use std::time::Duration;

use railhead_access::Reason;
use railhead_catalog::{AuditFilter, TokenId};

use crate::world::{PASSWORD, World, address, basic, denial};

#[tokio::test]
async fn three_ways_lead_in() {
    let world = World::new().await;
    let (info, secret) = world.token("alice", &["pull"]).await;
    for (header, name, token) in [
        (basic("alice", PASSWORD), "Alice", None),
        (basic("ALICE", PASSWORD), "Alice", None),
        (basic("alice", PASSWORD).replace("Basic", "basic"), "Alice", None),
        (basic("Alice", &secret), "Alice", Some(info.id)),
        (basic("token", &secret), "Alice", Some(info.id)),
        (basic("", &secret), "Alice", Some(info.id)),
        (format!("Bearer {secret}"), "Alice", Some(info.id)),
        (format!("bearer {secret}"), "Alice", Some(info.id)),
    ] {
        assert!(world.access.remembered(&header).is_none());
        let who = world.login(&header).await.unwrap();
        assert_eq!((who.name(), who.token_id()), (name, token), "{header}");
        let remembered = world.access.remembered(&header).unwrap();
        assert!(Arc::ptr_eq(&who, &remembered));
        assert!(world.access.remembered(&format!("{header}x")).is_none());
    }
    assert!(world.access.authenticate(None, address(1)).await.unwrap().is_anonymous());
}

#[tokio::test]
async fn wrong_credentials_all_get_one_answer() {
    let world = World::new().await;
    let (_, secret) = world.token("alice", &["pull"]).await;
    let mut unknown = secret.clone();
    unknown.replace_range(3..4, if unknown.as_bytes()[3] == b'a' { "b" } else { "a" });
    let answer = denial(world.login(&basic("bob", "wrong password")).await);
    assert_eq!(answer.reason, Reason::Credentials);
    for header in [
        basic("nobody", "wrong password"),
        basic("team", "wrong password"),
        basic("alice", &unknown),
        format!("Bearer {unknown}"),
        "Basic".to_owned(),
        "Basic %%%".to_owned(),
        basic("alice", "").replace(':', ""),
        "Digest x".to_owned(),
        String::new(),
    ] {
        assert_eq!(denial(world.login(&header).await), answer, "{header}");
        assert!(world.access.remembered(&header).is_none());
    }
    let other = denial(world.login(&basic("bob", &secret)).await);
    assert!(other.reason == Reason::Credentials && other.message.contains("another account"), "{other}");
}

#[tokio::test]
async fn guessing_an_account_is_slowed_from_everywhere_and_tokens_still_work() {
    let world = World::new().await;
    let (_, secret) = world.token("alice", &["pull"]).await;
    for from in 1..=5 {
        let guess = world.access.authenticate(Some(&basic("alice", "wrong password")), address(from)).await;
        assert_eq!(denial(guess).reason, Reason::Credentials);
    }
    let right = denial(world.login(&basic("alice", PASSWORD)).await);
    assert_eq!(right.reason, Reason::TooMany { retry_after: Duration::from_secs(1) });
    assert_eq!(right.detail["retry_after"], 1);
    world.login(&basic("alice", &secret)).await.unwrap();
    world.account("bob").await;
    world.pass(1);
    world.account("alice").await;
    // Cleared: four more failures do not lock.
    for _ in 0..4 {
        denial(world.login(&basic("alice", "wrong password")).await);
    }
    assert_eq!(denial(world.login(&basic("alice", "still wrong")).await).reason, Reason::Credentials);
}

#[tokio::test]
async fn an_unknown_name_is_slowed_like_a_known_one() {
    let world = World::new().await;
    for name in ["alice", "nobody"] {
        let mut answers = Vec::new();
        for _ in 0..7 {
            answers.push(denial(world.login(&basic(name, "wrong password")).await).reason);
        }
        assert!(answers[..5].iter().all(|reason| *reason == Reason::Credentials), "{name}");
        assert!(answers[5..].iter().all(|reason| matches!(reason, Reason::TooMany { .. })), "{name}");
    }
}

#[tokio::test]
async fn an_address_that_guesses_is_locked_for_passwords_of_every_account() {
    let world = World::new().await;
    let (_, secret) = world.token("alice", &["pull"]).await;
    for n in 0..20 {
        denial(world.login(&basic(&format!("name{n}"), "wrong password")).await);
    }
    assert!(matches!(denial(world.login(&basic("alice", PASSWORD)).await).reason, Reason::TooMany { .. }));
    world.login(&basic("alice", &secret)).await.unwrap();
    world.access.authenticate(Some(&basic("alice", PASSWORD)), address(2)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_at_once_are_counted_and_right_logins_at_once_all_pass() {
    let world = Arc::new(World::new().await);
    let storm = |header: String| {
        let logins: Vec<_> = (0..60)
            .map(|_| {
                let (world, header) = (Arc::clone(&world), header.clone());
                tokio::spawn(async move { world.login(&header).await })
            })
            .collect();
        async {
            let mut answers = Vec::new();
            for login in logins {
                answers.push(login.await.unwrap());
            }
            answers
        }
    };
    assert!(storm(basic("alice", PASSWORD)).await.iter().all(Result::is_ok));
    let looked_at = storm(basic("bob", "wrong password"))
        .await
        .into_iter()
        .filter(
            |answer| matches!(answer, Err(error) if error.denial().unwrap().reason == Reason::Credentials),
        )
        .count();
    let cores = std::thread::available_parallelism().unwrap().get();
    assert!((5..5 + cores).contains(&looked_at), "{looked_at} guesses were looked at");
}

#[tokio::test]
async fn a_token_ends_at_its_time_and_its_bearer_tokens_with_it() {
    let world = World::new().await;
    let scopes = ["pull".parse().unwrap()];
    let life = Some(Duration::from_secs(100));
    let (_, secret) =
        world.access.create_token(&world.operator, "read", "short", &scopes, life).await.unwrap();
    let header = basic("read", secrecy::ExposeSecret::expose_secret(&secret));
    let who = world.login(&header).await.unwrap();
    let bearer = world.bearer(&who, &["repository:team/private:pull"]).await;
    world.login(&bearer).await.unwrap();
    world.pass(99);
    assert!(world.login(&header).await.is_ok() && world.access.remembered(&bearer).is_some());
    world.pass(1);
    assert!(world.access.remembered(&header).is_none() && world.access.remembered(&bearer).is_none());
    assert!(denial(world.login(&header).await).message.contains("expired"));
    assert_eq!(denial(world.login(&bearer).await).reason, Reason::Credentials);
}

#[tokio::test]
async fn the_last_use_is_noted_once_a_minute() {
    let world = World::new().await;
    let (info, secret) = world.token("alice", &["pull"]).await;
    let header = basic("alice", &secret);
    let used = async |id: TokenId| {
        world.access.flush().await.unwrap();
        let token = world.catalog.token(id).await.unwrap().unwrap();
        token.used_at.zip(token.used_from)
    };
    assert_eq!(used(info.id).await, None);
    let first = world.now();
    world.login(&header).await.unwrap();
    assert_eq!(used(info.id).await, Some((first, "192.0.2.1".to_owned())));
    world.pass(59);
    assert!(world.access.remembered(&header).is_some());
    world.login(&header).await.unwrap();
    assert_eq!(used(info.id).await, Some((first, "192.0.2.1".to_owned())));
    world.pass(1);
    assert!(world.access.remembered(&header).is_none());
    world.login(&header).await.unwrap();
    assert_eq!(used(info.id).await, Some((world.now(), "192.0.2.1".to_owned())));
}

#[tokio::test]
async fn failed_logins_are_in_the_audit_with_known_names_only() {
    let world = World::new().await;
    denial(world.login(&basic("Alice", "wrong password")).await);
    denial(world.login(&basic("my-password", "wrong password")).await);
    let filter = AuditFilter { action: Some("login".to_owned()), ..AuditFilter::default() };
    let records = world.access.audit_records(&world.operator, filter, 10).await.unwrap();
    let seen: Vec<_> = records.iter().map(|record| (&*record.entry.target, &*record.entry.outcome)).collect();
    assert_eq!(seen, [("", "denied"), ("Alice", "denied")]);
    assert!(records.iter().all(|record| record.entry.address.as_deref() == Some("192.0.2.1")));
}
