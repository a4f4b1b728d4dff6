//! The forge's database: a Postgres of CloudNativePG, another one in the cluster, or a file.

use railhead_cluster::kinds;
use serde::Serialize;
use serde_json::Value;

use super::backup::{Backup, Covers};
use super::collect::Collected;
use super::forge::{Workload, behind, find};
use super::ini::Ini;
use super::look::{condition, full_name, list, name, namespace, number, text};

/// The database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Database {
    /// `sqlite3`, `postgres`, `mysql`.
    pub kind: String,
    /// The address or the file.
    pub place: String,
    /// As `Cluster default/gitea-db` or `Service default/postgres`; none if nothing of it is in the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// What the operator says of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Instances that are ready, of those that there should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<(u64, u64)>,
    /// The instance that writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<String>,
    /// When it was last backed up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_backup: Option<String>,
    /// Conditions that are not as they should be, with their messages.
    pub trouble: Vec<String>,
}

/// The database that app.ini names.
pub fn database(
    collected: &Collected,
    workload: &Workload<'_>,
    ini: &Ini,
    backups: &[Backup],
) -> Option<Database> {
    let kind = ini.get("database", "DB_TYPE")?.to_owned();
    let mut database = Database {
        kind,
        place: String::new(),
        object: None,
        phase: None,
        ready: None,
        primary: None,
        last_backup: None,
        trouble: Vec::new(),
    };
    if database.kind == "sqlite3" {
        let data = ini.get("server", "APP_DATA_PATH").unwrap_or("/data");
        database.place =
            ini.get("database", "PATH").map_or_else(|| format!("{data}/gitea.db"), str::to_owned);
        return Some(database);
    }
    let host = ini.get("database", "HOST").unwrap_or("127.0.0.1");
    database.place = match ini.get("database", "NAME") {
        Some(name) => format!("{host}/{name}"),
        None => host.to_owned(),
    };
    let called = host.split(':').next().unwrap_or(host);
    let mut parts = called.split('.');
    let service = parts.next().unwrap_or_default();
    let within = parts.next().unwrap_or(workload.namespace());
    let last = backups
        .iter()
        .filter(|backup| backup.covers == Covers::Database)
        .filter_map(|backup| backup.last.clone())
        .max();
    database.last_backup = last;
    let of_operator = collected.of(&kinds::PG_CLUSTER).iter().find(|cluster| {
        namespace(cluster) == within
            && ["-rw", "-ro", "-r"].iter().any(|end| service.strip_suffix(end) == Some(name(cluster)))
    });
    if let Some(cluster) = of_operator {
        of_cloud_native(cluster, &mut database);
    } else if let Some(service) = find(collected.of(&kinds::SERVICE), within, service) {
        let (ready, not) = behind(collected.of(&kinds::ENDPOINT_SLICE), within, name(service));
        database.object = Some(format!("Service {}", full_name(service)));
        database.ready = Some((ready as u64, (ready + not) as u64));
        if ready == 0 {
            database.trouble.push("no pod behind its service is ready".to_owned());
        }
    }
    Some(database)
}

fn of_cloud_native(cluster: &Value, database: &mut Database) {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let (ready, wanted) = (number(cluster, "/status/readyInstances"), number(cluster, "/spec/instances"));
    database.object = Some(format!("Cluster {}", full_name(cluster)));
    database.phase = some(text(cluster, "/status/phase"));
    database.ready = Some((ready, wanted));
    database.primary = some(text(cluster, "/status/currentPrimary"));
    database.last_backup =
        some(text(cluster, "/status/lastSuccessfulBackup")).max(database.last_backup.take());
    for kind in ["Ready", "ContinuousArchiving", "LastBackupSucceeded"] {
        if let Some((status, message)) = condition(cluster, kind).filter(|(status, _)| *status != "True") {
            database.trouble.push(format!("the condition {kind} is {status}: {message}"));
        }
    }
    if ready < wanted {
        database.trouble.push(format!("{ready} of {wanted} instances are ready"));
    }
    let failing = list(cluster, "/status/instancesStatus/failed").iter().filter_map(Value::as_str);
    database.trouble.extend(failing.map(|pod| format!("{pod} has failed")));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cluster_of_cloud_native_tells_what_is_wrong() {
        let cluster = json!({"metadata": {"name": "gitea-db", "namespace": "db"}, "spec": {"instances": 3}, "status": {"readyInstances": 2, "phase": "Failing over",
            "currentPrimary": "gitea-db-2", "lastSuccessfulBackup": "2026-05-02T03:00:00Z",
            "conditions": [{"type": "Ready", "status": "False", "message": "Cluster Is Not Ready"}, {"type": "ContinuousArchiving", "status": "True"}]}});
        let mut database = Database {
            kind: "postgres".into(),
            place: String::new(),
            object: None,
            phase: None,
            ready: None,
            primary: None,
            last_backup: None,
            trouble: Vec::new(),
        };
        of_cloud_native(&cluster, &mut database);
        assert_eq!((database.ready, database.primary.as_deref()), (Some((2, 3)), Some("gitea-db-2")));
        assert_eq!(
            database.trouble,
            ["the condition Ready is False: Cluster Is Not Ready", "2 of 3 instances are ready"]
        );
    }
}
