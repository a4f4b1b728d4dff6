//! What an inspection says of a release that was broken off, has settings that turn the registry off, or has lost its forge; of a claim
//! that is nearly full; and of certificates that do not fit.
//!
//! The release is a second one of the real chart, without a pod: what is told of it stands in Helm's records and in the chart's Secret.

use std::fs;
use std::time::Duration;

use railhead_cluster::{Kind, kinds};
use railhead_suites::certificates::{Authority, Certificate};
use railhead_suites::cluster::chart;
use railhead_suites::{Cluster, Operator, Server};
use serde_json::{Value, json};

use super::inspect::{SITE, codes, inspection};
use super::others::evidence;
use super::{SHARED, alone};

/// How long the cluster may take for one step.
const PATIENCE: Duration = Duration::from_mins(1);

/// Packages are off, repositories do not show them, and nothing stays.
const OFF: &str = "
replicaCount: 0
postgresql: {enabled: false}
postgresql-ha: {enabled: false}
valkey: {enabled: false}
valkey-cluster: {enabled: false}
persistence: {enabled: false}
test: {enabled: false}
gitea:
  config:
    packages: {ENABLED: false}
    repository: {DISABLED_REPO_UNITS: 'repo.wiki,repo.packages'}
    database: {DB_TYPE: sqlite3}
    session: {PROVIDER: memory}
    cache: {ADAPTER: memory}
    queue: {TYPE: channel}
";

/// The same, mended.
fn repaired() -> String {
    OFF.replace("{ENABLED: false}", "{ENABLED: true, LIMIT_SIZE_CONTAINER: -1}")
        .replace(",repo.packages", "")
        .replace("persistence: {enabled: false}", "persistence: {enabled: true}")
}

fn finding<'a>(found: &'a Value, code: &str) -> &'a Value {
    let finding = found["findings"].as_array().unwrap().iter().find(|finding| finding["code"] == code);
    finding.unwrap_or_else(|| panic!("no {code} in {:?}", codes(found)))
}

fn assert_none(found: &Value, unwanted: &[&str]) {
    let said: Vec<&str> = codes(found).into_iter().filter(|code| unwanted.contains(code)).collect();
    assert_eq!(said, [""; 0], "{found}");
}

fn remove(cluster: &Cluster, kind: &Kind, namespace: Option<&str>, name: &str) {
    assert!(cluster.api(async |api| api.delete(kind, namespace, name).await).unwrap(), "{name}");
}

/// An upgrade whose helm ends in the middle: it waits for a claim that nobody fills.
fn break_off(cluster: &Cluster, values: &str) {
    let chart = chart();
    let words = ["upgrade", "gitea", chart.to_str().unwrap(), "-n", "rules", "-f", values, "--wait"];
    let mut helm = Server::start("helm", cluster.tool("helm").command(words));
    let record = "sh.helm.release.v1.gitea.v2";
    let is_pending = |secret: Option<&Value>| {
        (secret?.pointer("/metadata/labels/status")? == "pending-upgrade").then_some(())
    };
    let seen = cluster
        .api(async |api| api.wait_for(&kinds::SECRET, Some("rules"), record, PATIENCE, is_pending).await);
    assert!(seen.unwrap().is_some(), "{}", helm.log());
    helm.kill9();
}

#[test]
fn a_release_is_told_as_its_records_and_its_secrets_have_it() {
    let (cluster, _alone) = (SHARED.with_forge(), alone());
    let home = tempfile::tempdir().unwrap();
    let operator = Operator::at(home.path(), SITE).inside(cluster);
    let written = |name: &str, text: &str| {
        let path = operator.path(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (off, on) = (written("off.yaml", OFF), written("on.yaml", &repaired()));
    let look =
        |file: &str| inspection(&operator.run(["inspect", "-n", "rules", "-f", file, "--output", "json"]));
    let helm = |words: &[&str]| cluster.tool("helm").run(words).ok();
    let chart = chart();
    let chart = chart.to_str().unwrap();

    helm(&["install", "gitea", chart, "-n", "rules", "--create-namespace", "-f", &off]);
    let found = look(&off);
    assert_eq!(found["inventory"]["settings_from"], "the Secret rules/gitea-inline-config");
    assert_eq!(evidence(&found, "RH-APP-DISABLED"), ["[packages] ENABLED is false"]);
    assert_eq!(evidence(&found, "RH-APP-UNITS"), ["DISABLED_REPO_UNITS = repo.wiki,repo.packages"]);
    assert_eq!(evidence(&found, "RH-STORAGE-EPHEMERAL"), ["/data/packages is on no volume that stays"]);
    assert_none(&found, &["RH-RELEASE-DRIFT", "RH-RELEASE-NONE", "RH-RELEASE-UNFINISHED"]);

    break_off(cluster, &on);
    let found = look(&on);
    let unfinished = evidence(&found, "RH-RELEASE-UNFINISHED");
    assert!(unfinished[0].starts_with("revision 2 is pending-upgrade: "), "{unfinished:?}");
    assert_eq!(unfinished[1], "the last good revision is 1");
    // The command that it says is the one that helps.
    let fix = finding(&found, "RH-RELEASE-UNFINISHED")["fix"].as_str().unwrap();
    let command = fix.lines().next_back().unwrap();
    assert_eq!(command, "helm rollback gitea 1 -n rules --wait");
    helm(&command.split(' ').skip(1).collect::<Vec<_>>());
    assert_none(&look(&off), &["RH-RELEASE-DRIFT", "RH-RELEASE-UNFINISHED"]);

    let found = look(&on);
    assert_eq!(
        evidence(&found, "RH-RELEASE-DRIFT"),
        [
            format!("gitea.config.packages.ENABLED is false in the release, and true in {on}"),
            format!(
                "gitea.config.repository.DISABLED_REPO_UNITS is \"repo.wiki,repo.packages\" in the release, and \"repo.wiki\" in {on}"
            ),
            format!("persistence.enabled is false in the release, and true in {on}"),
            format!(
                "{on} sets gitea.config.packages.LIMIT_SIZE_CONTAINER, and the release has no such value"
            ),
        ]
    );
    helm(&["upgrade", "gitea", chart, "-n", "rules", "-f", &on]);
    let mended = [
        "RH-APP-DISABLED",
        "RH-APP-UNITS",
        "RH-RELEASE-DRIFT",
        "RH-RELEASE-UNFINISHED",
        "RH-STORAGE-EPHEMERAL",
    ];
    assert_none(&look(&on), &mended);

    // Its forge is lost, and then the release; another one is no forge of this namespace.
    let other = "Deployment default/gitea runs a forge, and is not the one that is meant";
    remove(cluster, &kinds::DEPLOYMENT, Some("rules"), "gitea");
    let empty = "the release rules/gitea of gitea-12.5.0 has no workload";
    assert_eq!(evidence(&look(&on), "RH-RELEASE-NONE"), [empty, other]);
    helm(&["uninstall", "gitea", "-n", "rules"]);
    assert_eq!(evidence(&look(&on), "RH-RELEASE-NONE"), [other]);
    remove(cluster, &kinds::NAMESPACE, None, "rules");
}

/// A pod of the forge's image that keeps still, with its packages on a claim of one mebibyte.
const FULL: &str = r"
apiVersion: v1
kind: Namespace
metadata: {name: full}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: full}
spec:
  capacity: {storage: 1Mi}
  accessModes: [ReadWriteOnce]
  hostPath: {path: DIRECTORY}
  claimRef: {namespace: full, name: packages}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: packages, namespace: full}
spec: {accessModes: [ReadWriteOnce], storageClassName: '', volumeName: full, resources: {requests: {storage: 1Mi}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: full, namespace: full}
spec:
  selector: {matchLabels: {app: full}}
  template:
    metadata: {labels: {app: full}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: forge
          image: docker.gitea.com/gitea:1.25.4-rootless
          command: [sleep, infinity]
          env: [{name: GITEA_APP_INI, value: /data/app.ini}]
          volumeMounts: [{name: data, mountPath: /data}]
      volumes: [{name: data, persistentVolumeClaim: {claimName: packages}}]
";

#[test]
fn a_claim_that_is_nearly_full_is_told_by_its_own_size() {
    let (cluster, _alone) = (SHARED.with_forge(), alone());
    let home = tempfile::tempdir().unwrap();
    let operator = Operator::at(home.path(), SITE).inside(cluster);
    let volume = cluster.path("volumes/full");
    fs::create_dir_all(volume.join("packages")).unwrap();
    fs::write(volume.join("app.ini"), "[server]\nAPP_DATA_PATH = /data\n").unwrap();
    fs::write(volume.join("packages/layer"), vec![1_u8; 1_000_000]).unwrap();
    cluster.apply(&FULL.replace("DIRECTORY", volume.to_str().unwrap()));
    let is_ready = |deployment: Option<&Value>| {
        (deployment?.pointer("/status/readyReplicas")?.as_u64()? == 1).then_some(())
    };
    let ready = cluster
        .api(async |api| api.wait_for(&kinds::DEPLOYMENT, Some("full"), "full", PATIENCE, is_ready).await);
    assert!(ready.unwrap().is_some(), "the pod does not get ready");

    let found = inspection(&operator.run(["inspect", "-n", "full", "--output", "json"]));
    let storage = &found["inventory"]["storage"];
    assert_eq!(storage["size_bytes"], 1_048_576, "{storage}");
    // The disk below has more room, or may be fuller: what is told is of the claim.
    let fills = evidence(&found, "RH-STORAGE-FILLS");
    let begins = "/data/packages on the claim full/packages (1.0 MiB, ReadWriteOnce, hostPath), 9";
    assert!(fills[0].starts_with(begins) && fills[0].ends_with(" KiB of packages"), "{fills:?}");
    assert!(fills[1].ends_with(" KiB are left"), "{fills:?}");
    remove(cluster, &kinds::DEPLOYMENT, Some("full"), "full");
    remove(cluster, &kinds::NAMESPACE, None, "full");
    remove(cluster, &kinds::VOLUME, None, "full");
}

const INGRESS: &str = r"
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: rules, namespace: default}
spec:
  ingressClassName: traefik
  rules:
    - host: forge.test
      http: {paths: [{path: /v2, pathType: Prefix, backend: {service: {name: gitea-http, port: {number: 3000}}}}]}
";
const TLS: &str = "  tls: [{hosts: [forge.test], secretName: rules}]\n";

#[test]
fn a_route_without_tls_and_a_certificate_that_does_not_fit_are_told() {
    let (cluster, _alone) = (SHARED.with_forge(), alone());
    let home = tempfile::tempdir().unwrap();
    let operator = Operator::at(home.path(), SITE).inside(cluster);
    let authority = Authority::make(&home.path().join("pki"), "rules");
    let look = || inspection(&operator.run(["inspect", "--output", "json"]));
    let keep = |certificate: &Certificate| {
        let identity = authority.certify(certificate);
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"name": "rules", "namespace": "default"},
            "stringData": {"tls.crt": fs::read_to_string(identity.chain).unwrap(), "tls.key": fs::read_to_string(identity.key).unwrap()}});
        cluster.api(async |api| api.apply(&secret, false).await.map(drop)).unwrap();
    };
    cluster.apply(INGRESS);
    let found = look();
    assert_eq!(
        evidence(&found, "RH-TLS-ROUTE"),
        ["Ingress default/rules leads forge.test/v2 to the forge, and has no TLS for the host"]
    );
    assert_none(&found, &["RH-TLS-EXPIRED", "RH-TLS-NAME", "RH-TLS-SECRET"]);

    keep(&Certificate::of("other.test").valid(-80, -1));
    cluster.apply(&format!("{INGRESS}{TLS}"));
    let found = look();
    let expired = evidence(&found, "RH-TLS-EXPIRED");
    assert!(expired[0].starts_with("the certificate in default/rules is valid until 2"), "{expired:?}");
    assert_eq!(
        evidence(&found, "RH-TLS-NAME"),
        ["Ingress default/rules is for forge.test, and its certificate names other.test"]
    );
    assert_none(&found, &["RH-TLS-ROUTE", "RH-TLS-EXPIRES-SOON", "RH-TLS-SECRET"]);

    keep(&Certificate::of("forge.test"));
    assert_none(&look(), &["RH-TLS-EXPIRED", "RH-TLS-NAME", "RH-TLS-ROUTE"]);
    remove(cluster, &kinds::INGRESS, Some("default"), "rules");
    remove(cluster, &kinds::SECRET, Some("default"), "rules");
}
