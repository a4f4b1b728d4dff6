//! Scrub: every blob is hashed again in a set number of days, and what is damaged is healed.
//!
//! A [`Scrubber`] looks at blobs in the order of their digests. [`Scrubber::tick`] does what is due of the round under
//! way, and tells when to come again; [`Scrubber::verify`] does a part now, for who asks; [`Scrubber::strangers`] goes the
//! other way, from the store's objects to the catalog. Damage is put into quarantine (`railhead_registry`), reported in the
//! log, and healed from the first [`Source`] that has the content, or by the next push.
//!
//! Invariants:
//! - A blob is called damaged only after its object was looked at twice, and the catalog in between: it may have been
//!   pushed again, or collected, meanwhile. A store that does not answer is no damage.
//! - Nothing is removed here. What is not known to the catalog is reported and left.
//! - How far a round is, is written down; a restart goes on there, and of several replicas one walks.

mod heal;
mod look;
mod pace;
mod round;
mod source;
mod strangers;
mod verify;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use railhead_catalog::{BlobUse, UploadId};
use railhead_oci::Digest;
use railhead_registry::{Registry, Result};
use tokio::sync::Mutex;

pub use source::{Content, Fetch, Source, SourceError};
pub use strangers::{Stranger, Strangers};
pub use verify::{Asked, Verified};

/// Repositories, manifests and tags that a report names, of each.
const NAMED: u32 = 20;

/// How a registry is scrubbed.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a round takes.
    pub round: Duration,
    /// The most bytes that are hashed in a second.
    pub most_per_second: u64,
    /// Where to get sound copies from, the first first.
    pub sources: Vec<Arc<dyn Source>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { round: Duration::from_hours(30 * 24), most_per_second: 50 << 20, sources: Vec::new() }
    }
}

/// A damaged blob, with what refers to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The blob.
    pub digest: Digest,
    /// Its size in bytes, as it should be.
    pub size: u64,
    /// Where the store has it, or should have it.
    pub key: String,
    /// What was found instead.
    pub found: String,
    /// Who refers to it.
    pub uses: Vec<BlobUse>,
    /// Where a sound copy came from, when it was healed.
    pub healed_from: Option<String>,
}

/// What scrubbing in this process has done so far, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Blobs that were hashed.
    pub blobs: u64,
    /// Bytes that were hashed.
    pub bytes: u64,
    /// Damaged blobs that were found.
    pub found: u64,
    /// Of all damaged blobs, those that a copy from elsewhere has healed.
    pub healed: u64,
    /// Blobs that were thought damaged, and whose object was found sound again.
    pub recovered: u64,
    /// Times that the store or the catalog did not answer.
    pub failed: u64,
    /// Blobs that are damaged now, as far as this process knows.
    pub damaged: u64,
    /// How much of the round under way is done, in thousandths.
    pub position: u64,
    /// When the last full round ended, in Unix time; 0 before the first.
    pub ended_at: i64,
}

/// Scrubs one registry.
#[derive(Debug)]
pub struct Scrubber {
    registry: Registry,
    settings: Settings,
    /// Who takes the turn among replicas.
    who: String,
    /// Held while a copy is fetched: one at a time.
    healing: Mutex<()>,
    walk: Mutex<round::Walk>,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Counters {
    blobs: AtomicU64,
    bytes: AtomicU64,
    found: AtomicU64,
    healed: AtomicU64,
    recovered: AtomicU64,
    failed: AtomicU64,
    damaged: AtomicU64,
    position: AtomicU64,
    ended_at: AtomicI64,
}

impl Scrubber {
    /// A scrubber of this registry.
    pub fn new(registry: Registry, settings: Settings) -> Self {
        // The only process of a catalog goes on with its own turn after a restart.
        let who = if registry.catalog().is_exclusive() {
            "server".to_owned()
        } else {
            UploadId::random().map_or_else(|_| std::process::id().to_string(), |id| id.to_string())
        };
        Self {
            registry,
            settings,
            who,
            healing: Mutex::default(),
            walk: Mutex::default(),
            counters: Counters::default(),
        }
    }

    /// How it scrubs.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What was done so far.
    pub fn totals(&self) -> Totals {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.counters;
        Totals {
            blobs: read(&counters.blobs),
            bytes: read(&counters.bytes),
            found: read(&counters.found),
            healed: read(&counters.healed),
            recovered: read(&counters.recovered),
            failed: read(&counters.failed),
            damaged: read(&counters.damaged),
            position: read(&counters.position),
            ended_at: counters.ended_at.load(Ordering::Relaxed),
        }
    }

    async fn count_damaged(&self) -> Result<()> {
        let amount = self.registry.catalog().damage_amount().await?;
        self.counters.damaged.store(amount.count, Ordering::Relaxed);
        Ok(())
    }
}
