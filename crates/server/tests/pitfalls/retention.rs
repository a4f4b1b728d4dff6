//! Retention without anybody asking: the timer, what it moves, what the metrics and the audit tell of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use railhead_access::Clock;
use railhead_catalog::{AuditFilter, Role, Timestamp};
use railhead_retention::{Rule, Rules};
use railhead_testkit::{TestRegistry, image};
use serde_json::json;

const DAY: i64 = 24 * 3_600_000;
/// How long the timer may take to see that its time has come; it looks all the time.
const SOON: Duration = Duration::from_secs(30);

/// A clock that runs with the system's, and can be moved.
#[derive(Clone)]
struct Hands(Arc<AtomicI64>);

impl Hands {
    fn set(&self, days: i64) {
        self.0.store(days * DAY, Ordering::SeqCst);
    }

    fn clock(&self) -> Clock {
        let ahead = Arc::clone(&self.0);
        Clock::from_fn(move || Timestamp::now().plus_millis(ahead.load(Ordering::SeqCst)))
    }
}

/// The value of a metric.
async fn metric(registry: &TestRegistry, name: &str) -> u64 {
    let metrics = registry.ask(Method::GET, "/metrics").send().await.is(200).body;
    let metrics = String::from_utf8_lossy(&metrics).into_owned();
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in\n{metrics}")).parse().unwrap()
}

/// Waits until `there` is true.
async fn wait_for(what: &str, there: impl AsyncFn() -> bool) {
    let end = Instant::now() + SOON;
    while !there().await {
        assert!(Instant::now() < end, "no {what} within {SOON:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_timer_applies_the_rules_and_metrics_and_audit_tell_of_it() {
    let hands = Hands(Arc::default());
    let rule = Rule { keep_newest: Some(1), ..Rule::default() };
    let rules = Rules { default: rule, ..Rules::default() };
    let registry =
        TestRegistry::with().retention(rules, Duration::from_hours(24), hands.clock()).start().await;
    let alice = registry.user("alice").await;
    registry.organisation("team", &[("alice", Role::Owner)]).await;
    for (seed, tag) in [(1, "old"), (2, "new")] {
        registry.push_image(&alice, "team/app", tag, &image(seed, 100, json!({}))).await;
    }
    let pull = async |tag: &str| registry.get(&alice, format!("/v2/team/app/manifests/{tag}")).await;
    let counted = async |name: &str| metric(&registry, &format!("railhead_retention_{name}_total")).await;
    let catalog = registry.registry.catalog();
    wait_for("first look", async || catalog.setting("retention.applied_at").await.unwrap().is_some()).await;
    assert_eq!(counted("runs").await, 0, "a new registry waits once");

    // The day of the push is over, and the timer's time has come.
    hands.set(3);
    wait_for("run of retention", async || counted("runs").await == 1).await;
    assert_eq!((counted("tags").await, counted("manifests").await, counted("recovered").await), (1, 1, 0));
    let _ = pull("old").await.is(404);
    let _ = pull("new").await.is(200);
    registry.access.flush().await.unwrap();
    let filter = AuditFilter { action: Some("retention.apply".to_owned()), ..AuditFilter::default() };
    let audited = catalog.audit(filter, 9).await.unwrap();
    let run = catalog.trash_runs(Timestamp(0)).await.unwrap().remove(0);
    assert_eq!(audited.len(), 1, "{audited:?}");
    assert_eq!(audited[0].entry.target, run.plan, "the audit names the plan, for who wants it undone");

    let root = registry.access.operator_actor();
    registry.access.create_user(&root, "root", None, true).await.unwrap();
    let token = registry.token("root", &["admin"]).await;
    let undo = registry.ask(Method::POST, "/api/v1/retention/undo").bearer(&token);
    let _ = undo.body(json!({ "plan": run.plan }).to_string()).send().await.is(200);
    assert_eq!(counted("recovered").await, 1);
    let _ = pull("old").await.is(200);
}
