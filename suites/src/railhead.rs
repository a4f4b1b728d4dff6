//! The product in a test: its binary, its data directory, its command line.

use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::cluster::Cluster;
use crate::program::{Outcome, Program};
use crate::server::Server;
use crate::tls::{TEST_HOST, TestCa};

/// How a server is to be started.
#[derive(Default)]
pub struct Options {
    /// Where to listen; a port of the system's choice on 127.0.0.1 unless given.
    pub listen: Option<String>,
    /// Whether to speak TLS, with a certificate of a test authority.
    pub tls: bool,
    /// More arguments of `railhead serve`.
    pub arguments: Vec<String>,
    /// Variables of the environment, for the server and for every command.
    pub variables: Vec<(&'static str, String)>,
    /// The cluster on whose node it runs; where it listens has to be given then.
    pub inside: Option<&'static Cluster>,
}

/// A data directory and the server on it.
pub struct Railhead {
    program: Program,
    data: PathBuf,
    serve: Vec<String>,
    ca: Option<TestCa>,
    server: Server,
    address: SocketAddr,
    inside: Option<&'static Cluster>,
}

impl Railhead {
    /// Starts a server on a new data directory inside `scratch` and waits until it accepts connections.
    pub fn start(scratch: &Path, options: Options) -> Self {
        let data = scratch.join("data");
        let program =
            options.variables.iter().fold(program(&data), |program, (name, value)| program.with(name, value));
        let program = match options.inside {
            Some(cluster) => cluster.inside(program),
            None => program,
        };
        let listen = options.listen.unwrap_or_else(|| "127.0.0.1:0".to_owned());
        let mut serve = vec!["serve".to_owned(), "--listen".to_owned(), listen];
        let ca = options.tls.then(|| TestCa::make(&scratch.join("tls")));
        if let Some(ca) = &ca {
            let [certificate, key] = [ca.certificate(), ca.key()].map(|path| path.display().to_string());
            serve.extend(["--tls-cert".to_owned(), certificate, "--tls-key".to_owned(), key]);
        }
        serve.extend(options.arguments);
        let (server, address) = launch(&program, &serve, options.inside);
        Self { program, data, serve, ca, server, address, inside: options.inside }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The authority that its certificate is from.
    pub fn ca(&self) -> &TestCa {
        self.ca.as_ref().expect("the server was started without TLS")
    }

    /// Its data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The process, for its log and its id.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Waits until `ready` finds in the server's log what it looks for, or elsewhere.
    pub fn wait_for<T>(&mut self, what: &str, ready: impl FnMut(&str) -> Option<T>) -> T {
        self.server.wait_for(what, ready)
    }

    /// Runs `railhead` with `arguments` on the same data directory.
    pub fn cli<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Outcome {
        self.program.run(arguments)
    }

    /// Makes the account `name` with a password of its own.
    pub fn user(&self, name: &str, password: &str) {
        self.program.run_with_input(["user", "create", name, "--password-stdin"], password).ok();
    }

    /// Makes the organisation `name` and gives `members` their roles in it.
    pub fn organisation(&self, name: &str, members: &[(&str, &str)]) {
        self.cli(["org", "create", name]).ok();
        for (user, role) in members {
            self.cli(["org", "member", name, user, role]).ok();
        }
    }

    /// A token of `user` with `scopes`.
    pub fn token(&self, user: &str, scopes: &[&str]) -> String {
        let words = ["token", "create", "--quiet", "--user", user].into_iter();
        let words = words.chain(scopes.iter().flat_map(|scope| ["--scope", scope]));
        self.cli(words).ok().stdout.trim().to_owned()
    }

    /// Ends the server without warning.
    pub fn kill9(&mut self) {
        self.server.kill9();
    }

    /// Asks the server to end; whether it did so with exit code 0.
    pub fn sigterm(&mut self) -> bool {
        self.server.sigterm()
    }

    /// Starts an ended server anew on the same data, on a port of the system's choice.
    pub fn restart(&mut self) {
        (self.server, self.address) = launch(&self.program, &self.serve, self.inside);
    }
}

/// The command line on a data directory, whether a server runs there or not.
pub fn program(data: &Path) -> Program {
    Program::at(binary()).without_any("RAILHEAD_").with("RAILHEAD_DATA", data)
}

fn launch(program: &Program, arguments: &[String], inside: Option<&Cluster>) -> (Server, SocketAddr) {
    let from = Instant::now();
    let mut server = Server::start("railhead serve", program.command(arguments));
    // Behind a proxy it prints the public name; the address is then the one that it was given.
    let given = arguments.iter().find_map(|word| word.parse().ok().filter(|at: &SocketAddr| at.port() != 0));
    let address = server.wait_for("a URL in its output", |log| match given {
        Some(address) => log.lines().any(|line| line.contains("://")).then_some(address),
        None => printed_address(log),
    });
    let is_open = || std::net::TcpStream::connect(address).is_ok();
    server.wait_for("an open port", |_| {
        inside.map_or_else(is_open, |cluster| cluster.within(is_open)).then_some(())
    });
    assert!(from.elapsed().as_secs() < 30, "railhead serve was ready only after {:?}", from.elapsed());
    (server, address)
}

/// The address in the first URL of a whole line that the server printed.
fn printed_address(log: &str) -> Option<SocketAddr> {
    let whole = &log[..=log.rfind('\n')?];
    // The log names the forge by its URL; what it writes may come before what is printed.
    let words = whole.split_whitespace().filter(|word| !word.starts_with("forge="));
    let mut urls = words.filter_map(|word| {
        let at = word.find("http://").or_else(|| word.find("https://"))?;
        word[at..].split_once("://")
    });
    urls.find_map(|(_, rest)| {
        let end =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || ".:[]-".contains(c))).unwrap_or(rest.len());
        rest[..end]
            .replace("localhost:", "127.0.0.1:")
            .replace(&format!("{TEST_HOST}:"), "[::1]:")
            .parse()
            .ok()
    })
}

/// The binary under test: `RAILHEAD_BIN`, or the one built last, release or debug.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("RAILHEAD_BIN") {
        return PathBuf::from(path);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let built = ["release/railhead", "debug/railhead"].map(|path| target.join(path));
    let newest = built
        .iter()
        .filter(|path| path.is_file())
        .max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
    newest.cloned().unwrap_or_else(|| {
        panic!("CANNOT RUN: railhead: not built; run cargo build --release, or set RAILHEAD_BIN")
    })
}

#[cfg(test)]
mod tests {
    use super::printed_address;

    #[test]
    fn the_address_is_read_from_a_whole_line_only() {
        assert_eq!(printed_address("Railhead at http://127.0.0.1:80"), None);
        for (log, address) in [
            ("Railhead at http://127.0.0.1:8080/\n", "127.0.0.1:8080"),
            ("docs: https://example.org/x\nready https://[::1]:5000\n", "[::1]:5000"),
            ("at https://registry.test:5000\n", "[::1]:5000"),
            ("up forge=\"http://127.0.0.1:1\"\nat http://127.0.0.1:5000\n", "127.0.0.1:5000"),
            ("{\"url\":\"https://localhost:5000\"}\n", "127.0.0.1:5000"),
        ] {
            assert_eq!(printed_address(log), Some(address.parse().unwrap()), "{log}");
        }
    }
}
