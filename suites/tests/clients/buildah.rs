//! buildah, with a storage of its own.

use std::collections::BTreeSet;

use railhead_suites::program::Outcome;
use railhead_suites::registry::WRITER;
use railhead_suites::{Image, Layout, Program, Random, Registry, layout};

use crate::home::Home;
use crate::scenario::{self, Client};

struct Buildah {
    home: Home,
    program: Program,
    host: String,
    certificates: String,
}

impl Buildah {
    fn new(registry: &Registry) -> Self {
        let home = Home::for_client_of(registry);
        let certificates = registry.ca().directory().display().to_string();
        Self { program: home.program("buildah"), host: registry.host().to_owned(), certificates, home }
    }

    fn line(&self, words: &[&str]) -> Vec<String> {
        let [root, run] = ["storage", "run"].map(|name| self.home.path(name));
        let storage = ["--root", &root, "--runroot", &run, "--storage-driver", "vfs"];
        storage.iter().chain(words).map(|word| (*word).to_owned()).collect()
    }

    fn run(&self, words: &[&str]) -> Outcome {
        self.program.run(self.line(words))
    }
}

impl Client for Buildah {
    const NAME: &'static str = "buildah";

    fn login(&self, user: &str, secret: &str) -> Outcome {
        let line = ["login", "--cert-dir", &self.certificates, "-u", user, "--password-stdin", &self.host];
        self.program.run_with_input(self.line(&line), secret)
    }

    fn logout(&self) {
        self.run(&["logout", &self.host]).ok();
    }

    fn push(&self, image: &Image, name: &str) -> Outcome {
        let archive = self.home.path("image.tar");
        layout::docker_archive(image, name, archive.as_ref());
        self.run(&["pull", &format!("docker-archive:{archive}")]).ok();
        self.run(&["push", "--cert-dir", &self.certificates, name, &format!("docker://{name}")])
    }

    fn pull(&self, name: &str) -> Outcome {
        self.run(&["rmi", "--all", "--force"]).ok();
        self.run(&["pull", "--cert-dir", &self.certificates, &format!("docker://{name}")])
    }

    fn held(&self, name: &str) -> BTreeSet<String> {
        let archive = self.home.path("saved.tar");
        let _ = std::fs::remove_file(&archive);
        self.run(&["push", name, &format!("docker-archive:{archive}:{name}")]).ok();
        layout::contents_of_archive(archive.as_ref())
    }
}

#[test]
fn buildah_pushes_and_pulls() {
    let registry = Registry::start();
    scenario::run(&registry, &Buildah::new(&registry));
}

#[test]
fn buildah_pushes_and_pulls_zstd_layers() {
    let registry = Registry::start();
    let client = Buildah::new(&registry);
    client.login(WRITER, registry.secret()).ok();
    let image = Image::random(&mut Random::new(23), 2, 100_000);
    let name = format!("{}:latest", registry.name("buildah-zstd"));
    let source = Layout::of(client.home.directory().join("source"), &image);
    let archive = client.home.path("source.tar");
    source.archive(archive.as_ref());
    client.run(&["pull", &format!("oci-archive:{archive}")]).ok();
    let id = client.run(&["images", "--quiet"]).ok().stdout;
    client.run(&["tag", id.trim(), &name]).ok();
    let trust = ["push", "--cert-dir", &client.certificates];
    let zstd = ["--format", "oci", "--compression-format", "zstd"];
    let to = format!("docker://{name}");
    client.run(&[&trust[..], &zstd[..], &[&name, &to]].concat()).ok();

    let raw =
        client.home.program("skopeo").run(["inspect", "--raw", "--cert-dir", &client.certificates, &to]).ok();
    assert_eq!(raw.stdout.matches("tar+zstd").count(), 2, "{raw}");
    client.pull(&name).ok();
    // An image's id is the digest of its config, and buildah has checked every unpacked layer against that.
    let ids = client.run(&["images", "--quiet", "--no-trunc"]).ok().stdout;
    assert_eq!(ids.trim(), image.content()[0]);
}
