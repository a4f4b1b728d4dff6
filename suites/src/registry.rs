//! What the tests of the clients see of a registry: one team, two people, and a way to open a repository to everybody.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use tempfile::TempDir;

use crate::peer::Peer;
use crate::program::Outcome;
use crate::railhead::{Options, Railhead};
use crate::tls::{TEST_HOST, TestCa};

/// The organisation that owns every repository of the tests.
pub const TEAM: &str = "team";
/// A member of the team who may write.
pub const WRITER: &str = "alice";
/// An owner of the team, who may also delete.
pub const OWNER: &str = "olga";
/// An account without any right on the team's repositories.
pub const STRANGER: &str = "mallory";

const PASSWORD: &str = "correct horse battery staple";

/// A registry with accounts, over TLS.
pub struct Registry {
    kind: Kind,
    secrets: Secrets,
    host: String,
    scratch: TempDir,
}

struct Secrets {
    writer: String,
    owner: String,
    stranger: String,
}

enum Kind {
    Product(Railhead),
    Peer(Peer),
}

impl Registry {
    /// A registry known to its clients as `127.0.0.1:PORT`.
    pub fn start() -> Self {
        Self::listen("127.0.0.1:0", None, "")
    }

    /// The same, with a configuration file of this text.
    pub fn configured(configuration: &str) -> Self {
        Self::listen("127.0.0.1:0", None, configuration)
    }

    /// A registry known to its clients as [`TEST_HOST`], at the loopback address of IPv6.
    pub fn start_by_name() -> Self {
        // A public name is told with its port, so this one time the port has to be known beforehand.
        let port = TcpListener::bind("[::1]:0").unwrap().local_addr().unwrap().port();
        Self::listen(&format!("[::1]:{port}"), Some(&format!("{TEST_HOST}:{port}")), "")
    }

    fn listen(listen: &str, name: Option<&str>, configuration: &str) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let (kind, secrets) = if Peer::wanted() {
            let peer = Peer::start(scratch.path(), listen, WRITER, PASSWORD);
            let [writer, owner] = [PASSWORD, PASSWORD].map(str::to_owned);
            (Kind::Peer(peer), Secrets { writer, owner, stranger: String::new() })
        } else {
            let hosts = name.iter().flat_map(|name| ["--host".to_owned(), (*name).to_owned()]);
            let file = scratch.path().join("railhead.toml");
            std::fs::write(&file, configuration).unwrap();
            let configured = ["--config".to_owned(), file.to_string_lossy().into_owned()];
            let arguments = hosts.chain(configured).collect();
            let options =
                Options { listen: Some(listen.to_owned()), tls: true, arguments, ..Options::default() };
            let railhead = Railhead::start(scratch.path(), options);
            let secrets = make_accounts(&railhead);
            (Kind::Product(railhead), secrets)
        };
        let mut registry = Self { kind, secrets, host: String::new(), scratch };
        registry.host = name.map_or_else(|| registry.address().to_string(), str::to_owned);
        registry
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        match &self.kind {
            Kind::Product(railhead) => railhead.address(),
            Kind::Peer(peer) => peer.address(),
        }
    }

    /// Host and port as clients write them.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The authority that its certificate is from.
    pub fn ca(&self) -> &TestCa {
        match &self.kind {
            Kind::Product(railhead) => railhead.ca(),
            Kind::Peer(peer) => peer.ca(),
        }
    }

    /// The token of [`WRITER`].
    pub fn secret(&self) -> &str {
        &self.secrets.writer
    }

    /// An account that may delete, and its token.
    pub fn owner(&self) -> (&'static str, &str) {
        let name = if matches!(self.kind, Kind::Product(_)) { OWNER } else { WRITER };
        (name, &self.secrets.owner)
    }

    /// The token of [`STRANGER`], where the registry knows more than one account.
    pub fn stranger(&self) -> Option<&str> {
        matches!(self.kind, Kind::Product(_)).then_some(self.secrets.stranger.as_str())
    }

    /// The full name of the team's repository `image`.
    pub fn name(&self, image: &str) -> String {
        format!("{}/{TEAM}/{image}", self.host)
    }

    /// Opens the team's repository `image` to everybody; whether this registry can.
    pub fn publish(&self, image: &str) -> bool {
        match &self.kind {
            Kind::Product(railhead) => {
                railhead.cli(["repo", "visibility", &format!("{TEAM}/{image}"), "public"]).ok();
                true
            }
            Kind::Peer(_) => {
                println!("NOT COMPARED: docker-registry knows no public repositories");
                false
            }
        }
    }

    /// Runs `railhead` on the registry's data directory; `None` where the registry is another one.
    pub fn cli(&self, words: &[&str]) -> Option<Outcome> {
        match &self.kind {
            Kind::Product(railhead) => Some(railhead.cli(words)),
            Kind::Peer(_) => {
                println!("NOT COMPARED: docker-registry has no commands of its own");
                None
            }
        }
    }

    /// A directory for what the test needs to keep.
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }
}

fn make_accounts(railhead: &Railhead) -> Secrets {
    for user in [WRITER, OWNER, STRANGER] {
        railhead.user(user, PASSWORD);
    }
    railhead.organisation(TEAM, &[(WRITER, "writer"), (OWNER, "owner")]);
    Secrets {
        writer: railhead.token(WRITER, &["pull", "push"]),
        owner: railhead.token(OWNER, &["pull", "push", "delete"]),
        stranger: railhead.token(STRANGER, &["pull", "push", "delete"]),
    }
}
