//! Sites: a registry, who may do what there, and a person with a site file.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use railhead_suites::certificates::{Authority, Certificate};
use railhead_suites::forge::{self, FORGE_USER};
use railhead_suites::http::{Answer, Http};
use railhead_suites::proxies::{HTTPS, Nginx, Proxy};
use railhead_suites::{Distribution, Forge, Operator, Railhead, loopback, railhead};
use serde_json::Value;
use tempfile::TempDir;

use crate::said::Said;

/// The owner of every image.
pub const OWNER: &str = FORGE_USER;

/// What all sites have.
pub struct Site {
    pub scratch: TempDir,
    pub operator: Operator,
    /// `HOST:PORT` as images are named.
    pub host: String,
    pub token: String,
    pub readonly: String,
}

impl Site {
    /// A site file with one route, and variables with both tokens.
    fn new(scratch: TempDir, url: &str, ca: Option<&Path>, token: &str, readonly: &str) -> Self {
        let (_, host) = url.split_once("://").unwrap();
        let mut site = format!("[site]\nhost = \"{host}\"\n[routes.main]\nurl = \"{url}\"\n");
        if let Some(ca) = ca {
            writeln!(site, "ca = \"{}\"", ca.display()).unwrap();
        }
        let operator = Operator::at(&scratch.path().join("operator"), &site)
            .with("RAILHEAD_TOKEN", token)
            .with("RAILHEAD_TOKEN_READONLY", readonly);
        let host = host.to_owned();
        Self { scratch, operator, host, token: token.to_owned(), readonly: readonly.to_owned() }
    }

    /// The full name of `image`, which may have a tag.
    pub fn name(&self, image: &str) -> String {
        format!("{}/{OWNER}/{image}", self.host)
    }

    /// Proves `image` as [`OWNER`].
    pub fn prove(&self, image: &str, more: &[&str]) -> Said {
        let name = self.name(image);
        let words = ["prove", &name, "--user", OWNER];
        let words: Vec<&str> = words.iter().chain(more).copied().collect();
        Said::of(&self.operator, "proof", &words, &[&self.token, &self.readonly])
    }

    /// The same site over another route, as a person who is sent through something.
    pub fn over(&self, address: SocketAddr) -> Vec<String> {
        vec!["--route".to_owned(), format!("main=http://{},connect={address}", self.host)]
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }
}

/// A Gitea with TLS by nginx. Its own address is the name of its images.
pub struct Gitea {
    pub site: Site,
    pub forge: Forge,
    pub authority: Authority,
    at: Ipv4Addr,
    proxy: Option<Proxy>,
    /// A token that may do everything.
    admin: String,
}

impl Gitea {
    pub fn start() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let at = loopback::address();
        let host = format!("{at}:{HTTPS}");
        let url = format!("https://{host}");
        let forge = scratch.path().join("gitea");
        fs::create_dir(&forge).unwrap();
        let forge =
            Forge::start(&forge, &forge::Options { root_url: &format!("{url}/"), ..Default::default() });
        let token = forge.token("proof", "write:package");
        let readonly = forge.token("reader", "read:package");
        let admin = forge.token("admin", "all");
        let authority = Authority::make(&scratch.path().join("authority"), "A private authority");
        let site = Site::new(scratch, &url, Some(&authority.file()), &token, &readonly);
        let mut gitea = Self { site, forge, authority, at, proxy: None, admin };
        gitea.behind(gitea.forge.address(), &gitea.authority.file());
        gitea
    }

    /// nginx again, with a new certificate: of the authority in this file if it is the site's, else of another one.
    pub fn behind(&mut self, upstream: SocketAddr, authority: &Path) {
        self.proxy = None;
        let certificate = Certificate::of(&self.at.to_string());
        let identity = if authority == self.authority.file() {
            self.authority.certify(&certificate)
        } else {
            Authority::make(authority, "Another authority").certify(&certificate)
        };
        let scratch = tempfile::tempdir_in(self.site.scratch.path()).unwrap().keep();
        let nginx =
            Nginx { tls: Nginx::location("/", upstream, ""), plain: String::new(), identity: &identity };
        self.proxy = Some(nginx.start_at(&scratch, self.at));
    }

    /// Ends nginx.
    pub fn unreachable(&mut self) {
        self.proxy = None;
    }

    /// Asks Gitea's own interface as the administrator.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        let http = Http { address: self.forge.address(), authorization: format!("token {}", self.admin) };
        let fields = [("Content-Type", "application/json")];
        let answer = http.send(method, &format!("/api/v1{path}"), &fields, body.as_bytes()).unwrap();
        assert!((200..300).contains(&answer.status), "{method} {path}: {answer:?}");
        answer
    }

    /// The versions of packages that it has.
    pub fn packages(&self) -> Vec<String> {
        let answer = self.ask("GET", &format!("/packages/{OWNER}?limit=50"), "");
        let list: Value = serde_json::from_slice(&answer.body).unwrap();
        let entries = list.as_array().unwrap().iter();
        entries
            .map(|one| format!("{}:{}", one["name"].as_str().unwrap(), one["version"].as_str().unwrap()))
            .collect()
    }

    /// The files of packages in its database, which its interface does not show.
    pub fn files(&self) -> Vec<String> {
        let database = rusqlite::Connection::open(self.site.path("gitea/gitea.db")).unwrap();
        let mut query = database.prepare("SELECT name FROM package_file").unwrap();
        let names = query.query_map([], |row| row.get(0)).unwrap();
        names.map(Result::unwrap).collect()
    }

    /// Who may see the owner, and with it all its packages.
    pub fn visibility(&self, visibility: &str) {
        let body = serde_json::json!({ "source_id": 0, "login_name": OWNER, "visibility": visibility });
        self.ask("PATCH", &format!("/admin/users/{OWNER}"), &body.to_string());
    }
}

/// A Railhead over plain HTTP on loopback.
pub struct Product {
    pub site: Site,
    pub railhead: Railhead,
}

impl Product {
    pub fn start() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let railhead = Railhead::start(scratch.path(), railhead::Options::default());
        railhead.user(OWNER, "a long enough password");
        let [token, readonly] =
            [&["push", "pull", "delete"][..], &["pull"]].map(|scopes| railhead.token(OWNER, scopes));
        let site = Site::new(scratch, &format!("http://{}", railhead.address()), None, &token, &readonly);
        Self { site, railhead }
    }

    /// The tags of a repository; none where it is not.
    pub fn tags(&self, image: &str) -> Vec<String> {
        let said = self.railhead.cli(["tag", "list", &format!("{OWNER}/{image}"), "--output", "json"]).ok();
        let list: Value = serde_json::from_str(&said.stdout).unwrap();
        let tags = list["tags"].as_array().unwrap().iter();
        tags.map(|tag| tag["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Rows of its catalog: manifests, blobs of repositories, uploads.
    pub fn rows(&self) -> [i64; 3] {
        let database = rusqlite::Connection::open(self.railhead.data().join("catalog.sqlite")).unwrap();
        ["manifest", "repository_blob", "upload"].map(|table| {
            let query = format!("SELECT count(*) FROM {table}");
            database.query_row(&query, [], |row| row.get(0)).unwrap()
        })
    }
}

/// The reference implementation over plain HTTP on loopback.
pub struct Reference {
    pub site: Site,
    _server: Distribution,
    data: PathBuf,
}

impl Reference {
    /// With one account, or none.
    pub fn start(has_account: bool, deletes: bool) -> Self {
        const PASSWORD: &str = "correct horse battery";
        let scratch = tempfile::tempdir().unwrap();
        let more = if deletes { "  delete:\n    enabled: true\n" } else { "" };
        let account = has_account.then_some((OWNER, PASSWORD));
        let server = Distribution::start(scratch.path(), account, None, more);
        let data = scratch.path().join("data");
        let site =
            Site::new(scratch, &format!("http://{}", server.address()), None, PASSWORD, "no such password");
        Self { site, _server: server, data }
    }

    /// What repositories and tags link to.
    pub fn links(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut waiting = vec![self.data.clone()];
        while let Some(directory) = waiting.pop() {
            for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
                match entry.file_type().unwrap().is_dir() {
                    true => waiting.push(entry.path()),
                    false if entry.file_name() == "link" => found.push(entry.path()),
                    false => {}
                }
            }
        }
        found
    }
}
