//! crane: layouts, indexes, and copies within the registry, which mount blobs.

use std::collections::BTreeSet;
use std::fs;

use railhead_suites::program::Outcome;
use railhead_suites::registry::WRITER;
use railhead_suites::{Image, Layout, Program, Random, Registry, layout};

use crate::home::Home;
use crate::scenario::{self, Client};

struct Crane {
    home: Home,
    program: Program,
    host: String,
}

impl Crane {
    fn new(registry: &Registry) -> Self {
        let home = Home::for_client_of(registry);
        Self { program: home.program("crane"), host: registry.host().to_owned(), home }
    }
}

impl Client for Crane {
    const NAME: &'static str = "crane";
    const LOGIN_ASKS: bool = false;

    fn login(&self, user: &str, secret: &str) -> Outcome {
        self.program.run_with_input(["auth", "login", "-u", user, "--password-stdin", &self.host], secret)
    }

    fn logout(&self) {
        self.program.run(["auth", "logout", &self.host]).ok();
    }

    fn push(&self, image: &Image, name: &str) -> Outcome {
        let source = Layout::of(self.home.directory().join("source"), image);
        self.program.run(["push", &source.directory().display().to_string(), name])
    }

    fn pull(&self, name: &str) -> Outcome {
        let to = self.home.path("pulled");
        let _ = fs::remove_dir_all(&to);
        self.program.run(["pull", "--format=oci", name, &to])
    }

    fn held(&self, _: &str) -> BTreeSet<String> {
        layout::contents(&self.home.directory().join("pulled"))
    }
}

#[test]
fn crane_pushes_and_pulls() {
    let registry = Registry::start();
    scenario::run(&registry, &Crane::new(&registry));
}

#[test]
fn crane_pushes_an_index_and_copies_it_by_mounting() {
    let registry = Registry::start();
    let client = Crane::new(&registry);
    client.login(WRITER, registry.secret()).ok();
    let mut random = Random::new(19);
    let images =
        [("linux", "amd64"), ("linux", "arm64")].map(|on| Image::random_for(&mut random, on, 2, 50_000));
    let mut source = Layout::create(client.home.directory().join("index"));
    let index = source.buildkit_index(&images);
    source.tag("latest", &index);
    let [first, second] = ["first", "second"].map(|name| format!("{}:multi", registry.name(name)));
    client.program.run(["push", "--index", &source.directory().display().to_string(), &first]).ok();

    let copy = client.program.run(["-v", "copy", &first, &second]).ok();
    let mounts = copy.stderr.matches("mount=sha256").count();
    let uploads = copy.stderr.matches("<-- 202").count();
    assert!(mounts > 0 && uploads == 0, "{mounts} mounts asked for, {uploads} uploads begun: {copy}");
    let [one, two] = [&first, &second].map(|name| client.program.run(["manifest", name]).ok().stdout);
    assert_eq!(one, two);
    let to = client.home.path("back");
    client.program.run(["pull", "--format=oci", &second, &to]).ok();
    let sent = layout::contents(&source.directory().join("blobs"));
    assert!(layout::contents(to.as_ref()).is_superset(&sent));
}
