//! `railhead inspect` and `railhead status`: what they find in a forge that never thought of a registry, and what changes when
//! it gets one.

use std::fs;
use std::path::Path;

use railhead_suites::cluster::{FORGE_PASSWORD, VALUES};
use railhead_suites::{Cluster, Operator, Outcome};
use serde_json::{Value, json};

use super::{SHARED, alone};

/// A site that names its owners.
pub const SITE: &str = "[site]\nhost = 'forge.test'\n[owners]\napplication = 'apps'\nrouting = 'cluster'\nstorage = 'platform'\nnetwork = 'infra'\n";

fn operator(cluster: &Cluster, home: &Path) -> Operator {
    Operator::at(home, SITE).inside(cluster)
}

/// What `inspect --output json` said.
pub fn inspection(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome}"))
}

/// The codes, without the one that tells that this machine's disk is nearly full.
pub fn codes(inspection: &Value) -> Vec<&str> {
    let findings = inspection["findings"].as_array().unwrap().iter();
    let codes = findings.map(|finding| finding["code"].as_str().unwrap());
    codes.filter(|code| *code != "RH-STORAGE-FILLS").collect()
}

#[test]
fn the_state_before_anything_was_done_is_found_as_it_is() {
    let (cluster, _alone) = (SHARED.with_forge(), alone());
    let home = tempfile::tempdir().unwrap();
    let operator = operator(cluster, home.path());
    let values = operator.path("values.yaml");
    fs::write(&values, VALUES).unwrap();
    let makefile = operator.path("Makefile");
    fs::write(
        &makefile,
        "GITEA_NAMESPACE ?= gitea\ngitea-deploy:\n\thelm upgrade gitea chart -n $(GITEA_NAMESPACE)\n",
    )
    .unwrap();
    let words = [
        "inspect",
        "-f",
        values.to_str().unwrap(),
        "--makefile",
        makefile.to_str().unwrap(),
        "--output",
        "json",
    ];
    let outcome = operator.run(words);
    let found = inspection(&outcome);
    assert_eq!(
        codes(&found),
        [
            "RH-ROUTE-ABSENT",
            "RH-APP-ROOT-URL",
            "RH-RELEASE-NAMESPACE",
            "RH-BACKUP-NONE",
            "RH-STORAGE-NODE",
            "RH-ROUTE-NODEPORT",
            "RH-APP-IMPLICIT",
            "RH-STORAGE-SHARED",
        ],
        "{outcome}"
    );
    assert_eq!(outcome.code, Some(11), "{outcome}");
    let owner = |code: &str| {
        let finding = found["findings"].as_array().unwrap().iter().find(|finding| finding["code"] == code);
        finding.unwrap()["owner"].as_str().unwrap()
    };
    let owners = ["RH-ROUTE-ABSENT", "RH-APP-ROOT-URL", "RH-BACKUP-NONE", "RH-ROUTE-NODEPORT"].map(owner);
    assert_eq!(owners, ["cluster", "apps", "platform", "infra"]);
    let inventory = &found["inventory"];
    let release = &inventory["releases"][0];
    assert_eq!(
        [&release["namespace"], &release["chart"], &release["app_version"], &release["status"]],
        ["default", "gitea-12.5.0", "1.25.4", "deployed"]
    );
    let url = &release["values"]["gitea.config.server.ROOT_URL"];
    assert_eq!(
        (&url["value"], &url["file"]),
        (&json!("http://forge.test"), &json!(values.to_str().unwrap()))
    );
    let storage = &inventory["storage"];
    assert_eq!(
        (&storage["place"], &storage["claim"]),
        (&json!("/data/packages"), &json!("default/gitea-shared-storage"))
    );
    assert_eq!(
        (&storage["size_bytes"], &storage["class"], &storage["volume"]),
        (&json!(10_u64 << 30), &json!("local-path"), &json!("hostPath"))
    );
    assert!(storage["packages_bytes"].is_u64() && storage["available_bytes"].is_u64(), "{storage}");
    assert!(inventory["settings_from"].as_str().unwrap().contains("/data/gitea/conf/app.ini in the pod"));
    assert_eq!(inventory["exposed"][0]["port"], 32166);

    // Nothing of what is secret gets out, neither in what is printed nor in the evidence.
    let evidence = fs::read_to_string(operator.path(found["evidence"].as_str().unwrap())).unwrap();
    let person = operator.run(["inspect"]);
    for secret in secrets(cluster) {
        assert!(secret.len() >= 8, "no secret: {secret}");
        for said in [&outcome.stdout, &evidence, &person.stdout, &person.stderr] {
            assert!(!said.contains(&secret), "a secret is in {said}");
        }
    }
    assert!(person.stdout.contains("RH-ROUTE-ABSENT") && person.stdout.contains("10 GiB"), "{person}");
    let status = operator.run(["status"]);
    assert_eq!(status.code, Some(1), "{status}");
    assert!(status.stdout.contains("nothing in the cluster takes forge.test/v2/"), "{status}");
}

/// The administrator's password, and every secret of the live app.ini.
fn secrets(cluster: &Cluster) -> Vec<String> {
    let ini = fs::read_to_string(cluster.path("volumes/gitea/gitea/conf/app.ini")).unwrap();
    let secret = |line: &str| {
        let (key, value) = line.split_once(" = ")?;
        let key = key.trim();
        (key.ends_with("SECRET") || key.ends_with("_TOKEN") || key == "SECRET_KEY")
            .then(|| value.trim().to_owned())
    };
    let mut all: Vec<String> = ini.lines().filter_map(secret).collect();
    assert!(all.len() >= 4, "{ini}");
    all.push(FORGE_PASSWORD.to_owned());
    all
}

const INGRESS: &str = r"
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: registry, namespace: default}
spec:
  ingressClassName: traefik
  rules:
    - host: forge.test
      http: {paths: [{path: /v2, pathType: Prefix, backend: {service: {name: SERVICE, port: {number: 3000}}}}]}
  tls: [{hosts: [forge.test], secretName: forge-tls}]
";

#[test]
fn a_route_is_judged_by_where_it_leads_and_by_its_certificate() {
    let (cluster, _alone) = (SHARED.with_forge(), alone());
    let home = tempfile::tempdir().unwrap();
    let operator = operator(cluster, home.path());
    let look = || inspection(&operator.run(["inspect", "--output", "json"]));
    let routing = |found: &Value| -> Vec<String> {
        let codes =
            codes(found).into_iter().filter(|code| code.contains("-TLS-") || code.starts_with("RH-ROUTE-"));
        codes.filter(|code| *code != "RH-ROUTE-NODEPORT").map(str::to_owned).collect()
    };
    cluster.apply(&INGRESS.replace("SERVICE", "gitea"));
    assert_eq!(routing(&look()), ["RH-ROUTE-BACKEND", "RH-TLS-SECRET"]);
    cluster.apply(&INGRESS.replace("SERVICE", "gitea-http"));
    assert_eq!(routing(&look()), ["RH-TLS-SECRET"]);
    let (chain, key) = (cluster.path("pki/hosts.crt"), cluster.path("pki/hosts.key"));
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"name": "forge-tls", "namespace": "default"},
        "stringData": {"tls.crt": fs::read_to_string(chain).unwrap(), "tls.key": fs::read_to_string(&key).unwrap()}});
    cluster.api(async |api| api.apply(&secret, false).await.map(drop)).unwrap();
    let found = look();
    assert_eq!(routing(&found), [""; 0], "{found}");
    assert_eq!(found["inventory"]["certificates"][0]["names"][0], "forge.test");
    assert!(!found.to_string().contains(fs::read_to_string(key).unwrap().lines().nth(1).unwrap()));
    let status = operator.run(["status"]);
    assert!(
        status.stdout.contains("forge.test/v2/ goes to default/gitea-http by Ingress default/registry"),
        "{status}"
    );
    assert!(status.stdout.contains("default/forge-tls is valid until"), "{status}");
    // What is said to be a good route is one: the challenge of the registry comes through the ingress controller.
    let traefik = cluster.traefik();
    let authority = cluster.authority();
    let curl = cluster.tool("curl");
    let ask = || curl.run(["-si", "--cacert", authority.to_str().unwrap(), "https://forge.test/v2/"]);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let mut answer = ask();
    // It takes the objects up a moment after it has started.
    while !answer.stdout.contains("registry/2.0") && std::time::Instant::now() < until {
        answer = ask();
    }
    drop(traefik);
    assert!(answer.stdout.starts_with("HTTP/2 401"), "{answer}");
    cluster.api(async |api| {
        use railhead_cluster::kinds;
        assert!(api.delete(&kinds::INGRESS, Some("default"), "registry").await.unwrap());
        assert!(api.delete(&kinds::SECRET, Some("default"), "forge-tls").await.unwrap());
    });
}

#[test]
fn each_missing_right_is_named_and_the_rest_goes_on() {
    let (cluster, _alone) = (SHARED.with_forge(), alone());
    let home = tempfile::tempdir().unwrap();
    let operator = operator(cluster, home.path());
    let rules = json!([
        {"apiGroups": ["", "apps", "batch", "networking.k8s.io", "discovery.k8s.io", "storage.k8s.io"],
         "resources": ["pods", "deployments", "statefulsets", "services", "endpointslices", "ingresses", "persistentvolumeclaims", "persistentvolumes", "storageclasses"],
         "verbs": ["get", "list"]},
    ]);
    let few = cluster.account("few-rights", &rules);
    let outcome = operator.run(["inspect", "--output", "json", "--kubeconfig", few.to_str().unwrap()]);
    let found = inspection(&outcome);
    let unseen: Vec<&str> =
        found["inventory"]["unseen"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    for right in ["list secrets in the whole cluster", "list cronjobs.batch in the whole cluster"] {
        assert!(unseen.contains(&right), "{unseen:?}");
    }
    assert!(unseen.iter().any(|right| right.contains("pods/exec")), "{unseen:?}");
    // What may not be seen is not said to be absent; what can be seen is.
    let codes = codes(&found);
    assert!(codes.contains(&"RH-CLUSTER-RIGHT") && codes.contains(&"RH-ROUTE-ABSENT"), "{codes:?}");
    assert!(!codes.contains(&"RH-BACKUP-NONE"), "{codes:?}");
    assert_eq!(found["inventory"]["forge"]["workload"], "Deployment default/gitea");
}

#[test]
fn a_second_release_and_a_roll_out_that_does_not_end_are_named() {
    let (cluster, _alone) = (SHARED.with_forge(), alone());
    let home = tempfile::tempdir().unwrap();
    let operator = operator(cluster, home.path());
    let look = || inspection(&operator.run(["inspect", "--output", "json"]));
    let helm = |words: &[&str]| cluster.tool("helm").run(words).ok();
    let chart = railhead_suites::cluster::chart();
    let chart = chart.to_str().unwrap();
    // What a Makefile with another namespace leaves behind.
    let off = ["postgresql", "postgresql-ha", "valkey", "valkey-cluster", "persistence"]
        .map(|part| format!("{part}.enabled=false"));
    let off = format!("{},replicaCount=0", off.join(","));
    helm(&["install", "gitea", chart, "-n", "gitea", "--create-namespace", "--set", &off]);
    let found = look();
    let twice =
        found["findings"].as_array().unwrap().iter().find(|finding| finding["code"] == "RH-RELEASE-TWICE");
    let evidence = twice.unwrap_or_else(|| panic!("{found}"))["evidence"].to_string();
    assert!(
        evidence.contains("Deployment default/gitea is taken")
            && evidence.contains("gitea/gitea of gitea-12.5.0"),
        "{evidence}"
    );
    helm(&["uninstall", "gitea", "-n", "gitea", "--wait"]);
    let namespace =
        cluster.api(async |api| api.delete(&railhead_cluster::kinds::NAMESPACE, None, "gitea").await);
    assert!(namespace.unwrap());

    // The new pod finds no image, and the old one serves on.
    let values = cluster.path("gitea-values.yaml");
    helm(&[
        "upgrade",
        "gitea",
        chart,
        "-n",
        "default",
        "-f",
        values.to_str().unwrap(),
        "--set",
        "image.tag=0.0.0",
    ]);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let rollout = loop {
        let found = look();
        let rollout = found["findings"]
            .as_array()
            .unwrap()
            .iter()
            .find(|finding| finding["code"] == "RH-RELEASE-ROLLOUT");
        let evidence = rollout.map(|finding| finding["evidence"].to_string()).unwrap_or_default();
        if evidence.contains("Image") || std::time::Instant::now() > until {
            break (evidence, found);
        }
    };
    assert!(rollout.0.contains("Image"), "{}", rollout.1);
    assert_eq!(rollout.1["inventory"]["forge"]["rollout"][2], 1);
    helm(&["rollback", "gitea", "1", "-n", "default", "--wait"]);
    let found = look();
    assert!(!codes(&found).iter().any(|code| code.starts_with("RH-RELEASE-")), "{found}");
}

#[test]
fn a_cluster_that_cannot_be_asked_is_a_clear_error() {
    let (cluster, home) = (SHARED.cluster(), tempfile::tempdir().unwrap());
    let operator = operator(cluster, home.path());
    let admin = fs::read_to_string(cluster.kubeconfig()).unwrap();
    let written = |name: &str, text: String| {
        let path = operator.path(name);
        fs::write(&path, text).unwrap();
        path
    };
    let nobody = written("nobody", admin.replace("6443", "6444"));
    let outcome = operator.run(["inspect", "--kubeconfig", nobody.to_str().unwrap()]);
    assert_eq!(outcome.code, Some(6), "{outcome}");
    assert!(outcome.stderr.contains("https://127.0.0.1:6444 cannot be reached"), "{outcome}");
    let foreign = written(
        "foreign",
        admin
            .lines()
            .map(|line| {
                if line.starts_with("users:") {
                    "users: [{name: admin, user: {token: geheim}}]"
                } else {
                    line
                }
            })
            .collect::<Vec<_>>()
            .join("\n"),
    );
    let outcome = operator.run(["inspect", "--kubeconfig", foreign.to_str().unwrap()]);
    assert_eq!(outcome.code, Some(3), "{outcome}");
    assert!(
        outcome.stderr.contains("does not accept the login") && !outcome.stderr.contains("geheim"),
        "{outcome}"
    );
    let outcome = operator.run(["inspect", "--context", "other"]);
    assert_eq!(outcome.code, Some(2), "{outcome}");
    assert!(outcome.stderr.contains("it has railhead"), "{outcome}");
    let broken = written("values.yaml", "gitea: [\n".to_owned());
    let outcome = operator.run(["inspect", "-f", broken.to_str().unwrap()]);
    assert_eq!(outcome.code, Some(2), "{outcome}");
    assert!(outcome.stderr.contains("values.yaml cannot be read"), "{outcome}");
}
