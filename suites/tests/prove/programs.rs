//! The programs that people use repeat the proof.

use railhead_suites::engine::{self, Engine as Running};
use railhead_suites::{Program, Server};
use tempfile::TempDir;

use crate::sites::{Gitea, Product};

/// docker with an engine of its own.
pub struct Engine {
    _server: Server,
    pub docker: Program,
    home: TempDir,
}

impl Engine {
    pub fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let Running { server, docker } = engine::start(home.path(), &|name| Program::find(name), "");
        Self { _server: server, docker, home }
    }

    /// The value of `DOCKER_HOST`.
    pub fn socket(&self) -> String {
        engine::socket(self.home.path())
    }

    fn images(&self) -> String {
        self.docker.run(["image", "ls", "--all", "--quiet"]).ok().stdout
    }
}

const STEPS: [&str; 12] = [
    "docker login",
    "docker pull",
    "docker push",
    "docker pull again",
    "podman login",
    "podman pull",
    "podman push",
    "podman pull again",
    "skopeo login",
    "skopeo pull",
    "skopeo push",
    "skopeo pull again",
];

#[test]
fn docker_podman_and_skopeo_repeat_it_on_gitea_and_on_railhead() {
    let engine = Engine::start();
    let mut gitea = Gitea::start();
    let mut product = Product::start();
    for site in [&mut gitea.site, &mut product.site] {
        let home = tempfile::tempdir().unwrap();
        let operator = std::mem::replace(&mut site.operator, railhead_suites::Operator::at(home.path(), ""));
        site.operator = operator.with("DOCKER_HOST", engine.socket());
        let said = site.prove("proof", &["--with", "docker,podman,skopeo"]).ok();
        let ok = said.with("ok");
        assert!(STEPS.iter().all(|step| ok.contains(step)), "{said}");
        for program in ["docker", "podman", "skopeo"] {
            let version = said.evidence["versions"][program].as_str().unwrap();
            assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{program}: {version}");
        }
        assert_eq!(engine.images(), "", "{said}");
    }
    assert_eq!(gitea.packages(), [""; 0]);
    assert_eq!((product.tags("proof").len(), product.rows()[0]), (0, 0));
}

#[test]
fn a_program_that_is_not_here_or_cannot_get_there_is_not_tried() {
    let mut product = Product::start();
    let empty = tempfile::tempdir().unwrap();
    product.site.operator = product.site.operator.with("PATH", empty.path());
    let said = product.site.prove("proof", &["--with", "skopeo"]).ok();
    assert_eq!(said.detail("skopeo"), "skopeo is not here");
    let name = product.site.name("proof");
    product.site.operator.run(["prove", &name, "--with", "dokker"]).refused(&["docker, podman and skopeo"]);
}
