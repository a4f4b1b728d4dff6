//! Evidence: one JSON document an act, in the site's directory, to be read by people, programs and `railhead report`.
//!
//! Invariants: a document is there as a whole or not at all; it is never changed afterwards; it holds no secret that the
//! writer knows of. The shape is [`SCHEMA`]: fields may be added to it, none changes its meaning.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::secrets::Secrets;

/// The version of the shape.
pub const SCHEMA: u32 = 1;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Every hop of every route was looked at.
    Doctor,
    /// Login, push and pull were tried.
    Proof,
    /// The page for the consuming team was written.
    Handoff,
    /// The page was compared with the world.
    HandoffCheck,
    /// A pull secret was made.
    PullSecret,
    /// A pull secret was used as a kubelet uses it.
    PullSecretCheck,
    /// A backup was made.
    Backup,
    /// A backup was restored to scratch, served, and pulled from.
    Drill,
    /// The registry of a forge was turned on, or was to be.
    Enable,
    /// Nodes of a cluster pulled.
    ClusterPull,
    /// What the cluster has around the registry was looked at.
    Inspection,
    /// All of a registry was moved to another one, and compared.
    Migration,
    /// What goes by the rules of retention was planned, or let go.
    Retention,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Doctor,
        Self::Proof,
        Self::Handoff,
        Self::HandoffCheck,
        Self::PullSecret,
        Self::PullSecretCheck,
        Self::Backup,
        Self::Drill,
        Self::Enable,
        Self::ClusterPull,
        Self::Inspection,
        Self::Migration,
        Self::Retention,
    ];

    /// The word in the document and in the file's name.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Doctor => "doctor",
            Self::Proof => "proof",
            Self::Handoff => "handoff",
            Self::HandoffCheck => "handoff-check",
            Self::PullSecret => "pull-secret",
            Self::PullSecretCheck => "pull-secret-check",
            Self::Backup => "backup",
            Self::Drill => "drill",
            Self::Enable => "enable",
            Self::ClusterPull => "cluster-pull",
            Self::Inspection => "inspection",
            Self::Migration => "migration",
            Self::Retention => "retention",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One act and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What was done.
    pub kind: Kind,
    /// When.
    pub time: Timestamp,
    /// `HOST[:PORT]` of the registry.
    pub host: String,
    /// Versions of the programs that took part, by name.
    pub versions: BTreeMap<String, String>,
    /// Whether all was as it should be.
    pub ok: bool,
    /// What came of it, in the shape of the act.
    pub result: Value,
}

impl Evidence {
    /// Evidence of an act that ended now.
    pub fn new(
        kind: Kind,
        host: impl Into<String>,
        ok: bool,
        result: &impl Serialize,
    ) -> Result<Self, EvidenceError> {
        let result = serde_json::to_value(result).map_err(EvidenceError::Shape)?;
        let versions = [("railhead".to_owned(), env!("CARGO_PKG_VERSION").to_owned())].into();
        Ok(Self { schema: SCHEMA, kind, time: Timestamp::now(), host: host.into(), versions, ok, result })
    }

    /// With the versions of other programs.
    #[must_use]
    pub fn with_versions(mut self, more: impl IntoIterator<Item = (String, String)>) -> Self {
        self.versions.extend(more);
        self
    }
}

/// Why evidence cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The result has no JSON.
    #[error("the evidence cannot be written as JSON")]
    Shape(#[source] serde_json::Error),
    /// The system refused.
    #[error("cannot {act} {}", path.display())]
    Io {
        /// The act.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not what was written.
    #[error("{} is not a document of evidence", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A file is of a later release.
    #[error("{} has the schema {found}; this release reads up to {SCHEMA}", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u32,
    },
    /// A secret stands in it.
    #[error("the {kind} holds a secret, so it was not written; this is a mistake of Railhead")]
    Secret {
        /// What was to be written.
        kind: Kind,
    },
}

/// The directory of a site's evidence.
#[derive(Clone, Debug)]
pub struct Archive(PathBuf);

impl Archive {
    /// The directory at `path`; it is made by the first document.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Keeps a document; where it is.
    pub fn write(&self, evidence: &Evidence, secrets: &Secrets) -> Result<PathBuf, EvidenceError> {
        let mut text = serde_json::to_string_pretty(evidence).map_err(EvidenceError::Shape)?;
        text.push('\n');
        if secrets.stand_in(&text) {
            return Err(EvidenceError::Secret { kind: evidence.kind });
        }
        fs::create_dir_all(&self.0).map_err(failed("make the directory", &self.0))?;
        let path = self.0.join(format!("{}-{}.json", evidence.kind, stamp(evidence.time)));
        write_whole(&path, text.as_bytes())?;
        Ok(path)
    }

    /// The newest document of a kind, of `host` if one is given.
    pub fn newest(
        &self,
        kind: Kind,
        host: Option<&str>,
    ) -> Result<Option<(PathBuf, Evidence)>, EvidenceError> {
        self.history(kind, host).next().transpose()
    }

    /// The documents of a kind, of `host` if one is given, the newest first. Each is read when it is asked for.
    pub fn history<'a>(
        &self,
        kind: Kind,
        host: Option<&'a str>,
    ) -> impl Iterator<Item = Result<(PathBuf, Evidence), EvidenceError>> + 'a {
        let (files, failed) = match self.files(kind) {
            Ok(files) => (files, None),
            Err(error) => (Vec::new(), Some(Err(error))),
        };
        let documents = files.into_iter().rev().map(|path| read(&path).map(|evidence| (path, evidence)));
        let here = move |document: &Result<(PathBuf, Evidence), EvidenceError>| match document {
            Ok((_, evidence)) => host.is_none_or(|host| host == evidence.host),
            Err(_) => true,
        };
        failed.into_iter().chain(documents.filter(here))
    }

    /// The files of a kind, the oldest first.
    pub fn files(&self, kind: Kind) -> Result<Vec<PathBuf>, EvidenceError> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed("read the directory", &self.0)(error)),
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed("read the directory", &self.0))?;
            if entry.file_name().to_str().is_some_and(|name| is_of(kind, name)) {
                files.push(entry.path());
            }
        }
        files.sort();
        Ok(files)
    }
}

/// A time as it stands in a file's name; names with it sort by time.
pub(crate) fn stamp(time: Timestamp) -> String {
    format!("{time:.3}").chars().filter(|letter| !"-:".contains(*letter)).collect()
}

/// `handoff-check-….json` is not of the kind `handoff`: behind the kind stands a year.
fn is_of(kind: Kind, name: &str) -> bool {
    let rest = name.strip_suffix(".json").and_then(|name| name.strip_prefix(kind.word()));
    rest.and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|stamp| stamp.starts_with(|c: char| c.is_ascii_digit()))
}

/// Reads a document.
pub(crate) fn read(path: &Path) -> Result<Evidence, EvidenceError> {
    #[derive(Deserialize)]
    struct Version {
        schema: u32,
    }
    let damaged = |source| EvidenceError::Damaged { path: path.to_owned(), source };
    let text = fs::read(path).map_err(failed("read", path))?;
    let Version { schema: found } = serde_json::from_slice(&text).map_err(damaged)?;
    if found > SCHEMA {
        return Err(EvidenceError::Schema { path: path.to_owned(), found });
    }
    serde_json::from_slice(&text).map_err(damaged)
}

/// Writes a file that others may read, as a whole or not at all, and replaces one of that name.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), EvidenceError> {
    write_whole_as(path, bytes, 0o644)
}

/// As [`write_whole`], with these permissions.
pub fn write_whole_as(path: &Path, bytes: &[u8], mode: u32) -> Result<(), EvidenceError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = directory.join(format!(".{name}.{}", std::process::id()));
    let written = create(&unfinished, bytes, mode).and_then(|()| fs::rename(&unfinished, path));
    if let Err(error) = written {
        // What failed first is what there is to say.
        let _ = fs::remove_file(&unfinished);
        return Err(failed("write", path)(error));
    }
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed("sync", directory))
}

fn create(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The error of an act on a file.
pub(crate) fn failed(act: &'static str, path: &Path) -> impl Fn(io::Error) -> EvidenceError {
    let path = path.to_owned();
    move |source| EvidenceError::Io { act, path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn evidence(kind: Kind, host: &str, time: &str) -> Evidence {
        let mut evidence = Evidence::new(kind, host, true, &serde_json::json!({"digest": "x"})).unwrap();
        evidence.time = time.parse().unwrap();
        evidence
    }

    #[test]
    fn the_newest_of_a_kind_and_a_host_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let archive = Archive::new(directory.path().join("a/b"));
        assert_eq!(archive.newest(Kind::Proof, None).unwrap(), None);
        for (kind, host, time) in [
            (Kind::Proof, "a.example", "2026-07-01T12:00:00.7Z"),
            (Kind::Proof, "b.example", "2026-07-01T12:00:00.71Z"),
            (Kind::Proof, "a.example", "2025-12-31T23:59:59Z"),
            (Kind::HandoffCheck, "a.example", "2027-01-01T00:00:00Z"),
        ] {
            let path = archive.write(&evidence(kind, host, time), &Secrets::default()).unwrap();
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o644);
        }
        let found = |kind, host| {
            let found = archive.newest(kind, host).unwrap();
            found.map(|(path, evidence)| (path.file_name().unwrap().to_owned(), evidence.host))
        };
        let (name, host) = found(Kind::Proof, Some("a.example")).unwrap();
        assert_eq!((name.to_str().unwrap(), host.as_str()), ("proof-20260701T120000.700Z.json", "a.example"));
        assert_eq!(found(Kind::Proof, None).unwrap().1, "b.example");
        assert_eq!(found(Kind::Handoff, None), None);
        assert!(found(Kind::HandoffCheck, None).is_some());
    }

    #[test]
    fn a_secret_is_not_written_and_damage_is_not_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        let archive = Archive::new(directory.path());
        let mut document = evidence(Kind::Proof, "a", "2026-07-01T12:00:00Z");
        document.result = "and said: geheim123".into();
        let secrets = Secrets::new([("kim", &"geheim123".to_owned().into())]);
        assert!(matches!(archive.write(&document, &secrets), Err(EvidenceError::Secret { .. })));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        fs::write(directory.path().join("proof-2026.json"), "{").unwrap();
        let error = archive.newest(Kind::Proof, None).unwrap_err();
        assert!(error.to_string().contains("proof-2026.json"), "{error}");
        fs::write(directory.path().join("proof-2026.json"), "{\"schema\": 2}").unwrap();
        let error = archive.newest(Kind::Proof, None).unwrap_err();
        assert!(error.to_string().contains("schema 2"), "{error}");
    }
}
