//! Makes the steps of a record, with their times.

use std::time::Instant;

use super::record::{Broken, Hop, Step};

/// Milliseconds since then.
pub(super) fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

impl<T> Step<T> {
    /// A step that was begun at `since`.
    pub(super) fn ended(since: Instant, result: Result<T, Broken>) -> Self {
        let millis = millis(since);
        match result {
            Ok(seen) => Self::Taken { millis, seen },
            Err(broke) => Self::Broken { millis, broke },
        }
    }

    /// A step that `hop` is in the way of.
    pub(super) fn behind(hop: Hop, why: impl Into<String>) -> Self {
        Self::Skipped { behind: Some(hop), why: why.into() }
    }

    /// A step that nothing is in the way of, and that there is no reason to take.
    pub(super) fn not_due(why: impl Into<String>) -> Self {
        Self::Skipped { behind: None, why: why.into() }
    }
}
