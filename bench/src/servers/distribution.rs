//! distribution, version 2 as Debian has it and version 3: without access control, files on disk, its default log.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::{Recipe, find_program, output_of, version_in};

/// See the module.
pub struct Distribution {
    /// Name of the program: `registry` or `docker-registry`.
    pub program: &'static str,
}

impl Recipe for Distribution {
    fn find(&self) -> Option<PathBuf> {
        find_program(self.program)
    }

    fn version(&self, program: &Path) -> Result<String> {
        Ok(version_in(&output_of(Command::new(program).arg("--version"))?))
    }

    fn command(&self, program: &Path, home: &Path, address: SocketAddr) -> Result<Command> {
        let file = home.join("config.yml");
        let configuration = format!(
            "version: 0.1
storage:
  cache: {{blobdescriptor: inmemory}}
  filesystem: {{rootdirectory: {}}}
  delete: {{enabled: true}}
http: {{addr: '{address}', secret: benchmark}}
",
            home.join("data").display()
        );
        fs::write(&file, configuration).with_context(|| format!("cannot write {}", file.display()))?;
        let mut command = Command::new(program);
        command.arg("serve").arg(&file).env("OTEL_TRACES_EXPORTER", "none");
        Ok(command)
    }
}
