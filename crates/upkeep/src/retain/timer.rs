//! What happens without anybody asking: the rules are applied every so often, and the trash ends.
//!
//! When the rules were applied last is written down in the catalog: so a server that is started again every day still
//! gets to it, and of several replicas one does. After its first start a registry waits once, so that who has just
//! written rules has time to look at a plan.
//!
//! What ends with the trash is gone. So the clock is doubted here in two ways: while the server runs, a leap is not followed
//! until all that is in the trash has ended by any clock; and after a start the registry has to have seen something.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use railhead_catalog::Timestamp;

use super::{Retention, RetentionError};

/// The name of the turn.
const TURN: &str = "retention.applied_at";

impl Retention {
    /// Whether the rules are to be applied now, which nobody has done for `every`. Who is told so has the turn.
    pub async fn is_due(&self, every: Duration, now: Timestamp) -> Result<bool, RetentionError> {
        let every = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
        Ok(self.registry.catalog().take_turn(TURN, every, now).await?)
    }

    /// Drops what has been in the trash for its time. Gives the number of manifests that cannot be brought back any
    /// more. `moment` is the time of a clock that cannot be set.
    pub async fn end_trash(&self, now: Timestamp, moment: Instant) -> Result<u64, RetentionError> {
        let catalog = self.registry.catalog();
        let longest = catalog.longest_trash().await?;
        let believed = self.trash.lock().await.read_for(longest, now, moment);
        if longest.is_zero() || !catalog.has_expired_trash(believed).await? {
            return Ok(0);
        }
        if let Some(seen) = self.doubtful(believed).await? {
            if !self.told.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    now = %believed, %seen,
                    "the time of what is in the trash is over by the clock, which may be wrong; it stays until the registry sees something"
                );
            }
            return Ok(0);
        }
        self.told.store(false, Ordering::Relaxed);
        Ok(catalog.drop_expired_trash(believed).await?)
    }
}
