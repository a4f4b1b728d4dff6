//! A site on a workstation: its file, its evidence, and `railhead` run there.

use std::fs;
use std::path::{Path, PathBuf};

use railhead_suites::{Outcome, Program, railhead};
use serde_json::Value;

/// A directory with a site file.
pub struct Place {
    directory: tempfile::TempDir,
    program: Program,
}

impl Place {
    /// A site whose registry is at `url` and is named `host`, with `more` of a site file.
    pub fn new(host: &str, url: &str, more: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("railhead.toml");
        let text = format!("[site]\nhost = \"{host}\"\n[routes.own]\nurl = \"{url}\"\n{more}");
        fs::write(&file, text).unwrap();
        let program = Program::at(railhead::binary()).without_any("RAILHEAD_").without_any("SOPS_");
        Self { directory, program: program.with("RAILHEAD_CONFIG", file) }
    }

    /// With a variable in every run.
    pub fn with(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.program = self.program.with(name, value);
        self
    }

    /// A file of it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A file's text.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs `railhead` with the words of `line`; `{}` in it is this directory.
    pub fn run(&self, line: &str, token: &str, input: &str) -> Outcome {
        let place = self.directory.path().to_str().unwrap();
        let words: Vec<String> = line.split_whitespace().map(|word| word.replace("{}", place)).collect();
        let program = if token.is_empty() {
            self.program.clone()
        } else {
            self.program.clone().with("RAILHEAD_TOKEN", token)
        };
        program.run_with_input(words, input)
    }

    /// Pushes a made image and leaves it there.
    pub fn publish(&self, image: &str, user: &str, token: &str) {
        self.run(&format!("prove {image} --user {user} --keep"), token, "").ok();
    }

    /// Every document of evidence; none has `secrets` in it.
    #[track_caller]
    pub fn evidence(&self, kind: &str, secrets: &[&str]) -> Vec<Value> {
        let directory = self.path("railhead-evidence");
        let mut files: Vec<PathBuf> =
            fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let mut found = Vec::new();
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            assert!(secrets.iter().all(|secret| !text.contains(secret)), "a secret is in {}", file.display());
            let document: Value = serde_json::from_str(&text).unwrap();
            if document["kind"] == kind {
                found.push(document);
            }
        }
        found
    }
}

/// Fails the test when one of `secrets` was said.
#[track_caller]
pub fn silent(outcome: Outcome, secrets: &[&str]) -> Outcome {
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(secrets.iter().all(|secret| !said.contains(secret)), "it says a secret: {outcome}");
    outcome
}

/// The permissions of a file.
pub fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
