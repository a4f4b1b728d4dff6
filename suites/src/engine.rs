//! docker's engine, of a test's own: in a mount namespace, with a name of the test's in its `/etc/hosts`.
//!
//! The engine never verifies certificates of a registry on 127.0.0.0/8. So a registry that is to be verified listens on `::1`,
//! under a name that only this engine knows, and the engine has to trust the test's authority like any other.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::program::Program;
use crate::server::Server;

/// A running engine and a `docker` that asks it.
pub struct Engine {
    /// The engine, which has to end before its directories go.
    pub server: Server,
    /// `docker`.
    pub docker: Program,
}

/// Where the engine in `home` listens, as `DOCKER_HOST` takes it.
pub fn socket(home: &Path) -> String {
    format!("unix://{}", home.join("docker.sock").display())
}

/// Starts an engine in `home` and waits until it answers. `find` gives the programs with the environment of the test; `hosts`
/// are more lines for its `/etc/hosts`.
pub fn start(home: &Path, find: &dyn Fn(&str) -> Program, hosts: &str) -> Engine {
    let docker = find("docker").with("DOCKER_HOST", socket(home));
    let mut server = Server::start("dockerd", command(home, find, hosts));
    server.wait_for("an answering engine", |_| docker.run(["version"]).success.then_some(()));
    Engine { server, docker }
}

fn command(home: &Path, find: &dyn Fn(&str) -> Program, hosts: &str) -> Command {
    let is_root = Program::find("id").run(["-u"]).ok().stdout.trim() == "0";
    assert!(is_root, "CANNOT RUN: docker: its engine needs root");
    let path = |name: &str| home.join(name).display().to_string();
    fs::write(home.join("hosts"), format!("127.0.0.1 localhost\n{hosts}")).unwrap();
    fs::write(home.join("daemon.json"), "{}").unwrap();
    let script = r#"mount --bind "$1" /etc/hosts; shift; exec "$@""#;
    let words = [
        "--mount".to_owned(),
        "sh".to_owned(),
        "-euc".to_owned(),
        script.to_owned(),
        "sh".to_owned(),
        path("hosts"),
        find("dockerd").path().display().to_string(),
        "--config-file".to_owned(),
        path("daemon.json"),
        "--host".to_owned(),
        socket(home),
        "--data-root".to_owned(),
        path("engine"),
        "--exec-root".to_owned(),
        path("exec"),
        "--pidfile".to_owned(),
        path("engine.pid"),
        "--storage-driver=vfs".to_owned(),
        "--bridge=none".to_owned(),
        "--iptables=false".to_owned(),
        "--ip6tables=false".to_owned(),
    ];
    find("unshare").command(words)
}
