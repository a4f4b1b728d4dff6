//! Removes old backups, and the files that no backup needs any more.
//!
//! Order: the manifests of what goes, then files that no manifest that stays names. A stop between the two leaves files too
//! many, which the next pruning removes; never one too few. When a manifest or a list that stays cannot be read, nothing is
//! removed at all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use railhead_oci::Digest;
use serde::Serialize;

use crate::format::{PartKind, SNAPSHOTS, Snapshot, blob_place};
use crate::lock::{Lock, Purpose, Times};
use crate::merged::Merged;
use crate::scratch::{Lines, Scratch};
use crate::vault::Vault;
use crate::{Error, Result};

/// Which backups stay: those that any of these rules keeps. The newest always stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// So many, the newest first.
    pub last: u32,
    /// The newest of each of so many days (UTC) that have one.
    pub daily: u32,
    /// The newest of each of so many weeks, which begin on Monday.
    pub weekly: u32,
    /// The newest of each of so many months.
    pub monthly: u32,
}

impl Keep {
    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether days count.
    const fn asks_the_calendar(&self) -> bool {
        self.daily > 0 || self.weekly > 0 || self.monthly > 0
    }

    /// Which of the backups stay; their times are given the newest first, in the order of their numbers. The time that it is now
    /// plays no part: a clock can jump. One whose time contradicts that order was made by a clock that was wrong, or others
    /// were: the calendar does not speak of it, and it stays.
    fn stay(&self, times: &[Timestamp]) -> Vec<Fate> {
        let mut fates: Vec<Fate> = (0..times.len())
            .map(|at| if at == 0 || at < self.last as usize { Fate::Stays } else { Fate::Goes })
            .collect();
        if !self.asks_the_calendar() {
            return fates;
        }
        let dates: Vec<Date> = times.iter().map(|time| TimeZone::UTC.to_datetime(*time).date()).collect();
        let in_order = in_order(&dates);
        let week = |date: Date| (date.iso_week_date().year(), i16::from(date.iso_week_date().week()));
        let day = |date: Date| (date.year(), date.day_of_year());
        let month = |date: Date| (date.year(), i16::from(date.month()));
        let periods: [(u32, Period); 3] = [(self.daily, day), (self.weekly, week), (self.monthly, month)];
        for (count, period) in periods {
            let mut seen = BTreeSet::new();
            for (at, date) in dates.iter().enumerate().filter(|(at, _)| in_order[*at]) {
                if seen.len() < count as usize && seen.insert(period(*date)) {
                    fates[at] = Fate::Stays;
                }
            }
        }
        for (fate, in_order) in fates.iter_mut().zip(in_order) {
            if *fate == Fate::Goes && !in_order {
                *fate = Fate::OutOfOrder;
            }
        }
        fates
    }
}

/// Which day, week or month a date is in.
type Period = fn(Date) -> (i16, i16);

/// What becomes of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Stays,
    /// It stays, as nobody can say how old it is.
    OutOfOrder,
    Goes,
}

/// Which of the dates, the newest backup's first, belong to the longest run without a contradiction. Of several such runs it is
/// the one that ends with the newest backup and goes back in the smallest steps, as a wrong clock is far off.
fn in_order(dates: &[Date]) -> Vec<bool> {
    // Of the best run that ends with each, seen from the oldest: its length, and who is before it.
    let mut best: Vec<(usize, Option<usize>)> = vec![(1, None); dates.len()];
    for at in (0..dates.len()).rev() {
        for before in at + 1..dates.len() {
            let length = best[before].0 + 1;
            let is_nearer =
                best[at].1.is_some_and(|other| length == best[at].0 && dates[before] > dates[other]);
            if dates[before] <= dates[at] && (length > best[at].0 || is_nearer) {
                best[at] = (length, Some(before));
            }
        }
    }
    let longest = best.iter().map(|(length, _)| *length).max();
    let mut next = best.iter().position(|(length, _)| Some(*length) == longest);
    let mut in_order = vec![false; dates.len()];
    while let Some(at) = next {
        in_order[at] = true;
        next = best[at].1;
    }
    in_order
}

/// What a pruning came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Pruned {
    /// Backups that stay.
    pub kept: Vec<String>,
    /// Those of them that stay only because their times contradict their numbers: a clock was wrong.
    pub out_of_order: Vec<String>,
    /// Backups that went.
    pub removed: Vec<String>,
    /// Files that went with them.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Removes what `keep` does not keep, or only says what it would remove.
pub async fn prune(
    vault: &Vault,
    keep: &Keep,
    scratch: &Path,
    times: Times,
    dry_run: bool,
) -> Result<Pruned> {
    let lock = Lock::take(vault, Purpose::Prune, times).await?;
    let pruned = run(vault, &lock, keep, scratch, dry_run).await;
    lock.release().await;
    pruned
}

async fn run(vault: &Vault, lock: &Lock, keep: &Keep, scratch: &Path, dry_run: bool) -> Result<Pruned> {
    let scratch = Scratch::new(scratch)?;
    let mut snapshots = Vec::new();
    for id in vault.ids().await?.into_iter().rev() {
        snapshots.push(vault.manifest(&id).await?.0);
    }
    let times: Vec<Timestamp> = snapshots.iter().map(|snapshot| snapshot.time).collect();
    let (mut kept, mut gone) = (Vec::new(), Vec::new());
    let mut pruned = Pruned::default();
    for (snapshot, fate) in snapshots.into_iter().zip(keep.stay(&times)) {
        if fate == Fate::OutOfOrder {
            pruned.out_of_order.push(snapshot.id.clone());
        }
        if fate == Fate::Goes { gone.push(snapshot) } else { kept.push(snapshot) }
    }
    // Everything that stays is read before anything is removed.
    let mut lists: BTreeMap<String, Vec<Lines>> = BTreeMap::new();
    let mut parts: BTreeSet<String> = BTreeSet::new();
    for snapshot in &kept {
        parts.extend(snapshot.parts.iter().map(|part| snapshot.part_file(part)));
        for part in snapshot.of_kind(PartKind::Blobs) {
            lists
                .entry(snapshot.base())
                .or_default()
                .push(Lines::fetch(vault, snapshot, part, &scratch).await?);
        }
    }
    for snapshot in &gone {
        if !dry_run {
            lock.check()?;
            vault.target.remove(&Snapshot::file(&snapshot.id)).await?;
            vault.target.remove(&Snapshot::signature_file(&snapshot.id)).await?;
        }
        pruned.removed.push(snapshot.id.clone());
    }
    pruned.kept = kept.into_iter().map(|snapshot| snapshot.id).collect();
    let mut sweep = Sweep { vault, lock, dry_run, pruned };
    let places = vault.target.directories("").await?;
    let sealed = places.iter().filter(|name| name.starts_with("sealed-")).map(|name| format!("{name}/"));
    for base in std::iter::once(String::new()).chain(sealed) {
        sweep.parts(&base, &parts).await?;
        sweep.blobs(&base, lists.remove(&base).unwrap_or_default()).await?;
    }
    if !dry_run {
        vault.target.clear(SNAPSHOTS).await?;
    }
    Ok(sweep.pruned)
}

struct Sweep<'a> {
    vault: &'a Vault,
    lock: &'a Lock,
    dry_run: bool,
    pruned: Pruned,
}

impl Sweep<'_> {
    async fn remove(&mut self, file: &str, size: u64) -> Result<()> {
        if !self.dry_run {
            self.vault.target.remove(file).await?;
        }
        self.pruned.files += 1;
        self.pruned.bytes += size;
        Ok(())
    }

    async fn parts(&mut self, base: &str, needed: &BTreeSet<String>) -> Result<()> {
        for shard in self.vault.target.directories(&format!("{base}parts")).await? {
            let directory = format!("{base}parts/{shard}");
            for item in self.vault.target.list(&directory).await? {
                let file = format!("{directory}/{}", item.name);
                if !needed.contains(&file) {
                    self.remove(&file, item.size).await?;
                }
            }
            if !self.dry_run {
                self.vault.target.clear(&directory).await?;
            }
        }
        Ok(())
    }

    /// Goes through the directories and the lists side by side.
    async fn blobs(&mut self, base: &str, lists: Vec<Lines>) -> Result<()> {
        let mut merged = Merged::new(lists)?;
        let mut needed = merged.next_shard()?;
        for algorithm in ["sha256", "sha512"] {
            for shard in self.vault.target.directories(&format!("{base}blobs/{algorithm}")).await? {
                let directory = format!("{base}blobs/{algorithm}/{shard}");
                // A list may name directories that are missing: damage, but none that this could make worse.
                while place_of(base, needed.keys().next()).is_some_and(|place| place < directory) {
                    needed = merged.next_shard()?;
                }
                let here = place_of(base, needed.keys().next()).is_some_and(|place| place == directory);
                let names: BTreeSet<String> = if here {
                    needed.keys().map(|digest| blob_place(base, digest).1).collect()
                } else {
                    BTreeSet::new()
                };
                self.lock.check()?;
                for item in self.vault.target.list(&directory).await? {
                    if !names.contains(&item.name) {
                        self.remove(&format!("{directory}/{}", item.name), item.size).await?;
                    }
                }
                if !self.dry_run {
                    self.vault.target.clear(&directory).await?;
                }
            }
        }
        Ok(())
    }
}

fn place_of(base: &str, digest: Option<&Digest>) -> Option<String> {
    digest.map(|digest| blob_place(base, digest).0)
}

/// A manifest that cannot be read hinders pruning; who has looked at it may drop it by name. Its files go with the next pruning.
pub async fn drop_backup(vault: &Vault, id: &str, times: Times) -> Result<()> {
    if !vault.ids().await?.iter().any(|known| known == id) {
        return Err(Error::Unknown { wanted: id.to_owned(), place: vault.place() });
    }
    let lock = Lock::take(vault, Purpose::Prune, times).await?;
    let removed = async {
        vault.target.remove(&Snapshot::file(id)).await?;
        vault.target.remove(&Snapshot::signature_file(id)).await
    };
    let removed = removed.await;
    lock.release().await;
    removed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(texts: &[&str]) -> Vec<Timestamp> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn all(keep: Keep, times: &[Timestamp], fates: &[Fate]) -> Vec<usize> {
        let found = keep.stay(times);
        found.iter().enumerate().filter(|(_, fate)| fates.contains(fate)).map(|(at, _)| at).collect()
    }

    fn kept(keep: Keep, times: &[&str]) -> Vec<usize> {
        all(keep, &at(times), &[Fate::Stays, Fate::OutOfOrder])
    }

    #[test]
    fn rules_keep_together_and_the_newest_always_stays() {
        let times = [
            "2026-03-03T12:00:00Z",
            "2026-03-03T00:00:00Z",
            "2026-03-02T23:59:59Z",
            "2026-03-01T12:00:00Z",
            "2026-02-28T12:00:00Z",
            "2026-01-01T12:00:00Z",
        ];
        assert_eq!(kept(Keep::default(), &times), [0]);
        assert_eq!(kept(Keep { last: 2, ..Keep::default() }, &times), [0, 1]);
        assert_eq!(kept(Keep { daily: 3, ..Keep::default() }, &times), [0, 2, 3]);
        assert_eq!(kept(Keep { weekly: 2, ..Keep::default() }, &times), [0, 3]);
        assert_eq!(kept(Keep { monthly: 9, ..Keep::default() }, &times), [0, 4, 5]);
        assert_eq!(kept(Keep { last: 1, daily: 2, monthly: 2, ..Keep::default() }, &times), [0, 2, 4]);
        assert_eq!(kept(Keep { last: 7, ..Keep::default() }, &[]), [0_usize; 0]);
    }

    #[test]
    fn what_a_wrong_clock_made_takes_no_day_and_is_not_removed() {
        let daily = Keep { daily: 2, ..Keep::default() };
        // The clock was in 2030 for one backup, and in 1970 for another.
        let times = [
            "2026-03-04T12:00:00Z",
            "2030-01-01T00:00:00Z",
            "2026-03-03T12:00:00Z",
            "1970-01-01T00:00:00Z",
            "2026-03-02T12:00:00Z",
        ];
        assert_eq!(kept(daily, &times), [0, 1, 2, 3]);
        assert_eq!(all(daily, &at(&times), &[Fate::OutOfOrder]), [1, 3]);
        // Numbers alone do not ask what time it is.
        assert_eq!(kept(Keep { last: 2, ..Keep::default() }, &times), [0, 1]);
        // It was set back by a few seconds: that is the same day.
        let slewed = ["2026-03-04T12:00:00Z", "2026-03-04T12:00:05Z", "2026-03-03T12:00:00Z"];
        assert_eq!(kept(daily, &slewed), [0, 2]);
        // It is in the future and stays there.
        let ahead = ["2030-01-02T00:00:00Z", "2030-01-01T00:00:00Z", "2026-03-03T12:00:00Z"];
        assert_eq!(kept(daily, &ahead), [0, 1]);
    }

    const DAY: i64 = 24 * 3600;

    fn days(days: &[i64]) -> Vec<Timestamp> {
        days.iter().map(|day| Timestamp::from_second(day * DAY).unwrap()).collect()
    }

    proptest! {
        #[test]
        fn a_wrong_time_among_right_ones_removes_nothing_more(
            steps in prop::collection::vec(0_i64..3, 2..30), at in 0_usize..29, ahead: bool,
            daily in 0_u32..8, weekly in 0_u32..4, monthly in 0_u32..4,
        ) {
            let mut right: Vec<i64> = steps.iter().scan(20_000, |day, step| { *day += step; Some(*day) }).collect();
            right.reverse();
            let keep = Keep { last: 1, daily, weekly, monthly };
            let before: Vec<i64> = keep.stay(&days(&right)).iter().zip(&right)
                .filter(|(fate, _)| **fate == Fate::Stays).map(|(_, day)| *day).collect();
            prop_assert!(keep.stay(&days(&right)).iter().all(|fate| *fate != Fate::OutOfOrder));
            let mut wrong = right.clone();
            // Not the newest, nor older than all: there it is no contradiction.
            let at = 1 + at % (right.len() - 1);
            wrong.insert(at, if ahead { 40_000 } else { 1 });
            let after: Vec<i64> = keep.stay(&days(&wrong)).iter().zip(&wrong)
                .filter(|(fate, _)| **fate != Fate::Goes).map(|(_, day)| *day).collect();
            for day in before {
                prop_assert!(after.contains(&day), "{day} of {wrong:?} is gone: {after:?}");
            }
        }

        #[test]
        fn the_longest_run_is_in_order_and_no_other_fits_into_it(days in prop::collection::vec(0_i8..20, 0..40)) {
            let dates: Vec<Date> = days.iter().map(|day| jiff::civil::date(2026, 1, 1 + *day)).collect();
            let found = in_order(&dates);
            let run: Vec<(usize, Date)> = dates.iter().copied().enumerate().filter(|(at, _)| found[*at]).collect();
            prop_assert!(run.windows(2).all(|two| two[0].1 >= two[1].1));
            for (at, date) in dates.iter().enumerate().filter(|(at, _)| !found[*at]) {
                let fits = run.iter().all(|(other, on)| if *other < at { on >= date } else { on <= date });
                prop_assert!(!fits, "{at} fits into {run:?}");
            }
        }
    }
}
