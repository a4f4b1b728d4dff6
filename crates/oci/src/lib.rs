//! The language of the wire: what a client may write in a request and what a registry may answer.
//!
//! Names, tags, digests, descriptors, manifests, error bodies, challenges, scopes and ranges. Every type is parsed
//! at the edge and valid ever after. Nothing here does I/O.
//!
//! Sections cited as *spec* are those of `spec.md` of opencontainers/distribution-spec.

mod challenge;
mod digest;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod list;
mod manifest;
pub mod media;
mod name;
mod object;
mod path;
mod pattern;
mod query;
mod range;
mod referrers;
mod scope;

pub use challenge::Challenge;
pub use digest::{Algorithm, Digest, DigestError, Hasher};
pub use error::{ErrorBody, ErrorCode, ErrorEntry};
pub use list::{ListQuery, ListQueryError, next_link, parse_next_link};
pub use manifest::{Manifest, ManifestError};
pub use media::ManifestKind;
pub use name::{NameError, Reference, ReferenceError, RepositoryName, Tag, TagError};
pub use path::{PathError, V2Path};
pub use pattern::{Pattern, PatternError};
pub use query::{Query, QueryError, percent_encode};
pub use range::{
    BlobRange, ContentRange, RangeError, Unsatisfiable, content_range, parse_upload_range, upload_range,
};
pub use referrers::{is_signature_tag, referrers_subject, referrers_tag};
pub use scope::{Action, Actions, Scope};
