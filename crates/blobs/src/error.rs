//! What can go wrong with bytes at rest.

use std::io;

use crate::{ObjectKey, StageId};

/// A result of a store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No object has this key.
    #[error("object {key} is not in the store")]
    Missing {
        /// The key asked for.
        key: ObjectKey,
    },
    /// The object is damaged: its size is not the one it was committed with.
    #[error("object {key} has {found} bytes and not {expected}")]
    WrongSize {
        /// The key asked for.
        key: ObjectKey,
        /// Its size in bytes, as the caller knows it.
        expected: u64,
        /// Its size in bytes, as the store has it.
        found: u64,
    },
    /// No object is staged under this id: it was committed, discarded, or never begun.
    #[error("nothing is staged as {id}")]
    NotStaged {
        /// The id asked for.
        id: StageId,
    },
    /// The staged object does not reach to where the caller wants to continue, read, or commit it.
    #[error("{id} has {found} bytes staged and not {expected}")]
    WrongOffset {
        /// The staged object.
        id: StageId,
        /// Where the caller thinks it ends, in bytes.
        expected: u64,
        /// Where it ends, in bytes.
        found: u64,
    },
    /// The range asked for does not lie within the content.
    #[error("bytes {start} to {end} do not lie within {size} bytes")]
    Range {
        /// First byte.
        start: u64,
        /// Behind the last byte.
        end: u64,
        /// Length of the content in bytes.
        size: u64,
    },
    /// The store has no room left, or its quota is used up. The store stays usable: nothing was taken of the write
    /// that failed.
    #[error("there is no room left to {act}")]
    Full {
        /// What was being done, on what.
        act: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file system failed.
    #[error("cannot {act}")]
    Io {
        /// What was being done, on what.
        act: String,
        /// What the system said.
        source: io::Error,
    },
    /// The object store at the other end of a network failed.
    #[error("cannot {act}")]
    Remote {
        /// What was being done, on what.
        act: String,
        /// What the store said.
        source: object_store::Error,
    },
    /// What the object store is to be reached with makes no sense.
    #[error("the object store cannot be used as it is configured")]
    Config(#[source] object_store::Error),
    /// The object store sent another number of bytes than it announced.
    #[error("the object store ended its answer {left} bytes early or late")]
    Length {
        /// How many bytes were still expected.
        left: u64,
    },
    /// The store cannot take content this long.
    #[error("{id} would be longer than the {max} bytes that the store takes")]
    TooLarge {
        /// The staged object.
        id: StageId,
        /// Greatest length in bytes.
        max: u64,
    },
    /// The store cannot read what it staged before this offset until it is committed, as S3 cannot.
    #[error("what is staged as {id} cannot be read before byte {from}")]
    Unreadable {
        /// The staged object.
        id: StageId,
        /// The first byte that can be read.
        from: u64,
    },
    /// The state that was kept beside an upload is not one of this store's.
    #[error("the stored state of {id} is damaged")]
    State {
        /// The staged object.
        id: StageId,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A thread of the runtime ended before its work, as happens at shutdown.
    #[error("the work of the store was cut off")]
    CutOff(#[source] tokio::task::JoinError),
}

impl Error {
    /// What is wrong with the object, when the failure says that it is damaged; `None` when it only says that the
    /// store cannot be asked.
    pub fn damage(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => Some("missing".to_owned()),
            Self::WrongSize { found, .. } => Some(format!("{found} bytes")),
            // A sector that cannot be read, or a file that was cut while it was read.
            Self::Io { source, .. }
                if source.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
                    || source.kind() == io::ErrorKind::UnexpectedEof =>
            {
                Some(format!("unreadable: {source}"))
            }
            _ => None,
        }
    }

    /// `act` completes "cannot …".
    pub(crate) fn io(act: String, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { act, source },
            _ => Self::Io { act, source },
        }
    }
}
