//! The reference implementation of a registry, with accounts in a file or none, plain or with TLS.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use crate::certificates::Identity;
use crate::loopback;
use crate::program::Program;
use crate::server::Server;

/// A running `docker-registry`.
pub struct Distribution {
    address: SocketAddr,
    _server: Server,
}

impl Distribution {
    /// Starts one inside `scratch`; with an account it asks everybody for it, by Basic. `more` is more of its `storage`.
    pub fn start(scratch: &Path, account: Option<(&str, &str)>, tls: Option<&Identity>, more: &str) -> Self {
        let address = SocketAddr::from((loopback::address(), 5000));
        let mut config = format!(
            "version: 0.1\nlog:\n  level: warn\nstorage:\n  filesystem:\n    rootdirectory: {}\n{more}http:\n  addr: '{address}'\n",
            scratch.join("data").display()
        );
        if let Some(identity) = tls {
            let (chain, key) = (identity.chain.display(), identity.key.display());
            write!(config, "  tls:\n    certificate: {chain}\n    key: {key}\n").unwrap();
        }
        if let Some((user, password)) = account {
            let file = scratch.join("htpasswd");
            let line = Program::find("htpasswd").run(["-Bbn", "-C", "4", user, password]).ok().stdout;
            fs::write(&file, line).unwrap();
            write!(config, "auth:\n  htpasswd:\n    realm: registry\n    path: {}\n", file.display())
                .unwrap();
        }
        let file = scratch.join("config.yml");
        fs::write(&file, config).unwrap();
        let command = Program::find("docker-registry").command(["serve".as_ref(), file.as_os_str()]);
        let mut server = Server::start("docker-registry", command);
        server.wait_for("an open port", |_| std::net::TcpStream::connect(address).ok());
        Self { address, _server: server }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
