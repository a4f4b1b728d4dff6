//! Collection: what no manifest needs goes, once nobody can count on it any more.
//!
//! A run asks the catalog for links whose time has come, lets it take them, and removes the objects that this leaves
//! without a blob. It costs what has changed, not what is stored: a run with nothing to do looks at three small
//! indexes. Any number of replicas may run at the same time; the registry works on meanwhile.
//!
//! Order within a run: links first, then objects; holds that ended by themselves are dropped before both.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use railhead_catalog::Timestamp;
use railhead_registry::{Registry, Result};
use tokio::sync::Mutex;

use crate::clock::Clock;

/// What a run has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collection {
    /// Links of repositories to blobs that were taken.
    pub links: u64,
    /// Objects that were removed from the store.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects that could not be removed. They are tried again.
    pub failed: u64,
    /// Whether somebody holds objects, so that none was removed.
    pub held: bool,
    /// Whether the run came to its end within its time.
    pub complete: bool,
}

/// What all runs of this process have done, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Runs that came to their end.
    pub runs: u64,
    /// Runs that failed.
    pub failed_runs: u64,
    /// As in [`Collection`].
    pub links: u64,
    /// As in [`Collection`].
    pub objects: u64,
    /// As in [`Collection`].
    pub bytes: u64,
    /// As in [`Collection`].
    pub failed: u64,
    /// When the last run came to its end; 0 before the first.
    pub ended_at: u64,
}

/// Runs collections of one registry, one at a time.
#[derive(Debug)]
pub struct Collector {
    registry: Registry,
    /// Held by the run under way.
    turn: Mutex<Clock>,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Counters {
    runs: AtomicU64,
    failed_runs: AtomicU64,
    links: AtomicU64,
    objects: AtomicU64,
    bytes: AtomicU64,
    failed: AtomicU64,
    ended_at: AtomicU64,
}

impl Collector {
    /// A collector of this registry.
    pub fn new(registry: Registry) -> Self {
        let settings = registry.settings();
        // Until all that was promised before a jump of the clock has ended by any clock.
        let longest = settings.grace.max(settings.lease.saturating_mul(2));
        Self { turn: Mutex::new(Clock::new("collection", longest)), registry, counters: Counters::default() }
    }

    /// Collects until nothing is due, or `most` has passed. A run that is under way is waited for.
    pub async fn run(&self, most: Duration) -> Result<Collection> {
        let mut clock = self.turn.lock().await;
        let now = clock.read(Timestamp::now(), Instant::now());
        self.counted(now, most).await
    }

    /// The same at a time of the caller's choice.
    pub async fn run_at(&self, now: Timestamp, most: Duration) -> Result<Collection> {
        let _turn = self.turn.lock().await;
        self.counted(now, most).await
    }

    /// What the runs have done so far, one under way included.
    pub fn totals(&self) -> Totals {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Totals {
            runs: read(&self.counters.runs),
            failed_runs: read(&self.counters.failed_runs),
            links: read(&self.counters.links),
            objects: read(&self.counters.objects),
            bytes: read(&self.counters.bytes),
            failed: read(&self.counters.failed),
            ended_at: read(&self.counters.ended_at),
        }
    }

    async fn counted(&self, now: Timestamp, most: Duration) -> Result<Collection> {
        let done = self.collect(now, most).await;
        match &done {
            Ok(_) => {
                self.counters.runs.fetch_add(1, Ordering::Relaxed);
                let ended = u64::try_from(Timestamp::now().0 / 1000).unwrap_or_default();
                self.counters.ended_at.store(ended, Ordering::Relaxed);
            }
            Err(_) => {
                self.counters.failed_runs.fetch_add(1, Ordering::Relaxed);
            }
        }
        done
    }

    async fn collect(&self, now: Timestamp, most: Duration) -> Result<Collection> {
        let begun = Instant::now();
        let mut run = Collection::default();
        for name in self.registry.catalog().drop_expired_holds(now).await? {
            tracing::warn!(
                hold = name,
                "a hold on objects has ended by itself; whoever took it did not release it"
            );
        }
        loop {
            let step = self.registry.collect_links(now).await?;
            run.links += step.count;
            self.counters.links.fetch_add(step.count, Ordering::Relaxed);
            if !step.more {
                break;
            }
            if begun.elapsed() >= most {
                return Ok(run);
            }
        }
        // By the time of the clock, not of the run's beginning: what this run has forgotten is due now.
        let now = now.plus_millis(i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX));
        loop {
            let step = self.registry.remove_forgotten_objects(now).await?;
            run.objects += step.count;
            run.bytes += step.bytes;
            run.failed += step.failed;
            self.counters.objects.fetch_add(step.count, Ordering::Relaxed);
            self.counters.bytes.fetch_add(step.bytes, Ordering::Relaxed);
            self.counters.failed.fetch_add(step.failed, Ordering::Relaxed);
            if !step.more {
                break;
            }
            if begun.elapsed() >= most {
                return Ok(run);
            }
        }
        run.held = self.registry.catalog().is_held(now).await?;
        run.complete = true;
        Ok(run)
    }
}
