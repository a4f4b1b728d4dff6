//! One host in the cluster: an Ingress brings `/v2` to Railhead and everything else to a Gitea of its own chart, whose accounts count.

use std::time::{Duration, Instant};

use railhead_suites::cluster::{FORGE_HOST, FORGE_PASSWORD, FORGE_PORT, NODE_ADDRESS};
use railhead_suites::{Cluster, Operator, Outcome, one_host};
use serde_json::{Value, json};

use super::{SHARED, alone};

/// A token of the forge's administrator.
fn token(cluster: &Cluster) -> String {
    let address = format!("http://{NODE_ADDRESS}:{FORGE_PORT}/api/v1/users/alice/tokens");
    let login = format!("alice:{FORGE_PASSWORD}");
    let wanted = json!({"name": "one host", "scopes": ["write:package", "read:user"]}).to_string();
    let words = ["-sf", "-u", &login, "-H", "Content-Type: application/json", "-d", &wanted, &address];
    let made: Value = serde_json::from_str(&cluster.tool("curl").run(words).ok().stdout).unwrap();
    made["sha1"].as_str().unwrap().to_owned()
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
    let _railhead = one_host::start(cluster, home.path(), FORGE_HOST);
    let token = token(cluster);
    one_host::route(cluster, FORGE_HOST);
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
    one_host::end(cluster);
}
