//! What `/metrics` shows, in the format of Prometheus.
//!
//! Each counter is looked up once, when the server starts: counting a request costs a few additions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use railhead_upkeep::scrub::Scrubber;
use railhead_upkeep::{Collector, Retention};

use crate::operation::Kind;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    operation: &'static str,
    status: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OperationLabels {
    operation: &'static str,
}

/// Upper bounds of the classes of durations, in seconds.
const SECONDS: [f64; 9] = [0.000_1, 0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 300.0, 1800.0];

/// The classes of status codes, by their first digit.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The counters of one operation.
#[derive(Debug)]
struct PerOperation {
    by_class: [Counter<u64, AtomicU64>; 5],
    seconds: Histogram,
}

/// All metrics of a server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    operations: Vec<PerOperation>,
    received: Counter<u64, AtomicU64>,
    sent: Counter<u64, AtomicU64>,
    running: Gauge,
    collection: Collection,
    retained: Retained,
    scrub: Scrub,
}

/// What collection has done. It counts by itself, and is copied when somebody asks.
#[derive(Debug)]
struct Collection {
    collector: Arc<Collector>,
    runs: Counter<u64, AtomicU64>,
    failed_runs: Counter<u64, AtomicU64>,
    links: Counter<u64, AtomicU64>,
    objects: Counter<u64, AtomicU64>,
    bytes: Counter<u64, AtomicU64>,
    failed: Counter<u64, AtomicU64>,
    ended: Gauge,
}

impl Collection {
    fn new(registry: &mut Registry, collector: Arc<Collector>) -> Self {
        let registry = registry.sub_registry_with_prefix("collection");
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::<u64, AtomicU64>::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let runs = counter("runs", "Runs of collection that came to their end");
        let failed_runs = counter("failed_runs", "Runs of collection that failed");
        let links = counter("links", "Links of repositories to blobs that were taken");
        let objects = counter("objects", "Objects that were removed from the store");
        let failed = counter("failed_objects", "Objects that could not be removed, each time it was tried");
        let (bytes, ended) = (Counter::default(), Gauge::default());
        registry.register_with_unit(
            "removed",
            "Bytes of objects that were removed",
            Unit::Bytes,
            bytes.clone(),
        );
        registry.register_with_unit(
            "last_run",
            "When the last run came to its end, in Unix time; 0 before the first",
            Unit::Seconds,
            ended.clone(),
        );
        Self { collector, runs, failed_runs, links, objects, bytes, failed, ended }
    }

    fn copy(&self) {
        let totals = self.collector.totals();
        for (counter, total) in [
            (&self.runs, totals.runs),
            (&self.failed_runs, totals.failed_runs),
            (&self.links, totals.links),
            (&self.objects, totals.objects),
            (&self.bytes, totals.bytes),
            (&self.failed, totals.failed),
        ] {
            counter.inner().fetch_max(total, Ordering::Relaxed);
        }
        self.ended.set(i64::try_from(totals.ended_at).unwrap_or_default());
    }
}

/// What retention has done. It counts by itself, too.
#[derive(Debug)]
struct Retained {
    retention: Arc<Retention>,
    runs: Counter<u64, AtomicU64>,
    tags: Counter<u64, AtomicU64>,
    manifests: Counter<u64, AtomicU64>,
    recovered: Counter<u64, AtomicU64>,
}

impl Retained {
    fn new(registry: &mut Registry, retention: Arc<Retention>) -> Self {
        let registry = registry.sub_registry_with_prefix("retention");
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::<u64, AtomicU64>::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let runs = counter("runs", "Plans of retention that were applied");
        let tags = counter("tags", "Tags that went to the trash");
        let manifests = counter("manifests", "Manifests that went to the trash");
        let recovered = counter("recovered", "Manifests that were brought back from the trash");
        Self { retention, runs, tags, manifests, recovered }
    }

    fn copy(&self) {
        let totals = self.retention.totals();
        for (counter, total) in [
            (&self.runs, totals.runs),
            (&self.tags, totals.tags),
            (&self.manifests, totals.manifests),
            (&self.recovered, totals.recovered),
        ] {
            counter.inner().fetch_max(total, Ordering::Relaxed);
        }
    }
}

/// What scrubbing has done; copied as for collection.
#[derive(Debug)]
struct Scrub {
    scrubber: Arc<Scrubber>,
    blobs: Counter<u64, AtomicU64>,
    bytes: Counter<u64, AtomicU64>,
    found: Counter<u64, AtomicU64>,
    healed: Counter<u64, AtomicU64>,
    recovered: Counter<u64, AtomicU64>,
    failed: Counter<u64, AtomicU64>,
    damaged: Gauge,
    position: Gauge<f64, AtomicU64>,
    ended: Gauge,
}

impl Scrub {
    fn new(registry: &mut Registry, scrubber: Arc<Scrubber>) -> Self {
        let registry = registry.sub_registry_with_prefix("scrub");
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::<u64, AtomicU64>::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let blobs = counter("blobs", "Blobs that were hashed again");
        let found = counter("found", "Damaged blobs that were found");
        let healed = counter("healed", "Damaged blobs that a copy from elsewhere has healed");
        let recovered = counter("recovered", "Blobs that were thought damaged, and are whole");
        let failed = counter("failures", "Times that the store or the catalog did not answer");
        let (bytes, ended) = (Counter::default(), Gauge::default());
        registry.register_with_unit("hashed", "Bytes that were hashed again", Unit::Bytes, bytes.clone());
        let damaged = Gauge::default();
        registry.register("damaged_blobs", "Blobs that are damaged now and are not served", damaged.clone());
        let position = Gauge::<f64, AtomicU64>::default();
        let help = "How much of the round under way is done, of its bytes";
        registry.register_with_unit("position", help, Unit::Ratios, position.clone());
        let help = "When the last full round ended, in Unix time; 0 before the first";
        registry.register_with_unit("last_round", help, Unit::Seconds, ended.clone());
        Self { scrubber, blobs, bytes, found, healed, recovered, failed, damaged, position, ended }
    }

    fn copy(&self) {
        let totals = self.scrubber.totals();
        for (counter, total) in [
            (&self.blobs, totals.blobs),
            (&self.bytes, totals.bytes),
            (&self.found, totals.found),
            (&self.healed, totals.healed),
            (&self.recovered, totals.recovered),
            (&self.failed, totals.failed),
        ] {
            counter.inner().fetch_max(total, Ordering::Relaxed);
        }
        self.damaged.set(i64::try_from(totals.damaged).unwrap_or_default());
        self.position.set(totals.position as f64 / 1000.0);
        self.ended.set(totals.ended_at);
    }
}

/// Counts one request as running for as long as it lives.
#[derive(Debug)]
pub(crate) struct Running(Gauge);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    pub(crate) fn new(
        collector: Arc<Collector>,
        retention: Arc<Retention>,
        scrubber: Arc<Scrubber>,
    ) -> Arc<Self> {
        let mut registry = Registry::with_prefix("railhead");
        let requests = Family::<RequestLabels, Counter<u64, AtomicU64>>::default();
        let seconds = Family::<OperationLabels, Histogram>::new_with_constructor(|| Histogram::new(SECONDS));
        let (received, sent, running) = (Counter::default(), Counter::default(), Gauge::default());
        registry.register("requests", "Requests answered", requests.clone());
        registry.register_with_unit("request", "Time from head to end", Unit::Seconds, seconds.clone());
        registry.register_with_unit("received", "Bytes of request bodies", Unit::Bytes, received.clone());
        registry.register_with_unit("sent", "Bytes of answers", Unit::Bytes, sent.clone());
        registry.register("requests_running", "Requests being answered", running.clone());
        let operations = Kind::ALL
            .iter()
            .map(|kind| {
                let operation = kind.name();
                let count = |class: usize| {
                    requests.get_or_create(&RequestLabels { operation, status: CLASSES[class] }).clone()
                };
                PerOperation {
                    by_class: std::array::from_fn(count),
                    seconds: seconds.get_or_create(&OperationLabels { operation }).clone(),
                }
            })
            .collect();
        let collection = Collection::new(&mut registry, collector);
        let retained = Retained::new(&mut registry, retention);
        let scrub = Scrub::new(&mut registry, scrubber);
        Arc::new(Self { registry, operations, received, sent, running, collection, retained, scrub })
    }

    pub(crate) fn start(&self) -> Running {
        self.running.inc();
        Running(self.running.clone())
    }

    pub(crate) fn count(&self, kind: Kind, status: u16, received: u64, sent: u64, took: Duration) {
        if let Some(operation) = self.operations.get(kind as usize) {
            operation.by_class[usize::from(status / 100).clamp(1, 5) - 1].inc();
            operation.seconds.observe(took.as_secs_f64());
        }
        self.received.inc_by(received);
        self.sent.inc_by(sent);
    }

    /// The text of `/metrics`.
    pub(crate) fn text(&self) -> String {
        self.collection.copy();
        self.retained.copy();
        self.scrub.copy();
        let mut text = String::new();
        // Writing into memory cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
