//! The records. Their JSON is a part of the format of backups: fields may be added, none changes its meaning.

use std::fmt;

use railhead_oci::{Digest, RepositoryName, Tag};
use serde::{Deserialize, Serialize};

use crate::sql::Row;
use crate::{Error, Limit, OwnerId, OwnerKind, Result, Role, Timestamp, TokenId, TrashId, Visibility};

/// One thing that the catalog knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// A user or an organisation.
    Owner(OwnerRecord),
    /// A membership.
    Member(MemberRecord),
    /// A token.
    Token(TokenRecord),
    /// An act that was recorded.
    Audit(AuditItem),
    /// A repository; the content that follows is in it.
    Repository(RepositoryRecord),
    /// A blob of the repository.
    Blob(BlobLink),
    /// A manifest of the repository.
    Manifest(ManifestRecord),
    /// A tag of the repository.
    Tag(TagItem),
    /// What a tag of the repository named before.
    FormerTag(FormerTag),
    /// A run of retention that took something of the repository; what it took follows.
    TrashRun(TrashRunRecord),
    /// A manifest in the trash of the repository.
    TrashedManifest(TrashedManifest),
    /// A tag in the trash of the repository.
    TrashedTag(TrashedTag),
}

/// A text that no error, log or debug output shows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A user or an organisation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OwnerRecord {
    /// Its id.
    pub id: OwnerId,
    /// As it is written.
    pub name: String,
    /// What it is.
    pub kind: OwnerKind,
    /// Bytes that all of it may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<Limit>,
    /// Bytes that one blob may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer_limit: Option<Limit>,
    /// When it was made.
    pub created_at: Timestamp,
    /// How it logs in; a user has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountRecord>,
    /// Its number on the forge, where it is a user or an organisation of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forge_id: Option<i64>,
    /// Names that it had on the forge before, in lower case, each with when it ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_names: Vec<(String, Timestamp)>,
}

/// How a user logs in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccountRecord {
    /// The password's hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<Hidden>,
    /// Whether the user administers the whole registry.
    pub admin: bool,
    /// Whether the user is shut out.
    pub disabled: bool,
}

/// A membership.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberRecord {
    /// The organisation.
    pub organisation: OwnerId,
    /// The user.
    pub user: OwnerId,
    /// What the user may do there.
    pub role: Role,
}

/// A token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// Its id.
    pub id: TokenId,
    /// Whose it is.
    pub user: OwnerId,
    /// What its user calls it.
    pub name: String,
    /// SHA-256 of its secret, in hexadecimal.
    pub secret_hash: Hidden,
    /// What it may do, as JSON.
    pub scopes: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it counts no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// When it was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
    /// From where it was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_from: Option<String>,
}

/// An act that was recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditItem {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<OwnerId>,
    /// The token that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenId>,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What was done.
    pub action: String,
    /// To what.
    pub target: String,
    /// How it ended.
    pub outcome: String,
    /// More, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryRecord {
    /// Its whole name.
    pub name: RepositoryName,
    /// Who may pull.
    pub visibility: Visibility,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether the forge says who may pull, as nobody has set it here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub follows_forge: bool,
}

/// A blob of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobLink {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Since when the repository has it.
    pub linked_at: Timestamp,
}

/// A manifest of a repository. What it refers to is read out of it when it is restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestRecord {
    /// The digest of its bytes.
    pub digest: Digest,
    /// The `Content-Type` it was pushed with.
    pub media_type: String,
    /// When it was last pushed.
    pub pushed_at: Timestamp,
    /// When it was last pulled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pulled_at: Option<Timestamp>,
    /// Its exact bytes: a manifest is JSON, so they are text.
    pub content: String,
}

/// A tag of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagItem {
    /// Its name.
    pub name: Tag,
    /// What it names.
    pub digest: Digest,
    /// When it was first put.
    pub created_at: Timestamp,
    /// Since when it names that manifest.
    pub moved_at: Timestamp,
}

/// What a tag named before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerTag {
    /// The tag.
    pub name: Tag,
    /// What it named.
    pub digest: Digest,
    /// Until when.
    pub replaced_at: Timestamp,
    /// Who moved or deleted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<OwnerId>,
}

/// A run of retention that can be undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrashRunRecord {
    /// Its id; what it took of other repositories has the same.
    pub id: TrashId,
    /// The hash of the plan.
    pub plan: String,
    /// Who applied it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<OwnerId>,
    /// When.
    pub applied_at: Timestamp,
    /// Until when it can be undone.
    pub expires_at: Timestamp,
}

/// A manifest in the trash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrashedManifest {
    /// The run that took it.
    pub run: TrashId,
    /// As it was.
    pub manifest: ManifestRecord,
}

/// A tag in the trash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrashedTag {
    /// The run that took it.
    pub run: TrashId,
    /// As it was.
    pub tag: TagItem,
}

impl ManifestRecord {
    /// From the columns `digest, media_type, pushed_at, pulled_at, content`.
    pub(super) fn read(row: &mut Row) -> Result<Self> {
        let digest: Digest = row.take()?;
        Ok(Self {
            digest,
            media_type: row.take()?,
            pushed_at: row.take()?,
            pulled_at: row.take()?,
            content: String::from_utf8(row.take()?)
                .map_err(|_| Error::Corrupt(format!("manifest {digest} is not text")))?,
        })
    }
}
