//! What a registry will hold, from what was pushed until now: a straight line through the bytes of the pushes.
//!
//! It is a forecast and says so: pushes are taken to go on as they went in the time that is looked back at, and each
//! stays as long as the rules keep it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{DAY, Millis};

/// What somebody holds, and how that came to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// Bytes held now.
    pub bytes: u64,
    /// Of these, what the rules would free today.
    pub rules_free: u64,
    /// Of these, what came in the time that is looked back at.
    pub new_bytes: u64,
}

/// From when to when to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// The time.
    pub now: Millis,
    /// When the first of what is held came; none where nothing is held.
    pub first: Option<Millis>,
    /// Days to look ahead.
    pub days: u32,
    /// Days to look back.
    pub past_days: u32,
    /// Bytes that there is room for beside what is held, if that is known.
    pub free: Option<u64>,
}

impl Outlook {
    /// From when on what came is new.
    pub fn begin(&self) -> Millis {
        self.now.saturating_sub(i64::from(self.past_days).saturating_mul(DAY))
    }

    /// The days that there have been of those to look back at: a younger registry has had fewer.
    fn lived(&self) -> u32 {
        let lived = self.now.saturating_sub(self.first.unwrap_or(self.now)).saturating_add(DAY - 1) / DAY;
        lived.clamp(1, self.past_days.max(1).into()) as u32
    }
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
    /// All together; what several owners have counts once.
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

/// Looks ahead. `owners` is what each holds, `all` what the registry does: what several owners have is in the store once.
pub fn forecast(owners: &BTreeMap<String, Holding>, all: Holding, outlook: &Outlook) -> Forecast {
    let past_days = outlook.lived();
    let line = |of: &Holding, free| Line { of: *of, past_days }.at(outlook.days, free);
    let owners = owners
        .iter()
        .map(|(owner, holding)| OwnerForecast { owner: owner.clone(), ..line(holding, None) })
        .collect();
    Forecast { days: outlook.days, past_days, owners, total: line(&all, outlook.free) }
}

struct Line {
    of: Holding,
    past_days: u32,
}

impl Line {
    fn at(&self, days: u32, free: Option<u64>) -> OwnerForecast {
        let days = u64::from(days);
        let Holding { bytes, rules_free, new_bytes } = self.of;
        let daily = new_bytes / u64::from(self.past_days.max(1));
        let stays = bytes.saturating_sub(rules_free);
        // Of what is pushed, the share stays that stays of what is there today.
        let daily_kept = match bytes {
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
            now_bytes: bytes,
            rules_free_bytes: rules_free,
            daily_bytes: daily,
            then_bytes: bytes.saturating_add(daily.saturating_mul(days)),
            then_with_rules_bytes: stays.saturating_add(daily_kept.saturating_mul(days)),
            full_in_days: full(free, daily),
            full_with_rules_in_days: full(free.map(|free| free.saturating_add(rules_free)), daily_kept),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(now: i64, past_days: u32, first: i64, free: Option<u64>) -> Outlook {
        Outlook { now: now * DAY, first: Some(first * DAY), days: 90, past_days, free }
    }

    fn holding(bytes: u64, rules_free: u64, new_bytes: u64) -> Holding {
        Holding { bytes, rules_free, new_bytes }
    }

    #[test]
    fn a_straight_line_with_and_without_the_rules() {
        let owners = BTreeMap::from([
            ("a".to_owned(), holding(2000, 1000, 1000)),
            ("b".to_owned(), holding(100, 0, 100)),
        ]);
        let all = holding(2100, 1000, 1100);
        let seen = forecast(&owners, all, &at(100, 10, 10, Some(2200)));
        let rows: Vec<_> = seen
            .owners
            .iter()
            .map(|one| (one.owner.as_str(), one.daily_bytes, one.then_bytes, one.then_with_rules_bytes))
            .collect();
        assert_eq!(rows, [("a", 100, 11_000, 1000 + 50 * 90), ("b", 10, 1000, 1000)]);
        assert_eq!((seen.total.now_bytes, seen.total.then_bytes), (2100, 2100 + 110 * 90));
        assert_eq!((seen.total.full_in_days, seen.total.full_with_rules_in_days), (Some(20), Some(57)));
        let idle = forecast(&owners, holding(2100, 1000, 0), &at(100, 10, 10, Some(2200)));
        assert_eq!((idle.total.then_bytes, idle.total.full_in_days), (2100, None));
        let young = forecast(&owners, all, &at(100, 10, 95, None));
        assert_eq!((young.past_days, young.owners[0].daily_bytes), (5, 200));
    }

    #[test]
    fn what_owners_share_takes_room_once() {
        // Both pushed the same thousand bytes on each of ten days.
        let owners = ["a", "b"].map(|owner| (owner.to_owned(), holding(10_000, 0, 10_000))).into();
        let seen = forecast(&owners, holding(10_000, 0, 10_000), &at(10, 10, 0, Some(5000)));
        assert_eq!((seen.total.daily_bytes, seen.total.full_in_days), (1000, Some(5)));
        assert_eq!(seen.owners.iter().map(|one| one.then_bytes).collect::<Vec<_>>(), [100_000, 100_000]);
    }

    #[test]
    fn a_full_volume_a_distant_day_and_an_empty_registry() {
        let none = BTreeMap::new();
        let full = |all, free| forecast(&none, all, &at(10, 10, 0, Some(free))).total;
        assert_eq!(full(holding(100, 50, 100), 0).full_in_days, Some(0), "it is full now");
        assert_eq!(full(holding(100, 50, 100), 0).full_with_rules_in_days, Some(10), "the rules would help");
        assert_eq!(full(holding(100, 0, 10), 3650).full_in_days, Some(3650));
        assert_eq!(full(holding(100, 0, 10), 3651).full_in_days, None, "nobody plans for longer");
        let empty = Outlook { now: 10 * DAY, first: None, days: 90, past_days: 30, free: Some(7) };
        let empty = forecast(&none, Holding::default(), &empty);
        assert_eq!((empty.past_days, empty.total), (1, OwnerForecast::default()));
    }
}
