//! Registries to move from and to, and the command between them.

use std::net::SocketAddr;
use std::path::Path;

use railhead_suites::forge::{FORGE_USER, Options as ForgeOptions};
use railhead_suites::http::Http;
use railhead_suites::program::Outcome;
use railhead_suites::railhead::Options;
use railhead_suites::{Forge, Operator, Railhead, loopback};
use serde_json::Value;

/// The organisation of the tests that not everybody sees.
pub const HIDDEN: &str = "hidden";

/// One end: what the command is told of it.
pub struct End {
    pub host: String,
    pub address: SocketAddr,
    pub user: &'static str,
    pub token: String,
}

/// A Gitea with [`FORGE_USER`], whom everybody sees, and [`HIDDEN`], which only its members see.
pub fn gitea(home: &Path, host: &str) -> (Forge, End) {
    std::fs::create_dir_all(home).unwrap();
    let root_url = format!("http://{host}/");
    let forge = Forge::start(home, &ForgeOptions { root_url: &root_url, ..ForgeOptions::default() });
    let all = forge.token("setup", "write:organization");
    let body = format!(r#"{{"username": "{HIDDEN}", "visibility": "private"}}"#);
    let http = Http::basic(forge.address(), FORGE_USER, &all);
    let answer = http.send("POST", "/api/v1/orgs", &[("Content-Type", "application/json")], body.as_bytes());
    assert_eq!(answer.unwrap().status, 201);
    let token = forge.token("migrate", "write:package");
    let end = End { host: host.to_owned(), address: forge.address(), user: FORGE_USER, token };
    (forge, end)
}

/// A Railhead with the same two owners.
pub fn railhead(home: &Path, host: &str) -> (Railhead, End) {
    std::fs::create_dir_all(home).unwrap();
    let arguments = vec!["--host".to_owned(), host.to_owned()];
    // It prints the name, so the address has to be known.
    let listen = Some(format!("{}:5050", loopback::address()));
    let railhead = Railhead::start(home, Options { listen, arguments, ..Options::default() });
    railhead.user(FORGE_USER, "correct horse battery staple");
    railhead.organisation(HIDDEN, &[(FORGE_USER, "owner")]);
    let token = railhead.token(FORGE_USER, &["admin"]);
    let end = End { host: host.to_owned(), address: railhead.address(), user: FORGE_USER, token };
    (railhead, end)
}

impl End {
    /// One that serves at `address` and asks nobody.
    pub fn open(address: SocketAddr) -> Self {
        Self { host: address.to_string(), address, user: "nobody", token: "no-secret".to_owned() }
    }

    fn route(&self) -> String {
        format!("http=http://{},connect={}", self.host, self.address)
    }

    /// A client of it that has logged in for these repositories.
    pub fn login(&self, repositories: &[&str]) -> Http {
        let scope = |name: &&str| format!("repository:{name}:pull,push");
        let scopes: Vec<String> = repositories.iter().map(scope).collect();
        Http::login(self.address, self.user, &self.token, &scopes).unwrap()
    }
}

/// Who moves, in a home of their own.
pub fn operator(home: &Path, from: &End, to: &End) -> Operator {
    Operator::at(home, "").with("RAILHEAD_FROM_TOKEN", &from.token).with("RAILHEAD_TO_TOKEN", &to.token)
}

/// The command line.
pub fn words(from: &End, to: &End, more: &[&str]) -> Vec<String> {
    let (from_route, to_route) = (from.route(), to.route());
    let words = [
        &["migrate", "--from", &from.host, "--to", &to.host, "--from-user", from.user, "--to-user", to.user]
            [..],
        &["--from-route", &from_route, "--to-route", &to_route, "--output", "json"],
        more,
    ];
    words.concat().iter().map(ToString::to_string).collect()
}

/// What a move said.
pub struct Said {
    pub outcome: Outcome,
    pub report: Value,
}

/// Moves, and reads the report.
pub fn migrate(operator: &Operator, from: &End, to: &End, more: &[&str]) -> Said {
    let outcome = operator.run(words(from, to, more));
    for secret in [&from.token, &to.token] {
        assert!(!format!("{outcome}{:?}", operator.evidence_files()).contains(secret), "a token was shown");
    }
    let report = serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome}"));
    Said { outcome, report }
}

impl Said {
    /// The move ended well: both have the same.
    #[track_caller]
    pub fn equal(self) -> Value {
        let differences: Vec<&Value> =
            self.repositories().flat_map(|one| one["differences"].as_array().unwrap()).collect();
        assert_eq!(self.report["verdict"], "equal", "{differences:?}\n{}", self.outcome.stderr);
        assert_eq!(self.outcome.code, Some(0), "{}", self.outcome);
        for (all, same) in
            [("tags", "equal_tags"), ("manifests", "equal_manifests"), ("blobs", "equal_blobs")]
        {
            assert_eq!(self.report["totals"][all], self.report["totals"][same], "{all}");
        }
        self.report
    }

    /// The repositories of the report.
    pub fn repositories(&self) -> impl Iterator<Item = &Value> {
        self.report["repositories"].as_array().unwrap().iter()
    }

    /// What is not equal, as `what: why`.
    pub fn differences(&self) -> Vec<String> {
        let all = self.repositories().flat_map(|one| one["differences"].as_array().unwrap());
        all.map(|one| format!("{}: {}", one["what"].as_str().unwrap(), one["why"].as_str().unwrap()))
            .collect()
    }
}
