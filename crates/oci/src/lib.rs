//! The language of the wire: what a client may write in a request and what a registry may answer.
//!
//! Names, tags, digests, descriptors, manifests, error bodies, challenges, scopes and ranges. Every type is parsed
//! at the edge and valid ever after. Nothing here does I/O.
//!
//! Sections cited as *spec* are those of `spec.md` of opencontainers/distribution-spec.

mod digest;
mod error;
mod manifest;
pub mod media;
mod name;
mod object;
mod path;
mod query;

pub use digest::{Algorithm, Digest, DigestError, Hasher};
pub use error::{ErrorBody, ErrorCode, ErrorEntry};
pub use manifest::{Manifest, ManifestError};
pub use media::ManifestKind;
pub use name::{NameError, Reference, ReferenceError, RepositoryName, Tag, TagError};
pub use path::{PathError, V2Path};
pub use query::{Query, QueryError, percent_encode};
