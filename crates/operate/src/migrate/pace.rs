//! Bytes go no faster than they may.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// A limit that all blobs on their way share.
pub(super) struct Pace {
    rate: Option<u64>,
    next: Mutex<Instant>,
}

impl Pace {
    /// So many bytes a second.
    pub(super) fn new(rate: Option<u64>) -> Self {
        Self { rate: rate.filter(|rate| *rate > 0), next: Mutex::new(Instant::now()) }
    }

    /// Waits until so many bytes may go.
    pub(super) async fn take(&self, bytes: usize) {
        let Some(rate) = self.rate else { return };
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = (*next).max(Instant::now());
            *next = turn + Duration::from_secs_f64(bytes as f64 / rate as f64);
            turn
        };
        sleep_until(turn).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_limit_is_shared_and_kept() {
        let (pace, begun) = (Pace::new(Some(1_000_000)), Instant::now());
        tokio::join!(
            async {
                for _ in 0..5 {
                    pace.take(10_000).await;
                }
            },
            async {
                for _ in 0..5 {
                    pace.take(10_000).await;
                }
            }
        );
        assert!(begun.elapsed() >= Duration::from_millis(90), "{:?}", begun.elapsed());
    }
}
