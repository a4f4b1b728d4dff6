//! One host in the cluster: an Ingress brings `/v2` to Railhead and everything else to a Gitea of its own chart, whose accounts count.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use railhead_cluster::kinds;
use railhead_suites::cluster::{FORGE_HOST, FORGE_PASSWORD, FORGE_PORT, NODE_ADDRESS};
use railhead_suites::railhead::Options;
use railhead_suites::{Cluster, Operator, Outcome, Railhead};
use serde_json::{Value, json};

use super::{SHARED, alone};

/// Where Railhead listens, beside the cluster.
const PORT: u16 = 5449;

/// Railhead is no pod here, so its address is written down.
const SERVICE: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: railhead, namespace: default}
spec: {ports: [{name: http, port: 5050, targetPort: PORT}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: railhead, namespace: default, labels: {kubernetes.io/service-name: railhead}}
addressType: IPv4
endpoints: [{addresses: ["ADDRESS"], conditions: {ready: true}}]
ports: [{name: http, port: PORT, protocol: TCP}]
"#;

fn railhead(cluster: &'static Cluster, home: &Path) -> Railhead {
    let words = ["--host", FORGE_HOST, "--trusted-proxy", NODE_ADDRESS].map(str::to_owned);
    let forge = format!("http://{NODE_ADDRESS}:{FORGE_PORT}");
    Railhead::start(
        home,
        Options {
            listen: Some(format!("{NODE_ADDRESS}:{PORT}")),
            arguments: words.to_vec(),
            variables: vec![("RAILHEAD_FORGE_KIND", "gitea".to_owned()), ("RAILHEAD_FORGE_URL", forge)],
            inside: Some(cluster),
            ..Options::default()
        },
    )
}

/// A token of the forge's administrator.
fn token(cluster: &Cluster) -> String {
    let address = format!("http://{NODE_ADDRESS}:{FORGE_PORT}/api/v1/users/alice/tokens");
    let login = format!("alice:{FORGE_PASSWORD}");
    let wanted = json!({"name": "one host", "scopes": ["write:package", "read:user"]}).to_string();
    let words = ["-sf", "-u", &login, "-H", "Content-Type: application/json", "-d", &wanted, &address];
    let made: Value = serde_json::from_str(&cluster.tool("curl").run(words).ok().stdout).unwrap();
    made["sha1"].as_str().unwrap().to_owned()
}

/// The Ingress of the guide, with the test's names in it.
fn ingress() -> String {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guides/same-host.md");
    let guide = fs::read_to_string(guide).unwrap();
    let section = guide.split_once("## In a cluster\n").unwrap().1;
    let block = section.split_once("```yaml\n").unwrap().1.split_once("```").unwrap().0;
    block.replace("git-example-com-tls", "one-host").replace("git.example.com", FORGE_HOST)
}

fn route(cluster: &Cluster) {
    let service = SERVICE.replace("PORT", &PORT.to_string()).replace("ADDRESS", NODE_ADDRESS);
    cluster.apply(&service);
    cluster.apply(&ingress());
    let file = |name: &str| fs::read_to_string(cluster.path(name)).unwrap();
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"name": "one-host", "namespace": "default"},
        "stringData": {"tls.crt": file("pki/hosts.crt"), "tls.key": file("pki/hosts.key")}});
    cluster.api(async |api| api.apply(&secret, false).await.map(drop)).unwrap();
}

fn ask(cluster: &Cluster, path: &str) -> Outcome {
    let authority = cluster.authority();
    let url = format!("https://{FORGE_HOST}{path}");
    cluster.tool("curl").run(["-si", "--cacert", authority.to_str().unwrap(), &url])
}

#[test]
fn the_nodes_pull_from_railhead_at_the_forges_own_host() {
    let (cluster, _alone) = (SHARED.with_forge(), alone());
    let home = tempfile::tempdir().unwrap();
    let _railhead = railhead(cluster, home.path());
    let token = token(cluster);
    route(cluster);
    let traefik = cluster.traefik();
    let until = Instant::now() + Duration::from_secs(30);
    // It takes the objects up a moment after it has started.
    while !ask(cluster, "/v2/").stdout.contains("service=\"railhead\"") {
        assert!(Instant::now() < until, "{}", ask(cluster, "/v2/"));
    }
    let forge = ask(cluster, "/api/v1/version");
    assert!(forge.stdout.contains("1.25.4"), "{forge}");
    let site = format!(
        "[site]\nhost = '{FORGE_HOST}'\n[routes.public]\nurl = 'https://{FORGE_HOST}'\nca = '{}'\n[cluster]\nnamespace = 'default'\n",
        cluster.authority().display()
    );
    let operator =
        Operator::at(&home.path().join("operator"), &site).with("RAILHEAD_TOKEN", &token).inside(cluster);
    let diagnosis = operator.run(["doctor", "--user", "alice"]);
    assert_eq!(diagnosis.code, Some(0), "{diagnosis}");
    let image = format!("{FORGE_HOST}/alice/app");
    let proof = operator.run(["prove", &image, "--user", "alice", "--cluster", "--output", "json"]).ok();
    let proof: Value = serde_json::from_str(&proof.stdout).unwrap();
    assert_eq!((&proof["verdict"], &proof["visibility"]), (&json!("proven"), &json!("public")), "{proof}");
    assert_eq!(
        (&proof["nodes"][0]["pulled"], &proof["nodes"][0]["node"]),
        (&json!(true), &json!("node1")),
        "{proof}"
    );
    drop(traefik);
    cluster.api(async |api| {
        for (kind, name) in [
            (&kinds::INGRESS, "one-host"),
            (&kinds::SECRET, "one-host"),
            (&kinds::ENDPOINT_SLICE, "railhead"),
            (&kinds::SERVICE, "railhead"),
        ] {
            assert!(api.delete(kind, Some("default"), name).await.unwrap(), "{name}");
        }
    });
}
