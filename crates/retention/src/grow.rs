//! What a registry will hold, from what was pushed until now: a straight line through the bytes of the pushes.
//!
//! It is a forecast and says so: pushes are taken to go on as they went in the time that is looked back at, and each
//! stays as long as the rules keep it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{DAY, Millis};

/// New bytes that a push brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// The owner.
    pub owner: String,
    /// When.
    pub at: Millis,
    /// Bytes that were not there before.
    pub bytes: u64,
}

/// What will be held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// Days ahead.
    pub days: u32,
    /// Days that were looked back at: those asked for, or those that there have been.
    pub past_days: u32,
    /// Each owner, by name.
    pub owners: Vec<OwnerForecast>,
    /// All together.
    pub total: OwnerForecast,
}

/// What one owner will hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerForecast {
    /// The owner.
    pub owner: String,
    /// Bytes held now.
    pub now_bytes: u64,
    /// Of these, what the rules would free today.
    pub rules_free_bytes: u64,
    /// New bytes of an average day.
    pub daily_bytes: u64,
    /// Bytes held then, if nothing is ever lost.
    pub then_bytes: u64,
    /// Bytes held then with the rules: what they free today is gone, and what they would free of new pushes goes at the
    /// same share.
    pub then_with_rules_bytes: u64,
    /// Days until the room is full without the rules; none if it is not within ten years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_in_days: Option<u32>,
    /// The same with the rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_with_rules_in_days: Option<u32>,
}

/// Days after which nobody plans.
const HORIZON: u64 = 3650;

/// Looks `days` ahead. `held` is what each owner holds now and how much of it the rules would free today; `free` is how
/// many bytes there is room for beside what is held.
pub fn forecast(
    held: &BTreeMap<String, (u64, u64)>,
    pushes: &[Push],
    now: Millis,
    days: u32,
    past_days: u32,
    free: Option<u64>,
) -> Forecast {
    let begin = now.saturating_sub(i64::from(past_days).saturating_mul(DAY));
    // A registry that is younger than the time to look back at has had fewer days.
    let first = pushes.iter().map(|push| push.at).min().unwrap_or(now);
    let lived = now.saturating_sub(first).saturating_add(DAY - 1) / DAY;
    let past_days = lived.clamp(1, past_days.max(1).into()) as u32;
    let mut recent: BTreeMap<&str, u64> = BTreeMap::new();
    for push in pushes.iter().filter(|push| push.at > begin && push.at <= now) {
        *recent.entry(&push.owner).or_default() += push.bytes;
    }
    let owners: Vec<_> = held
        .iter()
        .map(|(owner, (bytes, freed))| {
            let new = recent.get(owner.as_str()).copied().unwrap_or_default();
            let mut line = Line { held: *bytes, freed: *freed, new, past_days }.at(days, None);
            line.owner.clone_from(owner);
            line
        })
        .collect();
    let sum = |field: fn(&(u64, u64)) -> u64| held.values().map(field).sum();
    let all = Line { held: sum(|one| one.0), freed: sum(|one| one.1), new: recent.values().sum(), past_days };
    let mut total = all.at(days, free);
    // Each owner's is rounded on its own; the sum is what stands below the column.
    total.then_bytes = owners.iter().map(|one| one.then_bytes).sum();
    total.then_with_rules_bytes = owners.iter().map(|one| one.then_with_rules_bytes).sum();
    Forecast { days, past_days, owners, total }
}

struct Line {
    held: u64,
    freed: u64,
    new: u64,
    past_days: u32,
}

impl Line {
    fn at(&self, days: u32, free: Option<u64>) -> OwnerForecast {
        let days = u64::from(days);
        let daily = self.new / u64::from(self.past_days.max(1));
        let stays = self.held.saturating_sub(self.freed);
        // Of what is pushed, the share stays that stays of what is there today.
        let daily_kept = match self.held {
            0 => daily,
            held => (u128::from(daily) * u128::from(stays) / u128::from(held)) as u64,
        };
        let full = |left: Option<u64>, daily: u64| {
            let left = left?;
            match daily {
                _ if left == 0 => Some(0),
                0 => None,
                daily => Some(left.div_ceil(daily)).filter(|days| *days <= HORIZON).map(|days| days as u32),
            }
        };
        OwnerForecast {
            owner: String::new(),
            now_bytes: self.held,
            rules_free_bytes: self.freed,
            daily_bytes: daily,
            then_bytes: self.held.saturating_add(daily.saturating_mul(days)),
            then_with_rules_bytes: stays.saturating_add(daily_kept.saturating_mul(days)),
            full_in_days: full(free, daily),
            full_with_rules_in_days: full(free.map(|free| free.saturating_add(self.freed)), daily_kept),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_line_with_and_without_the_rules() {
        let push = |owner: &str, day: i64, bytes| Push { owner: owner.to_owned(), at: day * DAY, bytes };
        let pushes = [
            push("a", 95, 600),
            push("a", 99, 400),
            push("a", 10, 9999),
            push("b", 99, 100),
            push("b", 101, 9999),
        ];
        let held = BTreeMap::from([("a".to_owned(), (2000, 1000)), ("b".to_owned(), (100, 0))]);
        let seen = forecast(&held, &pushes, 100 * DAY, 90, 10, Some(2200));
        let rows: Vec<_> = seen
            .owners
            .iter()
            .map(|one| (one.daily_bytes, one.then_bytes, one.then_with_rules_bytes))
            .collect();
        assert_eq!(rows, [(100, 11_000, 1000 + 50 * 90), (10, 1000, 1000)]);
        assert_eq!(seen.total.then_bytes, 12_000);
        assert_eq!((seen.total.full_in_days, seen.total.full_with_rules_in_days), (Some(20), Some(57)));
        let idle = forecast(&held, &[], 100 * DAY, 90, 10, Some(2200));
        assert_eq!((idle.total.then_bytes, idle.total.full_in_days), (2100, None));
        let young = forecast(&held, &pushes[..2], 100 * DAY, 90, 10, None);
        assert_eq!((young.past_days, young.owners[0].daily_bytes), (5, 200));
    }
}
