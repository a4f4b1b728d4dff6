//! Whether the forge and its images are backed up, and young enough: by what evidence shows, or by Velero.
//!
//! Two things have to be in backups before a release is changed: the forge (Git, accounts, issues, its database), and the images.
//!
//! | what there is | the forge | the images |
//! | --- | --- | --- |
//! | a dump of the forge, whose file is still there | yes | yes, its packages are in it |
//! | `railhead backup` of the registry | | yes |
//! | `railhead restore --drill`, passed | | yes, as old as the backup that was tried |
//! | Velero's backup with the volumes | yes | yes |
//!
//! Invariant: what does not count says why, so that nobody has to guess which backup was meant.

use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use railhead_cluster::{Cluster, Error, Seen, kinds};
use serde_json::Value;

use crate::{Archive, Evidence, EvidenceError, Kind};

/// How far the clocks of two machines may differ.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// How many backups that do not count are named.
const NAMED: usize = 3;

/// What has to be in a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Forge,
    Images,
}

impl Part {
    const fn words(self) -> &'static str {
        match self {
            Self::Forge => "Git, accounts and issues",
            Self::Images => "images",
        }
    }
}

/// One backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// What shows it.
    shown_by: String,
    /// How old what it has is.
    time: Timestamp,
    /// What is in it.
    parts: &'static [Part],
    /// Why it does not count, whatever its age.
    flaw: Option<String>,
}

impl Backup {
    /// A dump of the whole forge that was made now.
    pub(super) fn of_forge(shown_by: String) -> Self {
        Self { shown_by, time: Timestamp::now(), parts: &[Part::Forge, Part::Images], flaw: None }
    }

    /// A copy of the images that was made now.
    pub(super) fn of_images(shown_by: String) -> Self {
        Self { shown_by, time: Timestamp::now(), parts: &[Part::Images], flaw: None }
    }

    /// Why it does not count.
    fn lack(&self, limit: Duration, now: Timestamp) -> Option<String> {
        let age = now.duration_since(self.time);
        let shown = &self.shown_by;
        if let Some(flaw) = &self.flaw {
            return Some(format!("{shown} {flaw}"));
        }
        if age < -SKEW {
            return Some(format!("{shown} is of {:.0}, which has not come yet: a clock is wrong", self.time));
        }
        let is_young = age.is_negative() || age.unsigned_abs() <= limit;
        (!is_young).then(|| format!("{shown} is {} old", hours(age)))
    }
}

/// Every backup that is known.
#[derive(Clone, Debug, Default)]
pub struct Backups {
    all: Vec<Backup>,
    /// Evidence of backups of other hosts.
    others: Vec<String>,
}

impl Backups {
    /// Those that evidence shows for `host`.
    pub fn of_evidence(archive: &Archive, host: &str) -> Result<Self, EvidenceError> {
        let mut found = Self::default();
        let mut tried = Vec::new();
        for document in archive.history(Kind::Drill, None) {
            let (path, evidence) = document?;
            if evidence.host == host {
                found.all.push(drill(&path, &evidence));
                tried.push((path, evidence));
            } else {
                found.others.push(of_another(&path, &evidence));
            }
        }
        for document in archive.history(Kind::Backup, None) {
            let (path, evidence) = document?;
            if evidence.host == host {
                found.all.push(backup(&path, &evidence, &tried));
            } else {
                found.others.push(of_another(&path, &evidence));
            }
        }
        Ok(found)
    }

    /// And those of Velero that have the namespace.
    pub async fn with_velero(mut self, cluster: &Cluster, namespace: &str) -> Result<Self, Error> {
        let backups = match cluster.list(&kinds::VELERO_BACKUP, None).await? {
            Seen::Found(backups) => backups,
            Seen::Absent | Seen::Denied(_) => Vec::new(),
        };
        let mut found: Vec<Backup> = backups.iter().filter_map(|one| velero(one, namespace)).collect();
        if !found.is_empty() {
            let flaw = passed_over(cluster.list(&kinds::VOLUME, None).await?, namespace);
            for backup in &mut found {
                backup.flaw.clone_from(&flaw);
            }
        }
        self.all.append(&mut found);
        Ok(self)
    }

    /// And one more.
    pub(super) fn add(&mut self, backup: Backup) {
        self.all.push(backup);
    }

    /// What shows that the forge and its images are backed up within `limit`; or what is missing, and why what there is does not count.
    pub fn judge(&self, limit: Duration, now: Timestamp) -> Result<String, String> {
        let (mut seen, mut missing) = (Vec::new(), Vec::new());
        for part in [Part::Forge, Part::Images] {
            match self.of(part, limit, now) {
                Ok(words) => seen.push(words),
                Err(why) => missing.push(why),
            }
        }
        if missing.is_empty() { Ok(seen.join("; ")) } else { Err(missing.join("; ")) }
    }

    fn of(&self, part: Part, limit: Duration, now: Timestamp) -> Result<String, String> {
        let mut mine: Vec<&Backup> = self.all.iter().filter(|one| one.parts.contains(&part)).collect();
        mine.sort_by_key(|backup| std::cmp::Reverse(backup.time));
        let good = mine.iter().find(|backup| backup.lack(limit, now).is_none());
        if let Some(good) = good {
            let age = hours(now.duration_since(good.time));
            return Ok(format!("{}: {}, {age} old", part.words(), good.shown_by));
        }
        let mut lacks: Vec<String> = mine.iter().filter_map(|backup| backup.lack(limit, now)).collect();
        if lacks.is_empty() {
            lacks.clone_from(&self.others);
        }
        lacks.truncate(NAMED);
        let known = if lacks.is_empty() { String::new() } else { format!(" ({})", lacks.join("; ")) };
        Err(format!("no backup of {} is younger than {} h{known}", part.words(), limit.as_secs() / 3600))
    }
}

/// For a person; a clock that is a little ahead makes no negative age.
fn hours(age: SignedDuration) -> String {
    let age = age.max(SignedDuration::ZERO);
    format!("{} h {} min", age.as_hours(), age.as_mins() % 60)
}

fn of_another(path: &Path, evidence: &Evidence) -> String {
    format!("{} is of {}", path.display(), evidence.host)
}

/// What `railhead backup` or `enable --backup` says it made.
fn backup(path: &Path, evidence: &Evidence, tried: &[(std::path::PathBuf, Evidence)]) -> Backup {
    let result = &evidence.result;
    let is_dump = result["of"] == "forge";
    let parts: &[Part] = if is_dump { &[Part::Forge, Part::Images] } else { &[Part::Images] };
    let flaw = if !evidence.ok {
        Some("says that it failed".to_owned())
    } else if is_dump {
        gone(result)
    } else {
        // The newest trial of a backup counts; they come the newest first.
        let mine = tried.iter().find(|(_, drill)| drill.result["restored"]["id"] == result["id"]);
        mine.filter(|(_, drill)| !drill.ok)
            .map(|(path, _)| format!("did not come back in a drill: {}", path.display()))
    };
    Backup { shown_by: path.display().to_string(), time: evidence.time, parts, flaw }
}

/// Why the file of a dump is not what was written.
fn gone(dump: &Value) -> Option<String> {
    let file = Path::new(dump["file"].as_str().unwrap_or_default());
    match file.metadata() {
        Ok(found) if Some(found.len()) == dump["bytes"].as_u64() => None,
        Ok(_) => Some(format!("is of {}, which has another size now", file.display())),
        Err(error) => Some(format!("is of {}, which cannot be found: {error}", file.display())),
    }
}

/// A drill is as young as the backup that was tried.
fn drill(path: &Path, evidence: &Evidence) -> Backup {
    let time = evidence.result["backup_time"].as_str().and_then(|time| time.parse().ok());
    let flaw = match (evidence.ok, time) {
        (false, _) => Some("says that the drill failed".to_owned()),
        (true, None) => Some("does not say how old the backup was that it tried".to_owned()),
        (true, Some(_)) => None,
    };
    let shown_by = path.display().to_string();
    Backup { shown_by, time: time.unwrap_or(evidence.time), parts: &[Part::Images], flaw }
}

/// One of Velero's that is whole, has the namespace, and was told to take volumes.
fn velero(backup: &Value, namespace: &str) -> Option<Backup> {
    let spec = &backup["spec"];
    let names = |key: &str| {
        spec[key].as_array().map(|list| list.iter().filter_map(Value::as_str).collect::<Vec<_>>())
    };
    let included = names("includedNamespaces").unwrap_or_default();
    let is_in = included.is_empty() || included.contains(&"*") || included.contains(&namespace);
    let is_out = names("excludedNamespaces").is_some_and(|names| names.contains(&namespace));
    let has_volumes = spec["snapshotVolumes"] == true || spec["defaultVolumesToFsBackup"] == true;
    if backup["status"]["phase"] != "Completed" || !is_in || is_out || !has_volumes {
        return None;
    }
    let time = backup["status"]["completionTimestamp"].as_str()?.parse().ok()?;
    let name = backup["metadata"]["name"].as_str().unwrap_or_default();
    Some(Backup {
        shown_by: format!("Velero's backup {name}"),
        time,
        parts: &[Part::Forge, Part::Images],
        flaw: None,
    })
}

/// Velero takes no volume that is a directory of a node.
fn passed_over(volumes: Seen<Vec<Value>>, namespace: &str) -> Option<String> {
    let volumes = match volumes {
        Seen::Found(volumes) => volumes,
        Seen::Absent => return None,
        Seen::Denied(right) => {
            return Some(format!("may lack the volumes, which cannot be told without the right to {right}"));
        }
    };
    let mine = |volume: &&Value| volume["spec"]["claimRef"]["namespace"] == namespace;
    let found = volumes.iter().filter(mine).find(|volume| volume["spec"]["hostPath"].is_object())?;
    let name = found["metadata"]["name"].as_str().unwrap_or_default();
    Some(format!("lacks the volume {name}: it is a hostPath, which Velero passes over"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Secrets;

    const DAY: Duration = Duration::from_hours(24);

    /// Evidence in a directory, as commands leave it.
    struct Kept {
        directory: tempfile::TempDir,
    }

    impl Kept {
        fn new() -> Self {
            Self { directory: tempfile::tempdir().unwrap() }
        }

        fn put(&self, kind: Kind, host: &str, hours: i64, ok: bool, result: &Value) {
            let mut one = Evidence::new(kind, host, ok, result).unwrap();
            one.time = ago(hours);
            Archive::new(self.directory.path()).write(&one, &Secrets::default()).unwrap();
        }

        /// A dump whose file has three bytes.
        fn dump(&self, host: &str, hours: i64, ok: bool) {
            let file = self.directory.path().join("dump.tar.gz");
            std::fs::write(&file, "abc").unwrap();
            self.put(Kind::Backup, host, hours, ok, &json!({"of": "forge", "file": file, "bytes": 3}));
        }

        fn judge(&self, host: &str) -> Result<String, String> {
            let backups = Backups::of_evidence(&Archive::new(self.directory.path()), host).unwrap();
            let said = backups.judge(DAY, Timestamp::now());
            let place = self.directory.path().display().to_string();
            said.map(|text| text.replace(&place, "")).map_err(|text| text.replace(&place, ""))
        }
    }

    fn ago(hours: i64) -> Timestamp {
        Timestamp::now() - SignedDuration::from_hours(hours)
    }

    fn images(id: &str) -> Value {
        json!({"id": id, "place": "/srv/backups", "counts": {"repositories": 1}})
    }

    fn tried(id: &str, hours: i64) -> Value {
        json!({"backup_time": ago(hours), "restored": {"id": id}})
    }

    #[test]
    fn a_young_dump_of_the_forge_is_enough() {
        let kept = Kept::new();
        kept.dump("a.example", 4, true);
        let said = kept.judge("a.example").unwrap();
        assert!(
            said.starts_with("Git, accounts and issues: /backup-") && said.contains("; images: "),
            "{said}"
        );
        assert!(said.ends_with("4 h 0 min old"), "{said}");
    }

    #[test]
    fn copies_of_images_alone_are_no_backup_of_git() {
        let kept = Kept::new();
        kept.put(Kind::Backup, "a.example", 1, true, &images("one"));
        let said = kept.judge("a.example").unwrap_err();
        assert_eq!(said, "no backup of Git, accounts and issues is younger than 24 h");
    }

    #[test]
    fn a_backup_that_does_not_count_says_why() {
        let refused = |make: &dyn Fn(&Kept), words: &str| {
            let kept = Kept::new();
            make(&kept);
            let said = kept.judge("a.example").unwrap_err();
            assert!(said.contains(words), "'{words}' is not in: {said}");
        };
        refused(&|_| (), "no backup of images is younger than 24 h");
        refused(&|kept| kept.dump("a.example", 30, true), "is 30 h 0 min old");
        refused(&|kept| kept.dump("a.example", 1, false), "says that it failed");
        refused(&|kept| kept.dump("a.example", -5, true), "which has not come yet: a clock is wrong");
        refused(&|kept| kept.dump("b.example", 1, true), "is of b.example");
        let gone = |kept: &Kept| {
            kept.dump("a.example", 1, true);
            std::fs::remove_file(kept.directory.path().join("dump.tar.gz")).unwrap();
        };
        refused(&gone, "dump.tar.gz, which cannot be found");
        let cut = |kept: &Kept| {
            kept.dump("a.example", 1, true);
            std::fs::write(kept.directory.path().join("dump.tar.gz"), "a").unwrap();
        };
        refused(&cut, "which has another size now");
    }

    #[test]
    fn a_drill_shows_images_that_are_as_old_as_the_backup_it_tried() {
        let of_images = |make: &dyn Fn(&Kept)| {
            let kept = Kept::new();
            make(&kept);
            let backups = Backups::of_evidence(&Archive::new(kept.directory.path()), "a.example").unwrap();
            backups.of(Part::Images, DAY, Timestamp::now())
        };
        let drill = |id: &str, hours: i64, ok: bool| {
            let result = tried(id, hours);
            move |kept: &Kept| kept.put(Kind::Drill, "a.example", 1, ok, &result)
        };
        assert!(of_images(&drill("one", 2, true)).is_ok());
        assert!(of_images(&drill("one", 48, true)).unwrap_err().contains("is 48 h 0 min old"));
        assert!(of_images(&drill("one", 2, false)).unwrap_err().contains("says that the drill failed"));
        let silent = |kept: &Kept| kept.put(Kind::Drill, "a.example", 1, true, &json!({}));
        assert!(of_images(&silent).unwrap_err().contains("does not say how old"));

        // A backup that did not come back is none, until a later trial of it passes; another backup is not concerned.
        let copied = |kept: &Kept| kept.put(Kind::Backup, "a.example", 3, true, &images("one"));
        let failed = |kept: &Kept| kept.put(Kind::Drill, "a.example", 2, false, &tried("one", 3));
        let both = |kept: &Kept| (copied(kept), failed(kept)).1;
        assert!(of_images(&both).unwrap_err().contains("did not come back in a drill"));
        let passed = |kept: &Kept| kept.put(Kind::Drill, "a.example", 1, true, &tried("one", 3));
        assert!(of_images(&|kept| (both(kept), passed(kept)).1).is_ok());
        let another = |kept: &Kept| kept.put(Kind::Backup, "a.example", 2, true, &images("two"));
        assert!(of_images(&|kept| (both(kept), another(kept)).1).is_ok());
    }

    #[test]
    fn a_clock_that_is_a_little_ahead_is_no_matter() {
        let backup =
            Backup { time: Timestamp::now() + SignedDuration::from_secs(20), ..Backup::of_forge("x".into()) };
        assert_eq!(backup.lack(DAY, Timestamp::now()), None);
    }

    #[test]
    fn a_backup_of_velero_has_the_namespace_and_its_volumes() {
        let whole = json!({"metadata": {"name": "nightly"}, "spec": {"includedNamespaces": ["default"], "snapshotVolumes": true},
            "status": {"phase": "Completed", "completionTimestamp": "2026-07-01T12:00:00Z"}});
        assert!(velero(&whole, "default").is_some());
        for (pointer, value) in [
            ("/spec/includedNamespaces", json!(["other"])),
            ("/spec/snapshotVolumes", json!(false)),
            ("/status/phase", json!("PartiallyFailed")),
            ("/status/completionTimestamp", json!(null)),
        ] {
            let mut other = whole.clone();
            *other.pointer_mut(pointer).unwrap() = value;
            assert_eq!(velero(&other, "default"), None, "{pointer}");
        }
        let mut out = whole;
        out["spec"] = json!({"excludedNamespaces": ["default"], "defaultVolumesToFsBackup": true});
        assert_eq!(velero(&out, "default"), None);
        assert!(velero(&out, "team").is_some());
        let volumes = vec![
            json!({"metadata": {"name": "data"}, "spec": {"hostPath": {"path": "/x"}, "claimRef": {"namespace": "default"}}}),
        ];
        let flaw = passed_over(Seen::Found(volumes.clone()), "default").unwrap();
        assert!(flaw.contains("the volume data: it is a hostPath"), "{flaw}");
        assert_eq!(passed_over(Seen::Found(volumes), "team"), None);
    }
}
