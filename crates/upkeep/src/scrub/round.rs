//! The walk in the background: a round over all blobs takes the time that was set, at an even rate.
//!
//! The rate is not kept by a timer but by a rule: at each moment as many bytes of the round should be hashed as time of it has
//! passed. So a restart, a night without the server, or a blob that is larger than a day's share need no book-keeping:
//! whoever goes on sees from the round's beginning how far it should be.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use railhead_catalog::{BlobRecord, BlobScope, ScrubRound, Timestamp};
use railhead_oci::Digest;
use railhead_registry::Result;

use super::Scrubber;
use super::look::{Condition, Depth, WRONG_CONTENT};
use super::pace::Pace;

/// Blobs that are asked of the catalog at a time.
const PAGE: u32 = 100;
/// How long a tick works before it writes down how far it is.
const TICK: Duration = Duration::from_secs(5);
/// How long the turn is kept without a sign of life; one blob may take that long.
const TURN: i64 = 30 * 60 * 1000;
/// How often what is left of the round is added up afresh: pushes add to it.
const ADD_UP_EVERY: Duration = Duration::from_hours(1);
/// How often healing is tried of what is damaged.
const HEAL_EVERY: Duration = Duration::from_mins(30);
/// The longest and the shortest pause between two ticks.
const PAUSE_MOST: Duration = Duration::from_mins(1);
const PAUSE_LEAST: Duration = Duration::from_secs(1);

/// What the walk of this process remembers between two ticks.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Bytes of the whole round, and when they were added up.
    whole: Option<(u64, Instant)>,
    healed_at: Option<Instant>,
}

/// How far a round should be.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// Milliseconds of a round.
    millis: u64,
    /// Bytes of the round.
    whole: u64,
    started: Timestamp,
}

impl Plan {
    /// Bytes that should be hashed by `now`.
    fn target(&self, now: Timestamp) -> u64 {
        let passed = u64::try_from(now.0.saturating_sub(self.started.0)).unwrap_or(0).min(self.millis);
        let target = u128::from(self.whole) * u128::from(passed) / u128::from(self.millis.max(1));
        u64::try_from(target).unwrap_or(u64::MAX)
    }

    /// The first moment at which more than `bytes` should be hashed; the round's end where that never is.
    fn next(&self, bytes: u64) -> Timestamp {
        let due = (u128::from(bytes) + 1) * u128::from(self.millis);
        let passed = due.div_ceil(u128::from(self.whole.max(1))).min(u128::from(self.millis));
        self.started.plus_millis(i64::try_from(passed).unwrap_or(i64::MAX))
    }
}

impl Scrubber {
    /// Does what is due of the round under way, and begins the next when its time has come; how long to wait before it
    /// is called again. When another replica walks, nothing is done.
    pub async fn tick(&self, now: Timestamp) -> Result<Duration> {
        let mut walk = self.walk.lock().await;
        let done = self.walk_on(&mut walk, now).await;
        if done.is_err() {
            self.counters.failed.fetch_add(1, Ordering::Relaxed);
        }
        done
    }

    async fn walk_on(&self, walk: &mut Walk, now: Timestamp) -> Result<Duration> {
        let catalog = self.registry.catalog();
        let Some(mut round) = catalog.claim_scrub(&self.who, now, now.plus_millis(TURN)).await? else {
            // Whoever asks this replica is told the same as where another one walks.
            let round = catalog.scrub_round().await?;
            let whole = if is_ended(&round) { None } else { Some(self.whole(walk, &round).await?) };
            self.show(&round, whole);
            self.count_damaged().await?;
            return Ok(PAUSE_MOST);
        };
        if walk.healed_at.is_none_or(|at| at.elapsed() >= HEAL_EVERY) {
            walk.healed_at = Some(Instant::now());
            self.heal_all().await?;
        }
        let millis = u64::try_from(self.settings.round.as_millis()).unwrap_or(u64::MAX);
        let end = |started: Timestamp| started.plus_millis(i64::try_from(millis).unwrap_or(i64::MAX));
        let started = match round.started_at {
            Some(started) if is_ended(&round) && now >= end(started) => None,
            // A clock that was set back would let the round wait for it.
            started => started.map(|started| started.min(now)),
        };
        let started = started.unwrap_or_else(|| {
            walk.whole = None;
            let ended_at = round.ended_at.map(|ended| ended.min(now.plus_millis(-1)));
            round = ScrubRound { ended_at, ..ScrubRound::default() };
            now
        });
        round.started_at = Some(started);
        if is_ended(&round) {
            self.show(&round, None);
            return Ok(PAUSE_MOST);
        }
        let whole = self.whole(walk, &round).await?;
        let plan = Plan { millis, whole, started };
        let wait = self.advance(&mut round, &plan, now).await?;
        catalog.save_scrub(&self.who, &round).await?;
        self.show(&round, Some(whole));
        self.count_damaged().await?;
        Ok(wait)
    }

    /// Bytes of the whole round.
    async fn whole(&self, walk: &mut Walk, round: &ScrubRound) -> Result<u64> {
        if let Some((whole, at)) = walk.whole
            && at.elapsed() < ADD_UP_EVERY
        {
            return Ok(whole.max(round.bytes));
        }
        let left = self.registry.catalog().blob_amount(round.position.as_ref()).await?;
        let whole = round.bytes.saturating_add(left.bytes);
        walk.whole = Some((whole, Instant::now()));
        Ok(whole)
    }

    /// Hashes blobs until the round is where it should be, or it is time to write down how far it is.
    async fn advance(&self, round: &mut ScrubRound, plan: &Plan, now: Timestamp) -> Result<Duration> {
        let begun = Instant::now();
        let mut pace = Pace::new(self.settings.most_per_second);
        loop {
            let listed =
                self.registry.catalog().blobs_of(BlobScope::All, round.position.as_ref(), PAGE).await?;
            for blob in &listed {
                // An empty registry and empty blobs have no bytes to go by.
                if blob.size > 0 && round.bytes >= plan.target(now) {
                    let wait = plan.next(round.bytes).0.saturating_sub(now.0);
                    let wait = Duration::from_millis(u64::try_from(wait).unwrap_or(0));
                    return Ok(wait.clamp(PAUSE_LEAST, PAUSE_MOST));
                }
                self.hash(blob, round, &mut pace).await?;
                if begun.elapsed() >= TICK {
                    return Ok(Duration::ZERO);
                }
            }
            if listed.len() < PAGE as usize {
                round.ended_at = Some(now);
                if round.blobs == 0 {
                    return Ok(PAUSE_LEAST);
                }
                tracing::info!(
                    blobs = round.blobs,
                    bytes = round.bytes,
                    damaged = round.damaged,
                    "every blob was hashed again"
                );
                return Ok(PAUSE_LEAST);
            }
        }
    }

    async fn hash(&self, blob: &BlobRecord, round: &mut ScrubRound, pace: &mut Pace) -> Result<()> {
        let condition = self.examine(blob, Depth::Content, pace).await?;
        round.position = Some(blob.digest);
        round.blobs += 1;
        round.bytes += blob.size;
        if let Condition::Damaged(blob, _) = condition {
            round.damaged += 1;
            self.heal(&blob.digest).await?;
        }
        Ok(())
    }

    /// Tries once more what is damaged: its object may be back, and a source may have it by now.
    async fn heal_all(&self) -> Result<()> {
        let mut pace = Pace::new(self.settings.most_per_second);
        let mut after: Option<Digest> = None;
        loop {
            let listed = self.registry.catalog().damages(after.as_ref(), PAGE).await?;
            for damage in &listed {
                after = Some(damage.blob.digest);
                // Content that was wrong stays wrong, as objects do not change; the next round looks all the same. What
                // was missing may be back, as a disk that is mounted again.
                let is_worth_reading = !damage.found.starts_with(WRONG_CONTENT);
                if is_worth_reading
                    && self.examine(&damage.blob, Depth::Content, &mut pace).await? == Condition::Recovered
                {
                    continue;
                }
                self.heal(&damage.blob.digest).await?;
            }
            if listed.len() < PAGE as usize {
                return self.count_damaged().await;
            }
        }
    }

    /// For metrics.
    fn show(&self, round: &ScrubRound, whole: Option<u64>) {
        let position = match whole {
            _ if is_ended(round) => 1000,
            Some(whole) if whole > 0 => round.bytes.saturating_mul(1000) / whole,
            _ => 0,
        };
        self.counters.position.store(position.min(1000), Ordering::Relaxed);
        let ended = round.ended_at.map_or(0, |at| at.0 / 1000);
        self.counters.ended_at.store(ended, Ordering::Relaxed);
    }
}

/// Whether all is hashed, and the next round has not begun.
fn is_ended(round: &ScrubRound) -> bool {
    round.started_at.is_some() && round.ended_at >= round.started_at
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_round_is_done_in_its_time_and_never_waits_behind_its_plan(
            whole in 1_u64..1 << 50, millis in 1_u64..90 * 86_400_000, started in 0_i64..1 << 42, share in 0.0..1.0_f64,
        ) {
            let plan = Plan { millis, whole, started: Timestamp(started) };
            let at = |passed: u64| plan.target(Timestamp(started + passed as i64));
            prop_assert_eq!(at(0), 0);
            prop_assert_eq!(at(millis), whole);
            prop_assert_eq!(at(millis * 2), whole, "and not more");
            let passed = (millis as f64 * share) as u64;
            prop_assert!(at(passed) <= at(passed + 1));
            // Whoever waits as long as it is told has something to do then.
            let done = at(passed);
            let next = plan.next(done);
            if done < whole {
                prop_assert!(plan.target(next) > done);
                prop_assert!(plan.target(next.plus_millis(-1)) <= done, "and not before");
            }
        }
    }
}
