//! Until when a verdict may be remembered.
//!
//! Every change of accounts, members, tokens or visibility begins a new generation, and what was learnt in an older
//! one counts no more. A verdict carries the generation that was current *before* its facts were read, so a change
//! in between makes it too old at once. When this process is the only writer that is all; on a shared database the
//! catalog's own counter is asked again after each [`crate::Settings::remember`]. What another process changed may be that
//! the forge sent it a message, so what the forge said is forgotten then, too.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use railhead_catalog::{Catalog, Timestamp};
use railhead_forge::Forge;

use crate::Result;

pub(crate) struct Generation {
    number: AtomicU64,
    /// Milliseconds between two questions to the catalog; absent when this process is the only writer.
    poll_every: Option<i64>,
    polled_at: AtomicI64,
    /// What the catalog's counter was then.
    polled: AtomicI64,
    forge: Option<Forge>,
}

impl Generation {
    pub const fn new(poll_every: Option<i64>, forge: Option<Forge>) -> Self {
        Self {
            number: AtomicU64::new(1),
            poll_every,
            polled_at: AtomicI64::new(i64::MIN),
            polled: AtomicI64::new(-1),
            forge,
        }
    }

    /// Begins a new one. Called after the change is committed.
    pub fn bump(&self) {
        self.number.fetch_add(1, Ordering::Release);
    }

    /// The current one, unless the catalog must be asked first.
    pub fn fresh(&self, now: Timestamp) -> Option<u64> {
        if let Some(poll_every) = self.poll_every {
            // A clock that was set back makes it stale, not fresh for ever.
            let age = now.0.wrapping_sub(self.polled_at.load(Ordering::Acquire));
            if !(0..poll_every).contains(&age) {
                return None;
            }
        }
        Some(self.number.load(Ordering::Acquire))
    }

    /// The current one. Two polls at once may bump once too often, never too seldom.
    pub async fn current(&self, catalog: &Catalog, now: Timestamp) -> Result<u64> {
        if let Some(number) = self.fresh(now) {
            return Ok(number);
        }
        let found = catalog.generation().await?;
        if self.polled.swap(found, Ordering::AcqRel) != found {
            if let Some(forge) = &self.forge {
                forge.forget();
            }
            self.bump();
        }
        self.polled_at.store(now.0, Ordering::Release);
        Ok(self.number.load(Ordering::Acquire))
    }
}
