//! Each kind of registry is proven as it is, and what it lacks is a fact.

use serde_json::Value;

use crate::said::Said;
use crate::sites::{Gitea, OWNER, Product, Reference};

/// All steps of a proof without programs that end well on a registry with everything.
const ALL: [&str; 15] = [
    "route",
    "login",
    "wrong-token",
    "tag",
    "push blobs",
    "push manifest",
    "head",
    "pull tag",
    "pull digest",
    "tags",
    "referrer",
    "anonymous pull",
    "anonymous push",
    "readonly-token",
    "clean-up",
];

/// All but those.
fn all_but(names: &[&str]) -> Vec<&'static str> {
    ALL.into_iter().filter(|step| !names.contains(step)).collect()
}

/// What evidence of a proof has to hold, whatever the registry.
fn holds_all(said: &Said, server: &str) {
    let result = &said.result;
    assert_eq!(result["verdict"], "proven");
    assert!(result["server"].as_str().unwrap().starts_with(server), "{}", result["server"]);
    assert_eq!(said.evidence["versions"]["server"], result["server"]);
    assert!(said.evidence["versions"]["railhead"].is_string());
    let contents = result["contents"].as_array().unwrap();
    assert_eq!(contents.len(), 8, "five blobs, two manifests, an index");
    for item in contents {
        assert!(item["digest"].as_str().unwrap().starts_with("sha256:") && item["bytes"].as_u64() > Some(0));
    }
    assert_eq!(result["digest"], contents[7]["digest"]);
    assert_eq!(result["platforms"], serde_json::json!(["linux/amd64", "linux/arm64"]));
    let route = &result["routes"][0];
    let hops: Vec<&str> =
        route["hops"].as_array().unwrap().iter().map(|hop| hop["hop"].as_str().unwrap()).collect();
    let is_tls = route["url"].as_str().unwrap().starts_with("https:");
    for hop in ["resolve", "connect", "/v2/"].into_iter().chain(is_tls.then_some("TLS")) {
        assert!(hops.contains(&hop), "no time of {hop} in {hops:?}");
    }
    assert!(route["address"].is_string() && (route["tls"]["not_after"].is_string() || !is_tls));
    assert_eq!(result.get("left"), None);
}

#[test]
fn gitea() {
    let gitea = Gitea::start();
    let said = gitea.site.prove("proof", &["--public"]).ok();
    assert_eq!(said.with("ok"), all_but(&["referrer"]), "{said}");
    assert_eq!(said.with("fact"), ["referrer"], "{said}");
    assert_eq!(said.result["features"], serde_json::json!({ "referrers": false, "delete": true }));
    holds_all(&said, "Gitea 1.25.4");
    assert_eq!(said.result["routes"][0]["tls"]["trust"], "file");
    assert_eq!(gitea.packages(), [""; 0]);

    let said = gitea.site.prove("proof", &["--private"]).failed(&["anonymous pull"], 1);
    assert!(
        said.detail("anonymous pull").contains("everybody may pull, but the image is meant to be private")
    );
    assert_eq!(said.result["visibility"], "public");
    assert_eq!(gitea.packages(), [""; 0]);
    // It is also what the site file means, and the owner decides.
    gitea.visibility("private");
    gitea.site.prove("proof", &["--private"]).ok();
    gitea.site.prove("proof", &["--public"]).failed(&["anonymous pull"], 1);
    assert_eq!(gitea.packages(), [""; 0]);
}

#[test]
fn railhead() {
    let product = Product::start();
    let said = product.site.prove("proof", &["--private"]).ok();
    assert_eq!(said.with("ok"), ALL, "{said}");
    assert_eq!(said.result["features"], serde_json::json!({ "referrers": true, "delete": true }));
    holds_all(&said, "Railhead");
    // The empty configuration could be another artifact's by now.
    assert_eq!((product.tags("proof").len(), product.rows()), (0, [0, 1, 0]), "{said}");
    product.railhead.cli(["repo", "visibility", &format!("{OWNER}/proof"), "public"]).ok();
    product.site.prove("proof", &["--private"]).failed(&["anonymous pull"], 1);
    let said = product.site.prove("proof", &["--public", "--output", "json"]).ok();
    let shown: Value = serde_json::from_str(&said.outcome.stdout).unwrap();
    assert_eq!((&shown["verdict"], &shown["visibility"]), (&"proven".into(), &"public".into()));
    assert!(shown["evidence"].as_str().unwrap().contains("railhead-evidence/proof-"));
    assert_eq!(product.rows(), [0, 1, 0]);
}

#[test]
fn distribution() {
    let reference = Reference::start(true, true);
    let said = reference.site.prove("proof", &["--private"]).ok();
    assert_eq!(said.with("ok"), all_but(&["referrer"]), "{said}");
    assert_eq!(said.result["features"], serde_json::json!({ "referrers": false, "delete": true }));
    holds_all(&said, "distribution");
    let links = reference.links();
    let of_empty = |path: &std::path::PathBuf| {
        path.to_string_lossy().contains("44136fa355b3678a1146ad16f7e8649e94fb4fc2")
    };
    assert!(links.iter().all(of_empty), "{links:?}");
}

#[test]
fn distribution_that_does_not_delete_is_no_failure_and_what_remains_is_named() {
    let reference = Reference::start(true, false);
    let said = reference.site.prove("proof:v1", &["--private"]).ok();
    assert_eq!(said.with("fact"), ["referrer", "clean-up"], "{said}");
    assert_eq!(said.result["features"]["delete"], false);
    let name = reference.site.name("proof:v1");
    assert_eq!(said.result["left"], serde_json::json!([name]));
    assert!(
        said.detail("clean-up").contains(&format!("{name} remains; delete it with `skopeo delete`")),
        "{said}"
    );
}
