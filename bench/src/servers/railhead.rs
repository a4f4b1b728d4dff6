//! Railhead as anybody runs it: access control, syncing and its default log, with a real account and token.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::{Recipe, output_of, version_in};
use crate::session::Login;

/// See the module.
pub struct Railhead;

impl Recipe for Railhead {
    /// The release build beside this program, unless `RAILHEAD_BIN` names another one.
    fn find(&self) -> Option<PathBuf> {
        let named = std::env::var_os("RAILHEAD_BIN").map(PathBuf::from);
        let program = named.or_else(|| Some(std::env::current_exe().ok()?.parent()?.join("railhead")))?;
        program.is_file().then(|| program.canonicalize().ok())?
    }

    fn version(&self, program: &Path) -> Result<String> {
        Ok(version_in(&output_of(&mut command(program, &["--version"]))?))
    }

    fn command(&self, program: &Path, home: &Path, address: SocketAddr) -> Result<Command> {
        let mut serve = command(program, &["serve", "--listen", &address.to_string()]);
        serve.arg("--data").arg(home.join("data"));
        Ok(serve)
    }

    fn enroll(&self, program: &Path, home: &Path) -> Result<Option<Login>> {
        let data = home.join("data");
        let mut create = command(program, &["user", "create", "bench", "--password-stdin", "--data"]);
        let mut child = create
            .arg(&data)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("cannot run railhead user create")?;
        let mut input = child.stdin.take().context("railhead user create has no input")?;
        input.write_all(b"correct horse battery staple\n").context("cannot give the password")?;
        drop(input);
        let status = child.wait().context("cannot wait for railhead user create")?;
        ensure!(status.success(), "railhead user create ended with {status}");

        let mut token = command(program, &["token", "create", "--user", "bench", "--quiet"]);
        token.args(["--scope", "pull", "--scope", "push", "--data"]).arg(&data).stderr(Stdio::inherit());
        let output = token.output().context("cannot run railhead token create")?;
        ensure!(output.status.success(), "railhead token create ended with {}", output.status);
        let secret = String::from_utf8(output.stdout).context("the token is not text")?.trim().to_owned();
        Ok(Some(Login { user: "bench".to_owned(), secret }))
    }
}

/// A command that only its arguments configure: no variable does, nor a `railhead.toml` where the benchmark is started.
fn command(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir("/");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RAILHEAD_") {
            command.env_remove(name);
        }
    }
    command
}
