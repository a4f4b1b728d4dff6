//! docker: its own engine, in a mount namespace of its own.
//!
//! The engine never verifies certificates of a registry on 127.0.0.0/8. So the registry listens on `::1`, under a name that
//! only the engine's `/etc/hosts` knows, and the engine has to trust the test's authority like any other.

use std::collections::BTreeSet;
use std::fs;

use railhead_suites::program::Outcome;
use railhead_suites::tls::TEST_HOST;
use railhead_suites::{Image, Program, Registry, Server, layout};

use crate::home::Home;
use crate::scenario::{self, Client};

struct Docker {
    // The engine ends before its directories go.
    _engine: Server,
    program: Program,
    home: Home,
    host: String,
}

impl Docker {
    fn new(registry: &Registry) -> Self {
        let home = Home::for_client_of(registry);
        let socket = format!("unix://{}", home.path("docker.sock"));
        let docker = home.program("docker").with("DOCKER_HOST", &socket);
        let mut engine = Server::start("dockerd", engine(&home, &socket));
        engine.wait_for("an answering engine", |_| docker.run(["version"]).success.then_some(()));
        Self { _engine: engine, program: docker, home, host: registry.host().to_owned() }
    }
}

fn engine(home: &Home, socket: &str) -> std::process::Command {
    let is_root = Program::find("id").run(["-u"]).ok().stdout.trim() == "0";
    assert!(is_root, "CANNOT RUN: docker: its engine needs root");
    let hosts = home.path("hosts");
    fs::write(&hosts, format!("127.0.0.1 localhost\n::1 {TEST_HOST}\n")).unwrap();
    let config = home.path("daemon.json");
    fs::write(&config, "{}").unwrap();
    let dockerd = home.program("dockerd");
    let script = r#"mount --bind "$1" /etc/hosts; shift; exec "$@""#;
    let [data, exec, pid] = ["engine", "exec", "engine.pid"].map(|name| home.path(name));
    home.program("unshare").command([
        "--mount",
        "sh",
        "-euc",
        script,
        "sh",
        &hosts,
        dockerd.path().to_str().unwrap(),
        "--config-file",
        &config,
        "--host",
        socket,
        "--data-root",
        &data,
        "--exec-root",
        &exec,
        "--pidfile",
        &pid,
        "--storage-driver=vfs",
        "--bridge=none",
        "--iptables=false",
        "--ip6tables=false",
    ])
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
