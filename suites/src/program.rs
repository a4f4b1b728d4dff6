//! Tools on this machine: finding them, running them with a time limit, keeping what they said.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long one run of a tool may take.
const LIMIT: Duration = Duration::from_mins(3);

/// A tool, with the environment in which its runs happen.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    first: Vec<OsString>,
    variables: Vec<(String, String)>,
    foreign: Vec<OsString>,
    directory: Option<PathBuf>,
}

impl Program {
    /// The tool called `name`: from `tools/install`'s directory, from where the system's packages put it, or from `PATH`.
    ///
    /// The system's directories come before `PATH` because a machine may shadow a packaged client by one of another version.
    pub fn find(name: &str) -> Self {
        let path = places().map(|dir| dir.join(name)).find(|path| path.is_file());
        let path = path.unwrap_or_else(|| panic!("CANNOT RUN: {name}: not found; run tools/install"));
        Self { path, first: Vec::new(), variables: Vec::new(), foreign: Vec::new(), directory: None }
    }

    /// The program at `path`.
    pub fn at(path: PathBuf) -> Self {
        assert!(path.is_file(), "CANNOT RUN: {}: not found", path.display());
        Self { path, first: Vec::new(), variables: Vec::new(), foreign: Vec::new(), directory: None }
    }

    /// The same tool, run in this directory.
    #[must_use]
    pub fn within(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_owned());
        self
    }

    /// The same tool with the variable `name` set in each of its runs.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.to_owned(), value.as_ref().to_str().unwrap().to_owned()));
        self
    }

    /// The same tool without the caller's variables that begin with `prefix`.
    #[must_use]
    pub fn without_any(mut self, prefix: &str) -> Self {
        let names = std::env::vars_os().map(|(name, _)| name);
        self.foreign.extend(names.filter(|name| name.to_string_lossy().starts_with(prefix)));
        self
    }

    /// The same tool, run by `runner`, which is given `words`, this program and its arguments.
    #[must_use]
    pub fn run_by<A: AsRef<OsStr>>(mut self, runner: &Path, words: impl IntoIterator<Item = A>) -> Self {
        let mut first: Vec<OsString> = words.into_iter().map(|word| word.as_ref().to_owned()).collect();
        first.push(self.path.into_os_string());
        first.append(&mut self.first);
        self.first = first;
        self.path = PathBuf::from(runner);
        self
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A command to build on: nothing of standard input.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(&self.path);
        command.args(&self.first).args(arguments).stdin(Stdio::null());
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        for name in &self.foreign {
            command.env_remove(name);
        }
        for (name, value) in &self.variables {
            command.env(name, value);
        }
        command
    }

    /// Runs it and waits for its end.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Outcome {
        finish(self.command(arguments), None)
    }

    /// Runs it with `input` on its standard input and waits for its end.
    pub fn run_with_input<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
        input: &str,
    ) -> Outcome {
        finish(self.command(arguments), Some(input))
    }
}

fn places() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let system = ["/usr/bin", "/usr/sbin"].map(PathBuf::from);
    std::iter::once(tools().join("bin")).chain(system).chain(path)
}

/// Where `tools/install` puts what it makes.
pub(crate) fn tools() -> PathBuf {
    if let Some(tools) = std::env::var_os("RAILHEAD_TOOLS") {
        return PathBuf::from(tools);
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    cache.unwrap_or_else(home).join("railhead-tools")
}

/// What one run of a tool came to.
pub struct Outcome {
    /// The program and its arguments.
    pub line: String,
    /// Whether it ended with exit code 0.
    pub success: bool,
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
}

impl Outcome {
    /// Fails the test unless the run succeeded.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.success, "failed: {self}");
        self
    }

    /// Fails the test unless the run failed with one of `words` in what it said, in any case of letters.
    ///
    /// The words tell a refusal from a crash: a tool that never reached the registry fails too.
    #[track_caller]
    pub fn refused(self, words: &[&str]) -> Self {
        assert!(!self.success, "succeeded, but had to be refused: {self}");
        let said = format!("{}{}", self.stdout, self.stderr).to_lowercase();
        assert!(
            words.iter().any(|word| said.contains(word)),
            "failed, but not with any of {words:?}: {self}"
        );
        self
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, stdout, stderr, took, .. } = self;
        write!(f, "{line}\n({} ms)\n--- stdout\n{stdout}\n--- stderr\n{stderr}", took.as_millis())
    }
}

fn finish(mut command: Command, input: Option<&str>) -> Outcome {
    let line = describe(&command);
    if input.is_some() {
        command.stdin(Stdio::piped());
    }
    let from = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.as_mut().unwrap_or_else(|error| panic!("cannot start {line}: {error}"));
    let stdout = collect(child.stdout.take().unwrap());
    let stderr = collect(child.stderr.take().unwrap());
    if let Some(input) = input {
        // A tool may refuse before it reads: what it says then is the result.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    }
    let success = wait(child, from + LIMIT).unwrap_or_else(|| {
        child.kill().unwrap();
        panic!("still running after {LIMIT:?}: {line}")
    });
    let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    let code = child.wait().unwrap().code();
    Outcome { line, success, code, stdout, stderr, took: from.elapsed() }
}

fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

fn collect(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Waits for the end of `child`: whether it succeeded, or `None` at the deadline.
pub(crate) fn wait(child: &mut Child, deadline: Instant) -> Option<bool> {
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status.success());
        }
        if Instant::now() > deadline {
            return None;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}
