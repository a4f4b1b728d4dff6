//! Where the blobs are, how much of the room is used, and when it is full.

use jiff::Timestamp;
use railhead_cluster::kinds;
use serde::Serialize;
use serde_json::Value;

use super::collect::Collected;
use super::forge::{Place, Workload, find};
use super::ini::Ini;
use super::look::{flag, list, quantity, text};

/// Provisioners whose volumes are a directory of one node.
const OF_ONE_NODE: [&str; 4] =
    ["rancher.io/local-path", "microk8s.io/hostpath", "k8s.io/minikube-hostpath", "docker.io/hostpath"];

/// Where the forge keeps the bytes of packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blobs {
    /// In a directory.
    Files(String),
    /// In a bucket, with the endpoint if that is said.
    Bucket(String),
}

impl Blobs {
    /// The directory.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Files(path) => Some(path),
            Self::Bucket(_) => None,
        }
    }
}

/// As the forge decides it: `[packages]`, then `[storage.packages]`, then the storage that is named, then `[storage]`.
pub fn blobs(ini: &Ini, workload: &Workload<'_>) -> Blobs {
    let sections = ["packages", "storage.packages", "storage"];
    let first = |key: &str| {
        sections.iter().find_map(|section| ini.get(section, key).filter(|value| !value.is_empty()))
    };
    let kind = first("STORAGE_TYPE").unwrap_or("local");
    if kind != "local" {
        let bucket = first("MINIO_BUCKET").unwrap_or("gitea");
        let at = first("MINIO_ENDPOINT").map_or_else(String::new, |endpoint| format!(" at {endpoint}"));
        return Blobs::Bucket(format!("{kind} bucket {bucket}{at}"));
    }
    let work = ini.get("", "WORK_PATH").or_else(|| workload.variable("GITEA_WORK_DIR")).unwrap_or("/data");
    let data = ini.get("server", "APP_DATA_PATH").map_or_else(|| join(work, "data"), |path| join(work, path));
    let own = ["packages", "storage.packages"]
        .iter()
        .find_map(|section| ini.get(section, "PATH"))
        .filter(|path| !path.is_empty());
    Blobs::Files(match (own, ini.get("storage", "PATH").filter(|path| !path.is_empty())) {
        (Some(path), _) => join(&data, path),
        (None, Some(shared)) => join(&join(work, shared), "packages"),
        (None, None) => join(&data, "packages"),
    })
}

fn join(above: &str, path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("{}/{path}", above.trim_end_matches('/')) }
}

/// Numbers of a disk in bytes, as far as somebody tells them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// In the directory of the packages.
    pub packages: Option<u64>,
    /// On the volume.
    pub used: Option<u64>,
    /// The volume's size.
    pub capacity: Option<u64>,
    /// Free on it.
    pub available: Option<u64>,
}

impl Disk {
    /// What this one does not tell is taken from another.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            packages: self.packages.or(other.packages),
            used: self.used.or(other.used),
            capacity: self.capacity.or(other.capacity),
            available: self.available.or(other.available),
        }
    }

    /// Reads what `du -sk` and `df -Pk` print.
    pub fn of_commands(du: Option<&str>, df: Option<&str>) -> Self {
        let kibibytes = |text: &str| text.parse::<u64>().ok().map(|number| number * 1024);
        let packages = du.and_then(|text| kibibytes(text.split_whitespace().next()?));
        let row: Vec<&str> =
            df.and_then(|text| text.lines().nth(1)).unwrap_or_default().split_whitespace().collect();
        let cell = |index: usize| row.get(index).and_then(|text| kibibytes(text));
        Self { packages, capacity: cell(1), used: cell(2), available: cell(3) }
    }
}

/// The storage of package data.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Storage {
    /// The directory or the bucket.
    pub place: String,
    /// The claim, as `default/gitea-shared-storage`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// Its class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// What makes its volumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provisioner: Option<String>,
    /// What the volume is: `hostPath`, `csi`, `nfs`, ….
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
    /// The size that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// `ReadWriteOnce`, ….
    pub access_modes: Vec<String>,
    /// Whether the class lets it grow.
    pub expandable: bool,
    /// Whether it is gone with one node.
    pub one_node: bool,
    /// Whether it is gone with the pod.
    pub ephemeral: bool,
    /// Whether Git repositories are on it, too.
    pub shared_with_git: bool,
    /// Bytes of packages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packages_bytes: Option<u64>,
    /// Bytes used on what the volume is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_bytes: Option<u64>,
    /// Bytes of what the volume is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity_bytes: Option<u64>,
    /// Bytes free there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_bytes: Option<u64>,
    /// Days until it is full, at the growth of packages since the inspection before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full_in_days: Option<u64>,
}

/// What an earlier inspection saw of the same place.
#[derive(Clone, Debug, PartialEq)]
pub struct Before {
    /// When.
    pub time: Timestamp,
    /// The place.
    pub place: String,
    /// The claim.
    pub claim: Option<String>,
    /// Bytes of packages then.
    pub packages: u64,
}

impl Before {
    /// Reads it out of the evidence of an inspection.
    pub fn read(time: Timestamp, result: &Value) -> Option<Self> {
        let storage = result.pointer("/inventory/storage")?;
        Some(Self {
            time,
            place: text(storage, "/place").to_owned(),
            claim: storage.get("claim").and_then(Value::as_str).map(str::to_owned),
            packages: storage.get("packages_bytes")?.as_u64()?,
        })
    }
}

/// The storage of the forge's packages.
pub fn storage(
    collected: &Collected,
    workload: &Workload<'_>,
    ini: &Ini,
    before: Option<&Before>,
) -> Storage {
    let disk = &collected.disk;
    let mut storage = Storage {
        place: String::new(),
        claim: None,
        class: None,
        provisioner: None,
        volume: None,
        size_bytes: None,
        access_modes: Vec::new(),
        expandable: false,
        one_node: false,
        ephemeral: false,
        shared_with_git: false,
        packages_bytes: disk.packages,
        used_bytes: disk.used,
        capacity_bytes: disk.capacity,
        available_bytes: disk.available,
        full_in_days: None,
    };
    match blobs(ini, workload) {
        Blobs::Bucket(words) => storage.place = words,
        Blobs::Files(path) => {
            let place = workload.place(&path);
            let work = ini.get("", "WORK_PATH").unwrap_or("/data");
            let root = ini
                .get("repository", "ROOT")
                .map_or_else(|| join(work, "git/repositories"), |root| join(work, root));
            storage.shared_with_git = place != Place::Nowhere && workload.place(&root) == place;
            storage.place = path;
            match place {
                Place::Claim(claim) => of_claim(collected, workload.namespace(), &claim, &mut storage),
                Place::Node(_) => {
                    storage.one_node = true;
                    storage.volume = Some("hostPath".to_owned());
                }
                Place::Nowhere => storage.ephemeral = true,
                Place::Other(kind) => storage.volume = Some(kind),
            }
        }
    }
    storage.full_in_days = before.and_then(|before| full_in_days(&storage, before, collected.time));
    storage
}

fn of_claim(collected: &Collected, in_namespace: &str, called: &str, storage: &mut Storage) {
    storage.claim = Some(format!("{in_namespace}/{called}"));
    let Some(claim) = find(collected.of(&kinds::VOLUME_CLAIM), in_namespace, called) else { return };
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    storage.class = some(text(claim, "/spec/storageClassName"));
    storage.size_bytes = quantity(text(claim, "/status/capacity/storage"))
        .or_else(|| quantity(text(claim, "/spec/resources/requests/storage")));
    storage.access_modes =
        list(claim, "/spec/accessModes").iter().filter_map(|mode| mode.as_str().map(str::to_owned)).collect();
    let volumes = collected.of(&kinds::VOLUME);
    let volume = find(volumes, "", text(claim, "/spec/volumeName"));
    let sources = ["hostPath", "local", "csi", "nfs", "iscsi", "fc", "cephfs", "rbd"];
    storage.volume = volume.and_then(|volume| {
        let source = sources.iter().find(|source| volume.pointer(&format!("/spec/{source}")).is_some())?;
        Some((*source).to_owned())
    });
    let class =
        storage.class.as_deref().and_then(|class| find(collected.of(&kinds::STORAGE_CLASS), "", class));
    storage.provisioner = class.and_then(|class| some(text(class, "/provisioner")));
    storage.expandable = class.is_some_and(|class| flag(class, "/allowVolumeExpansion"));
    storage.one_node = matches!(storage.volume.as_deref(), Some("hostPath" | "local"))
        || storage.provisioner.as_deref().is_some_and(|provisioner| OF_ONE_NODE.contains(&provisioner));
}

/// The room that is left for packages: what is free on the volume, and no more than the size that was asked for.
pub fn room(storage: &Storage) -> Option<u64> {
    let of_claim =
        storage.size_bytes.zip(storage.packages_bytes).map(|(size, used)| size.saturating_sub(used));
    match (storage.available_bytes, of_claim) {
        (Some(free), Some(left)) => Some(free.min(left)),
        (free, left) => free.or(left),
    }
}

fn full_in_days(storage: &Storage, before: &Before, now: Timestamp) -> Option<u64> {
    if before.place != storage.place || before.claim != storage.claim {
        return None;
    }
    let seconds = now.as_second() - before.time.as_second();
    let grown = storage.packages_bytes?.checked_sub(before.packages).filter(|grown| *grown > 0)?;
    // An hour of pushing tells nothing of a month.
    if seconds < 3600 {
        return None;
    }
    let a_day = grown as f64 / seconds as f64 * 86400.0;
    Some((room(storage)? as f64 / a_day) as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::forge::workloads;
    use super::*;

    #[test]
    fn the_place_of_blobs_is_what_the_forge_decides() {
        let object = json!({"spec": {"template": {"spec": {"containers": [{"image": "gitea"}]}}}});
        let workload = &workloads(std::iter::once(&object))[0];
        for (text, place) in [
            ("WORK_PATH=/data\n[server]\nAPP_DATA_PATH=/data", "/data/packages"),
            ("WORK_PATH=/app", "/app/data/packages"),
            ("[storage]\nPATH=/pool", "/pool/packages"),
            ("[server]\nAPP_DATA_PATH=/data\n[packages]\nPATH=blobs", "/data/blobs"),
            ("[storage.packages]\nPATH=/p", "/p"),
        ] {
            assert_eq!(blobs(&Ini::parse(text), workload), Blobs::Files(place.to_owned()), "{text}");
        }
        let text = "[storage]\nSTORAGE_TYPE=minio\nMINIO_ENDPOINT=s3.example:9000\nMINIO_BUCKET=forge";
        assert_eq!(
            blobs(&Ini::parse(text), workload),
            Blobs::Bucket("minio bucket forge at s3.example:9000".into())
        );
    }

    #[test]
    fn what_du_and_df_print_is_read() {
        let df = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda 100 50 40 50% /data\n";
        let disk = Disk::of_commands(Some("4\t/data/packages\n"), Some(df));
        let bytes = [4, 50, 100, 40].map(|number: u64| Some(number * 1024));
        assert_eq!([disk.packages, disk.used, disk.capacity, disk.available], bytes);
        assert_eq!(Disk::of_commands(Some("?"), Some("")), Disk::default());
    }
}
