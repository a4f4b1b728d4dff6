//! A clock that does not believe in jumps.
//!
//! When the system's clock leaps ahead, leases seem to be over that are not. So collection, and the end of the trash, go by
//! a clock that runs on as before, until everything that was promised before the leap has ended by any clock; only then
//! it follows. A clock that is set back is followed at once: what goes by it then comes later, which harms nobody.

use std::time::{Duration, Instant};

use railhead_catalog::Timestamp;

/// What no jump is: slewing, a machine under load, and the like.
const SLACK: i64 = 60_000;

/// A time to remove things by.
#[derive(Debug)]
pub(crate) struct Clock {
    /// What waits for it.
    what: &'static str,
    /// The longest time that was promised to anybody.
    longest: Duration,
    /// A time, and the moment of the machine's own clock that it belongs to.
    anchor: Option<(Timestamp, Instant)>,
    /// From when on to follow a clock that has leapt ahead.
    follow_at: Option<Instant>,
}

impl Clock {
    pub(crate) const fn new(what: &'static str, longest: Duration) -> Self {
        Self { what, longest, anchor: None, follow_at: None }
    }

    /// The same as [`Self::read`] where what was promised changes: by now the longest of it is `longest`.
    pub(crate) fn read_for(&mut self, longest: Duration, wall: Timestamp, moment: Instant) -> Timestamp {
        self.longest = longest;
        self.read(wall, moment)
    }

    /// The time, given what the system's clock says and what the machine's own, which cannot be set, does.
    pub(crate) fn read(&mut self, wall: Timestamp, moment: Instant) -> Timestamp {
        let Some((then, at)) = self.anchor else { return self.follow(wall, moment) };
        let passed = i64::try_from(moment.saturating_duration_since(at).as_millis()).unwrap_or(i64::MAX);
        let expected = then.plus_millis(passed);
        if wall.0.saturating_sub(expected.0) <= SLACK {
            return self.follow(wall, moment);
        }
        match self.follow_at {
            Some(from) if moment >= from => self.follow(wall, moment),
            Some(_) => expected,
            None => {
                self.follow_at = Some(moment + self.longest);
                tracing::warn!(
                    expected = %expected, found = %wall, wait_seconds = self.longest.as_secs(), what = self.what,
                    "the clock has leapt ahead; what goes by it waits until what was promised before has ended"
                );
                expected
            }
        }
    }

    fn follow(&mut self, wall: Timestamp, moment: Instant) -> Timestamp {
        self.anchor = Some((wall, moment));
        self.follow_at = None;
        wall
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    /// Reads the clock when the wall's says `wall` and the machine's `passed`, in hours.
    fn read(clock: &mut Clock, start: Instant, passed: u64, wall: i64) -> i64 {
        clock.read(Timestamp(wall * HOUR), start + Duration::from_hours(passed)).0 / HOUR
    }

    #[test]
    fn a_leap_ahead_is_followed_when_all_promises_have_ended() {
        let (mut clock, start) = (Clock::new("a test", Duration::from_hours(4)), Instant::now());
        assert_eq!(read(&mut clock, start, 0, 100), 100);
        assert_eq!(read(&mut clock, start, 1, 101), 101);
        assert_eq!(read(&mut clock, start, 2, 502), 102, "it runs on as before");
        assert_eq!(read(&mut clock, start, 5, 505), 105);
        assert_eq!(read(&mut clock, start, 6, 506), 506);
        assert_eq!(read(&mut clock, start, 7, 507), 507);
    }

    #[test]
    fn a_leap_that_is_taken_back_was_none() {
        let (mut clock, start) = (Clock::new("a test", Duration::from_hours(4)), Instant::now());
        read(&mut clock, start, 0, 100);
        assert_eq!(read(&mut clock, start, 1, 501), 101);
        assert_eq!(read(&mut clock, start, 2, 102), 102);
        // Nothing is left of the first wait.
        assert_eq!(read(&mut clock, start, 6, 506), 106);
    }

    #[test]
    fn a_clock_that_is_set_back_is_followed() {
        let (mut clock, start) = (Clock::new("a test", Duration::from_hours(4)), Instant::now());
        read(&mut clock, start, 0, 100);
        assert_eq!(read(&mut clock, start, 1, 50), 50);
        assert_eq!(read(&mut clock, start, 2, 102), 51, "and back is a leap ahead");
    }
}
