//! A team whose forge is in the cluster: a repository with the values encrypted by sops, a site file, and accounts with tokens.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::cluster::{Cluster, FORGE_PASSWORD, FORGE_PORT, KEEPER};
use crate::operator::Operator;
use crate::program::{Outcome, Program};
use crate::sealed;

/// The scopes that `enable --apply --backup DIR --file` needs.
pub const SCOPES: [&str; 4] = ["write:repository", "write:user", "read:package", "write:issue"];
/// The file with the values.
pub const VALUES_FILE: &str = "helm/gitea-values.sops.yaml";

/// The API of the forge in the cluster, asked as its administrator.
#[derive(Clone, Copy)]
pub struct Api<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The forge's host.
    pub host: &'a str,
}

impl Api<'_> {
    /// Asks it; nothing where the answer is no JSON.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        self.ask_as(KEEPER, method, path, body)
    }

    fn ask_as(&self, user: &str, method: &str, path: &str, body: &Value) -> Value {
        let url = format!("http://{}:{FORGE_PORT}/api/v1{path}", self.host);
        let (account, body) = (format!("{user}:{FORGE_PASSWORD}"), body.to_string());
        let words = ["-sS", "-X", method, "-u", &account, "-H", "Content-Type: application/json"];
        let said = self.cluster.tool("curl").run(words.into_iter().chain(["-d", &body, &url])).ok().stdout;
        serde_json::from_str(&said).unwrap_or_default()
    }

    /// Makes an account, which has the password of all.
    pub fn user(&self, name: &str) {
        let email = format!("{name}@example.com");
        let body = json!({"username": name, "email": email, "password": FORGE_PASSWORD, "must_change_password": false});
        let made = self.ask("POST", "/admin/users", &body);
        assert_eq!(made["login"], name, "{made}");
    }

    /// Makes an organisation.
    pub fn organisation(&self, name: &str) {
        let made = self.ask("POST", "/orgs", &json!({"username": name}));
        assert_eq!(made["username"], name, "{made}");
    }

    /// Makes a repository of an organisation.
    pub fn repository(&self, organisation: &str, name: &str) {
        let made = self.ask(
            "POST",
            &format!("/orgs/{organisation}/repos"),
            &json!({"name": name, "auto_init": true}),
        );
        assert_eq!(made["name"], name, "{made}");
    }

    /// A new token of an account.
    pub fn token(&self, user: &str, scopes: &[&str]) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("suite-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = format!("/users/{user}/tokens");
        let made = self.ask_as(user, "POST", &path, &json!({"name": name, "scopes": scopes}));
        made["sha1"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
    }

    /// The open issues of a repository.
    pub fn issues(&self, repository: &str) -> Vec<Value> {
        let found = self.ask("GET", &format!("/repos/{repository}/issues?state=open"), &json!({}));
        found.as_array().unwrap_or_else(|| panic!("{found}")).clone()
    }
}

/// See the module.
pub struct Team {
    /// Who gives the commands, in the repository.
    pub operator: Operator,
    directory: tempfile::TempDir,
    secrets: Vec<String>,
}

/// What a team starts with.
pub struct Setup<'a> {
    /// The site file.
    pub site: &'a str,
    /// The values, which are encrypted.
    pub values: &'a str,
    /// The token of the account.
    pub token: &'a str,
    /// A directory whose programs are found before others; empty for none.
    pub programs: &'a str,
    /// More variables.
    pub variables: &'a [(&'a str, &'a str)],
    /// More secrets that must be told nowhere.
    pub secrets: &'a [&'a str],
}

impl Team {
    /// In a repository of its own.
    pub fn new(cluster: &Cluster, setup: &Setup) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("team");
        let key = directory.path().join("key.txt");
        sealed::make_key(&key);
        let operator = Operator::at(&home, setup.site)
            .with("HOME", directory.path())
            .with("SOPS_AGE_KEY_FILE", &key)
            .with("RAILHEAD_TOKEN", setup.token)
            .with("RAILHEAD_CA", cluster.authority());
        // Behind the door of the cluster, which sets these itself.
        let path = std::iter::once(setup.programs.to_owned()).filter(|first| !first.is_empty());
        let path: Vec<String> = path.chain(tools_path()).collect();
        let mut words = vec![format!("PATH={}", path.join(":"))];
        words.extend(setup.variables.iter().map(|(name, value)| format!("{name}={value}")));
        let operator = operator.by(&Program::find("env"), words).inside(cluster);
        let secrets = [setup.token, FORGE_PASSWORD]
            .iter()
            .chain(setup.secrets)
            .map(|secret| (*secret).to_owned())
            .collect();
        let team = Self { operator, directory, secrets };
        fs::create_dir(home.join("helm")).unwrap();
        team.encrypt(VALUES_FILE, setup.values);
        team.git(&["init", "--quiet", "--initial-branch=main"]);
        team
    }

    /// Runs the command, which says no secret and keeps none, whatever it is asked.
    #[track_caller]
    pub fn run(&self, words: &[&str]) -> Outcome {
        self.silent(self.operator.run(words))
    }

    /// The same with another token.
    #[track_caller]
    pub fn run_as(&self, token: &str, words: &[&str]) -> Outcome {
        self.silent(self.operator.clone().with("RAILHEAD_TOKEN", token).run(words))
    }

    /// The same without the key of the encrypted file.
    #[track_caller]
    pub fn run_without_key(&self, words: &[&str]) -> Outcome {
        self.silent(self.operator.clone().with("SOPS_AGE_KEY_FILE", "/dev/null").run(words))
    }

    #[track_caller]
    fn silent(&self, outcome: Outcome) -> Outcome {
        let kept = self.operator.evidence_files();
        for said in [&outcome.stdout, &outcome.stderr].into_iter().chain(&kept) {
            assert!(self.secrets.iter().all(|secret| !said.contains(secret)), "a secret is told: {said}");
        }
        outcome
    }

    /// Writes what sops makes of `text`.
    pub fn encrypt(&self, name: &str, text: &str) {
        let encrypted = sealed::encrypt(&self.directory.path().join("key.txt"), text);
        fs::write(self.path(name), encrypted).unwrap();
    }

    /// A path in the repository.
    pub fn path(&self, name: &str) -> PathBuf {
        self.operator.path(name)
    }

    /// A file of the repository.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// git in the repository.
    pub fn git(&self, words: &[&str]) -> String {
        let git = Program::find("git").within(&self.path("")).with("HOME", self.directory.path());
        git.with("GIT_CONFIG_COUNT", "0").run(words).ok().stdout
    }

    /// What the newest `enable --apply` came to.
    pub fn applied(&self) -> Value {
        self.operator.evidence("enable").pop().unwrap()["result"]["applied"].clone()
    }
}

/// Where programs are found.
fn tools_path() -> impl Iterator<Item = String> {
    let helm = Program::find("helm").path().parent().map(Path::to_path_buf).unwrap_or_default();
    [helm.display().to_string(), "/usr/sbin".to_owned(), "/usr/bin".to_owned(), "/bin".to_owned()].into_iter()
}

/// A Secret with the certificate of the cluster's hosts.
pub fn certificate(cluster: &Cluster, name: &str) -> Value {
    let read = |file: &str| fs::read_to_string(cluster.path(file)).unwrap();
    json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"name": name, "namespace": "default"},
        "stringData": {"tls.crt": read("pki/hosts.crt"), "tls.key": read("pki/hosts.key")}})
}
