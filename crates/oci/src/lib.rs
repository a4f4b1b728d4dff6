//! The language of the wire: what a client may write in a request and what a registry may answer.
//!
//! Names, tags, digests, descriptors, manifests, error bodies, challenges, scopes and ranges. Every type is parsed
//! at the edge and valid ever after. Nothing here does I/O.
//!
//! Sections cited as *spec* are those of `spec.md` of opencontainers/distribution-spec.

mod digest;
mod name;

pub use digest::{Algorithm, Digest, DigestError, Hasher};
pub use name::{NameError, Reference, ReferenceError, RepositoryName, Tag, TagError};
