//! A person who runs the operator's commands: with a site file, a token in a variable, and evidence beside the file.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::cluster::Cluster;
use crate::program::{Outcome, Program};
use crate::railhead;

/// See the module.
#[derive(Clone)]
pub struct Operator {
    home: PathBuf,
    program: Program,
}

impl Operator {
    /// Writes the site file `site` into `home`, which is made.
    pub fn at(home: &Path, site: &str) -> Self {
        fs::create_dir_all(home).unwrap();
        let operator = Self::nobody(home);
        operator.site(site);
        operator
    }

    /// A person without any token, in a home that is there.
    pub fn nobody(home: &Path) -> Self {
        let program = Program::at(railhead::binary()).without_any("RAILHEAD_").without_any("SSL_CERT_");
        Self { home: home.to_owned(), program: program.within(home) }
    }

    /// Writes the site file again.
    pub fn site(&self, site: &str) {
        fs::write(self.home.join("railhead.toml"), site).unwrap();
    }

    /// Where the names and addresses of a cluster are reached, with its administrator's kubeconfig.
    #[must_use]
    pub fn inside(mut self, cluster: &Cluster) -> Self {
        self.program = cluster.inside(self.program);
        self
    }

    /// Run by `runner` with these words.
    #[must_use]
    pub fn by<A: AsRef<OsStr>>(mut self, runner: &Program, words: impl IntoIterator<Item = A>) -> Self {
        self.program = self.program.run_by(runner.path(), words);
        self
    }

    /// With a variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.program = self.program.with(name, value);
        self
    }

    /// A path in the home.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// The command line `words`, to be started.
    pub fn command<A: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = A>) -> Command {
        // The site file is found where it is run.
        self.program.command(words)
    }

    /// Runs it.
    pub fn run<A: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = A>) -> Outcome {
        self.program.run(words)
    }

    /// The evidence of a kind, the oldest first.
    pub fn evidence(&self, kind: &str) -> Vec<Value> {
        let files = self.evidence_files();
        let documents = files.iter().map(|text| serde_json::from_str::<Value>(text).unwrap());
        documents.filter(|document| document["kind"] == kind).collect()
    }

    /// All evidence as it is kept, in the order of the files' names.
    pub fn evidence_files(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.home.join("railhead-evidence")) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
    }
}
