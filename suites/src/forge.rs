//! A real Gitea: SQLite, installed, without a mail server, an SSH server or the network.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::certificates::Identity;
use crate::http::Http;
use crate::loopback;
use crate::program::Program;
use crate::server::Server;

/// The administrator of every test forge.
pub const FORGE_USER: &str = "alice";
/// Its password.
pub const FORGE_PASSWORD: &str = "Passw0rd!";

/// How it is to be started.
#[derive(Default)]
pub struct Options<'a> {
    /// `ROOT_URL`, where users believe it to be.
    pub root_url: &'a str,
    /// TLS by itself, without a proxy.
    pub tls: Option<&'a Identity>,
    /// More of app.ini, from a section's head on.
    pub more: &'a str,
}

/// A running Gitea with the account [`FORGE_USER`].
pub struct Forge {
    program: Program,
    address: SocketAddr,
    server: Server,
}

impl Forge {
    /// Starts one inside `scratch` and waits until it answers.
    pub fn start(scratch: &Path, options: &Options) -> Self {
        let program = Program::find("gitea").without_any("GITEA_").with("GITEA_WORK_DIR", scratch);
        // Tests may run as root in a container; everything of it is in a directory of the test.
        let program = program.with("GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT", "true");
        let address = SocketAddr::from((loopback::address(), 3000));
        let settings = scratch.join("custom/conf");
        fs::create_dir_all(&settings).unwrap();
        fs::write(settings.join("app.ini"), app_ini(&program, scratch, address, options)).unwrap();
        program.run(["migrate"]).ok();
        let words = ["admin", "user", "create", "--admin", "--must-change-password=false", "--username"];
        let more = [FORGE_USER, "--password", FORGE_PASSWORD, "--email", "alice@forge.test"];
        program.run(words.iter().chain(&more)).ok();
        let mut server = Server::start("gitea", program.command(["web"]));
        server.wait_for("an open port", |_| std::net::TcpStream::connect(address).ok());
        Self { program, address, server }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A token of [`FORGE_USER`] with these scopes, as `write:package`.
    pub fn token(&self, name: &str, scopes: &str) -> String {
        let words = ["admin", "user", "generate-access-token", "--raw", "--username", FORGE_USER];
        let more = ["--token-name", name, "--scopes", scopes];
        let said = self.program.run(words.iter().chain(&more)).ok();
        // It may have something to say besides.
        let token = |line: &&str| line.len() == 40 && line.bytes().all(|byte| byte.is_ascii_hexdigit());
        let found = said.stdout.lines().map(str::trim).find(token);
        found.unwrap_or_else(|| panic!("no token in what it said: {said}")).to_owned()
    }

    /// Asks the forge's API as its administrator; the answer has to have this status.
    pub fn api(&self, method: &str, path: &str, body: &str, status: u16) -> serde_json::Value {
        let http = Http::basic(self.address, FORGE_USER, FORGE_PASSWORD);
        let fields = [("Content-Type", "application/json")];
        let answer = http.send(method, &format!("/api/v1{path}"), &fields, body.as_bytes()).unwrap();
        assert_eq!(answer.status, status, "{method} {path}: {}", String::from_utf8_lossy(&answer.body));
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    /// Makes the account `name`, with [`Self::password`].
    pub fn user(&self, name: &str) {
        let body = format!(
            r#"{{"username":"{name}","email":"{name}@forge.test","password":"{FORGE_PASSWORD}","must_change_password":false}}"#
        );
        self.api("POST", "/admin/users", &body, 201);
    }

    /// The password of every account.
    pub fn password(&self) -> &'static str {
        FORGE_PASSWORD
    }

    /// Makes an organisation that is `public`, `limited` or `private`.
    pub fn organisation(&self, name: &str, visibility: &str) {
        self.api("POST", "/orgs", &format!(r#"{{"username":"{name}","visibility":"{visibility}"}}"#), 201);
    }

    /// Makes a team of an organisation that may do `right` with packages, `read` or `write`; gives its number.
    pub fn team(&self, organisation: &str, name: &str, right: &str, members: &[&str]) -> u64 {
        let body = format!(
            r#"{{"name":"{name}","permission":"read","units_map":{{"repo.code":"read","repo.packages":"{right}"}}}}"#
        );
        let team =
            self.api("POST", &format!("/orgs/{organisation}/teams"), &body, 201)["id"].as_u64().unwrap();
        for member in members {
            self.api("PUT", &format!("/teams/{team}/members/{member}"), "", 204);
        }
        team
    }

    /// A token of any account with these scopes, as `["read:package"]`.
    pub fn token_of(&self, user: &str, name: &str, scopes: &[&str]) -> String {
        let http = Http::basic(self.address, user, FORGE_PASSWORD);
        let body = serde_json::json!({ "name": name, "scopes": scopes }).to_string();
        let fields = [("Content-Type", "application/json")];
        let path = format!("/api/v1/users/{user}/tokens");
        let answer = http.send("POST", &path, &fields, body.as_bytes()).unwrap();
        assert_eq!(answer.status, 201, "{answer:?}");
        let answer: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        answer["sha1"].as_str().unwrap().to_owned()
    }

    /// Takes the token of this name back from any account.
    pub fn revoke_of(&self, user: &str, name: &str) {
        let http = Http::basic(self.address, user, FORGE_PASSWORD);
        let answer = http.send("DELETE", &format!("/api/v1/users/{user}/tokens/{name}"), &[], b"").unwrap();
        assert_eq!(answer.status, 204, "{answer:?}");
    }

    /// Ends it without warning, as when its machine is gone.
    pub fn kill9(&mut self) {
        self.server.kill9();
    }

    /// Starts an ended one again, on its data.
    pub fn restart(&mut self) {
        let address = self.address;
        self.server = Server::start("gitea", self.program.command(["web"]));
        self.server.wait_for("an open port", |_| std::net::TcpStream::connect(address).ok());
    }

    /// Takes the token of this name back.
    pub fn revoke(&self, name: &str) {
        let http = Http::basic(self.address, FORGE_USER, FORGE_PASSWORD);
        let path = format!("/api/v1/users/{FORGE_USER}/tokens/{name}");
        let answer = http.send("DELETE", &path, &[], b"").unwrap();
        assert_eq!(answer.status, 204, "{answer:?}");
    }
}

fn app_ini(program: &Program, scratch: &Path, address: SocketAddr, options: &Options) -> String {
    let Options { root_url, tls, more } = options;
    let files: PathBuf = program.path().with_file_name("gitea-static");
    let mut ini = format!(
        "RUN_USER = {user}
RUN_MODE = prod
[server]
STATIC_ROOT_PATH = {files}
HTTP_ADDR = {host}
HTTP_PORT = {port}
ROOT_URL = {root_url}
DISABLE_SSH = true
LFS_START_SERVER = false
OFFLINE_MODE = true
",
        user = user(),
        files = files.display(),
        host = address.ip(),
        port = address.port(),
    );
    if let Some(identity) = tls {
        let (chain, key) = (identity.chain.display(), identity.key.display());
        write!(ini, "PROTOCOL = https\nCERT_FILE = {chain}\nKEY_FILE = {key}\n").unwrap();
    }
    write!(
        ini,
        "[database]
DB_TYPE = sqlite3
PATH = {database}
SQLITE_JOURNAL_MODE = WAL
[security]
INSTALL_LOCK = true
PASSWORD_HASH_ALGO = pbkdf2$1000$50
[log]
LEVEL = warn
[service]
DISABLE_REGISTRATION = true
{more}
",
        database = scratch.join("gitea.db").display(),
    )
    .unwrap();
    ini
}

fn user() -> String {
    let name = Program::find("id").run(["-un"]).ok().stdout;
    name.trim().to_owned()
}
