//! What exists and who refers to what.
//!
//! One file a noun: [`Owner`], [`User`], [`Token`], [`Repository`], [`BlobRecord`], [`Upload`], [`StoredManifest`],
//! tags, the audit, settings. Every method of [`Catalog`] is one transaction, on SQLite and on Postgres alike; the
//! statements are written once (see `sql`).
//!
//! Invariants:
//! - A manifest's blobs and children are in its repository when it is put, and its blobs stay while it is there.
//! - A link that no manifest needs has a time when it may go (`collection`); an object that no blob has is written down
//!   until it is removed (`objects`), and no object is removed while somebody holds them (`holds`).
//! - What is in the trash is served to nobody, and its blobs stay until it ends (`trash`).
//! - A blob whose object was found missing or wrong is marked, and says what was found (`damage`).
//! - An owner's `used_bytes` is the size of the distinct blobs in its repositories plus that of their manifests.
//! - What was answered is on disk, except operations marked *volatile*: those survive the end of the process, and
//!   may be lost when the machine fails.
//! - A look-up of what is not there answers `None`; a change of it is [`Error::NotFound`].

mod audit;
mod blobs;
mod catalog;
mod collection;
mod contents;
mod damage;
mod error;
mod forge;
mod former_names;
mod holds;
mod id;
mod manifests;
mod members;
mod objects;
mod owners;
mod repositories;
mod scrub;
mod settings;
mod shares;
mod snapshot;
mod sql;
mod tags;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod time;
mod tokens;
mod trash;
mod uploads;
mod usage;
mod users;

pub use audit::{AuditEntry, AuditFilter, AuditRecord};
pub use blobs::{BlobCommitted, BlobRecord, LinkedBlob, NewBlob, Unlinked};
pub use catalog::{Catalog, Location};
pub use collection::{Amount, CollectedLinks, CollectionOutlook, DueLink};
pub use contents::{Growth, ManifestContents, RepositoryContents};
pub use damage::{BlobScope, BlobUse, Damage};
pub use error::{Error, QuotaExceeded, Result};
pub use forge::{ForgeFacts, ForgeRepository, Mirrored};
pub use former_names::FormerName;
pub use holds::Hold;
pub use id::{OwnerId, RandomError, RepositoryId, TokenId, UploadId, UploadIdError};
pub use manifests::{ManifestDeleted, ManifestPut, ManifestSummary, NewManifest, Referrer, StoredManifest};
pub use members::{Member, Membership, Role};
pub use objects::ForgottenObject;
pub use owners::{Limit, Owner, OwnerKind};
pub use repositories::{Repository, RepositoryFilter, Visibility};
pub use scrub::ScrubRound;
pub use shares::{Discrepancy, OwnerShare, RepositoryShare};
pub use snapshot::{
    AccountRecord, AuditItem, BlobLink, Entry, FormerTag, Hidden, ManifestRecord, MemberRecord, OwnerRecord,
    Record, RepositoryBatch, RepositoryRecord, TagItem, TokenRecord, TrashBatch, TrashRunRecord,
    TrashedManifest, TrashedTag,
};
pub use sql::EngineError;
pub use tags::{TagHistory, TagRecord, TagsPage};
pub use time::{Timestamp, TimestampError};
pub use tokens::{NewToken, Token, TokenHolder, TokenUse};
pub use trash::{Emptied, Loss, LostManifest, TrashEntry, TrashId, TrashRun, Trashed, Undone, Untrash};
pub use uploads::{NewUpload, Upload, UploadState};
pub use usage::{NearQuota, Usage};
pub use users::User;
