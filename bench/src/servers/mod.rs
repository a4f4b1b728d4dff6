//! The servers under test. Each has a recipe that says where its program is, how it is configured and how a client
//! gets an account; everything else is the same for all of them, down to the URLs.

mod distribution;
mod forge;
mod gitea;
mod nginx;
mod railhead;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::content::Layer;
use crate::http::{Body, Connection};
use crate::process::Process;
use crate::session::{Login, Session};

/// A program that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// This project.
    Railhead,
    /// Static files, the floor.
    Nginx,
    /// distribution v3, `registry` as its project builds it.
    Distribution,
    /// `docker-registry` as Debian packages it, distribution 2.8.
    DockerRegistry,
    /// The registry inside a Gitea.
    Gitea,
    /// This project with the accounts of a Gitea instead of its own.
    RailheadForge,
}

impl Kind {
    /// Every kind, in the order of the table's columns.
    pub const ALL: [Self; 6] = [
        Self::Railhead,
        Self::Nginx,
        Self::Distribution,
        Self::DockerRegistry,
        Self::Gitea,
        Self::RailheadForge,
    ];
    /// Those that run when none is named.
    pub const USUAL: [Self; 5] =
        [Self::Railhead, Self::Nginx, Self::Distribution, Self::DockerRegistry, Self::Gitea];

    /// Its name in `--only`.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Railhead => "railhead",
            Self::Nginx => "nginx",
            Self::Distribution => "distribution",
            Self::DockerRegistry => "docker-registry",
            Self::Gitea => "gitea",
            Self::RailheadForge => "railhead-forge",
        }
    }

    /// How to get it, for a table without it.
    pub const fn source(self) -> &'static str {
        match self {
            Self::Railhead => "built by `cargo xtask bench`",
            Self::Nginx | Self::Distribution | Self::DockerRegistry => "`tools/install bench`",
            Self::Gitea | Self::RailheadForge => {
                "optional: put `gitea` and its `gitea-static` into the tools directory"
            }
        }
    }

    fn recipe(self) -> &'static dyn Recipe {
        match self {
            Self::Railhead => &railhead::Railhead,
            Self::Nginx => &nginx::Nginx,
            Self::Distribution => &distribution::Distribution { program: "registry" },
            Self::DockerRegistry => &distribution::Distribution { program: "docker-registry" },
            Self::Gitea => &gitea::Gitea,
            Self::RailheadForge => &forge::RailheadForge,
        }
    }
}

/// What differs from server to server.
trait Recipe {
    /// Where the program is, when it is there.
    fn find(&self) -> Option<PathBuf>;
    /// Its version in a few words.
    fn version(&self, program: &Path) -> Result<String>;
    /// Writes its configuration into `home` and says how to start it in the foreground.
    fn command(&self, program: &Path, home: &Path, address: SocketAddr) -> Result<Command>;
    /// A server that it needs, and where that listens. It is not measured.
    fn companion(&self, _home: &Path) -> Result<Option<(Command, SocketAddr)>> {
        Ok(None)
    }
    /// Makes an account `bench` on the running server; `None` when the server has no access control.
    fn enroll(&self, _program: &Path, _home: &Path) -> Result<Option<Login>> {
        Ok(None)
    }
}

/// A server with a home of its own, which may be running.
pub struct Server {
    /// Which one.
    pub kind: Kind,
    /// Its version.
    pub version: String,
    program: PathBuf,
    home: PathBuf,
    address: SocketAddr,
    login: Option<Login>,
    process: Option<Process>,
    companion: Option<Process>,
}

impl Server {
    /// The server of `kind` with its data under `home`; `None` when its program is not installed.
    pub fn find(kind: Kind, home: &Path) -> Result<Option<Self>> {
        let recipe = kind.recipe();
        let Some(program) = recipe.find() else { return Ok(None) };
        let home = home.join(kind.key());
        std::fs::create_dir_all(&home).with_context(|| format!("cannot make {}", home.display()))?;
        Ok(Some(Self {
            kind,
            version: recipe.version(&program)?,
            program,
            home,
            address: free_address()?,
            login: None,
            process: None,
            companion: None,
        }))
    }

    /// Starts it for the first time, makes the account, and starts it again, so that what follows finds it fresh.
    pub fn enroll(&mut self) -> Result<()> {
        self.start()?;
        self.login = self.kind.recipe().enroll(&self.program, &self.home)?;
        self.restart()
    }

    /// Ends it and starts it on the same data.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.start()
    }

    /// Ends it.
    pub fn stop(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), Process::stop)
    }

    /// Starts it and waits until it answers.
    pub fn start(&mut self) -> Result<()> {
        let path = if self.kind == Kind::Nginx { "/" } else { "/v2/" };
        self.start_until_answer(path).map(drop)
    }

    /// Starts it and asks for `path` until it is answered with 200 or 401; the time that took.
    pub fn start_until_answer(&mut self, path: &str) -> Result<Duration> {
        ensure!(self.process.is_none(), "{} is already running", self.kind.key());
        if self.companion.is_none()
            && let Some((command, address)) = self.kind.recipe().companion(&self.home)?
        {
            self.companion = Some(self.launch(command, "companion.log", address, "/v2/")?.0);
        }
        let command = self.kind.recipe().command(&self.program, &self.home, self.address)?;
        let (process, took) = self.launch(command, "output.log", self.address, path)?;
        self.process = Some(process);
        Ok(took)
    }

    /// Starts `command` and waits until what listens at `address` answers to `path`.
    fn launch(
        &self,
        mut command: Command,
        log: &str,
        address: SocketAddr,
        path: &str,
    ) -> Result<(Process, Duration)> {
        let log = self.home.join(log);
        let mut process = Process::start(&mut command, &log)?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").into_bytes();
        loop {
            if answers(address, &request) {
                let took = process.started.elapsed();
                return Ok((process, took));
            }
            process.check().with_context(|| format!("{}: see {}", self.kind.key(), log.display()))?;
            if process.started.elapsed() > Duration::from_mins(1) {
                bail!("{} does not answer after 60 s", self.kind.key());
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// Its running process.
    pub fn process(&self) -> Result<&Process> {
        self.process.as_ref().with_context(|| format!("{} is not running", self.kind.key()))
    }

    /// A client in `repository`.
    pub fn session(&self, repository: &str) -> Result<Session> {
        Session::open(self.address, repository, self.login.as_ref())
    }

    /// Whether it takes pushes.
    pub fn is_registry(&self) -> bool {
        self.kind != Kind::Nginx
    }

    /// Puts a file where nginx serves it under the URL `path`.
    pub fn place(&self, path: &str, bytes: &[u8]) -> Result<()> {
        nginx::place(&self.home, path, bytes)
    }

    /// Puts `layer` where nginx serves it under `path`: the very file of `origin` when it has one, else a copy.
    pub fn place_layer(&self, path: &str, layer: &Layer, origin: Option<&Self>) -> Result<()> {
        nginx::place_layer(&self.home, path, layer, origin.map(|server| server.home.as_path()))
    }
}

fn answers(address: SocketAddr, request: &[u8]) -> bool {
    let answer = Connection::open(address).and_then(|mut connection| {
        connection.send(request)?;
        connection.answer(Body::Count)
    });
    answer.is_ok_and(|answer| matches!(answer.status, 200 | 401))
}

/// A loopback address whose port nobody listens on.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no free port")?;
    listener.local_addr().context("no free port")
}

/// A program in the tools directory, else on the PATH, else where Debian keeps daemons.
fn find_program(name: &str) -> Option<PathBuf> {
    let directory = |variable| std::env::var_os(variable).map(PathBuf::from);
    let cache = directory("XDG_CACHE_HOME").or_else(|| Some(directory("HOME")?.join(".cache")));
    let tools = directory("RAILHEAD_TOOLS").or_else(|| Some(cache?.join("railhead-tools")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    tools
        .map(|tools| tools.join("bin"))
        .into_iter()
        .chain(std::env::split_paths(&path))
        .chain([PathBuf::from("/usr/sbin")])
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
}

/// What a command prints, both streams; an error when it fails.
fn output_of(command: &mut Command) -> Result<String> {
    let name = command.get_program().display().to_string();
    let output = command.output().with_context(|| format!("cannot run {name}"))?;
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} failed: {text}");
    Ok(text)
}

/// The first word of `text` that looks like `1.2`, perhaps behind a `v` or a slash.
fn version_in(text: &str) -> String {
    text.split(|byte: char| byte.is_whitespace() || byte == '/')
        .map(|word| word.trim_start_matches('v').trim_end_matches(','))
        .find(|word| word.contains('.') && word.starts_with(|byte: char| byte.is_ascii_digit()))
        .unwrap_or("of unknown version")
        .to_owned()
}
