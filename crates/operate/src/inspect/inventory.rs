//! What is there, in the words of an operator.

use std::collections::BTreeMap;

use jiff::Timestamp;
use railhead_cluster::kinds;
use serde::Serialize;
use serde_json::Value as Json;

use super::backup::backups;
pub use super::backup::{Backup, Covers};
use super::collect::{Collected, Wanted};
pub use super::database::Database;
use super::database::database;
use super::forge::{self, Workload, behind};
use super::helm::{MASK, Record, SEALED, leaves};
use super::ini::{Ini, KEPT};
use super::look::{condition, full_name, list, name, number, text};
pub use super::route::{Exposed, Route};
use super::route::{exposed, routes};
pub use super::storage::Storage;
use super::storage::{Before, storage};

/// Everything that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Inventory {
    /// When.
    pub time: Timestamp,
    /// The kubeconfig's context.
    pub context: String,
    /// The API server.
    pub server: String,
    /// The release of Kubernetes.
    pub kubernetes: String,
    /// The forge that is meant; none if none was found.
    pub forge: Option<Forge>,
    /// Whether the registry of the host is not the forge's own, but one beside it, as the site file says.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub beside: bool,
    /// The Helm releases of forges, the one of the forge first.
    pub releases: Vec<Release>,
    /// Other workloads that run a forge.
    pub others: Vec<String>,
    /// The settings that matter, and what holds where they are absent.
    pub settings: Vec<Setting>,
    /// Where they were read; none where they could not be.
    pub settings_from: Option<String>,
    /// The forge's services.
    pub services: Vec<Service>,
    /// Which path on which host reaches what.
    pub routes: Vec<Route>,
    /// What is open to the outside without a route.
    pub exposed: Vec<Exposed>,
    /// The certificates of routes, and those of cert-manager.
    pub certificates: Vec<Certificate>,
    /// Where the package data is.
    pub storage: Option<Storage>,
    /// What is backed up.
    pub backups: Vec<Backup>,
    /// The database.
    pub database: Option<Database>,
    /// What the kubeconfig may not see.
    pub unseen: Vec<String>,
    /// Kinds that the cluster does not have.
    pub absent: Vec<String>,
}

/// The forge.
#[derive(Clone, Debug, Serialize)]
pub struct Forge {
    /// `gitea` or `forgejo`.
    pub software: String,
    /// Its version, by its image.
    pub version: Option<String>,
    /// As `Deployment default/gitea`.
    pub workload: String,
    /// Its namespace.
    pub namespace: String,
    /// Its Helm release, as the workload says.
    pub release: Option<String>,
    /// The image.
    pub image: String,
    /// Pods that are asked for, those that are updated and ready, and all that are ready.
    pub rollout: (u64, u64, u64),
    /// Its pods.
    pub pods: Vec<PodSeen>,
}

/// A pod.
#[derive(Clone, Debug, Serialize)]
pub struct PodSeen {
    /// Its name.
    pub name: String,
    /// Its node.
    pub node: String,
    /// `Running`, `Pending`, ….
    pub phase: String,
    /// Whether it is ready.
    pub ready: bool,
    /// How often its containers were started again.
    pub restarts: u64,
    /// Why it is not ready, in the words of the kubelet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A Helm release.
#[derive(Clone, Debug, Serialize)]
pub struct Release {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its newest revision.
    pub revision: u64,
    /// The newest revision that was deployed.
    pub deployed: Option<u64>,
    /// What Helm says of the newest.
    pub status: String,
    /// In words.
    pub description: String,
    /// When it was last changed.
    pub updated: String,
    /// The chart, as `gitea-12.5.0`.
    pub chart: String,
    /// The version of what it installs.
    pub app_version: String,
    /// The values files that were given, in Helm's order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Each value that its user gave, by its path, and where it is from.
    pub values: BTreeMap<String, Value>,
    /// All values, with the chart's own; secrets are masked.
    pub effective: Json,
}

/// One value of a release.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Value {
    /// The value; masked if it may be a secret.
    pub value: Json,
    /// The last of the given files that sets it; none where none does, or no files were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What that file says, where it says something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_says: Option<Json>,
}

/// One setting of app.ini.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Its section.
    pub section: String,
    /// Its key.
    pub key: String,
    /// What the file says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What holds where the file says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// What that means.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub meaning: String,
}

/// A service of the forge.
#[derive(Clone, Debug, Serialize)]
pub struct Service {
    /// As `default/gitea-http`.
    pub name: String,
    /// `ClusterIP`, `NodePort`, ….
    pub kind: String,
    /// Its ports, as `http 3000 → 32166`.
    pub ports: Vec<String>,
    /// Addresses behind it that are ready.
    pub ready: usize,
    /// Addresses behind it that are not.
    pub not_ready: usize,
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// The Secret, as `default/gitea-tls`.
    pub secret: String,
    /// Whether the Secret has a certificate.
    pub there: bool,
    /// The names in it, or those that are asked for.
    pub names: Vec<String>,
    /// Until when it is valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Who signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// cert-manager's Certificate for it, as `default/gitea-tls`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
    /// What its condition `Ready` says, if that is not `True`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// Makes the inventory. `before` is what the inspection before saw of the storage.
pub fn inventory(collected: &Collected, wanted: &Wanted, before: Option<&(Timestamp, Json)>) -> Inventory {
    let workload = collected.forge(wanted);
    let ini = collected.ini.as_ref().map(|(_, ini)| ini);
    let before = before.and_then(|(time, result)| Before::read(*time, result));
    let storage =
        workload.as_ref().zip(ini).map(|(workload, ini)| storage(collected, workload, ini, before.as_ref()));
    let backups =
        workload.as_ref().map(|workload| backups(collected, workload, storage.as_ref())).unwrap_or_default();
    let database =
        workload.as_ref().zip(ini).and_then(|(workload, ini)| database(collected, workload, ini, &backups));
    let services = workload.as_ref().map(|workload| forge::services(workload, collected.of(&kinds::SERVICE)));
    let services = services.unwrap_or_default();
    let others = collected.forges(wanted).into_iter().map(|other| other.words());
    let own = workload.as_ref().map(Workload::words);
    Inventory {
        time: collected.time,
        context: collected.context.clone(),
        server: collected.server.clone(),
        kubernetes: collected.kubernetes.clone(),
        beside: wanted.beside,
        releases: releases(collected, wanted, workload.as_ref()),
        others: others.filter(|other| Some(other) != own.as_ref()).collect(),
        settings: ini.map(settings).unwrap_or_default(),
        settings_from: collected.ini.as_ref().map(|(from, _)| from.clone()),
        services: services.iter().map(|service| service_seen(collected, service)).collect(),
        routes: routes(collected),
        exposed: exposed(collected, &services),
        certificates: certificates(collected),
        storage,
        backups,
        database,
        unseen: collected.denied.iter().map(ToString::to_string).collect(),
        absent: collected.absent.iter().map(|(group, plural)| format!("{plural}.{group}")).collect(),
        forge: workload.map(|workload| forge_seen(collected, &workload)),
    }
}

fn forge_seen(collected: &Collected, workload: &Workload<'_>) -> Forge {
    let image = text(workload.container, "/image");
    let pods = workload.pods(collected.of(&kinds::POD));
    Forge {
        software: workload.software.to_owned(),
        version: forge::version(image),
        workload: workload.words(),
        namespace: workload.namespace().to_owned(),
        release: workload.release().map(str::to_owned),
        image: image.to_owned(),
        rollout: workload.rollout(),
        pods: pods.into_iter().map(pod_seen).collect(),
    }
}

fn pod_seen(pod: &Json) -> PodSeen {
    let statuses =
        || list(pod, "/status/initContainerStatuses").iter().chain(list(pod, "/status/containerStatuses"));
    let waiting = statuses().find_map(|status| {
        let state = "/state/waiting";
        let reason = text(status, &format!("{state}/reason"));
        let said = text(status, &format!("{state}/message"));
        (!reason.is_empty() && reason != "PodInitializing")
            .then(|| format!("{reason} {said}").trim().to_owned())
    });
    let unscheduled = condition(pod, "PodScheduled").filter(|(status, _)| *status == "False");
    let why = waiting.or_else(|| unscheduled.map(|(_, message)| message.to_owned()));
    let ready = forge::is_ready(pod);
    PodSeen {
        name: name(pod).to_owned(),
        node: text(pod, "/spec/nodeName").to_owned(),
        phase: text(pod, "/status/phase").to_owned(),
        ready,
        restarts: statuses().map(|status| number(status, "/restartCount")).sum(),
        why: why.filter(|_| !ready),
    }
}

/// Releases of forges, each by its newest record, the one of the workload first.
fn releases(collected: &Collected, wanted: &Wanted, workload: Option<&Workload<'_>>) -> Vec<Release> {
    let mut newest: BTreeMap<(&str, &str), (&Record, Option<u64>)> = BTreeMap::new();
    for record in &collected.records {
        let entry = newest.entry((&record.namespace, &record.name)).or_insert((record, None));
        if record.revision >= entry.0.revision {
            entry.0 = record;
        }
        if record.status == "deployed" {
            entry.1 = entry.1.max(Some(record.revision));
        }
    }
    let is_own = |record: &Record| {
        workload.is_some_and(|workload| {
            workload.namespace() == record.namespace && workload.release() == Some(record.name.as_str())
        })
    };
    let forges = newest.into_values().filter(|(record, _)| record.is_forge() || is_own(record));
    let mut all: Vec<(bool, Release)> = forges
        .filter(|(record, _)| record.status != "uninstalled")
        .map(|(record, deployed)| (!is_own(record), release(record, deployed, wanted, is_own(record))))
        .collect();
    all.sort_by_key(|(other, release)| (*other, release.namespace.clone(), release.name.clone()));
    all.into_iter().map(|(_, release)| release).collect()
}

/// Whether what a file says may be this value: what is encrypted or masked may be anything, also within a list.
fn may_be(says: &Json, value: &Json) -> bool {
    match (says, value) {
        (Json::String(says), _) if [MASK, SEALED].contains(&says.as_str()) => true,
        (_, Json::String(value)) if value == MASK => true,
        (Json::Array(says), Json::Array(values)) => {
            says.len() == values.len() && says.iter().zip(values).all(|(says, value)| may_be(says, value))
        }
        (Json::Object(says), Json::Object(values)) => {
            let known = |(key, says)| values.get(key).is_some_and(|value| may_be(says, value));
            says.len() == values.len() && says.iter().all(known)
        }
        _ => says == value,
    }
}

fn release(record: &Record, deployed: Option<u64>, wanted: &Wanted, is_own: bool) -> Release {
    let files: Vec<_> = if is_own {
        wanted.values.iter().map(|file| (&file.name, leaves(&file.values))).collect()
    } else {
        Vec::new()
    };
    let value = |(path, value): (String, Json)| {
        let setting = files.iter().rev().find_map(|(file, leaves)| Some((file, leaves.get(&path)?)));
        let file_says = setting.map(|(_, says)| says.clone()).filter(|says| !may_be(says, &value));
        (path, Value { value, file: setting.map(|(file, _)| (*file).clone()), file_says })
    };
    Release {
        name: record.name.clone(),
        namespace: record.namespace.clone(),
        revision: record.revision,
        deployed,
        status: record.status.clone(),
        description: record.description.clone(),
        updated: record.updated.clone(),
        chart: format!("{}-{}", record.chart, record.chart_version),
        app_version: record.app_version.clone(),
        files: files.iter().map(|(name, _)| (*name).clone()).collect(),
        values: leaves(&record.given).into_iter().map(value).collect(),
        effective: record.effective.clone(),
    }
}

fn settings(ini: &Ini) -> Vec<Setting> {
    let seen = |known: &super::ini::Known| {
        let value = ini.get(known.section, known.key);
        // What has neither a value nor a default says nothing.
        (value.is_some() || known.default.is_some()).then(|| Setting {
            section: known.section.to_owned(),
            key: known.key.to_owned(),
            value: value.map(str::to_owned),
            default: value.is_none().then(|| known.default.unwrap_or_default().to_owned()),
            meaning: if value.is_none() { known.absent.to_owned() } else { String::new() },
        })
    };
    KEPT.iter().filter_map(seen).collect()
}

fn service_seen(collected: &Collected, service: &Json) -> Service {
    let port = |port: &Json| {
        let own = format!("{} {}", text(port, "/name"), number(port, "/port"));
        let node = number(port, "/nodePort");
        if node == 0 { own.trim().to_owned() } else { format!("{} → {node}", own.trim()) }
    };
    let (ready, not_ready) =
        behind(collected.of(&kinds::ENDPOINT_SLICE), text(service, "/metadata/namespace"), name(service));
    Service {
        name: full_name(service),
        kind: text(service, "/spec/type").to_owned(),
        ports: list(service, "/spec/ports").iter().map(port).collect(),
        ready,
        not_ready,
    }
}

fn certificates(collected: &Collected) -> Vec<Certificate> {
    let mut all: BTreeMap<String, Certificate> = BTreeMap::new();
    for ((namespace, secret), seen) in &collected.certificates {
        let own = seen.as_ref().and_then(|seen| seen.first());
        let secret = format!("{namespace}/{secret}");
        let certificate = Certificate {
            secret: secret.clone(),
            there: own.is_some(),
            names: own.map(|own| own.names.clone()).unwrap_or_default(),
            until: own.map(|own| own.not_after),
            issuer: own.map(|own| own.issuer.clone()),
            manager: None,
            trouble: None,
        };
        all.insert(secret, certificate);
    }
    for object in collected.of(&kinds::CERTIFICATE) {
        let secret = format!("{}/{}", text(object, "/metadata/namespace"), text(object, "/spec/secretName"));
        let names = || {
            list(object, "/spec/dnsNames")
                .iter()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect()
        };
        let certificate = all.entry(secret.clone()).or_insert_with(|| Certificate {
            secret,
            there: condition(object, "Ready").is_some_and(|(status, _)| status == "True"),
            names: names(),
            until: text(object, "/status/notAfter").parse().ok(),
            issuer: None,
            manager: None,
            trouble: None,
        });
        if certificate.names.is_empty() {
            certificate.names = names();
        }
        certificate.manager = Some(full_name(object));
        certificate.trouble = match condition(object, "Ready") {
            Some(("True", _)) => None,
            Some((_, message)) => Some(message.to_owned()),
            None => Some("cert-manager has not looked at it".to_owned()),
        };
    }
    all.into_values().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_encrypted_may_be_anything() {
        let live = json!([{"ip": "10.0.0.1", "hostnames": ["db", MASK]}]);
        assert!(may_be(&json!(SEALED), &live));
        assert!(may_be(&json!([{"ip": SEALED, "hostnames": [SEALED, "x"]}]), &live));
        for other in [
            json!([]),
            json!([{"ip": SEALED}]),
            json!([{"ip": "10.0.0.2", "hostnames": [SEALED, SEALED]}]),
            json!([{"ip": SEALED, "hostnames": [SEALED]}]),
            json!([{"ip": SEALED, "names": [SEALED, SEALED]}]),
        ] {
            assert!(!may_be(&other, &live), "{other}");
        }
    }
}
