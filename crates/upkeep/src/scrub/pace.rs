//! Keeps reading from taking the disk away from pulls: at most so many bytes a second.

use std::time::{Duration, Instant};

/// A wait that is shorter is put off.
const SHORTEST: Duration = Duration::from_millis(5);
/// What a pause saves up for: no more than this is made up for at full speed.
const SAVED: Duration = Duration::from_secs(1);

/// Reading at a pace.
#[derive(Debug)]
pub(super) struct Pace {
    per_second: u64,
    /// When what was read would have been read at the pace.
    due: Instant,
}

impl Pace {
    /// At most `per_second` bytes a second; 0 is as fast as it goes.
    pub(super) fn new(per_second: u64) -> Self {
        Self { per_second, due: Instant::now() }
    }

    /// Waits until `bytes` more may have been read.
    pub(super) async fn spend(&mut self, bytes: u64) {
        let wait = self.wait(bytes, Instant::now());
        if wait >= SHORTEST {
            tokio::time::sleep(wait).await;
        } else {
            // Hashing has no other point where it would let requests on.
            tokio::task::yield_now().await;
        }
    }

    fn wait(&mut self, bytes: u64, now: Instant) -> Duration {
        if self.per_second == 0 {
            return Duration::ZERO;
        }
        let earliest = now.checked_sub(SAVED).unwrap_or(now);
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.per_second);
        self.due =
            self.due.max(earliest) + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX >> 1));
        self.due.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_of_bytes_takes_a_second() {
        let (mut pace, start) = (Pace::new(1000), Instant::now());
        pace.due = start;
        assert_eq!(pace.wait(500, start), Duration::from_millis(500));
        assert_eq!(pace.wait(500, start + Duration::from_millis(500)), Duration::from_millis(500));
        // A pause saves up for one second, however long it was.
        let later = start + Duration::from_mins(1);
        assert_eq!(pace.wait(1000, later), Duration::ZERO);
        assert_eq!(pace.wait(1000, later), Duration::from_secs(1));
        assert_eq!(Pace::new(0).wait(u64::MAX, start), Duration::ZERO);
    }
}
