//! No secret shows where people and programs look: `Debug`, `Display`, the audit.

use railhead_catalog::AuditFilter;

use crate::world::{PASSWORD, World, basic, denial};

#[tokio::test]
async fn no_secret_shows() {
    let world = World::new().await;
    let alice = world.actor("alice").await;
    let (info, secret) = world.token("alice", &["pull"]).await;
    let by_token = world.login(&basic("alice", &secret)).await.unwrap();
    let issued = world.access.issue(&by_token, &[]).await.unwrap();
    let by_bearer = world.login(&format!("Bearer {}", issued.token)).await.unwrap();
    let wrong = denial(world.login(&basic("alice", "hunter2 hunter2")).await);
    let other = denial(world.login(&basic("bob", &secret)).await);
    world.access.set_password(&alice, "alice", Some("battery staple".into())).await.unwrap();
    world.access.revoke_token(&world.operator, info.id).await.unwrap();
    let revoked = denial(world.login(&basic("alice", &secret)).await);
    let audit = world.access.audit_records(&world.operator, AuditFilter::default(), 1000).await.unwrap();
    assert!(audit.len() > 10);

    let shown = format!(
        "{info:?} {by_token:?} {by_bearer:?} {issued:?} {wrong:?} {wrong} {other:?} {other} {revoked:?} {alice:?} {audit:?}"
    );
    let signature = issued.token.rsplit('.').next().unwrap();
    for hidden in
        [secret.as_str(), &secret[3..30], PASSWORD, "hunter2", "battery staple", "$argon2", signature]
    {
        assert!(!shown.contains(hidden), "{hidden}");
    }
}
