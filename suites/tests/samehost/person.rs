//! A person who uses the forge: browses, logs in, clones, pushes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use railhead_suites::forge::{FORGE_PASSWORD, FORGE_USER};
use railhead_suites::http::Http;
use railhead_suites::{Forge, Program};

/// A user of the forge whose page is where Railhead once asked for tokens.
const NAMED_TOKEN: &str = "token";

/// Gives the forge a repository and a second user.
pub fn prepare(forge: &Forge) {
    let all = forge.token("setup", "all");
    let http = Http::basic(forge.address(), FORGE_USER, &all);
    let post = |path: &str, body: serde_json::Value| {
        let fields = [("Content-Type", "application/json")];
        let answer = http.send("POST", path, &fields, body.to_string().as_bytes()).unwrap();
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    };
    post("/api/v1/user/repos", serde_json::json!({"name": "work", "auto_init": true}));
    let user = serde_json::json!({
        "username": NAMED_TOKEN, "email": "token@forge.test", "password": FORGE_PASSWORD, "must_change_password": false,
    });
    post("/api/v1/admin/users", user);
}

/// See the module.
pub struct Person {
    host: String,
    address: SocketAddr,
    ca: PathBuf,
    home: PathBuf,
    curl: Program,
}

impl Person {
    /// One who reaches the host at this address.
    pub fn new(host: &str, address: SocketAddr, ca: &Path, home: &Path) -> Self {
        let (host, ca, home) = (host.to_owned(), ca.to_owned(), home.to_owned());
        Self { host, address, ca, home, curl: Program::find("curl") }
    }

    /// Everything that a person does on a forge, and what came of it.
    pub fn uses_the_forge(&self) -> Vec<String> {
        let mut facts = Vec::new();
        for page in ["/", "/alice/work", "/explore/repos", "/token", "/api/v1/version", "/v3", "/alice/v2"] {
            let answer = self.asks(page);
            let title = answer.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
            let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            let shown = title.map_or_else(|| body.to_owned(), |(title, _)| title.trim().to_owned());
            facts.push(format!("{page} {} {shown}", status(&answer)));
        }
        facts.push(self.logs_in());
        facts.push(self.clones_and_pushes());
        facts
    }

    /// Head and body of the answer to a `GET`.
    pub fn asks(&self, path: &str) -> String {
        self.curl(&["-i", &format!("https://{}{path}", self.host)])
    }

    /// The form of the login page, and a page that only who has logged in sees.
    fn logs_in(&self) -> String {
        let jar = self.home.join("cookies").display().to_string();
        let login = format!("https://{}/user/login", self.host);
        let page = self.curl(&["-c", &jar, "-b", &jar, &login]);
        let token = page.split_once("name=\"_csrf\" value=\"").and_then(|(_, rest)| rest.split_once('"'));
        let token = token.map_or("", |(token, _)| token);
        let form = [("_csrf", token), ("user_name", FORGE_USER), ("password", FORGE_PASSWORD)];
        let mut words = vec!["-i".to_owned(), "-c".to_owned(), jar.clone(), "-b".to_owned(), jar.clone()];
        for (name, value) in form {
            words.extend(["--data-urlencode".to_owned(), format!("{name}={value}")]);
        }
        words.push(login);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let answer = self.curl(&words);
        let settings = self.curl(&["-i", "-b", &jar, &format!("https://{}/user/settings", self.host)]);
        assert!(status(&answer).starts_with("30"), "{answer}");
        assert_eq!(status(&settings), "200", "{settings}");
        assert!(settings.contains("alice"), "the page is alice's own");
        "logged in".to_owned()
    }

    /// A commit to a clone, pushed, and seen in another clone.
    fn clones_and_pushes(&self) -> String {
        let resolve = format!("http.curloptResolve={}:{}", self.host, self.address.ip());
        let git = Program::find("git").with("GIT_SSL_CAINFO", &self.ca).with("GIT_TERMINAL_PROMPT", "0");
        let git = git.with("GIT_CONFIG_GLOBAL", "/dev/null").with("HOME", &self.home);
        let secret = FORGE_PASSWORD.replace('!', "%21");
        let url = format!("https://{FORGE_USER}:{secret}@{}/{FORGE_USER}/work.git", self.host);
        let [one, two] = ["one", "two"].map(|name| self.home.join(name).display().to_string());
        let run = |words: &[&str]| {
            let first = ["-c", &resolve, "-c", "user.name=alice", "-c", "user.email=alice@forge.test"];
            git.run(first.iter().chain(words)).ok()
        };
        run(&["clone", "-q", &url, &one]);
        let said = format!("through {}", self.address);
        run(&["-C", &one, "commit", "-q", "--allow-empty", "-m", &said]);
        run(&["-C", &one, "push", "-q", "origin", "HEAD"]);
        run(&["clone", "-q", &url, &two]);
        assert_eq!(run(&["-C", &two, "log", "-1", "--format=%s"]).stdout.trim(), said);
        "cloned and pushed".to_owned()
    }

    fn curl(&self, words: &[&str]) -> String {
        let resolve = format!("{}:{}", self.host, self.address.ip());
        let ca = self.ca.display().to_string();
        let first = ["-sS", "--cacert", &ca, "--resolve", &resolve];
        self.curl.run(first.iter().chain(words)).ok().stdout
    }
}

/// The status of an answer that curl showed.
fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}
