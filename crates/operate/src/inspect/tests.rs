//! The rules, each on a cluster written by hand: the seed of a forge that never thought of a registry, with one thing changed.

use jiff::Timestamp;
use railhead_client::hops::CertificateSeen;
use railhead_cluster::{Kind, MissingRight, kinds};
use railhead_doctor::{Finding, Layer, Owners};
use serde_json::{Value, json};

use super::collect::{Collected, Wanted};
use super::helm::{Record, ValuesFile};
use super::ini::Ini;
use super::storage::Disk;
use super::*;

const HOST: &str = "git.example.com";

fn now() -> Timestamp {
    "2026-05-19T12:00:00Z".parse().unwrap()
}

fn put(collected: &mut Collected, kind: &Kind, mut object: Value) {
    object["kind"] = kind.name.into();
    collected.objects.entry((kind.group, kind.plural)).or_default().push(object);
}

fn record(namespace: &str, revision: u64, status: &str) -> Record {
    Record {
        name: "gitea".into(),
        namespace: namespace.into(),
        revision,
        status: status.into(),
        chart: "gitea".into(),
        chart_version: "12.5.0".into(),
        app_version: "1.25.4".into(),
        given: json!({"gitea": {"config": {"server": {"ROOT_URL": "http://git.example.com"}}}}),
        ..Record::default()
    }
}

const INI: &str = "WORK_PATH = /data\n[server]\nAPP_DATA_PATH = /data\nROOT_URL = http://git.example.com\n[repository]\nROOT = /data/git/gitea-repositories\n[database]\nDB_TYPE = sqlite3\n";

fn seed() -> Collected {
    let mut seed = Collected {
        time: now(),
        context: "default".into(),
        kubernetes: "v1.33.13".into(),
        ..Collected::default()
    };
    let labels = json!({"app.kubernetes.io/name": "gitea", "app.kubernetes.io/instance": "gitea"});
    put(
        &mut seed,
        &kinds::DEPLOYMENT,
        json!({"metadata": {"name": "gitea", "namespace": "default", "generation": 1, "labels": labels,
            "annotations": {"meta.helm.sh/release-name": "gitea"}},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {
                "containers": [{"name": "gitea", "image": "docker.gitea.com/gitea:1.25.4-rootless", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
                "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "gitea-shared-storage"}}]}}},
            "status": {"observedGeneration": 1, "updatedReplicas": 1, "readyReplicas": 1}}),
    );
    put(
        &mut seed,
        &kinds::SERVICE,
        json!({"metadata": {"name": "gitea-http", "namespace": "default"}, "spec": {"type": "NodePort", "selector": labels,
            "ports": [{"name": "http", "port": 3000, "nodePort": 32166}]}}),
    );
    put(
        &mut seed,
        &kinds::ENDPOINT_SLICE,
        json!({"metadata": {"name": "x", "namespace": "default", "labels": {"kubernetes.io/service-name": "gitea-http"}},
            "endpoints": [{"addresses": ["10.42.0.7"], "conditions": {"ready": true}}]}),
    );
    put(
        &mut seed,
        &kinds::VOLUME_CLAIM,
        json!({"metadata": {"name": "gitea-shared-storage", "namespace": "default"}, "spec": {"storageClassName": "local-path",
            "volumeName": "pv", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}}),
    );
    put(&mut seed, &kinds::VOLUME, json!({"metadata": {"name": "pv"}, "spec": {"hostPath": {"path": "/x"}}}));
    put(
        &mut seed,
        &kinds::STORAGE_CLASS,
        json!({"metadata": {"name": "local-path"}, "provisioner": "rancher.io/local-path"}),
    );
    seed.records = vec![record("default", 1, "superseded"), record("default", 2, "deployed")];
    seed.ini = Some(("app.ini".into(), Ini::parse(INI)));
    seed.disk = Disk {
        packages: Some(837_000_000),
        used: Some(1 << 30),
        capacity: Some(50 << 30),
        available: Some(40 << 30),
    };
    seed
}

fn ingress(path: &str, service: &str, tls: &Value) -> Value {
    json!({"metadata": {"name": "registry", "namespace": "default"}, "spec": {"tls": tls, "rules": [{"host": HOST,
        "http": {"paths": [{"path": path, "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"number": 3000}}}}]}}]}})
}

fn certificate(days: i64) -> CertificateSeen {
    let at = |days: i64| now() + jiff::SignedDuration::from_hours(24 * days);
    CertificateSeen {
        subject: "CN=x".into(),
        issuer: "CN=authority".into(),
        names: vec![HOST.into()],
        not_before: at(-30),
        not_after: at(days),
        self_signed: false,
        names_issuer_url: true,
    }
}

fn findings(collected: &Collected, wanted: &Wanted) -> Vec<Finding> {
    let owners = Owners::default().with(Layer::Routing, "cluster-team").with(Layer::Storage, "platform-team");
    judge(&inventory(collected, wanted, None), collected, wanted, Some(HOST), &owners)
}

fn codes(collected: &Collected, wanted: &Wanted) -> Vec<&'static str> {
    findings(collected, wanted).iter().map(|finding| finding.code.as_str()).collect()
}

const SEED: [&str; 7] = [
    "RH-ROUTE-ABSENT",
    "RH-APP-ROOT-URL",
    "RH-BACKUP-NONE",
    "RH-STORAGE-NODE",
    "RH-ROUTE-NODEPORT",
    "RH-APP-IMPLICIT",
    "RH-STORAGE-SHARED",
];

#[test]
fn the_seed_has_its_findings_with_owner_evidence_and_fix() {
    let found = findings(&seed(), &Wanted::default());
    assert_eq!(found.iter().map(|finding| finding.code.as_str()).collect::<Vec<_>>(), SEED);
    let route = &found[0];
    assert_eq!(route.owner.as_deref(), Some("cluster-team"));
    assert_eq!(route.evidence, ["nothing takes git.example.com/v2/"]);
    assert!(route.fix.contains("service: {name: gitea-http, port: {number: 3000}}"), "{}", route.fix);
    for finding in &found {
        assert!(!finding.evidence.is_empty() && finding.fix.len() > 20, "{}", finding.code);
    }
}

/// What is changed in the seed, and the findings that come and go by it.
type Case = (&'static str, fn(&mut Collected), &'static [&'static str], &'static [&'static str]);

const CASES: &[Case] = &[
    ("nothing runs", |all| _ = all.objects.remove(&("apps", "deployments")), &["RH-RELEASE-NONE"], &SEED),
    (
        "a second release by mistake",
        |all| all.records.push(record("gitea", 1, "deployed")),
        &["RH-RELEASE-TWICE"],
        &[],
    ),
    (
        "an upgrade that was broken off",
        |all| all.records.push(record("default", 3, "pending-upgrade")),
        &["RH-RELEASE-UNFINISHED"],
        &[],
    ),
    (
        "half rolled out",
        |all| {
            let deployment = &mut all.objects.get_mut(&("apps", "deployments")).unwrap()[0];
            deployment["metadata"]["generation"] = 2.into();
        },
        &["RH-RELEASE-ROLLOUT"],
        &[],
    ),
    (
        "a roll-out whose new pod does not become ready, while the old one serves on",
        |all| {
            let deployment = &mut all.objects.get_mut(&("apps", "deployments")).unwrap()[0];
            deployment["status"]["replicas"] = 2.into();
        },
        &["RH-RELEASE-ROLLOUT"],
        &[],
    ),
    (
        "packages are off",
        |all| {
            all.ini = Some((
                "x".into(),
                Ini::parse(&format!("{INI}[packages]\nENABLED = false\nLIMIT_SIZE_CONTAINER = -1\n")),
            ));
        },
        &["RH-APP-DISABLED"],
        &["RH-APP-IMPLICIT"],
    ),
    (
        "units are off",
        |all| {
            all.ini = Some((
                "x".into(),
                Ini::parse(
                    &INI.replace("ROOT = ", "DISABLED_REPO_UNITS = repo.wiki, repo.packages\nROOT = "),
                ),
            ));
        },
        &["RH-APP-UNITS"],
        &[],
    ),
    (
        "a root URL with TLS",
        |all| all.ini = Some(("x".into(), Ini::parse(&INI.replace("http://", "https://")))),
        &[],
        &["RH-APP-ROOT-URL"],
    ),
    (
        "a route without TLS",
        |all| put(all, &kinds::INGRESS, ingress("/v2", "gitea-http", &json!([]))),
        &["RH-TLS-ROUTE"],
        &["RH-ROUTE-ABSENT"],
    ),
    (
        "a route of a sub-path",
        |all| put(all, &kinds::INGRESS, ingress("/git", "gitea-http", &json!([]))),
        &[],
        &[],
    ),
    (
        "a route to a service that is not there",
        |all| put(all, &kinds::INGRESS, ingress("/", "gitea", &json!([]))),
        &["RH-ROUTE-BACKEND"],
        &["RH-ROUTE-ABSENT"],
    ),
    (
        "a route whose certificate is missing",
        |all| {
            put(
                all,
                &kinds::INGRESS,
                ingress("/v2", "gitea-http", &json!([{"hosts": [HOST], "secretName": "tls"}])),
            );
            all.certificates.insert(("default".into(), "tls".into()), None);
        },
        &["RH-TLS-SECRET"],
        &["RH-ROUTE-ABSENT"],
    ),
    (
        "a route whose certificate ends soon",
        |all| {
            put(
                all,
                &kinds::INGRESS,
                ingress("/v2", "gitea-http", &json!([{"hosts": [HOST], "secretName": "tls"}])),
            );
            all.certificates.insert(("default".into(), "tls".into()), Some(vec![certificate(3)]));
        },
        &["RH-TLS-EXPIRES-SOON"],
        &["RH-ROUTE-ABSENT"],
    ),
    (
        "a certificate that has ended and names another host",
        |all| {
            put(
                all,
                &kinds::INGRESS,
                ingress("/v2", "gitea-http", &json!([{"hosts": [HOST], "secretName": "tls"}])),
            );
            let other = CertificateSeen { names: vec!["other.example.com".into()], ..certificate(-1) };
            all.certificates.insert(("default".into(), "tls".into()), Some(vec![other]));
        },
        &["RH-TLS-EXPIRED", "RH-TLS-NAME"],
        &["RH-ROUTE-ABSENT"],
    ),
    (
        "cert-manager cannot issue",
        |all| {
            put(
                all,
                &kinds::CERTIFICATE,
                json!({"metadata": {"name": "c", "namespace": "default"}, "spec": {"secretName": "tls", "dnsNames": [HOST]},
                "status": {"conditions": [{"type": "Ready", "status": "False", "message": "issuer not found"}]}}),
            );
        },
        &["RH-TLS-ISSUE"],
        &[],
    ),
    (
        "packages in memory",
        |all| {
            let deployment = &mut all.objects.get_mut(&("apps", "deployments")).unwrap()[0];
            deployment["spec"]["template"]["spec"]["volumes"] = json!([{"name": "data", "emptyDir": {}}]);
        },
        &["RH-STORAGE-EPHEMERAL"],
        &["RH-STORAGE-NODE", "RH-STORAGE-SHARED"],
    ),
    ("a volume that is nearly full", |all| all.disk.packages = Some(9 << 30), &["RH-STORAGE-FILLS"], &[]),
    (
        "a backup of the database alone",
        |all| {
            put(
                all,
                &kinds::PG_SCHEDULED_BACKUP,
                json!({"metadata": {"name": "b", "namespace": "default"}, "spec": {"schedule": "0 0 3 * * *", "cluster": {"name": "gitea-db"}}}),
            );
        },
        &["RH-BACKUP-PARTLY", "RH-BACKUP-FAILED"],
        &["RH-BACKUP-NONE"],
    ),
    (
        "a backup that nobody makes any more",
        |all| {
            put(
                all,
                &kinds::CRON_JOB,
                json!({"metadata": {"name": "nightly-backup", "namespace": "default"}, "status": {"lastScheduleTime": "2026-05-12T03:00:00Z", "lastSuccessfulTime": "2026-05-12T03:10:00Z"},
                "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": {"spec": {"containers": [],
                    "volumes": [{"persistentVolumeClaim": {"claimName": "gitea-shared-storage"}}]}}}}}}),
            );
        },
        &["RH-BACKUP-FAILED"],
        &["RH-BACKUP-NONE"],
    ),
    (
        "a database that is not whole",
        |all| {
            let text = INI.replace("sqlite3", "postgres\nHOST = gitea-db-rw:5432\nNAME = gitea");
            all.ini = Some(("x".into(), Ini::parse(&text)));
            put(
                all,
                &kinds::PG_CLUSTER,
                json!({"metadata": {"name": "gitea-db", "namespace": "default"}, "spec": {"instances": 2}, "status": {"readyInstances": 1}}),
            );
        },
        &["RH-DATABASE-DOWN", "RH-DATABASE-BACKUP"],
        &[],
    ),
    (
        "a right is missing",
        |all| {
            all.denied.push(MissingRight {
                verb: "list".into(),
                group: "batch".into(),
                resource: "cronjobs".into(),
                namespace: None,
            });
        },
        &["RH-CLUSTER-RIGHT"],
        &["RH-BACKUP-NONE"],
    ),
];

#[test]
fn each_change_has_its_findings_and_no_other() {
    for (name, change, come, go) in CASES {
        let mut collected = seed();
        change(&mut collected);
        let mut expected: Vec<&str> = SEED.iter().filter(|code| !go.contains(code)).copied().collect();
        expected.extend(*come);
        let mut found = codes(&collected, &Wanted::default());
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn a_forge_that_is_not_meant_is_named_and_its_release_is_not_said_to_be_empty() {
    let mut collected = seed();
    collected.records.push(record("team", 1, "deployed"));
    let other = "Deployment default/gitea runs a forge, and is not the one that is meant";
    let wanted = |namespace: &str| Wanted { namespace: Some(namespace.into()), ..Wanted::default() };
    for (namespace, evidence) in [
        ("team", &["the release team/gitea of gitea-12.5.0 has no workload", other][..]),
        ("nobody", &[other][..]),
    ] {
        let found = findings(&collected, &wanted(namespace));
        assert_eq!(found[0].code.as_str(), "RH-RELEASE-NONE", "{namespace}");
        assert_eq!(found[0].evidence, evidence, "{namespace}");
    }
}

#[test]
fn files_and_release_are_compared() {
    let file = |text: &str| ValuesFile::parse("values.yaml".into(), text).unwrap();
    let same = "gitea: {config: {server: {ROOT_URL: 'http://git.example.com'}}}";
    let with = |text: &str| codes(&seed(), &Wanted { values: vec![file(text)], ..Wanted::default() });
    assert_eq!(with(same), SEED);
    for other in [&same.replace("http:", "https:"), "gitea: {config: {packages: {ENABLED: true}}}", "{}"] {
        assert!(with(other).contains(&"RH-RELEASE-DRIFT"), "{other}");
    }
    // What SOPS has encrypted cannot be compared, and is no difference.
    let sealed = "gitea: {config: {server: {ROOT_URL: 'ENC[AES256_GCM,data:x]'}}}\nsops: {mac: x}";
    assert_eq!(with(sealed), SEED);
    let makefile = Some(("Makefile".to_owned(), "NAMESPACE = gitea\n".to_owned()));
    assert!(codes(&seed(), &Wanted { makefile, ..Wanted::default() }).contains(&"RH-RELEASE-NAMESPACE"));
}

#[test]
fn two_inspections_tell_when_the_volume_is_full() {
    let mut collected = seed();
    let first = json!({"inventory": inventory(&collected, &Wanted::default(), None)});
    collected.time = now() + jiff::SignedDuration::from_hours(24);
    collected.disk.packages = Some(837_000_000 + (1 << 30));
    let again = inventory(&collected, &Wanted::default(), Some(&(now(), first.clone())));
    // A gibibyte a day, and of ten there are eight and a bit left.
    assert_eq!(again.storage.as_ref().unwrap().full_in_days, Some(8));
    collected.time = now() + jiff::SignedDuration::from_mins(5);
    let soon = inventory(&collected, &Wanted::default(), Some(&(now(), first)));
    assert_eq!(soon.storage.unwrap().full_in_days, None);
}

#[test]
fn a_registry_beside_the_forge_is_where_the_host_leads() {
    let mut collected = seed();
    put(
        &mut collected,
        &kinds::INGRESS,
        ingress("/v2", "railhead", &json!([{"hosts": [HOST], "secretName": "tls"}])),
    );
    let ports = json!({"metadata": {"name": "railhead", "namespace": "default"}, "spec": {"ports": [{"port": 5050}]}});
    put(&mut collected, &kinds::SERVICE, ports);
    let beside = Wanted { beside: true, ..Wanted::default() };
    assert!(codes(&collected, &Wanted::default()).contains(&"RH-ROUTE-ABSENT"));
    assert!(!codes(&collected, &beside).contains(&"RH-ROUTE-ABSENT"));
    // Nothing leads there: it is no forge's Ingress that would help.
    let found = findings(&seed(), &beside);
    let absent = found.iter().find(|finding| finding.code.as_str() == "RH-ROUTE-ABSENT").unwrap();
    assert!(!absent.fix.contains("gitea-http"), "{}", absent.fix);
}

#[test]
fn the_status_has_always_the_same_lines() {
    let mut collected = seed();
    let states = |collected: &Collected, host: Option<&str>| {
        let inventory = inventory(collected, &Wanted::default(), None);
        status(&inventory, host, &Kept::default())
            .iter()
            .map(|line| (line.what, line.state))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        states(&collected, Some(HOST)),
        [
            ("pod", State::Good),
            ("database", State::Good),
            ("route", State::Bad),
            ("certificate", State::Unknown),
            ("proof", State::Unknown),
            ("backup", State::Attention)
        ]
    );
    put(
        &mut collected,
        &kinds::INGRESS,
        ingress("/v2", "gitea-http", &json!([{"hosts": [HOST], "secretName": "tls"}])),
    );
    collected.certificates.insert(("default".into(), "tls".into()), Some(vec![certificate(3)]));
    let states = states(&collected, Some(HOST));
    assert_eq!((states[2].1, states[3].1), (State::Good, State::Attention));
    let empty = Collected::default();
    let inventory = inventory(&empty, &Wanted::default(), None);
    assert_eq!(status(&inventory, None, &Kept::default())[0].state, State::Bad);
}
