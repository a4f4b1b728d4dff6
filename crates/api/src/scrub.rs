//! Damage: how far the scrub is, what it found, and looking now.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Amount;

/// `GET /scrub`: how far the walk is that hashes every blob again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScrubState {
    /// Seconds of a round, as this registry is configured; `0` is never.
    pub round_seconds: u64,
    /// When the round under way, or the last one, began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// What of the round is hashed.
    pub hashed: Amount,
    /// What of it was found damaged.
    pub found: u64,
    /// When the last full round ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// All blobs that are damaged now.
    pub damaged: Amount,
    /// Where sound copies are looked for.
    pub sources: Vec<String>,
}

/// `GET /damage?after=&limit=`, by digest: the blobs that are damaged now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damages {
    /// This page.
    pub damages: Vec<Damage>,
    /// What to give as `after` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A damaged blob. Nobody is served it until it is healed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// Its digest.
    pub digest: String,
    /// Its size in bytes, as it should be.
    pub size: u64,
    /// The key of its object in the store.
    pub key: String,
    /// What was found instead: `missing`, `9 bytes`, `content of sha256:…`, `unreadable: …`.
    pub found: String,
    /// When that was seen first; absent in the answer that tells it for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Who refers to it: up to twenty repositories.
    pub uses: Vec<BlobUse>,
    /// Where a sound copy came from, when it was healed just now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healed_from: Option<String>,
}

/// A repository that has a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobUse {
    /// The repository.
    pub repository: String,
    /// Tags of images that need the blob, up to twenty.
    pub tags: Vec<String>,
    /// Digests of manifests that need it, up to twenty.
    pub manifests: Vec<String>,
}

/// `POST /verify`: looks at a part of the blobs. Ask again with `next` as `after` until that is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyStart {
    /// Only blobs of this user or organisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Only blobs of this repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Only this blob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Whether to see only if each object is there with the right size; else every byte is hashed.
    #[serde(default)]
    pub sizes_only: bool,
    /// Whether damage is only reported; else it is healed where a source has a sound copy.
    #[serde(default)]
    pub report_only: bool,
    /// Bytes that are hashed in a second, at most; `0` is as fast as it goes.
    #[serde(default)]
    pub bytes_per_second: u64,
    /// Where to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// What was seen. The catalog's blobs come first, then, when everything was asked for, the store's objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// Blobs that were looked at.
    pub blobs: Amount,
    /// Blobs that were thought damaged and are whole.
    pub recovered: u64,
    /// Damaged blobs, those that were healed included.
    pub damaged: Vec<Damage>,
    /// Objects of the store that were looked up in the catalog.
    pub objects: u64,
    /// Objects that the catalog does not know.
    pub strangers: Vec<Stranger>,
    /// What to give as `after` for the next step; absent when all is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An object that the catalog does not know. It costs room, and harms nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stranger {
    /// Its key in the store.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written.
    pub written: Timestamp,
}
