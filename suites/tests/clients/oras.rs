//! oras: artifacts and what refers to them, as signatures and SBOMs do.

use std::collections::BTreeSet;
use std::fs;

use railhead_suites::program::Outcome;
use railhead_suites::registry::WRITER;
use railhead_suites::{Image, Layout, Program, Random, Registry, layout};
use serde_json::Value;

use crate::home::Home;
use crate::scenario::{self, Client};

struct Oras {
    home: Home,
    program: Program,
    host: String,
    ca: String,
}

impl Oras {
    fn new(registry: &Registry) -> Self {
        let home = Home::for_client_of(registry);
        let ca = registry.ca().ca_file().display().to_string();
        Self { program: home.program("oras"), host: registry.host().to_owned(), ca, home }
    }

    fn run(&self, words: &[&str]) -> Outcome {
        // Without this word oras takes a registry on localhost for one without TLS.
        self.program.run(words.iter().chain(&["--ca-file", &self.ca, "--plain-http=false"]))
    }
}

impl Client for Oras {
    const NAME: &'static str = "oras";

    fn login(&self, user: &str, secret: &str) -> Outcome {
        let line = [
            "login",
            "-u",
            user,
            "--password-stdin",
            "--ca-file",
            &self.ca,
            "--plain-http=false",
            &self.host,
        ];
        self.program.run_with_input(line, secret)
    }

    fn logout(&self) {
        self.program.run(["logout", &self.host]).ok();
    }

    fn push(&self, image: &Image, name: &str) -> Outcome {
        let source = Layout::of(self.home.directory().join("source"), image);
        let from = format!("{}:latest", source.directory().display());
        let trust = ["--to-ca-file", &self.ca, "--to-plain-http=false"];
        self.program.run(["cp", "--from-oci-layout", &from, name].iter().chain(&trust))
    }

    fn pull(&self, name: &str) -> Outcome {
        let to = self.home.path("pulled");
        let _ = fs::remove_dir_all(&to);
        let trust = ["--from-ca-file", &self.ca, "--from-plain-http=false"];
        self.program.run(["cp", "--to-oci-layout", name, &format!("{to}:latest")].iter().chain(&trust))
    }

    fn held(&self, _: &str) -> BTreeSet<String> {
        layout::contents(&self.home.directory().join("pulled"))
    }
}

#[test]
fn oras_pushes_and_pulls() {
    let registry = Registry::start();
    scenario::run(&registry, &Oras::new(&registry));
}

#[test]
fn oras_attaches_and_discovers_referrers() {
    let registry = Registry::start();
    let client = Oras::new(&registry);
    client.login(WRITER, registry.secret()).ok();
    let image = Image::random(&mut Random::new(29), 1, 10_000);
    let name = format!("{}:v1", registry.name("signed"));
    client.push(&image, &name).ok();
    let mut attached = Vec::new();
    for kind in ["application/vnd.test.signature", "application/vnd.test.sbom"] {
        let file = client.home.directory().join("statement");
        fs::write(&file, format!("a statement of {kind}")).unwrap();
        let file = format!("{}:text/plain", file.display());
        client.run(&["attach", "--disable-path-validation", "--artifact-type", kind, &name, &file]).ok();
        attached.push(kind);
    }

    assert_eq!(referrers(&client.run(&["discover", "--format", "json", &name]).ok()), attached);
    let filtered = ["discover", "--format", "json", "--artifact-type", attached[1], &name];
    assert_eq!(referrers(&client.run(&filtered).ok()), attached[1..]);
    let tags = client.run(&["repo", "tags", &registry.name("signed")]).ok().stdout;
    if registry.stranger().is_some() {
        assert_eq!(tags.trim(), "v1", "the referrers API makes fallback tags needless");
    }
}

fn referrers(discovered: &Outcome) -> Vec<String> {
    let found: Value = serde_json::from_str(&discovered.stdout).unwrap();
    let list = found["referrers"].as_array().or_else(|| found["manifests"].as_array());
    let list = list.unwrap_or_else(|| panic!("no list of referrers: {discovered}"));
    let mut kinds: Vec<String> =
        list.iter().map(|entry| entry["artifactType"].as_str().unwrap().to_owned()).collect();
    // In the order of their attachment: the registry's own order is by digest.
    kinds.sort_by_key(|kind| kind.ends_with("sbom"));
    kinds
}
