//! The registry inside a Gitea, with its data in one file and a token of an account.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::{Recipe, find_program, output_of, version_in};
use crate::session::Login;

/// See the module.
pub struct Gitea;

impl Recipe for Gitea {
    fn find(&self) -> Option<PathBuf> {
        find_program("gitea")
    }

    fn version(&self, program: &Path) -> Result<String> {
        Ok(version_in(&output_of(Command::new(program).arg("--version"))?))
    }

    fn command(&self, program: &Path, home: &Path, address: SocketAddr) -> Result<Command> {
        let configuration = home.join("custom/conf");
        fs::create_dir_all(&configuration)
            .with_context(|| format!("cannot make {}", configuration.display()))?;
        let file = configuration.join("app.ini");
        // The secrets that Gitea adds at its first start must stay, or tokens would stop working.
        if !file.exists() {
            fs::write(&file, settings(program, home, address)?)
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        let mut web = command(program, home);
        web.arg("web");
        Ok(web)
    }

    fn enroll(&self, program: &Path, home: &Path) -> Result<Option<Login>> {
        let mut create = command(program, home);
        create.args(["admin", "user", "create", "--username", "bench", "--password", "Passw0rd!", "--email"]);
        output_of(create.args(["bench@forge.test", "--must-change-password=false"]))?;
        let mut token = command(program, home);
        token.args([
            "admin",
            "user",
            "generate-access-token",
            "--username",
            "bench",
            "--token-name",
            "bench",
        ]);
        let text = output_of(token.args(["--scopes", "write:package", "--raw"]))?;
        let secret = text
            .lines()
            .map(str::trim)
            .find(|line| line.len() == 40 && line.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .context("gitea printed no token")?;
        Ok(Some(Login { user: "bench".to_owned(), secret: secret.to_owned() }))
    }
}

fn command(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("GITEA_WORK_DIR", home).env("GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT", "true");
    command
}

fn settings(program: &Path, home: &Path, address: SocketAddr) -> Result<String> {
    let user = output_of(Command::new("id").arg("-un"))?;
    let directory = program.parent().context("gitea is in no directory")?;
    Ok(format!(
        "RUN_USER = {}
RUN_MODE = prod
[server]
STATIC_ROOT_PATH = {}
HTTP_ADDR = {}
HTTP_PORT = {}
ROOT_URL = http://{address}/
DISABLE_SSH = true
LFS_START_SERVER = false
OFFLINE_MODE = true
[database]
DB_TYPE = sqlite3
PATH = {}
[security]
INSTALL_LOCK = true
[log]
LEVEL = warn
[service]
DISABLE_REGISTRATION = true
",
        user.trim(),
        directory.join("gitea-static").display(),
        address.ip(),
        address.port(),
        home.join("gitea.db").display()
    ))
}
