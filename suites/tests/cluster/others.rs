//! Objects of Traefik, the Gateway API, cert-manager, CloudNativePG and Velero, by the definitions that these projects publish.
//!
//! Their controllers do not run here: the test writes into each status what they would write, and signs what cert-manager would.

use std::fs;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use railhead_suites::certificates::{Authority, Certificate};
use railhead_suites::{Cluster, Operator};
use serde_json::{Value, json};

use super::inspect::{SITE, codes, inspection};
use super::{SHARED, alone};

const DEFINITIONS: [&str; 9] = [
    "traefik.io_ingressroutes",
    "gateway.networking.k8s.io_gateways",
    "gateway.networking.k8s.io_httproutes",
    "cert-manager.io_certificates",
    "postgresql.cnpg.io_clusters",
    "postgresql.cnpg.io_backups",
    "postgresql.cnpg.io_scheduledbackups",
    "velero.io_schedules",
    "velero.io_backups",
];

/// A route of Traefik with a certificate that cert-manager cannot get; a database with an instance that is away, whose backups
/// are suspended; a Velero that saves everything but the forge.
const SICK: &str = r"
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: registry, namespace: default}
spec:
  entryPoints: [websecure]
  routes:
    - {kind: Rule, match: 'Host(`forge.test`) && PathPrefix(`/v2`)', services: [{name: gitea-http, port: 3000}]}
  tls: {secretName: forge-tls}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: forge, namespace: default}
spec: {secretName: forge-tls, dnsNames: [forge.test], issuerRef: {name: letsencrypt, kind: ClusterIssuer}}
---
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: gitea-db, namespace: default}
spec: {instances: 3, storage: {size: 1Gi}}
---
apiVersion: postgresql.cnpg.io/v1
kind: ScheduledBackup
metadata: {name: gitea-db, namespace: default}
spec: {schedule: '0 0 3 * * *', suspend: true, cluster: {name: gitea-db}}
---
apiVersion: v1
kind: Namespace
metadata: {name: velero}
---
apiVersion: velero.io/v1
kind: Schedule
metadata: {name: nightly, namespace: velero}
spec: {schedule: 0 2 * * *, template: {includedNamespaces: [apps], defaultVolumesToFsBackup: true}}
";

/// The same route by the Gateway API.
const GATEWAY: &str = r"
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: front, namespace: default}
spec:
  gatewayClassName: traefik
  listeners:
    - {name: web, protocol: HTTP, port: 80}
    - {name: websecure, protocol: HTTPS, port: 443, hostname: '*.test', tls: {certificateRefs: [{name: forge-tls}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: registry, namespace: default}
spec:
  parentRefs: [{name: front}]
  hostnames: [forge.test]
  rules:
    - {matches: [{path: {type: PathPrefix, value: /v2}}], backendRefs: [{name: gitea-http, port: 3000}]}
";

const CERTIFICATE: &str = "apis/cert-manager.io/v1/namespaces/default/certificates/forge";
const DATABASE: &str = "apis/postgresql.cnpg.io/v1/namespaces/default/clusters/gitea-db";

/// What the forge has in its settings while this lives: a Postgres of the cluster. It does not read them again meanwhile.
struct WithPostgres {
    file: std::path::PathBuf,
    before: String,
}

impl WithPostgres {
    fn set(cluster: &Cluster) -> Self {
        let file = cluster.path("volumes/gitea/gitea/conf/app.ini");
        let before = fs::read_to_string(&file).unwrap();
        let line = before.lines().find(|line| line.starts_with("DB_TYPE")).unwrap();
        fs::write(&file, before.replace(line, "DB_TYPE = postgres\nHOST = gitea-db-rw:5432\nNAME = gitea"))
            .unwrap();
        Self { file, before }
    }
}

impl Drop for WithPostgres {
    fn drop(&mut self) {
        fs::write(&self.file, &self.before).unwrap();
    }
}

fn hours_ago(hours: i64) -> String {
    format!("{:.0}", Timestamp::now() - SignedDuration::from_hours(hours))
}

/// The Secret that cert-manager would write, valid for so many days.
fn issue(cluster: &Cluster, home: &Path, days: i64) {
    let authority = Authority::make(&home.join(format!("pki-{days}")), "cluster");
    let identity = authority.certify(&Certificate::of("forge.test").valid(-80, days));
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"name": "forge-tls", "namespace": "default"},
        "stringData": {"tls.crt": fs::read_to_string(identity.chain).unwrap(), "tls.key": fs::read_to_string(identity.key).unwrap()}});
    cluster.api(async |api| api.apply(&secret, false).await.map(drop)).unwrap();
    let until = format!("{:.0}", Timestamp::now() + SignedDuration::from_hours(24 * days));
    cluster.set_status(
        CERTIFICATE,
        &json!({"notAfter": until, "conditions": [{"type": "Ready", "status": "True", "reason": "Ready",
            "message": "Certificate is up to date and has not expired", "lastTransitionTime": hours_ago(1)}]}),
    );
}

/// A run of Velero's schedule, with the status that it has: that definition has no place apart for it.
fn velero_run(cluster: &Cluster, name: &str, phase: &str, hours: i64) {
    let run = json!({"apiVersion": "velero.io/v1", "kind": "Backup",
        "metadata": {"name": name, "namespace": "velero", "labels": {"velero.io/schedule-name": "nightly"}}, "spec": {},
        "status": {"phase": phase, "completionTimestamp": hours_ago(hours)}});
    cluster.api(async |api| api.apply(&run, false).await.map(drop)).unwrap();
}

/// A run of the database's backup that ended well.
fn database_run(cluster: &Cluster, name: &str, hours: i64) {
    cluster.apply(&format!(
        "{{apiVersion: postgresql.cnpg.io/v1, kind: Backup, metadata: {{name: {name}, namespace: default}}, spec: {{cluster: {{name: gitea-db}}}}}}"
    ));
    let path = format!("apis/postgresql.cnpg.io/v1/namespaces/default/backups/{name}");
    cluster.set_status(&path, &json!({"phase": "completed", "stoppedAt": hours_ago(hours)}));
}

/// What a finding is founded on; it has to be there.
pub fn evidence<'a>(found: &'a Value, code: &str) -> Vec<&'a str> {
    let findings = found["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["code"] == code);
    let finding = finding.unwrap_or_else(|| panic!("no {code} in {:?}", codes(found)));
    finding["evidence"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect()
}

/// All of it, with the status that the controllers would write.
fn make_sick(cluster: &Cluster) {
    cluster.apply(SICK);
    cluster.set_status(
        CERTIFICATE,
        &json!({"conditions": [{"type": "Ready", "status": "False", "reason": "DoesNotExist", "lastTransitionTime": hours_ago(1),
            "message": "Issuing certificate as Secret does not exist"}]}),
    );
    cluster.set_status(
        DATABASE,
        &json!({"phase": "Failing over", "readyInstances": 2, "instances": 3, "currentPrimary": "gitea-db-2",
            "conditions": [{"type": "Ready", "status": "False", "reason": "ClusterIsNotReady", "message": "Cluster Is Not Ready", "lastTransitionTime": hours_ago(1)}]}),
    );
    velero_run(cluster, "nightly-1", "PartiallyFailed", 5);
}

#[test]
fn objects_of_other_projects_are_told_as_they_are() {
    let (cluster, _alone) = (SHARED.with_forge(), alone());
    let home = tempfile::tempdir().unwrap();
    let operator = Operator::at(home.path(), SITE).inside(cluster);
    let look = || inspection(&operator.run(["inspect", "--output", "json"]));
    let definitions = cluster.define(&DEFINITIONS);
    let settings = WithPostgres::set(cluster);
    make_sick(cluster);

    let found = look();
    let expected =
        ["RH-TLS-ISSUE", "RH-DATABASE-DOWN", "RH-BACKUP-PARTLY", "RH-BACKUP-FAILED", "RH-DATABASE-BACKUP"];
    for code in expected {
        evidence(&found, code);
    }
    assert!(
        !codes(&found).iter().any(|code| ["RH-ROUTE-ABSENT", "RH-BACKUP-NONE"].contains(code)),
        "{found}"
    );
    assert_eq!(
        evidence(&found, "RH-TLS-ISSUE"),
        ["Certificate default/forge: Issuing certificate as Secret does not exist"]
    );
    assert_eq!(
        evidence(&found, "RH-DATABASE-DOWN"),
        ["the condition Ready is False: Cluster Is Not Ready", "2 of 3 instances are ready"]
    );
    assert_eq!(
        evidence(&found, "RH-BACKUP-FAILED"),
        [
            "ScheduledBackup default/gitea-db: it is suspended",
            "Velero schedule velero/nightly: its last run, nightly-1, is PartiallyFailed"
        ]
    );
    assert!(
        evidence(&found, "RH-BACKUP-PARTLY")[1].ends_with("the namespace default is not in it"),
        "{found}"
    );
    let status = operator.run(["status"]);
    assert_eq!(status.code, Some(1), "{status}");
    for line in [
        "Cluster default/gitea-db: the condition Ready is False",
        "Issuing certificate as Secret does not exist",
    ] {
        assert!(status.stdout.contains(line), "{line}: {status}");
    }

    // Mended: what is left is what this cluster cannot have, since Velero passes over the directories of nodes.
    issue(cluster, home.path(), 60);
    let healthy = json!({"phase": "Cluster in healthy state", "readyInstances": 3, "instances": 3, "currentPrimary": "gitea-db-1",
        "conditions": [{"type": "Ready", "status": "True", "reason": "ClusterIsReady", "message": "", "lastTransitionTime": hours_ago(1)}]});
    cluster.set_status(DATABASE, &healthy);
    cluster.apply(&SICK.replace("suspend: true", "suspend: false").replace("[apps]", "['*']"));
    database_run(cluster, "gitea-db-1", 6);
    velero_run(cluster, "nightly-2", "Completed", 4);
    let found = look();
    let theirs: Vec<&str> = codes(&found).into_iter().filter(|code| expected.contains(code)).collect();
    assert_eq!(theirs, ["RH-BACKUP-PARTLY"], "{found}");
    assert!(
        evidence(&found, "RH-BACKUP-PARTLY")[1].ends_with("hostPath, which Velero passes over"),
        "{found}"
    );
    let status = operator.run(["status"]);
    for line in [
        "forge.test/v2/ goes to default/gitea-http by IngressRoute default/registry",
        "Cluster default/gitea-db: 3 of 3 ready",
        "default/forge-tls is valid until",
    ] {
        assert!(status.stdout.contains(line), "{line}: {status}");
    }

    // The other way in; a certificate that nobody renews; and backups that stopped some days ago.
    let kind = &railhead_cluster::kinds::INGRESS_ROUTE;
    assert!(cluster.api(async |api| api.delete(kind, Some("default"), "registry").await).unwrap());
    cluster.apply(GATEWAY);
    issue(cluster, home.path(), 3);
    database_run(cluster, "gitea-db-1", 24 * 9);
    let found = look();
    let route =
        found["inventory"]["routes"].as_array().unwrap().iter().find(|route| route["path"] == "/v2").unwrap();
    assert_eq!(
        [&route["object"], &route["class"], &route["secret"]],
        ["HTTPRoute default/registry", "default/front", "default/forge-tls"]
    );
    assert!(
        evidence(&found, "RH-TLS-EXPIRES-SOON")[0].starts_with("the certificate in default/forge-tls"),
        "{found}"
    );
    assert!(evidence(&found, "RH-BACKUP-FAILED")[0].ends_with("is 9 days ago"), "{found}");
    drop(settings);
    drop(definitions);
    for (kind, namespace, name) in [
        (&railhead_cluster::kinds::SECRET, Some("default"), "forge-tls"),
        (&railhead_cluster::kinds::NAMESPACE, None, "velero"),
    ] {
        assert!(cluster.api(async |api| api.delete(kind, namespace, name).await).unwrap(), "{name}");
    }
}
