//! docker, with an engine of its own.

use std::collections::BTreeSet;

use railhead_suites::engine::{self, Engine};
use railhead_suites::program::Outcome;
use railhead_suites::tls::TEST_HOST;
use railhead_suites::{Image, Program, Registry, Server, layout};

use crate::home::Home;
use crate::scenario::{self, Client};

pub struct Docker {
    // The engine ends before its directories go.
    _engine: Server,
    pub program: Program,
    home: Home,
    host: String,
}

impl Docker {
    pub fn new(registry: &Registry) -> Self {
        let home = Home::for_client_of(registry);
        let hosts = format!("::1 {TEST_HOST}\n");
        let Engine { server, docker } = engine::start(home.directory(), &|name| home.program(name), &hosts);
        Self { _engine: server, program: docker, home, host: registry.host().to_owned() }
    }
}

impl Client for Docker {
    const NAME: &'static str = "docker";

    fn login(&self, user: &str, secret: &str) -> Outcome {
        self.program.run_with_input(["login", "-u", user, "--password-stdin", &self.host], secret)
    }

    fn logout(&self) {
        self.program.run(["logout", &self.host]).ok();
    }

    fn push(&self, image: &Image, name: &str) -> Outcome {
        let archive = self.home.path("image.tar");
        layout::docker_archive(image, "loaded:latest", archive.as_ref());
        self.program.run(["load", "-i", &archive]).ok();
        self.program.run(["tag", "loaded:latest", name]).ok();
        self.program.run(["push", name])
    }

    fn pull(&self, name: &str) -> Outcome {
        self.program.run(["image", "rm", "--force", "loaded:latest", name]);
        let left = self.program.run(["image", "ls", "--all", "--quiet"]).ok().stdout;
        assert_eq!(left, "", "the engine still has images");
        self.program.run(["pull", name])
    }

    fn held(&self, name: &str) -> BTreeSet<String> {
        let archive = self.home.path("saved.tar");
        self.program.run(["save", "-o", &archive, name]).ok();
        layout::contents_of_archive(archive.as_ref())
    }
}

#[test]
fn docker_pushes_and_pulls() {
    let registry = Registry::start_by_name();
    scenario::run(&registry, &Docker::new(&registry));
}
