//! Why a registry refuses or fails.

use railhead_catalog::QuotaExceeded;
use railhead_oci::{Digest, ManifestError, Tag};

/// A result of the registry.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something was not done. When it is returned, nothing that was there before has changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such repository.
    #[error("the repository does not exist")]
    RepositoryUnknown,
    /// No such owner, so no repository can be made for it.
    #[error("the owner does not exist")]
    OwnerUnknown,
    /// The repository does not have the blob.
    #[error("the repository has no blob {0}")]
    BlobUnknown(Digest),
    /// The blob is known, but its bytes are missing or not right. Pushing it again heals it.
    #[error("the stored bytes of blob {0} are damaged; pushing it again heals it")]
    BlobDamaged(Digest),
    /// A manifest of the repository refers to the blob.
    #[error("blob {blob} is in use by manifest {manifest}; delete the manifest first")]
    BlobInUse {
        /// The blob.
        blob: Box<Digest>,
        /// One manifest that refers to it.
        manifest: Box<Digest>,
    },
    /// The repository has no such manifest or tag.
    #[error("the repository has no manifest {0}")]
    ManifestUnknown(String),
    /// The bytes are not a manifest.
    #[error(transparent)]
    ManifestInvalid(#[from] ManifestError),
    /// The manifest is larger than the registry takes.
    #[error("the manifest has {size} bytes; this registry takes {limit}")]
    ManifestTooLarge {
        /// Its size in bytes, as far as it was read.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The manifest refers to what its repository does not have.
    #[error("the manifest refers to content that the repository does not have")]
    MissingReferences(Vec<Digest>),
    /// The tag exists and must not move.
    #[error("tag '{tag}' may not be overwritten; it names {digest}")]
    TagFrozen {
        /// The tag.
        tag: Tag,
        /// What it names.
        digest: Digest,
    },
    /// No such upload in this repository: it ended, expired, or never was.
    #[error("there is no such upload in this repository; start it again")]
    UploadUnknown,
    /// Another request is writing to the upload.
    #[error("another request is writing to this upload")]
    UploadBusy,
    /// The chunk does not start where the upload is.
    #[error("the chunk does not start at byte {offset}, where the upload is")]
    UploadOffset {
        /// Bytes received so far.
        offset: u64,
    },
    /// The content is not what the digest says.
    #[error("the content has digest {found}, not {expected}")]
    DigestMismatch {
        /// What the client said.
        expected: Box<Digest>,
        /// What the bytes are.
        found: Box<Digest>,
    },
    /// The blob is larger than the owner's limit.
    #[error("a blob of more than {limit} bytes is over the owner's limit for one layer")]
    LayerTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The owner's quota has no room.
    #[error(transparent)]
    Quota(QuotaExceeded),
    /// The disk is full.
    #[error("the registry's storage is full")]
    Full(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The catalog failed.
    #[error("the catalog failed")]
    Catalog(#[source] railhead_catalog::Error),
    /// The store failed.
    #[error("the store failed")]
    Store(#[source] railhead_blobs::Error),
    /// The system gives no random numbers.
    #[error(transparent)]
    Random(#[from] railhead_catalog::RandomError),
}

impl From<railhead_catalog::Error> for Error {
    fn from(error: railhead_catalog::Error) -> Self {
        use railhead_catalog::Error as Catalog;
        match error {
            Catalog::QuotaExceeded(exceeded) => Self::Quota(exceeded),
            Catalog::MissingReferences(digests) => Self::MissingReferences(digests),
            Catalog::TagFrozen { tag, digest } => Self::TagFrozen { tag, digest },
            Catalog::UploadMoved { offset } => Self::UploadOffset { offset },
            full @ Catalog::Full { .. } => Self::Full(Box::new(full)),
            other => Self::Catalog(other),
        }
    }
}

impl From<railhead_blobs::Error> for Error {
    fn from(error: railhead_blobs::Error) -> Self {
        match error {
            full @ railhead_blobs::Error::Full { .. } => Self::Full(Box::new(full)),
            other => Self::Store(other),
        }
    }
}
