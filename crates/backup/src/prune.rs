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

    /// Which of the backups stay; their times are given the newest first, in the order of their numbers. The time that it is now
    /// plays no part: a clock can jump.
    fn stay(&self, times: &[Timestamp]) -> Vec<bool> {
        let mut stay: Vec<bool> = (0..times.len()).map(|at| at == 0 || at < self.last as usize).collect();
        let dates: Vec<Date> = times.iter().map(|time| TimeZone::UTC.to_datetime(*time).date()).collect();
        let week = |date: &Date| (date.iso_week_date().year(), i16::from(date.iso_week_date().week()));
        let days = dates.iter().map(|date| (date.year(), date.day_of_year())).collect();
        let weeks = dates.iter().map(week).collect();
        let months = dates.iter().map(|date| (date.year(), i16::from(date.month()))).collect();
        let periods: [(u32, Vec<(i16, i16)>); 3] =
            [(self.daily, days), (self.weekly, weeks), (self.monthly, months)];
        for (count, periods) in periods {
            let mut seen = BTreeSet::new();
            for (at, period) in periods.into_iter().enumerate() {
                if seen.len() < count as usize && seen.insert(period) {
                    stay[at] = true;
                }
            }
        }
        stay
    }
}

/// What a pruning came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Pruned {
    /// Backups that stay.
    pub kept: Vec<String>,
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
    let stay = keep.stay(&times);
    let (mut kept, mut gone) = (Vec::new(), Vec::new());
    for (snapshot, stays) in snapshots.into_iter().zip(stay) {
        if stays { kept.push(snapshot) } else { gone.push(snapshot) }
    }
    let mut pruned = Pruned::default();
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
    use super::*;

    fn kept(keep: Keep, times: &[&str]) -> Vec<usize> {
        let times: Vec<Timestamp> = times.iter().map(|time| time.parse().unwrap()).collect();
        let stay = keep.stay(&times);
        stay.iter().enumerate().filter(|(_, stays)| **stays).map(|(at, _)| at).collect()
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
}
