//! A home directory for one client: no client of a test sees the settings and the credentials of the person who runs it.

use std::fs;
use std::path::{Path, PathBuf};

use railhead_suites::{Program, Registry};
use tempfile::TempDir;

pub struct Home {
    directory: TempDir,
    ca: PathBuf,
}

impl Home {
    /// A home whose programs trust the authority of `registry`.
    pub fn for_client_of(registry: &Registry) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("docker")).unwrap();
        Self { directory, ca: registry.ca().ca_file() }
    }

    /// The tool `name` in this home.
    pub fn program(&self, name: &str) -> Program {
        Program::find(name)
            .with("HOME", self.directory.path())
            .with("XDG_CONFIG_HOME", self.path("config"))
            .with("XDG_CACHE_HOME", self.path("cache"))
            .with("XDG_DATA_HOME", self.path("data"))
            .with("XDG_RUNTIME_DIR", self.directory.path())
            .with("DOCKER_CONFIG", self.path("docker"))
            .with("REGISTRY_AUTH_FILE", self.path("auth.json"))
            .with("SSL_CERT_FILE", &self.ca)
    }

    /// The path of `name` in this home.
    pub fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    /// The home itself.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}
