//! skopeo: copies between registries and layouts; multi-platform indexes, attestations, zstd, a big layer.

use std::collections::BTreeSet;
use std::fs;

use railhead_suites::program::Outcome;
use railhead_suites::registry::WRITER;
use railhead_suites::{Image, Layout, Program, Random, Registry, layout};
use serde_json::Value;

use crate::home::Home;
use crate::scenario::{self, Client};

/// Bytes in the layer of the big image.
const BIG: u64 = 2 << 30;

pub struct Skopeo {
    pub home: Home,
    pub program: Program,
    host: String,
    certificates: String,
}

impl Skopeo {
    pub fn new(registry: &Registry) -> Self {
        let home = Home::for_client_of(registry);
        let skopeo = home.program("skopeo");
        let certificates = registry.ca().directory().display().to_string();
        Self { program: skopeo, host: registry.host().to_owned(), certificates, home }
    }

    pub fn copy(&self, options: &[&str], from: &str, to: &str) -> Outcome {
        let trust = if from.starts_with("docker:") { "--src-cert-dir" } else { "--dest-cert-dir" };
        let trust = [trust, &self.certificates];
        self.program.run(["copy"].iter().chain(&trust).chain(options).chain(&[from, to]))
    }

    fn manifest(&self, name: &str) -> Value {
        let certificates = ["--cert-dir", &self.certificates];
        let raw = self.program.run(["inspect", "--raw"].iter().chain(&certificates).chain(&[name])).ok();
        serde_json::from_str(&raw.stdout).unwrap()
    }
}

impl Client for Skopeo {
    const NAME: &'static str = "skopeo";

    fn login(&self, user: &str, secret: &str) -> Outcome {
        let line = ["login", "--cert-dir", &self.certificates, "-u", user, "--password-stdin", &self.host];
        self.program.run_with_input(line, secret)
    }

    fn logout(&self) {
        self.program.run(["logout", &self.host]).ok();
    }

    fn push(&self, image: &Image, name: &str) -> Outcome {
        let source = Layout::of(self.home.directory().join("source"), image);
        let from = format!("oci:{}:latest", source.directory().display());
        self.copy(&["--preserve-digests"], &from, &format!("docker://{name}"))
    }

    fn pull(&self, name: &str) -> Outcome {
        let to = self.home.directory().join("pulled");
        let _ = fs::remove_dir_all(&to);
        self.copy(
            &["--preserve-digests"],
            &format!("docker://{name}"),
            &format!("oci:{}:latest", to.display()),
        )
    }

    fn held(&self, _: &str) -> BTreeSet<String> {
        layout::contents(&self.home.directory().join("pulled"))
    }
}

#[test]
fn skopeo_pushes_and_pulls() {
    let registry = Registry::start();
    scenario::run(&registry, &Skopeo::new(&registry));
}

#[test]
fn skopeo_copies_every_platform_and_attestation_of_an_index() {
    let registry = Registry::start();
    let skopeo = Skopeo::new(&registry);
    skopeo.login(WRITER, registry.secret()).ok();
    let mut random = Random::new(11);
    let images =
        [("linux", "amd64"), ("linux", "arm64")].map(|on| Image::random_for(&mut random, on, 2, 50_000));
    let mut source = Layout::create(skopeo.home.directory().join("index"));
    let index = source.buildkit_index(&images);
    source.tag("latest", &index);
    let name = format!("docker://{}:multi", registry.name("index"));
    let from = format!("oci:{}:latest", source.directory().display());
    skopeo.copy(&["--all", "--preserve-digests"], &from, &name).ok();

    let children = skopeo.manifest(&name)["manifests"].as_array().unwrap().clone();
    assert_eq!(children.len(), 4, "two images and two attestations: {children:?}");
    let pulled = skopeo.home.path("back");
    skopeo.copy(&["--all", "--preserve-digests"], &name, &format!("oci:{pulled}:latest")).ok();
    let sent = layout::contents(&source.directory().join("blobs"));
    assert_eq!(layout::contents(&skopeo.home.directory().join("back/blobs")), sent);
}

#[test]
fn skopeo_pushes_and_pulls_zstd_layers() {
    let registry = Registry::start();
    let skopeo = Skopeo::new(&registry);
    skopeo.login(WRITER, registry.secret()).ok();
    let image = Image::random(&mut Random::new(13), 2, 100_000);
    let source = Layout::of(skopeo.home.directory().join("source"), &image);
    let name = format!("docker://{}:latest", registry.name("zstd"));
    let from = format!("oci:{}:latest", source.directory().display());
    skopeo.copy(&["--dest-compress-format", "zstd", "--dest-compress"], &from, &name).ok();

    let manifest = skopeo.manifest(&name);
    for layer in manifest["layers"].as_array().unwrap() {
        assert_eq!(layer["mediaType"], "application/vnd.oci.image.layer.v1.tar+zstd");
    }
    let back = skopeo.home.path("back");
    skopeo.copy(&["--preserve-digests"], &name, &format!("oci:{back}:latest")).ok();
    assert_eq!(layout::unpacked_layers(back.as_ref(), &manifest), image.content()[1..]);
}

#[test]
fn skopeo_moves_a_layer_of_two_gibibytes() {
    let registry = Registry::start();
    let skopeo = Skopeo::new(&registry);
    skopeo.login(WRITER, registry.secret()).ok();
    let mut source = Layout::create(skopeo.home.directory().join("big"));
    let layer = source.big_layer(&mut Random::new(17), BIG);
    let manifest = source.artifact("application/vnd.railhead.test.big", std::slice::from_ref(&layer), None);
    source.tag("latest", &manifest);
    let name = format!("docker://{}:latest", registry.name("big"));
    let from = format!("oci:{}:latest", source.directory().display());
    let push = skopeo.copy(&["--preserve-digests"], &from, &name).ok();
    fs::remove_dir_all(source.directory()).unwrap();
    let pulled = skopeo.home.path("back");
    let pull = skopeo.copy(&["--preserve-digests"], &name, &format!("oci:{pulled}:latest")).ok();
    let held = layout::contents(&skopeo.home.directory().join("back/blobs"));
    assert!(held.contains(layer["digest"].as_str().unwrap()));
    println!("2 GiB: push {} ms, pull {} ms", push.took.as_millis(), pull.took.as_millis());
}
