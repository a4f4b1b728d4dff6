//! podman, with a storage of its own.

use std::collections::BTreeSet;

use railhead_suites::program::Outcome;
use railhead_suites::{Image, Program, Registry, layout};

use crate::home::Home;
use crate::scenario::{self, Client};

pub struct Podman {
    home: Home,
    program: Program,
    host: String,
    certificates: String,
}

impl Podman {
    pub fn new(registry: &Registry) -> Self {
        let home = Home::for_client_of(registry);
        let certificates = registry.ca().directory().display().to_string();
        Self { program: home.program("podman"), host: registry.host().to_owned(), certificates, home }
    }

    fn line<'a>(&'a self, words: &[&'a str]) -> Vec<String> {
        let [root, run, tmp] = ["storage", "run", "tmp"].map(|name| self.home.path(name));
        let storage = ["--root", &root, "--runroot", &run, "--tmpdir", &tmp, "--storage-driver", "vfs"];
        storage.iter().chain(words).map(|word| (*word).to_owned()).collect()
    }

    pub fn run(&self, words: &[&str]) -> Outcome {
        self.program.run(self.line(words))
    }
}

impl Client for Podman {
    const NAME: &'static str = "podman";

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
        self.run(&["load", "-i", &archive]).ok();
        self.run(&["push", "--cert-dir", &self.certificates, name])
    }

    fn pull(&self, name: &str) -> Outcome {
        self.run(&["image", "rm", "--all", "--force"]).ok();
        self.run(&["pull", "--cert-dir", &self.certificates, name])
    }

    fn held(&self, name: &str) -> BTreeSet<String> {
        let archive = self.home.path("saved.tar");
        let _ = std::fs::remove_file(&archive);
        self.run(&["save", "--format", "docker-archive", "-o", &archive, name]).ok();
        layout::contents_of_archive(archive.as_ref())
    }
}

#[test]
fn podman_pushes_and_pulls() {
    let registry = Registry::start();
    scenario::run(&registry, &Podman::new(&registry));
}
