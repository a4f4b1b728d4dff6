//! What the tests of the clients see of a registry: one team, two people, and a way to open a repository to everybody.

use std::net::SocketAddr;
use std::path::Path;

use tempfile::TempDir;

use crate::peer::Peer;
use crate::railhead::{Options, Railhead};
use crate::tls::{TEST_HOST, TestCa};

/// The organisation that owns every repository of the tests.
pub const TEAM: &str = "team";
/// A member of the team who may write.
pub const WRITER: &str = "alice";
/// An account without any right on the team's repositories.
pub const STRANGER: &str = "mallory";

const PASSWORD: &str = "correct horse battery staple";

/// A registry with accounts, over TLS.
pub struct Registry {
    kind: Kind,
    secret: String,
    stranger: String,
    host: String,
    scratch: TempDir,
}

enum Kind {
    Product(Railhead),
    Peer(Peer),
}

impl Registry {
    /// A registry known to its clients as `127.0.0.1:PORT`.
    pub fn start() -> Self {
        Self::listen("127.0.0.1:0", None)
    }

    /// A registry known to its clients as [`TEST_HOST`], at the loopback address of IPv6.
    pub fn start_by_name() -> Self {
        Self::listen("[::1]:0", Some(TEST_HOST))
    }

    fn listen(listen: &str, name: Option<&str>) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let (kind, secret, stranger) = if Peer::wanted() {
            let peer = Peer::start(scratch.path(), listen, WRITER, PASSWORD);
            (Kind::Peer(peer), PASSWORD.to_owned(), String::new())
        } else {
            let hosts = name.iter().flat_map(|name| ["--host".to_owned(), (*name).to_owned()]);
            let options = Options { listen: Some(listen.to_owned()), tls: true, arguments: hosts.collect() };
            let railhead = Railhead::start(scratch.path(), options);
            for user in [WRITER, STRANGER] {
                railhead.user(user, PASSWORD);
            }
            railhead.organisation(TEAM, &[(WRITER, "writer")]);
            let [secret, stranger] =
                [WRITER, STRANGER].map(|user| railhead.token(user, &["pull", "push", "delete"]));
            (Kind::Product(railhead), secret, stranger)
        };
        let mut registry = Self { kind, secret, stranger, host: String::new(), scratch };
        let address = registry.address();
        registry.host = name.map_or_else(|| address.to_string(), |name| format!("{name}:{}", address.port()));
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
        &self.secret
    }

    /// The token of [`STRANGER`], where the registry knows more than one account.
    pub fn stranger(&self) -> Option<&str> {
        matches!(self.kind, Kind::Product(_)).then_some(self.stranger.as_str())
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

    /// A directory for what the test needs to keep.
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }
}
