//! Runs the binary as a person does, in a directory of its own.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses a part of it, and a helper that fails fails the test"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Its standard output; it must have worked.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// Its standard error; it must have failed with this code.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        assert_eq!(self.out, "", "a failure has no data");
        self.err
    }
}

/// A directory to run commands in.
pub struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// `railhead` with nothing of this process's settings.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_railhead"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("RAILHEAD_") {
                command.env_remove(name);
            }
        }
        command.current_dir(self.path()).stdin(Stdio::null());
        command
    }

    pub fn run(&self, line: &str) -> Ran {
        self.run_with(line, &[], "")
    }

    pub fn run_with(&self, line: &str, variables: &[(&str, &str)], input: &str) -> Ran {
        let mut command = self.command();
        command.args(line.split(' ')).envs(variables.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Who does not read its input is not to blame for closing it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Starts a server on the data directory `data`, and waits for its first words.
    pub fn serve(&self, flags: &str) -> Server {
        let mut command = self.command();
        command.args(["serve", "--data", "data", "--listen", "127.0.0.1:0", "--output", "json"]);
        command.args(flags.split(' ').filter(|flag| !flag.is_empty()));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut json = String::new();
        for line in BufReader::new(child.stdout.as_mut().unwrap()).lines() {
            json.push_str(&line.unwrap());
            if json.ends_with('}') {
                break;
            }
        }
        if json.is_empty() {
            let mut err = String::new();
            child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
            child.wait().unwrap();
            panic!("the server did not start: {err}");
        }
        let welcome: serde_json::Value = serde_json::from_str(&json).unwrap();
        let text =
            |name: &str| welcome.get(name).and_then(serde_json::Value::as_str).unwrap_or("").to_owned();
        Server {
            child,
            url: text("url"),
            token: text("admin_token"),
            socket: self.path().join("data/control.sock"),
        }
    }
}

/// A running server; it is killed when dropped.
pub struct Server {
    child: Child,
    pub url: String,
    pub token: String,
    pub socket: PathBuf,
}

impl Server {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as an operator does, and checks that it went well. Gives its log.
    pub fn stop(mut self) -> String {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{log}");
        log
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail when it was stopped already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
