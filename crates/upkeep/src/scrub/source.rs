//! Where sound copies come from: another registry, a backup. Who they are is not this room's business.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use railhead_oci::{Digest, RepositoryName};

/// Why a source could not give what was asked.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// An answer that takes a while.
pub type Fetch<'a, T> = Pin<Box<dyn Future<Output = Result<T, SourceError>> + Send + 'a>>;

/// Something that may have the content of a blob.
pub trait Source: Debug + Send + Sync {
    /// What people call it.
    fn name(&self) -> String;

    /// Whether it has the same content under one repository's name and not under another's, as a registry does.
    fn is_by_repository(&self) -> bool {
        true
    }

    /// Begins to read a blob of `size` bytes that a repository has; `None` when it does not have it. What comes is not
    /// believed: it is hashed on its way in.
    fn open<'a>(
        &'a self,
        repository: &'a RepositoryName,
        digest: &'a Digest,
        size: u64,
    ) -> Fetch<'a, Option<Box<dyn Content>>>;
}

/// Content on its way.
pub trait Content: Send {
    /// The next piece; `None` behind the last.
    fn next(&mut self) -> Fetch<'_, Option<Bytes>>;
}
