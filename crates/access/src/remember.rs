//! Verdicts that need not be found again: header text → identity, and (identity, action, repository) → allowed.
//!
//! Checking a signature anew on each request would cost more than all the rest of a small pull. Order of a look-up:
//! hash, fetch, compare the whole text in constant time, then generation and time. The hash is fast and seeded per
//! process; it only finds the place, so a collision is a miss and never a wrong identity.
//!
//! Bounds: [`HEADERS`] texts of at most [`HEADER_MAX`] bytes and [`DECISIONS`] decisions. Only successes are kept, so
//! nobody can fill the memory without a login, and what was refused is looked at anew each time.

use std::hash::{BuildHasher as _, Hasher as _};
use std::hint::black_box;
use std::sync::Arc;

use foldhash::quality::RandomState;
use quick_cache::sync::Cache;
use railhead_catalog::Timestamp;
use railhead_oci::RepositoryName;

use crate::{Action, Identity};

const HEADERS: usize = 8192;
const HEADER_MAX: usize = 4096;
const DECISIONS: usize = 65_536;

pub(crate) struct Remembered {
    seed: RandomState,
    headers: Cache<u64, Arc<Verdict>>,
    /// The value is the generation, and until when it counts.
    decisions: Cache<(u64, Action, RepositoryName), (u64, Timestamp)>,
}

struct Verdict {
    header: Box<[u8]>,
    identity: Arc<Identity>,
    generation: u64,
    until: Timestamp,
}

impl Remembered {
    pub fn new() -> Self {
        Self { seed: RandomState::default(), headers: Cache::new(HEADERS), decisions: Cache::new(DECISIONS) }
    }

    pub fn identity(&self, header: &str, generation: u64, now: Timestamp) -> Option<Arc<Identity>> {
        let verdict = self.headers.get(&self.place(header))?;
        let valid = same(&verdict.header, header.as_bytes())
            && verdict.generation == generation
            && now < verdict.until;
        valid.then(|| Arc::clone(&verdict.identity))
    }

    pub fn keep_identity(&self, header: &str, identity: &Arc<Identity>, until: Timestamp) {
        if header.len() <= HEADER_MAX {
            let verdict = Verdict {
                header: header.as_bytes().into(),
                identity: Arc::clone(identity),
                generation: identity.generation,
                until,
            };
            self.headers.insert(self.place(header), Arc::new(verdict));
        }
    }

    pub fn allowed(
        &self,
        who: &Identity,
        action: Action,
        repository: &RepositoryName,
        generation: u64,
        now: Timestamp,
    ) -> bool {
        let kept = self.decisions.get(&(who.serial, action, repository.clone()));
        kept.is_some_and(|(of, until)| of == generation && now < until)
    }

    pub fn keep_allowed(
        &self,
        who: &Identity,
        action: Action,
        repository: &RepositoryName,
        generation: u64,
        until: Timestamp,
    ) {
        self.decisions.insert((who.serial, action, repository.clone()), (generation, until));
    }

    fn place(&self, header: &str) -> u64 {
        let mut hasher = self.seed.build_hasher();
        hasher.write(header.as_bytes());
        hasher.finish()
    }
}

/// Compares in a time that depends on the lengths only. A byte at a time through `subtle` would take microseconds
/// for a bearer token; this loop becomes vector instructions, and the black box keeps the compiler from leaving it
/// early.
fn same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len()
        && black_box(left.iter().zip(right).fold(0, |difference, (left, right)| difference | (left ^ right)))
            == 0
}
