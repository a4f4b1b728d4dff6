//! Repeats login, pull and push with the programs that people use.
//!
//! Invariants: a program works in a directory of its own, with an authentication file of its own; the token goes to its
//! standard input; of the images that a program has, only those that this made are removed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::str::FromStr;
use std::time::Duration;

use railhead_client::Credentials;
use railhead_oci::{Digest, Tag};
use secrecy::ExposeSecret as _;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::bench::{Bench, Checked, Record, Seen, Trouble};
use crate::programs::{find, last_line};

/// How long one run of a program may take.
const LIMIT: Duration = Duration::from_mins(10);

/// A program that pushes and pulls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// docker, by its engine.
    Docker,
    /// podman.
    Podman,
    /// skopeo.
    Skopeo,
}

impl Program {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Docker, Self::Podman, Self::Skopeo];

    /// What it is called.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Skopeo => "skopeo",
        }
    }
}

impl FromStr for Program {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|program| program.word() == text)
            .ok_or_else(|| "a proof can be repeated with docker, podman and skopeo".to_owned())
    }
}

/// A program in its own directory.
struct Repeat<'a> {
    program: Program,
    path: PathBuf,
    home: &'a Path,
    host: &'a str,
    account: Option<&'a Credentials>,
    /// The route is plain `http`.
    is_plain: bool,
    /// A directory with the authority to trust.
    authority: Option<PathBuf>,
}

impl Bench<'_> {
    /// Repeats the proof with `program`; the tag that it pushed, if it came so far.
    pub(super) async fn repeat(&self, record: &mut Record<'_>, program: Program) -> Option<Tag> {
        let word = program.word();
        let scratch = tempfile::Builder::new().prefix("railhead-with-").tempdir();
        let ready = async {
            let scratch =
                scratch.as_ref().map_err(|error| Trouble::new(format!("no scratch directory: {error}")))?;
            self.ready(program, scratch.path()).await
        };
        let repeat = match ready.await {
            Ok(Ok(repeat)) => repeat,
            Ok(Err(why)) => {
                record.note(word, None, 0, Ok(Seen::not_tried(why)));
                return None;
            }
            Err(trouble) => {
                record.note(word, None, 0, Err(trouble));
                return None;
            }
        };
        let step = |act: &str| format!("{word} {act}");
        if repeat.account.is_some() && !record.step(&step("login"), None, repeat.login()).await {
            return None;
        }
        let tag: Tag = format!("{}-{word}", self.plan.tag).parse().ok()?;
        let (Some(root), name) = (self.plan.image.root(), &self.plan.repository) else { return None };
        let [by_digest, by_tag] = [
            format!("{}/{name}@{}", self.plan.host, root.digest),
            format!("{}/{name}:{tag}", self.plan.host),
        ];
        if !record.step(&step("pull"), None, repeat.pull(&by_digest, "first", Some(root.digest))).await {
            return None;
        }
        let pushed = record.step(&step("push"), None, repeat.push(&by_digest, &by_tag)).await;
        if pushed {
            record.step(&step("pull again"), None, repeat.pull_again(&by_tag)).await;
        }
        pushed.then_some(tag)
    }

    /// The program, or why it cannot be tried.
    async fn ready<'a>(
        &'a self,
        program: Program,
        home: &'a Path,
    ) -> Result<Result<Repeat<'a>, String>, Trouble> {
        let word = program.word();
        let route = self.ends[0].route;
        let Some(path) = find(word) else { return Ok(Err(format!("{word} is not here"))) };
        if route.connect.is_some() || route.url.authority() != self.plan.host {
            return Ok(Err(format!("{word} cannot be sent anywhere but to {}", self.plan.host)));
        }
        let mut repeat = Repeat {
            program,
            path,
            home,
            host: &self.plan.host,
            account: self.plan.account.as_ref(),
            is_plain: !route.is_tls(),
            authority: None,
        };
        if let Some(ca) = &route.ca {
            let directory = home.join("certs");
            let copied =
                std::fs::create_dir(&directory).and_then(|()| std::fs::copy(ca, directory.join("ca.crt")));
            copied.map_err(|error| Trouble::new(format!("cannot copy {}: {error}", ca.display())))?;
            repeat.authority = Some(directory);
        }
        if program == Program::Docker
            && let Err(trouble) = repeat.run(&["version", "--format", "{{.Server.Version}}"], None).await
        {
            return Ok(Err(format!("no engine answers: {}", trouble.detail)));
        }
        Ok(Ok(repeat))
    }
}

impl Repeat<'_> {
    async fn login(&self) -> Checked {
        let Some(account) = self.account else { return Ok(Seen::not_tried("no account was given")) };
        let words = self.words(&["login"], &["-u", &account.user, "--password-stdin", self.host]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.run(&words, Some(account.secret.expose_secret())).await?;
        Ok(Seen::ok(format!("as {}", account.user)))
    }

    /// Pulls `reference`; skopeo into the directory `name`.
    async fn pull(&self, reference: &str, name: &str, digest: Option<Digest>) -> Checked {
        match self.program {
            Program::Skopeo => {
                let (from, to) =
                    (format!("docker://{reference}"), format!("dir:{}", self.home.join(name).display()));
                self.act(&["copy"], "src", &[&from, &to]).await?;
            }
            Program::Docker | Program::Podman => self.act(&["pull"], "", &[reference]).await?,
        }
        let mut seen = Seen::ok(reference.to_owned());
        seen.digest = digest;
        Ok(seen)
    }

    async fn push(&self, from: &str, to: &str) -> Checked {
        match self.program {
            Program::Skopeo => {
                let (from, to) =
                    (format!("dir:{}", self.home.join("first").display()), format!("docker://{to}"));
                self.act(&["copy"], "dest", &[&from, &to]).await?;
            }
            Program::Docker | Program::Podman => {
                self.run(&["tag", from, to], None).await?;
                let pushed = self.act(&["push"], "", &[to]).await;
                // Else the next pull would have nothing to do. What cannot be removed shows itself there.
                let _ = self.run(&["image", "rm", to, from], None).await;
                pushed?;
            }
        }
        Ok(Seen::ok(to.to_owned()))
    }

    async fn pull_again(&self, reference: &str) -> Checked {
        let seen = self.pull(reference, "again", None).await?;
        if self.program != Program::Skopeo {
            self.run(&["image", "rm", reference], None).await?;
        }
        Ok(seen)
    }

    async fn act(&self, verb: &[&str], side: &str, rest: &[&str]) -> Result<(), Trouble> {
        let mut words = self.words(verb, &[]);
        if !side.is_empty() {
            // Of a copy, each side has flags of its own.
            words = words.iter().map(|word| word.replacen("--", &format!("--{side}-"), 1)).collect();
        }
        let words: Vec<&str> = words.iter().map(String::as_str).chain(rest.iter().copied()).collect();
        self.run(&words, None).await.map(|_| ())
    }

    /// A verb with the flags that say whom to trust.
    fn words(&self, verb: &[&str], rest: &[&str]) -> Vec<String> {
        let mut words: Vec<String> = verb.iter().map(|word| (*word).to_owned()).collect();
        if self.program != Program::Docker {
            if self.is_plain {
                words.push("--tls-verify=false".to_owned());
            }
            if let Some(directory) = &self.authority {
                words.push(format!("--cert-dir={}", directory.display()));
            }
        }
        words.extend(rest.iter().map(|word| (*word).to_owned()));
        words
    }

    /// Runs it to its end; what it printed.
    async fn run(&self, words: &[&str], input: Option<&str>) -> Result<Vec<u8>, Trouble> {
        let what = format!("{} {}", self.program.word(), words.first().unwrap_or(&""));
        let failed = |why: String| Trouble::new(format!("{what}: {why}"));
        let mut command = self.command();
        command
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        if let Some(mut stdin) = child.stdin.take()
            && let Some(input) = input
        {
            // Who refuses before reading says so by how it ends.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        let ended = tokio::time::timeout(LIMIT, child.wait_with_output()).await;
        let output = ended
            .map_err(|_| failed(format!("it did not end within {} s", LIMIT.as_secs())))?
            .map_err(|error| failed(error.to_string()))?;
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(failed(last_line(&output.stderr))),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        for (name, below) in [
            ("HOME", "."),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_CACHE_HOME", "cache"),
            ("XDG_DATA_HOME", "data"),
            ("DOCKER_CONFIG", "docker"),
            ("REGISTRY_AUTH_FILE", "auth.json"),
        ] {
            command.env(name, self.home.join(below));
        }
        // A program needs no secret of ours but the one at its standard input.
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("RAILHEAD_"))
        {
            command.env_remove(name);
        }
        if self.program == Program::Podman {
            let place = |name: &str| OsString::from(self.home.join(name));
            command.args([
                "--storage-driver".into(),
                "vfs".into(),
                "--root".into(),
                place("storage"),
                "--runroot".into(),
                place("run"),
                "--tmpdir".into(),
                place("tmp"),
            ]);
        }
        command
    }
}
