//! Whatever happens, nothing of a proof stays, or what stays is named.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use railhead_suites::breaker::Script;
use railhead_suites::{Breaker, Server};

use crate::sites::{Gitea, OWNER, Product, Reference, Site};

/// A proof that was started, and is ended by a signal.
struct Interrupted {
    server: Server,
    _breaker: Breaker,
    /// Methods and paths of all requests.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Interrupted {
    /// Starts a proof through `script`, and interrupts it as soon as `method` is asked of a path that ends in `end`.
    fn at(site: &Site, script: Script, method: &'static str, end: &'static str) -> Self {
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&asked);
        let breaker = Breaker::start(script.watch(move |request| {
            kept.lock().unwrap().push(format!("{} {}", request.method(), request.path()));
        }));
        let route = site.over(breaker.address());
        let name = site.name("proof:v1");
        let words = ["prove", &name, "--user", OWNER].into_iter().chain(route.iter().map(String::as_str));
        let mut server = Server::start("railhead prove", site.operator.command(words));
        let is_it = |one: &String| one.starts_with(method) && one.ends_with(end);
        server.wait_for("the request", |_| asked.lock().unwrap().iter().any(is_it).then_some(()));
        server.interrupt();
        Self { server, _breaker: breaker, asked }
    }

    /// Waits for its end; what it said.
    fn ended(&mut self) -> String {
        self.server.wait_for("its last words", |log| {
            (log.contains("evidence: ") && log.contains("error: ")).then(|| log.to_owned())
        })
    }
}

fn through(address: SocketAddr) -> Script {
    Script::http(address)
}

#[test]
fn an_interrupted_proof_cleans_up_wherever_it_is() {
    let product = Product::start();
    let address = product.railhead.address();
    for (method, end, script) in [
        ("PATCH", "", through(address).silent("PATCH", "*")),
        ("GET", "/tags/list", through(address).silent("GET", "*/tags/list")),
    ] {
        let mut proof = Interrupted::at(&product.site, script, method, end);
        let said = proof.ended();
        assert!(said.contains("the proof was interrupted, and what it had made was removed"), "{said}");
        assert_eq!(product.rows(), [0, 0, 0], "{method}: {said}");
        assert_eq!(product.tags("proof"), [""; 0]);
    }
    let evidence = product.site.operator.evidence("proof");
    assert_eq!(evidence[0]["result"]["verdict"], "interrupted");
    assert_eq!(evidence[1]["result"]["digest"].as_str().map(|digest| &digest[..7]), Some("sha256:"));
}

#[test]
fn what_is_being_made_at_that_moment_is_removed_too() {
    let reference = Reference::start(true, true);
    let address: SocketAddr = reference.site.host.parse().unwrap();
    let mut proof = Interrupted::at(&reference.site, through(address), "PUT", "/manifests/v1");
    let said = proof.ended();
    assert!(said.contains("clean-up"), "{said}");
    let asked = proof.asked.lock().unwrap().join("\n");
    assert!(asked.contains("DELETE /v2/alice/proof/manifests/sha256:"), "{asked}");
    assert_eq!(reference.links(), [""; 0].map(std::path::PathBuf::from), "{said}");
}

#[test]
fn who_interrupts_the_clean_up_too_is_told_what_may_remain() {
    let product = Product::start();
    let script = through(product.railhead.address()).silent("GET", "*/tags/list").silent("DELETE", "*");
    let mut proof = Interrupted::at(&product.site, script, "GET", "/tags/list");
    let asked = Arc::clone(&proof.asked);
    let deletes = |one: &String| one.starts_with("DELETE ");
    proof.server.wait_for("the clean-up", |_| asked.lock().unwrap().iter().any(deletes).then_some(()));
    proof.server.interrupt();
    let said = proof.ended();
    let name = product.site.name("proof:v1");
    assert!(said.contains(&format!("interrupted: {name} may remain; ")), "{said}");
    assert_eq!(product.tags("proof"), ["v1"], "{said} {:?}", asked.lock().unwrap());
    let evidence = product.site.operator.evidence("proof");
    assert_eq!(evidence[0]["result"]["left"], serde_json::json!([name]));
}

#[test]
fn a_proof_that_fails_halfway_leaves_nothing() {
    let gitea = Gitea::start();
    let refuse = |path| {
        Script::http(gitea.forge.address())
            .request(|request| request.set("X-Forwarded-Proto", "http"))
            .answer("PUT", path, "500 Oh", &[], "")
    };
    for (path, step) in
        [("/v2/alice/proof/manifests/v1", "push manifest"), ("/v2/alice/proof/blobs/uploads/*", "push blobs")]
    {
        let breaker = Breaker::start(refuse(path));
        let route = gitea.site.over(breaker.address());
        let words: Vec<&str> = route.iter().map(String::as_str).collect();
        let said = gitea.site.prove("proof:v1", &words).failed(&[step], 1);
        assert_eq!(said.with("ok").last(), Some(&"clean-up"), "{said}");
        assert_eq!((gitea.packages(), gitea.files()), (Vec::new(), Vec::new()), "{said}");
    }
}

#[test]
fn a_proof_that_is_to_stay_stays_only_when_it_is_proven() {
    let product = Product::start();
    let said = product.site.prove("proof:v1", &["--keep", "--public"]).failed(&["anonymous pull"], 1);
    assert_eq!((said.result["kept"].as_bool(), product.tags("proof").len()), (Some(false), 0), "{said}");
    let said = product.site.prove("proof:v1", &["--keep", "--private"]).ok();
    assert_eq!((said.result["kept"].as_bool(), product.tags("proof").len()), (Some(true), 1), "{said}");

    // It is somebody's now, and another proof does not touch it.
    let kept = said.result["digest"].clone();
    let said = product.site.prove("proof:v1", &["--private"]).failed(&["tag"], 5);
    assert!(said.detail("tag").contains(kept.as_str().unwrap()), "{said}");
    let again = product.site.prove("proof:v2", &["--private"]).ok();
    assert_eq!(product.tags("proof"), ["v1"], "{again}");
    product.site.operator.run(["prove", &product.site.name("proof:v1"), "--replace"]).refused(&["--keep"]);
    let moved = product.site.prove("proof:v1", &["--private", "--replace", "--keep"]).ok();
    assert_ne!(moved.result["digest"], kept);
    assert_eq!(product.tags("proof"), ["v1"]);
}

#[test]
fn an_account_that_may_not_delete_is_told_who_may() {
    let product = Product::start();
    let pusher = product.railhead.token(OWNER, &["push", "pull"]);
    let site = &product.site;
    let operator = railhead_suites::Operator::at(&site.path("other"), "").with("RAILHEAD_TOKEN", &pusher);
    let (name, route) = (site.name("proof:v1"), format!("main=http://{}", site.host));
    let words = ["prove", &name, "--user", OWNER, "--route", &route, "--private"];
    let said = crate::said::Said::of(&operator, "proof", &words, &[&pusher]).ok();
    assert_eq!(said.with("fact"), ["clean-up"], "{said}");
    assert_eq!(said.result["left"], serde_json::json!([name]));
    assert!(said.detail("clean-up").contains("`railhead tag delete`"), "{said}");
}
