//! Repeats login, pull and push with the programs that people use.
//!
//! Invariants: a program works in a directory of its own, with an authentication file of its own; the token goes to its
//! standard input; of the images in docker's engine, only those that this brought there are removed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::str::FromStr;
use std::time::Duration;

use railhead_client::Credentials;
use railhead_client::hops::Route;
use railhead_oci::Tag;
use secrecy::ExposeSecret as _;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::bench::{Bench, Checked, Record, Seen, Trouble};
use super::made::{Made, Stay};
use super::record::Verdict;
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
    /// Where docker's engine is, if the person's own settings say so.
    engine: Option<String>,
    version: String,
}

impl Bench<'_> {
    /// Repeats the proof with `program`, and notes its version.
    pub(super) async fn repeat(
        &self,
        record: &mut Record<'_>,
        program: Program,
        versions: &mut Vec<(String, String)>,
    ) {
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
                return;
            }
            Err(trouble) => {
                record.note(word, None, 0, Err(trouble));
                return;
            }
        };
        versions.push((word.to_owned(), repeat.version.clone()));
        let step = |act: &str| format!("{word} {act}");
        if repeat.account.is_some() && !record.step(&step("login"), None, repeat.login()).await {
            return;
        }
        let (from, to, tag) = match self.references(word).await {
            Ok(references) => references,
            Err(trouble) => {
                record.note(&step("push"), None, 0, Err(trouble));
                return;
            }
        };
        let own = repeat.own(&self.made, [&from, &to]).await;
        if !record.step(&step("pull"), None, repeat.pull(&from, "first")).await {
            return;
        }
        self.made.tag(Stay::Never, tag);
        if record.step(&step("push"), None, repeat.push(&from, &to, &own)).await {
            record.step(&step("pull again"), None, repeat.pull(&to, "again")).await;
        }
    }

    /// What a program pulls, what it pushes, and the tag of that, which has to be free.
    async fn references(&self, word: &str) -> Result<(String, String, Tag), Trouble> {
        let name = &self.plan.repository;
        let tag: Tag = format!("{}-{word}", self.plan.tag)
            .parse()
            .map_err(|error: railhead_oci::TagError| Trouble::new(error.to_string()))?;
        let root = self.plan.image.root().ok_or_else(|| Trouble::new("the image is empty"))?;
        if self.main().head_manifest(name, tag.as_str()).await?.is_some() {
            return Err(Trouble::of(format!("the tag {tag} is there already"), Verdict::Taken));
        }
        let image = format!("{}/{name}", self.plan.host);
        Ok((format!("{image}@{}", root.digest), format!("{image}:{tag}"), tag))
    }

    /// The program, or why it cannot be tried.
    async fn ready<'a>(
        &'a self,
        program: Program,
        home: &'a Path,
    ) -> Result<Result<Repeat<'a>, String>, Trouble> {
        let word = program.word();
        let Some(path) = find(word) else { return Ok(Err(format!("{word} is not here"))) };
        let is_direct = |route: &Route| route.connect.is_none() && route.url.authority() == self.plan.host;
        let Some(route) = self.ends.iter().map(|end| end.route).find(|route| is_direct(route)) else {
            let host = &self.plan.host;
            return Ok(Err(format!("{word} goes to {host} itself, and none of the routes does")));
        };
        let mut repeat = Repeat {
            program,
            path,
            home,
            host: &self.plan.host,
            account: self.plan.account.as_ref(),
            is_plain: !route.is_tls(),
            authority: None,
            engine: None,
            version: String::new(),
        };
        if let Some(ca) = &route.ca {
            let directory = home.join("certs");
            let copied =
                std::fs::create_dir(&directory).and_then(|()| std::fs::copy(ca, directory.join("ca.crt")));
            copied.map_err(|error| Trouble::new(format!("cannot copy {}: {error}", ca.display())))?;
            repeat.authority = Some(directory);
        }
        if program == Program::Docker {
            repeat.engine = engine(&repeat.path).await;
        }
        match repeat.asked_version().await {
            Ok(version) => repeat.version = version,
            Err(trouble) => return Ok(Err(format!("it does not work here: {}", trouble.detail))),
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
    async fn pull(&self, reference: &str, name: &str) -> Checked {
        match self.program {
            Program::Skopeo => {
                let (from, to) =
                    (format!("docker://{reference}"), format!("dir:{}", self.home.join(name).display()));
                self.act(&["copy"], "src", &[&from, &to]).await?;
            }
            Program::Docker | Program::Podman => self.act(&["pull"], "", &[reference]).await?,
        }
        Ok(Seen::ok(reference.to_owned()))
    }

    /// Pushes what was pulled as `from`, and removes `own` from the images here, else the next pull would have nothing to do.
    async fn push(&self, from: &str, to: &str, own: &[&str]) -> Checked {
        match self.program {
            Program::Skopeo => {
                let (from, to) =
                    (format!("dir:{}", self.home.join("first").display()), format!("docker://{to}"));
                self.act(&["copy"], "dest", &[&from, &to]).await?;
            }
            Program::Docker | Program::Podman => {
                self.run(&["tag", from, to], None).await?;
                self.act(&["push"], "", &[to]).await?;
                let words: Vec<&str> = ["image", "rm"].iter().chain(own).copied().collect();
                self.run(&words, None).await?;
            }
        }
        Ok(Seen::ok(to.to_owned()))
    }

    /// Those of the images that will be this proof's own. Docker's engine may have them before, and keeps them afterwards.
    async fn own<'r>(&self, made: &Made, references: [&'r str; 2]) -> Vec<&'r str> {
        let mut own = Vec::new();
        for reference in references {
            if self.program != Program::Docker {
                own.push(reference);
            } else if self.run(&["image", "inspect", "--format", "-", reference], None).await.is_err() {
                made.local(reference);
                own.push(reference);
            }
        }
        own
    }

    /// The engine's version of docker, the program's own of others.
    async fn asked_version(&self) -> Result<String, Trouble> {
        let words: &[&str] = match self.program {
            Program::Docker => &["version", "--format", "{{.Server.Version}}"],
            Program::Podman | Program::Skopeo => &["--version"],
        };
        let said = self.run(words, None).await?;
        let said = String::from_utf8_lossy(&said);
        // `podman version 5.4.2`
        Ok(said.split_whitespace().last().unwrap_or("unknown").to_owned())
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
        if output.status.success() { Ok(output.stdout) } else { Err(failed(last_line(&output.stderr))) }
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
        if let Some(engine) = &self.engine {
            command.env("DOCKER_HOST", engine);
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

/// Where the context of docker that the person uses has its engine. Settings of our own would hide it.
async fn engine(docker: &Path) -> Option<String> {
    let mut command = Command::new(docker);
    command.args(["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]);
    command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(LIMIT, command.output()).await.ok()?.ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    Some(said.trim().to_owned()).filter(|host| output.status.success() && !host.is_empty())
}

/// Removes these images from docker's engine, as far as they are there.
pub(super) async fn remove_local(references: &[String]) {
    let Some(docker) = find(Program::Docker.word()).filter(|_| !references.is_empty()) else { return };
    let mut command = Command::new(docker);
    command.args(["image", "rm"]).args(references);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    // One that is gone already is an error to docker.
    let _ = tokio::time::timeout(LIMIT, command.status()).await;
}
