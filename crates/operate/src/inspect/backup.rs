//! What is backed up in the cluster, and whether the package data is in it.

use railhead_cluster::kinds;
use serde::Serialize;
use serde_json::Value;

use super::collect::Collected;
use super::forge::Workload;
use super::look::{flag, full_name, list, name, namespace, text};
use super::pace::stale;
use super::storage::Storage;

/// Whether a backup has the package data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Covers {
    /// It has.
    Packages,
    /// It has the database.
    Database,
    /// It has neither.
    Nothing,
}

/// Something that backs up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Backup {
    /// As `CronJob default/nightly`.
    pub object: String,
    /// When it runs, as cron writes it; empty where it does not run by itself.
    pub schedule: String,
    /// What it has.
    pub covers: Covers,
    /// Why it does, or does not.
    pub why: String,
    /// When it last ended well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// What is wrong with its last run, or that it never ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// All backups that the cluster shows. CronJobs that have to do with neither backups nor the forge are left out.
pub fn backups(collected: &Collected, workload: &Workload<'_>, storage: Option<&Storage>) -> Vec<Backup> {
    let claim = storage.and_then(|storage| storage.claim.as_deref());
    let mut all = Vec::new();
    for job in collected.of(&kinds::CRON_JOB) {
        all.extend(cron_job(job, claim));
    }
    for schedule in collected.of(&kinds::VELERO_SCHEDULE) {
        all.push(velero(collected, schedule, workload.namespace(), storage));
    }
    for schedule in collected.of(&kinds::PG_SCHEDULED_BACKUP) {
        all.push(postgres(collected, schedule));
    }
    for snapshot in collected.of(&kinds::VOLUME_SNAPSHOT) {
        let source =
            format!("{}/{}", namespace(snapshot), text(snapshot, "/spec/source/persistentVolumeClaimName"));
        let mine = claim == Some(source.as_str());
        all.push(Backup {
            object: format!("VolumeSnapshot {}", full_name(snapshot)),
            schedule: String::new(),
            covers: if mine { Covers::Packages } else { Covers::Nothing },
            why: format!("a snapshot of the claim {source}"),
            last: some(text(snapshot, "/status/creationTime")),
            trouble: (!flag(snapshot, "/status/readyToUse")).then(|| "it is not ready to use".to_owned()),
        });
    }
    for backup in all.iter_mut().filter(|backup| backup.trouble.is_none()) {
        let last = backup.last.as_deref();
        backup.trouble = last.and_then(|last| stale(&backup.schedule, last, collected.time));
    }
    all.sort_by_key(|backup| backup.object.clone());
    all
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

fn cron_job(job: &Value, claim: Option<&str>) -> Option<Backup> {
    let pod = job.pointer("/spec/jobTemplate/spec/template/spec")?;
    let claims: Vec<String> = list(pod, "/volumes")
        .iter()
        .map(|volume| text(volume, "/persistentVolumeClaim/claimName"))
        .filter(|claim| !claim.is_empty())
        .map(|claim| format!("{}/{claim}", namespace(job)))
        .collect();
    let line = words(pod);
    let mounts = claims.iter().any(|one| Some(one.as_str()) == claim);
    let copies = line.contains("railhead backup") && line.contains("--registry");
    let dumps = line.contains("gitea dump") || line.contains("forgejo dump");
    let database = ["pg_dump", "pg_basebackup", "mysqldump"].iter().any(|program| line.contains(program));
    let about = ["backup", "dump", "restic", "borg", "velero", "kopia", "rclone", "snapshot"];
    let named = about.iter().any(|word| name(job).contains(word) || line.contains(word));
    let (covers, why) = if mounts && (named || dumps) {
        (Covers::Packages, "its pods mount the claim with the packages".to_owned())
    } else if copies {
        (Covers::Packages, "it copies the images out of the registry".to_owned())
    } else if database {
        (Covers::Database, "it dumps a database, and no package data".to_owned())
    } else if dumps {
        (Covers::Nothing, "it dumps the forge without the volume with the packages".to_owned())
    } else if named {
        let mounted = if claims.is_empty() { "no claim".to_owned() } else { claims.join(", ") };
        (Covers::Nothing, format!("its pods mount {mounted}, and not the one with the packages"))
    } else {
        return None;
    };
    let (last, tried) = (text(job, "/status/lastSuccessfulTime"), text(job, "/status/lastScheduleTime"));
    let trouble = if flag(job, "/spec/suspend") {
        Some("it is suspended".to_owned())
    } else if last.is_empty() {
        Some(if tried.is_empty() {
            "it has never run".to_owned()
        } else {
            format!("no run has ended well; the last began at {tried}")
        })
    } else if tried > last && list(job, "/status/active").is_empty() {
        Some(format!("the run of {tried} did not end well"))
    } else {
        None
    };
    Some(Backup {
        object: format!("CronJob {}", full_name(job)),
        schedule: text(job, "/spec/schedule").to_owned(),
        covers,
        why,
        last: some(last),
        trouble,
    })
}

/// Images and command lines of a pod's containers.
fn words(pod: &Value) -> String {
    let containers = list(pod, "/containers").iter().chain(list(pod, "/initContainers"));
    let mut line = String::new();
    for container in containers {
        line.push_str(text(container, "/image"));
        for word in
            list(container, "/command").iter().chain(list(container, "/args")).filter_map(Value::as_str)
        {
            line.push(' ');
            line.push_str(word);
        }
        line.push('\n');
    }
    line
}

fn velero(collected: &Collected, schedule: &Value, in_namespace: &str, storage: Option<&Storage>) -> Backup {
    let template = "/spec/template";
    let names = |what: &str| -> Vec<&str> {
        list(schedule, &format!("{template}/{what}")).iter().filter_map(Value::as_str).collect()
    };
    let (included, excluded) = (names("includedNamespaces"), names("excludedNamespaces"));
    let namespace_in = (included.is_empty() || included.contains(&"*") || included.contains(&in_namespace))
        && !excluded.contains(&in_namespace);
    let files = flag(schedule, &format!("{template}/defaultVolumesToFsBackup"));
    let snapshots = schedule.pointer(&format!("{template}/snapshotVolumes")) != Some(&Value::Bool(false));
    let volume = storage.and_then(|storage| storage.volume.as_deref()).unwrap_or("unknown");
    let (covers, why) = if !namespace_in {
        (Covers::Nothing, format!("the namespace {in_namespace} is not in it"))
    } else if storage.is_none_or(|storage| storage.claim.is_none()) {
        (Covers::Nothing, "the packages are on no claim that it could take".to_owned())
    } else if volume == "hostPath" {
        (Covers::Nothing, "the volume is a hostPath, which Velero passes over".to_owned())
    } else if files {
        (Covers::Packages, format!("the files of all volumes of {in_namespace} are in it"))
    } else if snapshots && volume == "csi" {
        (Covers::Packages, format!("snapshots of the volumes of {in_namespace} are in it"))
    } else {
        (Covers::Nothing, format!("it takes no files, and the volume ({volume}) has no snapshots"))
    };
    let mine = |backup: &&Value| text(backup, "/metadata/labels/velero.io~1schedule-name") == name(schedule);
    let mut runs: Vec<&Value> = collected.of(&kinds::VELERO_BACKUP).iter().filter(mine).collect();
    runs.sort_by_key(|run| text(run, "/metadata/creationTimestamp").to_owned());
    let good = runs.iter().rev().find(|run| text(run, "/status/phase") == "Completed");
    let trouble = if flag(schedule, "/spec/paused") {
        Some("it is paused".to_owned())
    } else {
        match runs.last() {
            None => Some("it has never run".to_owned()),
            Some(run) => match text(run, "/status/phase") {
                "Completed" | "InProgress" | "New" | "" => None,
                phase => Some(format!("its last run, {}, is {phase}", name(run))),
            },
        }
    };
    Backup {
        object: format!("Velero schedule {}", full_name(schedule)),
        schedule: text(schedule, "/spec/schedule").to_owned(),
        covers,
        why,
        last: good.and_then(|run| some(text(run, "/status/completionTimestamp"))),
        trouble,
    }
}

fn postgres(collected: &Collected, schedule: &Value) -> Backup {
    let cluster = text(schedule, "/spec/cluster/name");
    let mine = |backup: &&Value| {
        namespace(backup) == namespace(schedule) && text(backup, "/spec/cluster/name") == cluster
    };
    let mut runs: Vec<&Value> = collected.of(&kinds::PG_BACKUP).iter().filter(mine).collect();
    runs.sort_by_key(|run| text(run, "/metadata/creationTimestamp").to_owned());
    let good = runs.iter().rev().find(|run| text(run, "/status/phase") == "completed");
    let trouble = if flag(schedule, "/spec/suspend") {
        Some("it is suspended".to_owned())
    } else {
        match runs.last() {
            None => Some("it has never run".to_owned()),
            Some(run) if text(run, "/status/phase") == "failed" => {
                Some(format!("its last run, {}, failed: {}", name(run), text(run, "/status/error")))
            }
            Some(_) => None,
        }
    };
    Backup {
        object: format!("ScheduledBackup {}", full_name(schedule)),
        schedule: text(schedule, "/spec/schedule").to_owned(),
        covers: Covers::Database,
        why: format!(
            "it backs up the Postgres cluster {}/{cluster}, and no package data",
            namespace(schedule)
        ),
        last: good.and_then(|run| some(text(run, "/status/stoppedAt"))),
        trouble,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn job(name: &str, command: &str, claim: &str, status: &Value) -> Value {
        json!({"metadata": {"name": name, "namespace": "default"}, "status": status, "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": {"spec": {
            "containers": [{"image": "tools", "command": ["sh", "-c", command]}], "volumes": [{"persistentVolumeClaim": {"claimName": claim}}]}}}}}})
    }

    #[test]
    fn a_cron_job_covers_what_it_mounts() {
        let good =
            json!({"lastScheduleTime": "2026-05-02T03:00:00Z", "lastSuccessfulTime": "2026-05-02T03:10:00Z"});
        let of = |job: Value| cron_job(&job, Some("default/data"));
        let found = of(job("nightly-backup", "restic backup /data", "data", &good)).unwrap();
        assert_eq!((found.covers, found.trouble), (Covers::Packages, None));
        let other = of(job("nightly-backup", "restic backup /x", "x", &json!({}))).unwrap();
        assert_eq!(other.covers, Covers::Nothing);
        assert_eq!(other.trouble.as_deref(), Some("it has never run"));
        assert_eq!(of(job("db", "pg_dump x > /y", "y", &good)).unwrap().covers, Covers::Database);
        assert_eq!(of(job("cleanup", "true", "data", &json!({}))), None);
        let failed =
            json!({"lastScheduleTime": "2026-05-03T03:00:00Z", "lastSuccessfulTime": "2026-05-02T03:10:00Z"});
        let trouble = of(job("nightly-backup", "restic", "data", &failed)).unwrap().trouble.unwrap();
        assert!(trouble.contains("2026-05-03"), "{trouble}");
    }
}
