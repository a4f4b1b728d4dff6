//! Slows the guessing of passwords, per account and per address.
//!
//! From the limit on each failure locks for twice as long as the one before. A success clears its account, never
//! its address: whoever owns one account must not use it to go on guessing others. Only passwords count and only
//! passwords are refused: 256 random bits cannot be guessed, so a token works while its account or address is locked,
//! and nobody can stop a team's builds by failing on purpose.
//!
//! Memory is bounded: when full, forgotten entries go first, then those with the fewest failures.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use railhead_catalog::Timestamp;

use crate::settings::{Throttling, millis};

/// Failed logins, of late.
pub(crate) struct Throttle {
    settings: Throttling,
    failures: Mutex<HashMap<Subject, Failures>>,
}

/// What is slowed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    /// An account's name in lower case, whether or not it exists.
    Account(String),
    Address(IpAddr),
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    locked_until: Timestamp,
}

impl Throttle {
    pub fn new(settings: Throttling) -> Self {
        Self { settings, failures: Mutex::default() }
    }

    /// How long to wait before a password of this account from this address is looked at.
    pub fn wait(&self, account: &str, from: IpAddr, now: Timestamp) -> Option<Duration> {
        self.wait_for(&subjects(account, from), now)
    }

    fn wait_for(&self, subjects: &[Subject], now: Timestamp) -> Option<Duration> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let until = subjects
            .iter()
            .filter_map(|subject| failures.get(subject))
            .map(|failures| failures.locked_until)
            .max()?;
        let left = until.0.saturating_sub(now.0);
        u64::try_from(left).ok().filter(|left| *left > 0).map(Duration::from_millis)
    }

    /// How long to wait before a token of another registry's from this address is looked at: of what cannot be guessed no
    /// account is locked, but to ask about it costs.
    pub fn wait_from(&self, from: IpAddr, now: Timestamp) -> Option<Duration> {
        self.wait_for(&[Subject::Address(network(from))], now)
    }

    /// A token was wrong.
    pub fn failed_from(&self, from: IpAddr, now: Timestamp) {
        self.count([Subject::Address(network(from))], now);
    }

    /// A password was wrong.
    pub fn failed(&self, account: &str, from: IpAddr, now: Timestamp) {
        self.count(subjects(account, from), now);
    }

    fn count<const N: usize>(&self, subjects: [Subject; N], now: Timestamp) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        for subject in subjects {
            let limit = match subject {
                Subject::Account(_) => self.settings.account_failures,
                Subject::Address(_) => self.settings.address_failures,
            };
            if !failures.contains_key(&subject) && failures.len() >= self.settings.capacity {
                self.make_room(&mut failures, now);
            }
            let entry = failures.entry(subject).or_insert(Failures { count: 0, locked_until: now });
            if self.forgotten(entry, now) {
                entry.count = 0;
            }
            entry.count = entry.count.saturating_add(1);
            entry.locked_until = now.plus_millis(self.delay(entry.count, limit));
        }
    }

    /// A password was right.
    pub fn succeeded(&self, account: &str) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.remove(&Subject::Account(account.to_lowercase()));
    }

    /// Milliseconds of the lock after failure `count`.
    fn delay(&self, count: u32, limit: u32) -> i64 {
        let Some(doublings) = count.checked_sub(limit) else { return 0 };
        let factor = 1_i64.checked_shl(doublings).filter(|_| doublings < 40).unwrap_or(i64::MAX);
        millis(self.settings.first_delay).saturating_mul(factor).min(millis(self.settings.longest_delay))
    }

    fn forgotten(&self, failures: &Failures, now: Timestamp) -> bool {
        now >= failures.locked_until.plus_millis(millis(self.settings.longest_delay))
    }

    fn make_room(&self, failures: &mut HashMap<Subject, Failures>, now: Timestamp) {
        failures.retain(|_, entry| !self.forgotten(entry, now));
        if failures.len() < self.settings.capacity {
            return;
        }
        // A tenth at once, so that a flood of names does not scan the map for each.
        let mut counts: Vec<_> = failures.values().map(|entry| (entry.count, entry.locked_until)).collect();
        let tenth = counts.len() / 10;
        let (_, border, _) = counts.select_nth_unstable(tenth);
        let border = *border;
        failures.retain(|_, entry| (entry.count, entry.locked_until) > border);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.failures.lock().unwrap().len()
    }
}

fn subjects(account: &str, from: IpAddr) -> [Subject; 2] {
    [Subject::Account(account.to_lowercase()), Subject::Address(network(from))]
}

/// One subscriber has a /64 of IPv6 at least, and would else have 2^64 addresses to fail from.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle() -> Throttle {
        Throttle::new(Throttling::default())
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_fifth_failure_locks_and_each_further_one_twice_as_long() {
        let (throttle, from) = (throttle(), address("192.0.2.1"));
        for _ in 0..4 {
            throttle.failed("Alice", from, Timestamp(0));
        }
        assert_eq!(throttle.wait("alice", from, Timestamp(0)), None);
        for seconds in [1, 2, 4, 8, 16] {
            throttle.failed("alice", from, Timestamp(0));
            let lock = Duration::from_secs(seconds);
            assert_eq!(
                throttle.wait("alice", address("192.0.2.2"), Timestamp(0)),
                Some(lock),
                "from anywhere"
            );
            assert_eq!(throttle.wait("alice", from, Timestamp(millis(lock))), None);
        }
        for _ in 0..100 {
            throttle.failed("alice", from, Timestamp(0));
        }
        assert_eq!(throttle.wait("alice", from, Timestamp(0)), Some(Duration::from_mins(15)), "bounded");
        assert_eq!(throttle.wait("bob", address("192.0.2.2"), Timestamp(0)), None);
    }

    #[test]
    fn an_address_is_locked_for_every_account_and_a_success_does_not_free_it() {
        let throttle = throttle();
        for n in 0..20 {
            throttle.failed(&format!("user{n}"), address(&format!("2001:db8::{n:x}")), Timestamp(0));
            throttle.succeeded("mine");
        }
        assert!(throttle.wait("other", address("2001:db8::ffff"), Timestamp(0)).is_some(), "the same /64");
        assert_eq!(throttle.wait("other", address("2001:db8:0:1::1"), Timestamp(0)), None);
    }

    #[test]
    fn a_success_clears_the_account_and_time_forgets() {
        let (throttle, from) = (throttle(), address("192.0.2.1"));
        for _ in 0..5 {
            throttle.failed("alice", from, Timestamp(0));
        }
        throttle.succeeded("ALICE");
        assert_eq!(throttle.wait("alice", from, Timestamp(0)), None);
        for _ in 0..5 {
            throttle.failed("bob", from, Timestamp(0));
        }
        throttle.failed("bob", from, Timestamp(901_000));
        assert_eq!(throttle.wait("bob", from, Timestamp(901_000)), None, "counted from one again");
    }

    #[test]
    fn a_flood_of_names_stays_bounded_and_keeps_the_worst() {
        let throttle = Throttle::new(Throttling { capacity: 100, ..Throttling::default() });
        for _ in 0..5 {
            throttle.failed("victim", address("192.0.2.1"), Timestamp(0));
        }
        for n in 0..10_000 {
            throttle.failed(&format!("name{n}"), address("192.0.2.2"), Timestamp(1));
        }
        assert!(throttle.len() <= 101, "{}", throttle.len());
        assert!(throttle.wait("victim", address("192.0.2.3"), Timestamp(1)).is_some());
    }
}
