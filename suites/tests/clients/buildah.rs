//! buildah, with a storage of its own.

use std::collections::BTreeSet;

use railhead_suites::program::Outcome;
use railhead_suites::registry::WRITER;
use railhead_suites::{Image, Program, Random, Registry, layout};

use crate::home::Home;
use crate::scenario::{self, Client};

struct Buildah {
    home: Home,
    buildah: Program,
    host: String,
    certificates: String,
}

impl Buildah {
    fn new(registry: &Registry) -> Self {
        let home = Home::for_client_of(registry);
        let certificates = registry.ca().directory().display().to_string();
        Self { buildah: home.program("buildah"), host: registry.host().to_owned(), certificates, home }
    }

    fn line(&self, words: &[&str]) -> Vec<String> {
        let [root, run] = ["storage", "run"].map(|name| self.home.path(name));
        let storage = ["--root", &root, "--runroot", &run, "--storage-driver", "vfs"];
        storage.iter().chain(words).map(|word| (*word).to_owned()).collect()
    }

    fn run(&self, words: &[&str]) -> Outcome {
        self.buildah.run(self.line(words))
    }

    fn load(&self, image: &Image, name: &str) {
        let archive = self.home.path("image.tar");
        layout::docker_archive(image, name, archive.as_ref());
        self.run(&["pull", &format!("docker-archive:{archive}")]).ok();
    }
}

impl Client for Buildah {
    const NAME: &'static str = "buildah";

    fn login(&self, user: &str, secret: &str) -> Outcome {
        let line = ["login", "--cert-dir", &self.certificates, "-u", user, "--password-stdin", &self.host];
        self.buildah.run_with_input(self.line(&line), secret)
    }

    fn logout(&self) {
        self.run(&["logout", &self.host]).ok();
    }

    fn push(&self, image: &Image, name: &str) -> Outcome {
        self.load(image, name);
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
    client.load(&image, &name);
    let trust = ["push", "--cert-dir", &client.certificates];
    let zstd = ["--format", "oci", "--compression-format", "zstd"];
    let to = format!("docker://{name}");
    client.run(&[&trust[..], &zstd[..], &[&name, &to]].concat()).ok();

    let raw = client.home.program("skopeo").run(["inspect", "--raw", "--cert-dir", &client.certificates, &to]).ok();
    assert_eq!(raw.stdout.matches("tar+zstd").count(), 2, "{raw}");
    client.pull(&name).ok();
    let held = client.held(&name);
    for digest in image.content().iter().skip(1) {
        assert!(held.contains(digest), "buildah holds {held:?}, without {digest}");
    }
}
