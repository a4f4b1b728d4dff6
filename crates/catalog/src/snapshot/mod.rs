//! Everything the catalog knows, as records that do not depend on its database: read in one transaction, and written
//! into an empty catalog of either database.
//!
//! [`Catalog::snapshot`](crate::Catalog::snapshot) reads; the methods `restore_…` write. Rows keep the ids by which others
//! know them (owners, tokens, the audit); repositories and manifests get new ones. What is not in a snapshot: settings, as
//! the key that signs logins is one and a restored registry must not take the logins of another, and unfinished uploads.

mod read;
mod records;
mod restore;
mod trash;

pub use read::Entry;
pub use records::{
    AccountRecord, AuditItem, BlobLink, FormerTag, Hidden, ManifestRecord, MemberRecord, OwnerRecord, Record,
    RepositoryRecord, TagItem, TokenRecord, TrashRunRecord, TrashedManifest, TrashedTag,
};
pub use restore::RepositoryBatch;
pub use trash::TrashBatch;
