//! Two processes on one database: what one changes, the other knows within the time that the operator set.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use railhead_access::{Access, Action, Clock, Decision, PasswordCost, Reason, Settings};
use railhead_catalog::Timestamp;
use railhead_catalog::testing::Place;
use secrecy::ExposeSecret as _;

use crate::world::{address, basic, denial, repository};

#[tokio::test]
async fn a_change_by_another_replica_counts_within_the_bound() {
    let Some(place) = Place::postgres().unwrap() else { return };
    let time = Arc::new(AtomicI64::new(1_800_000_000_000));
    let clock = Arc::clone(&time);
    let settings = Settings {
        clock: Clock::from_fn(move || Timestamp(clock.load(Ordering::SeqCst))),
        password_cost: PasswordCost { memory_kib: 8, passes: 1 },
        ..Settings::default()
    };
    let first = Access::open(place.open().await.unwrap(), settings.clone()).await.unwrap();
    let second = Access::open(place.open().await.unwrap(), settings).await.unwrap();
    let by = first.operator_actor();
    first.create_user(&by, "alice", None, false).await.unwrap();
    let scopes = ["push".parse().unwrap()];
    let (token, secret) = first.create_token(&by, "alice", "ci", &scopes, None).await.unwrap();
    let header = basic("alice", secret.expose_secret());
    let name = repository("alice/app");

    let who = second.authenticate(Some(&header), address(1)).await.unwrap();
    assert!(second.decide(&who, Action::Push, &name).await.unwrap().is_allowed());
    let bearer = format!("Bearer {}", second.issue(&who, &[]).await.unwrap().token);
    first.authenticate(Some(&bearer), address(1)).await.expect("replicas share the key");

    first.revoke_token(&by, token.id).await.unwrap();
    assert_eq!(denial(first.authenticate(Some(&header), address(1)).await).reason, Reason::Credentials);
    time.fetch_add(5000, Ordering::SeqCst);
    assert!(second.remembered(&header).is_none() && second.remembered(&bearer).is_none());
    assert!(second.remembered_decision(&who, Action::Push, &name).is_none());
    let Decision::Denied(denied) = second.decide(&who, Action::Push, &name).await.unwrap() else {
        panic!("allowed after the bound")
    };
    assert_eq!(denied.reason, Reason::Credentials);
    assert_eq!(denial(second.authenticate(Some(&header), address(1)).await).reason, Reason::Credentials);
}
