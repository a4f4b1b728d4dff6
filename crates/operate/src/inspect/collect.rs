//! Reads what an inspection needs from the cluster; nothing is judged here.
//!
//! Order: all lists at the same time; then what only they tell: the certificates that routes name, the app.ini of the forge's
//! pod, and the numbers of its disk.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use jiff::Timestamp;
use railhead_client::hops::{CertificateSeen, certificates};
use railhead_cluster::{Cluster, Error, Kind, MissingRight, Pod, Seen, kinds};
use serde_json::Value;

use super::forge::{self, Workload, is_ready};
use super::helm::{Record, ValuesFile};
use super::ini::Ini;
use super::look::{list, name, namespace, number, text};
use super::route;
use super::storage;

/// Every kind that is listed.
const LISTED: [&Kind; 21] = [
    &kinds::POD,
    &kinds::DEPLOYMENT,
    &kinds::STATEFUL_SET,
    &kinds::SERVICE,
    &kinds::ENDPOINT_SLICE,
    &kinds::INGRESS,
    &kinds::INGRESS_ROUTE,
    &kinds::OLD_INGRESS_ROUTE,
    &kinds::GATEWAY,
    &kinds::HTTP_ROUTE,
    &kinds::CERTIFICATE,
    &kinds::VOLUME_CLAIM,
    &kinds::VOLUME,
    &kinds::STORAGE_CLASS,
    &kinds::CRON_JOB,
    &kinds::PG_CLUSTER,
    &kinds::PG_BACKUP,
    &kinds::PG_SCHEDULED_BACKUP,
    &kinds::VELERO_SCHEDULE,
    &kinds::VELERO_BACKUP,
    &kinds::VOLUME_SNAPSHOT,
];

/// Helm's records of what is there now, and only those: of old revisions nothing is asked.
const RECORDS: &str = "labelSelector=owner%3Dhelm%2Cstatus%21%3Dsuperseded";
/// How long a look into the pod may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// The most that an app.ini is.
const INI: usize = 1 << 20;

/// What to look for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The forge is in this namespace.
    pub namespace: Option<String>,
    /// The forge is of this Helm release.
    pub release: Option<String>,
    /// The values files, in the order in which Helm gets them.
    pub values: Vec<ValuesFile>,
    /// A Makefile that deploys it: its name and its text.
    pub makefile: Option<(String, String)>,
    /// Whether the registry of the host is not the forge's own, but one beside it.
    pub beside: bool,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// When.
    pub time: Timestamp,
    /// The kubeconfig's context.
    pub context: String,
    /// The API server.
    pub server: String,
    /// The release of Kubernetes.
    pub kubernetes: String,
    /// The objects, by group and plural.
    pub(super) objects: BTreeMap<(&'static str, &'static str), Vec<Value>>,
    /// Helm's records, masked.
    pub(super) records: Vec<Record>,
    /// What the certificates of the TLS secrets say that routes name, by namespace and name; none where there is no such secret.
    pub(super) certificates: BTreeMap<(String, String), Option<Vec<CertificateSeen>>>,
    /// The forge's settings, and where they were read.
    pub(super) ini: Option<(String, Ini)>,
    /// Why there are no settings.
    pub(super) no_ini: Option<String>,
    /// The numbers of the disk with the packages.
    pub(super) disk: storage::Disk,
    /// What the kubeconfig may not see.
    pub denied: Vec<MissingRight>,
    /// Kinds that the cluster does not have.
    pub(super) absent: BTreeSet<(&'static str, &'static str)>,
}

impl Collected {
    /// Why there are no settings of the forge, though there is a forge.
    pub fn without_settings(&self) -> Option<&str> {
        self.no_ini.as_deref()
    }

    pub(super) fn of(&self, kind: &Kind) -> &[Value] {
        self.objects.get(&(kind.group, kind.plural)).map_or(&[], Vec::as_slice)
    }

    /// The workloads that run a forge, the one that is meant first.
    pub(super) fn forges(&self, wanted: &Wanted) -> Vec<Workload<'_>> {
        let objects = self.of(&kinds::DEPLOYMENT).iter().chain(self.of(&kinds::STATEFUL_SET));
        let mut all = forge::workloads(objects);
        all.sort_by_key(|workload| {
            let is_meant = wanted.namespace.as_deref().is_none_or(|meant| workload.namespace() == meant)
                && wanted.release.as_deref().is_none_or(|meant| workload.release() == Some(meant));
            let (_, _, ready) = workload.rollout();
            (!is_meant, ready == 0, workload.words())
        });
        all
    }

    /// The one that is meant.
    pub(super) fn forge(&self, wanted: &Wanted) -> Option<Workload<'_>> {
        self.forges(wanted).into_iter().next().filter(|workload| {
            wanted.namespace.as_deref().is_none_or(|meant| workload.namespace() == meant)
                && wanted.release.as_deref().is_none_or(|meant| workload.release() == Some(meant))
        })
    }
}

/// Reads all of it. Rights that are missing are written down; only an API server that cannot be asked is an error.
pub async fn collect(cluster: &Cluster, wanted: &Wanted) -> Result<Collected, Error> {
    let mut collected = Collected {
        time: Timestamp::now(),
        context: cluster.context().to_owned(),
        server: cluster.server().to_owned(),
        // Also the first request: where nobody answers, nothing else is tried.
        kubernetes: cluster.version().await?,
        ..Collected::default()
    };
    let reader = Reader { cluster, namespace: wanted.namespace.as_deref().unwrap_or(cluster.namespace()) };
    let lists = join_all(LISTED.map(|kind| async move { (kind, reader.list(kind, "").await) })).await;
    for (kind, list) in lists {
        let (found, denied) = list?;
        collected.denied.extend(denied);
        match found {
            Some(found) => _ = collected.objects.insert((kind.group, kind.plural), found),
            None => _ = collected.absent.insert((kind.group, kind.plural)),
        }
    }
    for kind in [&kinds::SECRET, &kinds::CONFIG_MAP] {
        let (found, denied) = reader.list(kind, RECORDS).await?;
        collected.denied.extend(denied);
        collected.records.extend(found.iter().flatten().filter_map(Record::read));
    }
    collected.records.sort_by_key(|record| (record.namespace.clone(), record.name.clone(), record.revision));
    reader.read_certificates(&mut collected).await?;
    reader.read_forge(&mut collected, wanted).await?;
    collected.denied.sort();
    collected.denied.dedup();
    Ok(collected)
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    cluster: &'a Cluster,
    /// Where to look when the whole cluster may not be seen.
    namespace: &'a str,
}

impl Reader<'_> {
    /// A list of the whole cluster, or of the namespace where only that may be seen. None where the kind is absent.
    async fn list(
        &self,
        kind: &Kind,
        query: &str,
    ) -> Result<(Option<Vec<Value>>, Option<MissingRight>), Error> {
        match self.cluster.list_where(kind, None, query).await? {
            Seen::Found(found) => Ok((Some(found), None)),
            Seen::Absent => Ok((None, None)),
            Seen::Denied(right) if kind.namespaced => {
                let here = self.cluster.list_where(kind, Some(self.namespace), query).await?;
                Ok((Some(here.found().unwrap_or_default()), Some(right)))
            }
            Seen::Denied(right) => Ok((Some(Vec::new()), Some(right))),
        }
    }

    async fn read_certificates(&self, collected: &mut Collected) -> Result<(), Error> {
        for (namespace, secret) in route::secrets(collected) {
            let found = match self.cluster.get(&kinds::SECRET, Some(&namespace), &secret).await? {
                Seen::Found(object) => {
                    let pem = STANDARD.decode(text(&object, "/data/tls.crt")).unwrap_or_default();
                    Some(certificates(&pem))
                }
                Seen::Absent => None,
                Seen::Denied(right) => {
                    collected.denied.push(right);
                    continue;
                }
            };
            collected.certificates.insert((namespace, secret), found);
        }
        Ok(())
    }

    /// What only the forge's pod tells, or the Secrets that it is made from.
    async fn read_forge(&self, collected: &mut Collected, wanted: &Wanted) -> Result<(), Error> {
        let Some(workload) = collected.forge(wanted) else { return Ok(()) };
        let pods = workload.pods(collected.of(&kinds::POD));
        let pod = pods.iter().find(|pod| is_ready(pod)).map(|pod| Pod {
            namespace: namespace(pod).to_owned(),
            name: name(pod).to_owned(),
            container: Some(text(workload.container, "/name").to_owned()),
        });
        let node = pods.first().map(|pod| text(pod, "/spec/nodeName").to_owned());
        let path = workload.variable("GITEA_APP_INI").or_else(|| workload.variable("FORGEJO_APP_INI"));
        let paths: Vec<String> = match path {
            Some(path) => vec![path.to_owned()],
            None => ["/data/gitea/conf/app.ini", "/etc/gitea/app.ini", "/var/lib/gitea/custom/conf/app.ini"]
                .map(str::to_owned)
                .to_vec(),
        };
        let secrets: Vec<String> = workload.mounted_secrets().map(str::to_owned).collect();
        let in_namespace = workload.namespace().to_owned();
        let (mut ini, mut denied, mut why) = (None, Vec::new(), None);
        if let Some(pod) = &pod {
            match self.ini_of_pod(pod, &paths).await {
                Ok(found) => ini = found,
                Err(Error::Denied { right, .. }) => denied.push(right),
                Err(error @ (Error::Unreachable { .. } | Error::Unauthenticated { .. })) => {
                    return Err(error);
                }
                Err(error) => why = Some(error.to_string()),
            }
        } else {
            why = Some("no pod of it is ready".to_owned());
        }
        if ini.is_none() {
            ini = self.ini_of_secrets(&in_namespace, &secrets, &mut denied).await?;
        }
        let packages = ini.as_ref().map(|(_, ini)| storage::blobs(ini, &workload));
        let mut disk = storage::Disk::default();
        let claim = packages.as_ref().and_then(storage::Blobs::path).map(|path| workload.place(path));
        if let (Some(node), Some(forge::Place::Claim(claim))) = (&node, &claim) {
            match self.cluster.node_stats(node).await {
                Ok(Seen::Found(stats)) => disk = of_kubelet(&stats, &in_namespace, claim),
                Ok(Seen::Denied(right)) => denied.push(right),
                Err(error @ (Error::Unreachable { .. } | Error::Unauthenticated { .. })) => {
                    return Err(error);
                }
                // A kubelet that does not answer takes only its own numbers away.
                Ok(Seen::Absent) | Err(_) => {}
            }
        }
        if let (Some(pod), Some(path)) = (&pod, packages.as_ref().and_then(storage::Blobs::path)) {
            match self.disk_of_pod(pod, path).await {
                Ok(inside) => disk = disk.or(inside),
                Err(Error::Denied { right, .. }) => denied.push(right),
                Err(error @ (Error::Unreachable { .. } | Error::Unauthenticated { .. })) => {
                    return Err(error);
                }
                Err(_) => {}
            }
        }
        collected.no_ini =
            ini.is_none().then(|| why.unwrap_or_else(|| "there is none where it is looked for".to_owned()));
        collected.ini = ini;
        collected.disk = disk;
        collected.denied.extend(denied);
        Ok(())
    }

    /// The live file.
    async fn ini_of_pod(&self, pod: &Pod, paths: &[String]) -> Result<Option<(String, Ini)>, Error> {
        for path in paths {
            let ran = self.cluster.exec(pod, &["cat", path], INI, PATIENCE).await?;
            if ran.code == 0 {
                return Ok(Some((format!("{path} in the pod {pod}"), Ini::parse(&ran.text()))));
            }
        }
        Ok(None)
    }

    /// What the chart makes the file from: a Secret with a section a key.
    async fn ini_of_secrets(
        &self,
        in_namespace: &str,
        secrets: &[String],
        denied: &mut Vec<MissingRight>,
    ) -> Result<Option<(String, Ini)>, Error> {
        for secret in secrets.iter().filter(|secret| secret.ends_with("inline-config")) {
            match self.cluster.get(&kinds::SECRET, Some(in_namespace), secret).await? {
                Seen::Found(object) => {
                    let sections: Vec<(String, String)> = object["data"]
                        .as_object()
                        .into_iter()
                        .flatten()
                        .filter_map(|(section, encoded)| {
                            let text = STANDARD.decode(encoded.as_str()?).ok()?;
                            Some((section.clone(), String::from_utf8(text).ok()?))
                        })
                        .collect();
                    let pairs = sections.iter().map(|(section, text)| (section.as_str(), text.as_str()));
                    return Ok(Some((format!("the Secret {in_namespace}/{secret}"), Ini::sections(pairs))));
                }
                Seen::Absent => {}
                Seen::Denied(right) => denied.push(right),
            }
        }
        Ok(None)
    }

    /// What `du` and `df` say inside.
    async fn disk_of_pod(&self, pod: &Pod, path: &str) -> Result<storage::Disk, Error> {
        let du = self.cluster.exec(pod, &["du", "-sk", path], INI, PATIENCE * 6).await?;
        let above =
            path.rsplit_once('/').map_or("/", |(above, _)| if above.is_empty() { "/" } else { above });
        let df = self.cluster.exec(pod, &["df", "-Pk", above], INI, PATIENCE).await?;
        Ok(storage::Disk::of_commands(
            (du.code == 0).then(|| du.text()).as_deref(),
            (df.code == 0).then(|| df.text()).as_deref(),
        ))
    }
}

/// The kubelet's numbers of a claim's volume.
fn of_kubelet(stats: &Value, in_namespace: &str, claim: &str) -> storage::Disk {
    let volumes = list(stats, "/pods").iter().flat_map(|pod| list(pod, "/volume"));
    let mine = |volume: &&Value| {
        text(volume, "/pvcRef/name") == claim && text(volume, "/pvcRef/namespace") == in_namespace
    };
    match volumes.into_iter().find(mine) {
        Some(volume) => storage::Disk {
            packages: None,
            used: Some(number(volume, "/usedBytes")),
            capacity: Some(number(volume, "/capacityBytes")),
            available: Some(number(volume, "/availableBytes")),
        },
        None => storage::Disk::default(),
    }
}
