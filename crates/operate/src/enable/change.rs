//! A change: a file, what it is to say, who owns it, and how that differs from what is there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use railhead_doctor::Layer;
use serde::Serialize;
use similar::TextDiff;

/// Stands in the first line of every file that is written here. A file without it is somebody else's.
pub const MARK: &str = "Made by `railhead enable`";

/// Which part of the whole a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The values file.
    Overlay,
    /// The object that brings `/v2` to the forge.
    Route,
    /// The targets of make.
    Makefile,
}

/// Why a file cannot be compared or written.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else wrote it.
    #[error("{} is there, and was not made by this command", .0.display())]
    Foreign(PathBuf),
}

/// A file that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Which part it is.
    pub part: Part,
    /// What it does, in one line.
    pub what: String,
    /// Whose matter it is.
    pub layer: Layer,
    /// Who owns that layer, if the site says so.
    pub owner: Option<String>,
    /// The file.
    pub file: PathBuf,
    /// How the file changes, as `diff -u` writes it; empty when it is already there.
    pub diff: String,
    /// The whole text of the file.
    #[serde(skip)]
    pub text: String,
}

impl Change {
    /// What `text` in `file` changes.
    pub(super) fn new(
        part: Part,
        what: impl Into<String>,
        layer: Layer,
        owner: Option<&str>,
        file: &Path,
        text: String,
    ) -> Result<Self, ReplaceError> {
        let before = match fs::read_to_string(file) {
            Ok(before) => Some(before),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(ReplaceError::Read { path: file.to_owned(), source }),
        };
        if before.as_ref().is_some_and(|before| !is_ours(before)) {
            return Err(ReplaceError::Foreign(file.to_owned()));
        }
        Ok(Self {
            part,
            what: what.into(),
            layer,
            owner: owner.map(str::to_owned),
            file: file.to_owned(),
            diff: diff(file, before.as_deref(), &text),
            text,
        })
    }

    /// Whether the file says it already.
    pub fn is_there(&self) -> bool {
        self.diff.is_empty()
    }
}

/// Whether this command wrote a file with this text.
pub(super) fn is_ours(text: &str) -> bool {
    text.lines().next().is_some_and(|line| line.contains(MARK))
}

fn diff(file: &Path, before: Option<&str>, after: &str) -> String {
    let name = file.display().to_string();
    let old = if before.is_some() { name.as_str() } else { "/dev/null" };
    TextDiff::from_lines(before.unwrap_or_default(), after)
        .unified_diff()
        .context_radius(3)
        .header(old, &name)
        .to_string()
}
