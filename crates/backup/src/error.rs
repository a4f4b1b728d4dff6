//! What can go wrong with a backup.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

use railhead_oci::Digest;

/// A result of this room.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a backup could not be made, read or restored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No room is left at the place of the backups. What was written before stays, and the next backup goes on from it.
    #[error("there is no room left to {act}")]
    Full {
        /// The act, on what.
        act: String,
        /// What was said.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The place of the backups failed.
    #[error("cannot {act}")]
    Target {
        /// The act, on what.
        act: String,
        /// What was said.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The place of the backups has not kept what it was given.
    #[error("{file} was written, and {what}; this place does not keep what it is given")]
    Lied {
        /// The file.
        file: String,
        /// How that shows.
        what: String,
    },
    /// A file of a backup is missing or not what it was.
    #[error("{file} of the backup is damaged: {what}")]
    Damaged {
        /// The file.
        file: String,
        /// How that shows.
        what: String,
    },
    /// A file of a backup is not there.
    #[error("{file} of the backup is missing")]
    Missing {
        /// The file.
        file: String,
    },
    /// There is no backup.
    #[error("there is no backup at {place}")]
    Nothing {
        /// The place.
        place: String,
    },
    /// There is no backup of that name.
    #[error("there is no backup '{wanted}' at {place}")]
    Unknown {
        /// The name.
        wanted: String,
        /// The place.
        place: String,
    },
    /// A backup of a later release.
    #[error("backup {id} has format {found}; this release reads up to {known}")]
    Format {
        /// The backup.
        id: String,
        /// Its format.
        found: u32,
        /// The newest format that this release reads.
        known: u32,
    },
    /// Somebody else works there.
    #[error("{place} is in use by {holder}")]
    Locked {
        /// The place.
        place: String,
        /// Who.
        holder: String,
        /// The lock's file.
        file: String,
    },
    /// It is sealed, and no identity opens it.
    #[error("{file} is sealed, and none of the identities that were given opens it")]
    Sealed {
        /// The file.
        file: String,
    },
    /// A key is none.
    #[error("{what}")]
    Key {
        /// What is wrong, with which key.
        what: String,
    },
    /// A backup's signature is missing or wrong.
    #[error("backup {id} {what}")]
    Signature {
        /// The backup.
        id: String,
        /// What is wrong with its signature.
        what: String,
    },
    /// Where a backup was to be restored there is something already.
    #[error("the place to restore to is not empty: there is {what}")]
    NotEmpty {
        /// What is there.
        what: String,
    },
    /// What was to be restored or exported is not there.
    #[error("there is no {0}")]
    NotThere(String),
    /// Bytes of the registry that is backed up are not what their digest says.
    #[error("blob {digest} is damaged: {what}")]
    Source {
        /// The blob.
        digest: Digest,
        /// How that shows.
        what: String,
    },
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] railhead_catalog::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] railhead_blobs::Error),
    /// A registry failed.
    #[error(transparent)]
    Registry(#[from] railhead_client::Error),
    /// A scratch file failed.
    #[error("cannot {act} {}", path.display())]
    Scratch {
        /// The act.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What was to be written cannot be.
    #[error("cannot write the archive")]
    Archive(#[source] io::Error),
    /// The system has no random numbers.
    #[error("the system gives no random numbers")]
    Random(#[source] getrandom::Error),
    /// A thread ended before its work.
    #[error("the work was cut off")]
    CutOff,
}

impl Error {
    /// `act` completes "cannot …".
    pub(crate) fn io(act: impl Into<String>, source: io::Error) -> Self {
        let act = act.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::Full { act, source: source.into() }
            }
            _ => Self::Target { act, source: source.into() },
        }
    }

    pub(crate) fn damaged(file: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Damaged { file: file.into(), what: what.into() }
    }

    /// Whether a file of the backup is at fault, and not whatever reads or writes it.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Missing { .. })
    }
}
