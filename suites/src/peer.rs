//! Debian's `docker-registry`, to try the drivers of the clients against a registry that is known to work.
//!
//! When a client's test fails, `SUITES_AGAINST=docker-registry` tells whether the driver or the product is at fault.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use crate::program::Program;
use crate::server::Server;
use crate::tls::TestCa;

/// A running `docker-registry` with TLS and one account. It knows no public repositories.
pub struct Peer {
    ca: TestCa,
    address: SocketAddr,
    _server: Server,
}

impl Peer {
    /// Whether the tests shall use it in place of the product.
    pub fn wanted() -> bool {
        match std::env::var("SUITES_AGAINST").as_deref() {
            Err(_) => false,
            Ok("docker-registry") => true,
            Ok(other) => panic!("SUITES_AGAINST is '{other}'; it can only be docker-registry"),
        }
    }

    /// Starts it inside `scratch` with the account `user`.
    pub fn start(scratch: &Path, listen: &str, user: &str, password: &str) -> Self {
        let ca = TestCa::make(&scratch.join("tls"));
        let accounts = scratch.join("htpasswd");
        let line = Program::find("htpasswd").run(["-Bbn", "-C", "5", user, password]).ok().stdout;
        fs::write(&accounts, line).unwrap();
        let config = scratch.join("peer.yml");
        let [data, certificate, key, accounts] =
            [&scratch.join("data"), &ca.certificate(), &ca.key(), &accounts]
                .map(|path| path.display().to_string());
        fs::write(
            &config,
            format!(
                "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {data}\n  delete:\n    enabled: true\n\
                 auth:\n  htpasswd:\n    realm: peer\n    path: {accounts}\n\
                 http:\n  addr: '{listen}'\n  tls:\n    certificate: {certificate}\n    key: {key}\n"
            ),
        )
        .unwrap();
        let command = Program::find("docker-registry").command(["serve".as_ref(), config.as_os_str()]);
        let mut server = Server::start("docker-registry", command);
        let address = server.wait_for("its address", |log| {
            let rest = log.split_once("listening on ")?.1;
            rest.split_once(", tls")?.0.parse().ok()
        });
        Self { ca, address, _server: server }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The authority that its certificate is from.
    pub fn ca(&self) -> &TestCa {
        &self.ca
    }
}
