//! What can go wrong with the catalog.
//!
//! The variants above [`Error::Full`] say something about what is stored, and callers act on them; the others say
//! that the catalog does not work.

use railhead_oci::{Digest, NameError, Tag};

use crate::sql::EngineError;

/// Why an operation of the catalog did not happen. When it is returned, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was to be changed is not there. Look-ups answer `None` instead.
    #[error("there is no {0}")]
    NotFound(String),
    /// What was to be made is there.
    #[error("there is already {0}")]
    AlreadyExists(String),
    /// The name of an owner cannot be the first part of a repository's name.
    #[error("'{name}' cannot be the name of an owner")]
    InvalidName {
        /// The name as it was given.
        name: String,
        /// What is wrong with it.
        source: NameError,
    },
    /// The owner has repositories and so cannot be deleted.
    #[error("owner '{0}' has repositories")]
    OwnerInUse(String),
    /// Another writer has moved the upload; `offset` is where it is now, in bytes.
    #[error("another request has moved the upload to offset {offset}")]
    UploadMoved {
        /// Bytes received so far.
        offset: u64,
    },
    /// The owner's quota does not allow it.
    #[error(transparent)]
    QuotaExceeded(#[from] QuotaExceeded),
    /// The manifest refers to what is not in its repository.
    #[error("the manifest refers to {} that the repository does not have, first {}", count(.0.len()), first(.0))]
    MissingReferences(Vec<Digest>),
    /// The tag exists with another digest and must not move.
    #[error("tag '{tag}' is frozen at {digest}")]
    TagFrozen {
        /// The tag.
        tag: Tag,
        /// What it names.
        digest: Digest,
    },
    /// The disk of the catalog is full.
    #[error("no space is left for the catalog while it was to {doing}")]
    Full {
        /// The act, as in "commit a blob".
        doing: &'static str,
        /// What the engine said.
        source: EngineError,
    },
    /// The database failed.
    #[error("the catalog could not {doing}")]
    Backend {
        /// The act, as in "commit a blob".
        doing: &'static str,
        /// What the engine said.
        source: EngineError,
    },
    /// A row holds what this program never writes.
    #[error("the catalog is damaged: {0}")]
    Corrupt(String),
    /// The database was written by a newer release.
    #[error(
        "the catalog has schema version {found}, and this release knows versions up to {known}; use a newer release"
    )]
    SchemaTooNew {
        /// The version in the database.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// The database is of an older release, and was to be left as it is.
    #[error(
        "the catalog has schema version {found}, and this release needs {known}; `railhead serve` of this release updates it"
    )]
    SchemaTooOld {
        /// The version in the database.
        found: i64,
        /// The version that this program needs.
        known: i64,
    },
    /// [`crate::Catalog::close`] was called, or the thread of the database ended.
    #[error("the catalog is closed")]
    Closed,
}

/// The owner's quota does not allow what was wanted. All numbers are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the owner's quota of {limit} bytes has no room for {wanted} more: {used} are used and {reserved} reserved by uploads"
)]
pub struct QuotaExceeded {
    /// The quota in force.
    pub limit: u64,
    /// Bytes of blobs and manifests that the owner has.
    pub used: u64,
    /// Bytes that other unfinished uploads have reserved.
    pub reserved: u64,
    /// Bytes that the operation would have added.
    pub wanted: u64,
}

/// The answer of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Says which act failed, once it is known.
    pub(crate) fn during(self, doing: &'static str) -> Self {
        match self {
            Self::Backend { source, .. } if source.is_full() => Self::Full { doing, source },
            Self::Backend { source, .. } => Self::Backend { doing, source },
            other => other,
        }
    }

    /// What the engine said, when the engine failed.
    pub(crate) const fn engine(&self) -> Option<&EngineError> {
        match self {
            Self::Backend { source, .. } | Self::Full { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<EngineError> for Error {
    fn from(source: EngineError) -> Self {
        Self::Backend { doing: "run a statement", source }
    }
}

fn count(digests: usize) -> String {
    if digests == 1 { "one digest".to_owned() } else { format!("{digests} digests") }
}

fn first(digests: &[Digest]) -> String {
    digests.first().map_or_else(String::new, ToString::to_string)
}
