//! How a backup looks at its place.
//!
//! ```text
//! snapshots/000007-20261125T224601Z.json       the manifest: what belongs to this backup; written last
//! snapshots/000007-20261125T224601Z.sig        its signature, where a key was given
//! parts/ab/abcd….gz                            records or lists, named by the SHA-256 of the file
//! blobs/sha256/ab/abcd…                        the bytes of a blob, named by its digest
//! sealed-0123456789abcdef/parts|blobs/….age    the same, sealed for a set of recipients
//! locks/….json                                 who is at work
//! ```
//!
//! Everything but `locks/` is written once and never changed. The digests are those of the content, sealed or not, so that a
//! restore ends in a comparison with what was backed up. Manifests and the lists of blobs are never sealed: they hold names of
//! owners and digests, and are what pruning and `verify` need when no identity is at hand.

use jiff::Timestamp;
use railhead_oci::Digest;
use serde::{Deserialize, Serialize};

use crate::seal::Recipient;

/// The version of the format.
pub const FORMAT: u32 = 1;
/// The directory of manifests.
pub const SNAPSHOTS: &str = "snapshots";

/// The manifest of a backup.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// [`FORMAT`].
    pub format: u32,
    /// Its name.
    pub id: String,
    /// Backups are ordered by it, and not by time: a clock can jump.
    pub number: u64,
    /// When it was begun.
    pub time: Timestamp,
    /// The release that made it.
    pub railhead: String,
    /// What was backed up.
    pub source: Source,
    /// For whom it is sealed; none is in the clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Seal>,
    /// What it consists of, besides blobs.
    pub parts: Vec<Part>,
    /// How much it is.
    pub counts: Counts,
    /// Blobs that it names and does not have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingBlob>,
}

/// What was backed up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Source {
    /// A registry's own data, with accounts.
    Data {
        /// What people call the registry.
        name: String,
    },
    /// What a registry serves, taken over its API: no accounts.
    Registry {
        /// `HOST[:PORT]`.
        host: String,
    },
}

impl Source {
    /// What people call it.
    pub fn name(&self) -> &str {
        match self {
            Self::Data { name } => name,
            Self::Registry { host } => host,
        }
    }
}

/// For whom a backup is sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// The recipients.
    pub recipients: Vec<String>,
    /// The directory that their files are in: other recipients have another one, so that what one opens is never taken for what
    /// another opens.
    pub directory: String,
}

impl Seal {
    /// For these recipients, in whatever order.
    pub fn of(recipients: &[Recipient]) -> Self {
        let mut recipients: Vec<String> = recipients.iter().map(ToString::to_string).collect();
        recipients.sort_unstable();
        recipients.dedup();
        let directory = format!("sealed-{}", &Digest::sha256(recipients.join("\n").as_bytes()).hex()[..16]);
        Self { recipients, directory }
    }
}

/// A file of records or a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// What is in it.
    pub kind: PartKind,
    /// Whose content it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The digest of the file, before it was sealed.
    pub digest: Digest,
    /// Its size in bytes, before it was sealed.
    pub size: u64,
    /// Its lines.
    pub records: u64,
}

/// What is in a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartKind {
    /// Owners, members and tokens.
    Accounts,
    /// What was done.
    Audit,
    /// Repositories of an owner.
    Content,
    /// All blobs: digest and size, one a line, in the order of their digests. Never sealed.
    Blobs,
}

impl PartKind {
    /// What people call it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Accounts => "the accounts",
            Self::Audit => "the audit",
            Self::Content => "the repositories of an owner",
            Self::Blobs => "the list of blobs",
        }
    }
}

/// How much a backup is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Users and organisations.
    pub owners: u64,
    /// Repositories.
    pub repositories: u64,
    /// Manifests.
    pub manifests: u64,
    /// Tags.
    pub tags: u64,
    /// Distinct blobs.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A blob that a backup names and does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingBlob {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Why.
    pub why: Absence,
}

/// Why a blob is not in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "reason")]
pub enum Absence {
    /// It was deleted from the registry while the backup ran.
    Deleted,
    /// The registry itself does not have it whole.
    Damaged {
        /// How that shows.
        what: String,
    },
}

impl Snapshot {
    /// The name of its manifest.
    pub fn file(id: &str) -> String {
        format!("{SNAPSHOTS}/{id}.json")
    }

    /// The name of its signature.
    pub fn signature_file(id: &str) -> String {
        format!("{SNAPSHOTS}/{id}.sig")
    }

    /// The name of a backup that begins now.
    pub fn id_of(number: u64, time: Timestamp) -> String {
        let stamp: String = format!("{time:.0}").chars().filter(|letter| !"-:".contains(*letter)).collect();
        format!("{number:06}-{stamp}")
    }

    /// The directory of its files, with a slash behind it if there is one.
    pub fn base(&self) -> String {
        base_of(self.sealed.as_ref())
    }

    /// The name of the file of a part.
    pub fn part_file(&self, part: &Part) -> String {
        let sealed = if part.kind == PartKind::Blobs { None } else { self.sealed.as_ref() };
        part_file(sealed, &part.digest)
    }

    /// The parts of a kind.
    pub fn of_kind(&self, kind: PartKind) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(move |part| part.kind == kind)
    }
}

pub(crate) fn base_of(sealed: Option<&Seal>) -> String {
    sealed.map_or_else(String::new, |seal| format!("{}/", seal.directory))
}

pub(crate) fn part_file(sealed: Option<&Seal>, digest: &Digest) -> String {
    let (base, hex, end) = (base_of(sealed), digest.hex(), end_of(sealed.is_some()));
    format!("{base}parts/{}/{hex}.gz{end}", &hex[..2])
}

/// The directory of a blob, and its name there.
pub(crate) fn blob_place(base: &str, digest: &Digest) -> (String, String) {
    let hex = digest.hex();
    let directory = format!("{base}blobs/{}/{}", digest.algorithm().name(), &hex[..2]);
    let end = end_of(!base.is_empty());
    (directory, format!("{hex}{end}"))
}

/// The name of the file of a blob.
pub(crate) fn blob_file(base: &str, digest: &Digest) -> String {
    let (directory, name) = blob_place(base, digest);
    format!("{directory}/{name}")
}

const fn end_of(sealed: bool) -> &'static str {
    if sealed { ".age" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_the_names_of_the_format() {
        let digest = Digest::sha256(b"x");
        let hex = digest.hex();
        assert_eq!(blob_file("", &digest), format!("blobs/sha256/{}/{hex}", &hex[..2]));
        let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p".parse().unwrap();
        let seal = Seal::of(&[recipient, recipient]);
        assert_eq!(seal.recipients.len(), 1);
        let base = base_of(Some(&seal));
        assert_eq!(blob_file(&base, &digest), format!("{base}blobs/sha256/{}/{hex}.age", &hex[..2]));
        assert_eq!(part_file(Some(&seal), &digest), format!("{base}parts/{}/{hex}.gz.age", &hex[..2]));
        let time = "2026-11-25T22:46:01.5Z".parse().unwrap();
        assert_eq!(Snapshot::id_of(7, time), "000007-20261125T224601Z");
    }
}
