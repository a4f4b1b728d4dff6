//! What a server runs, as valgrind sees it, and what the binary has.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::failure::Failure;
use crate::tools;

/// The functions of `binary`, by name, with their bytes.
pub fn symbols(binary: &Path) -> Result<BTreeMap<String, u64>, Failure> {
    let text = output(tools::command("nm").args(["--print-size", "--defined-only"]).arg(binary))?;
    let symbol = |line: &str| {
        let [_, size, kind, name] = line.split_whitespace().collect::<Vec<_>>()[..] else { return None };
        let size = u64::from_str_radix(size, 16).ok()?;
        matches!(kind, "t" | "T" | "w" | "W").then(|| (name.to_owned(), size))
    };
    Ok(text.lines().filter_map(symbol).collect())
}

/// The functions that a server runs from its start over a login, a push and a pull to its end.
pub fn functions(binary: &Path) -> Result<BTreeSet<String>, Failure> {
    let scratch = Scratch::new()?;
    let record = scratch.0.join("callgrind");
    let mut valgrind = tools::command("valgrind");
    valgrind
        .args(["--quiet", "--tool=callgrind", "--demangle=no", "--compress-strings=no"])
        .arg(format!("--callgrind-out-file={}", record.display()))
        .arg(binary)
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(scratch.0.join("data"))
        // The server knows no such setting.
        .env_remove("RAILHEAD_TOOLS");
    let mut server = Server::start(&mut valgrind)?;
    let (host, token) = server.greeting()?;
    let work = work(&scratch.0, &host, &token);
    server.end()?;
    work?;
    let text = std::fs::read_to_string(&record)
        .map_err(|error| Failure::Start(format!("reading {}", record.display()), error))?;
    let name = |line: &str| {
        let name = line.strip_prefix("fn=").or_else(|| line.strip_prefix("cfn="))?;
        // A function that calls itself has its depth behind it.
        let name = name.rsplit_once('\'').map_or(name, |(name, _)| name);
        Some(name.to_owned())
    };
    Ok(text.lines().filter_map(name).collect())
}

/// A push and a pull by a real client.
fn work(scratch: &Path, host: &str, token: &str) -> Result<(), Failure> {
    let crane = tools::find("crane")
        .ok_or_else(|| Failure::CannotRun("crane is missing; `tools/install suites` gets it".into()))?;
    let crane = |arguments: &[&str]| {
        let mut command = tools::command(&crane);
        command.args(arguments).env("DOCKER_CONFIG", scratch).stdout(Stdio::null());
        command
    };
    let layer = scratch.join("layer.tar");
    let pulled = scratch.join("pulled.tar").display().to_string();
    tools::run(Command::new("tar").arg("-cf").arg(&layer).arg("-C").arg(crate::root()).arg("docs"))?;
    let image = format!("{host}/admin/layout:v1");
    let mut login = crane(&["auth", "login", host, "-u", "admin", "--password-stdin"]);
    let mut child = spawn(login.stdin(Stdio::piped()))?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(token.as_bytes()).map_err(|error| Failure::Start("crane".into(), error))?;
    }
    wait(child, "crane auth login")?;
    tools::run(&mut crane(&["append", "--insecure", "-f", &layer.display().to_string(), "-t", &image]))?;
    tools::run(&mut crane(&["pull", "--insecure", &image, &pulled]))?;
    tools::run(&mut crane(&["digest", "--insecure", &image]))?;
    tools::run(&mut crane(&["ls", "--insecure", &format!("{host}/admin/layout")]))
}

/// A server under valgrind.
struct Server {
    child: Child,
    lines: BufReader<Box<dyn Read>>,
}

impl Server {
    fn start(command: &mut Command) -> Result<Self, Failure> {
        let mut child = spawn(command.stdout(Stdio::piped()))?;
        let none: Box<dyn Read> = Box::new(std::io::empty());
        let output = child.stdout.take().map_or(none, |output: ChildStdout| Box::new(output));
        Ok(Self { child, lines: BufReader::new(output) })
    }

    /// Its host and the token that it shows at its first start.
    fn greeting(&mut self) -> Result<(String, String), Failure> {
        let (mut host, mut line) = (None, String::new());
        loop {
            line.clear();
            let read =
                self.lines.read_line(&mut line).map_err(|error| Failure::Start("railhead".into(), error))?;
            if read == 0 {
                return Err(Failure::CannotRun("the server ended before it served".into()));
            }
            if let Some((_, found)) = line.trim().split_once("http://") {
                host.get_or_insert(found.to_owned());
            }
            if let (Some(host), true) = (&host, line.trim().starts_with("rh_")) {
                return Ok((host.clone(), line.trim().to_owned()));
            }
        }
    }

    fn end(mut self) -> Result<(), Failure> {
        tools::run(Command::new("kill").arg(self.child.id().to_string()))?;
        // Its last words have to be read, or it could wait for that for ever.
        let _ = self.lines.read_to_end(&mut Vec::new());
        let status = self.child.wait().map_err(|error| Failure::Start("valgrind".into(), error))?;
        if status.success() { Ok(()) } else { Err(Failure::Ended("valgrind".into(), status)) }
    }
}

fn spawn(command: &mut Command) -> Result<Child, Failure> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.spawn().map_err(|error| Failure::Start(program, error))
}

fn wait(mut child: Child, what: &str) -> Result<(), Failure> {
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::Ended(what.to_owned(), status)),
        Err(error) => Err(Failure::Start(what.to_owned(), error)),
    }
}

fn output(command: &mut Command) -> Result<String, Failure> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| Failure::Start(program.clone(), error))?;
    if !output.status.success() {
        return Err(Failure::Ended(program, output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A directory that is gone afterwards.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("railhead-layout-{}", std::process::id()));
        std::fs::create_dir(&path).map_err(|error| Failure::Start(path.display().to_string(), error))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
