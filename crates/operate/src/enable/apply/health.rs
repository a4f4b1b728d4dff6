//! Whether the forge does for people what it is there for: its pages, a login, a clone and a push, with the real git.
//!
//! A private repository is made for it and removed again. Invariants: the token reaches git in a variable and in no file; git
//! reads no configuration of this machine; what was made is removed, also when a step fails.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, StatusCode};
use railhead_client::{Answer, Credentials, Http, chain, full};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::enable::check::step;
use crate::programs::{find, last_line};
use crate::prove::{Outcome, Step};
use crate::secrets::Secrets;

/// The largest answer that is read.
const LARGEST: usize = 4 << 20;
/// How long git may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// A forge, and who asks it.
pub struct Forge<'a> {
    /// Where it is.
    pub http: &'a Http,
    /// Who logs in: the token needs the scopes `write:repository` and `write:user`.
    pub account: &'a Credentials,
    /// A file with authorities to trust.
    pub ca: Option<&'a Path>,
}

/// What is seen, or what is wrong.
type Seen = Result<String, String>;

impl Forge<'_> {
    /// Tries everything. `when` is as in "before".
    pub async fn health(&self, when: &str, note: &mut dyn FnMut(Step)) -> bool {
        let mut is_well = true;
        let mut tell = |name: &str, since: Instant, seen: &Seen| {
            let (outcome, detail) = match seen {
                Ok(detail) => (Outcome::Ok, detail),
                Err(detail) => (Outcome::Failed, detail),
            };
            is_well &= outcome == Outcome::Ok;
            let secrets = Secrets::new([(self.account.user.as_str(), &self.account.secret)]);
            note(step(&format!("{name} {when}"), since, outcome, secrets.clean(detail)));
        };
        let since = Instant::now();
        tell("browse", since, &self.browse().await);
        let since = Instant::now();
        let login = self.login().await;
        tell("login", since, &login);
        if login.is_ok() {
            let since = Instant::now();
            tell("clone and push", since, &self.git().await);
        }
        is_well
    }

    async fn browse(&self) -> Seen {
        let page = self.ask(Method::GET, "/explore/repos", None, false).await?;
        if !page.status.is_success() && !page.status.is_redirection() {
            return Err(format!(
                "the pages at {} answer {}; if the forge is elsewhere, name it as `git` in [release]",
                self.http.origin(),
                page.status
            ));
        }
        let version = self.ask(Method::GET, "/api/v1/version", None, true).await?;
        match read(&version)["version"].as_str() {
            Some(version) => Ok(format!("its pages are there; version {version}")),
            None => Err(format!("its version answers {}", said(&version))),
        }
    }

    async fn login(&self) -> Seen {
        let user = self.ask(Method::GET, "/api/v1/user", None, true).await?;
        match (user.status, read(&user)["login"].as_str()) {
            (StatusCode::OK, Some(login)) if login.eq_ignore_ascii_case(&self.account.user) => {
                Ok(format!("logged in as {login}"))
            }
            (StatusCode::OK, Some(login)) => {
                Err(format!("the token is of {login}, not of {}", self.account.user))
            }
            (StatusCode::FORBIDDEN, _) => Err(format!(
                "the token is answered with {}; it needs the scopes write:user and write:repository",
                said(&user)
            )),
            _ => Err(format!("the token is answered with {}", said(&user))),
        }
    }

    /// Makes a repository, clones, pushes, looks whether the push arrived, and removes the repository.
    async fn git(&self) -> Seen {
        let git = find("git").ok_or("the program git is not in the PATH")?;
        let mut random = [0; 6];
        getrandom::fill(&mut random).map_err(|error| error.to_string())?;
        let name: String =
            random.iter().fold("railhead-health-".to_owned(), |name, byte| format!("{name}{byte:02x}"));
        let wanted = json!({"name": name, "private": true, "auto_init": true, "default_branch": "main",
            "description": "Made by railhead enable to see whether git works; it removes it again."});
        let made = self.ask(Method::POST, "/api/v1/user/repos", Some(&wanted), true).await?;
        if made.status != StatusCode::CREATED {
            return Err(format!("a repository cannot be made: {}", said(&made)));
        }
        let owner = read(&made)["owner"]["login"].as_str().unwrap_or(&self.account.user).to_owned();
        let path = format!("/api/v1/repos/{owner}/{name}");
        let seen = self.round(&git, &owner, &name, &path).await;
        let removed = self.ask(Method::DELETE, &path, None, true).await;
        let removed = match removed {
            Ok(answer) if answer.status.is_success() => Ok(()),
            Ok(answer) => Err(said(&answer)),
            Err(why) => Err(why),
        };
        match (seen, removed) {
            (seen, Ok(())) => seen,
            (Ok(_), Err(why)) => Err(format!("the repository {owner}/{name} is left: {why}")),
            (Err(seen), Err(why)) => Err(format!("{seen}; and the repository {owner}/{name} is left: {why}")),
        }
    }

    async fn round(&self, git: &Path, owner: &str, name: &str, path: &str) -> Seen {
        let place = tempfile::tempdir().map_err(|error| error.to_string())?;
        let url = format!("{}/{owner}/{name}.git", self.http.origin());
        let clone = place.path().join("clone");
        self.run(git, place.path(), &["clone", "--quiet", &url, "clone"]).await?;
        std::fs::write(clone.join("railhead.txt"), name).map_err(|error| error.to_string())?;
        self.run(git, &clone, &["add", "railhead.txt"]).await?;
        self.run(git, &clone, &["commit", "--quiet", "--message", "See whether a push arrives"]).await?;
        let ours = self.run(git, &clone, &["rev-parse", "HEAD"]).await?;
        self.run(git, &clone, &["push", "--quiet", "origin", "HEAD:main"]).await?;
        let branch = self.ask(Method::GET, &format!("{path}/branches/main"), None, true).await?;
        match read(&branch)["commit"]["id"].as_str() {
            Some(theirs) if theirs == ours.trim() => {
                Ok("a repository was made, cloned, pushed to, and removed".to_owned())
            }
            Some(_) => Err("git says that it pushed, and the forge does not show the commit".to_owned()),
            None => Err(format!("the branch that was pushed cannot be read: {}", said(&branch))),
        }
    }

    async fn run(&self, git: &Path, place: &Path, words: &[&str]) -> Result<String, String> {
        let mut command = Command::new(git);
        command.args(words).current_dir(place).env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        let login = STANDARD.encode(format!("{}:{}", self.account.user, self.account.secret.expose_secret()));
        let settings = [
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_AUTHOR_NAME", "railhead"),
            ("GIT_AUTHOR_EMAIL", "railhead@localhost"),
            ("GIT_COMMITTER_NAME", "railhead"),
            ("GIT_COMMITTER_EMAIL", "railhead@localhost"),
            ("GIT_CONFIG_COUNT", "1"),
            ("GIT_CONFIG_KEY_0", "http.extraHeader"),
            ("LC_ALL", "C"),
        ];
        command.envs(settings).env("GIT_CONFIG_VALUE_0", format!("Authorization: Basic {login}"));
        command.env("HOME", place);
        if let Some(ca) = self.ca {
            let ca: PathBuf = std::path::absolute(ca).map_err(|error| error.to_string())?;
            command.env("GIT_SSL_CAINFO", ca);
        }
        command.stdin(Stdio::null()).kill_on_drop(true);
        let act = words.first().copied().unwrap_or_default();
        let output = tokio::time::timeout(PATIENCE, command.output())
            .await
            .map_err(|_| format!("git {act} takes longer than {} s", PATIENCE.as_secs()))?
            .map_err(|error| format!("git cannot be run: {error}"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(format!("git {act} fails: {}", last_line(&output.stderr)))
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        as_account: bool,
    ) -> Result<Answer, String> {
        let mut request = Request::builder().method(method).uri(path);
        if as_account {
            let mut token = HeaderValue::try_from(format!("token {}", self.account.secret.expose_secret()))
                .map_err(|_| "the token cannot be sent".to_owned())?;
            token.set_sensitive(true);
            request = request.header(AUTHORIZATION, token);
        }
        let bytes = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        let request = request
            .header(CONTENT_TYPE, "application/json")
            .body(full(bytes))
            .map_err(|error| error.to_string())?;
        self.http.ask(request, LARGEST).await.map_err(|error| chain(&error))
    }
}

fn read(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

fn said(answer: &Answer) -> String {
    let message = read(answer)["message"].as_str().map(|message| format!(": {message}")).unwrap_or_default();
    format!("{}{message}", answer.status)
}
