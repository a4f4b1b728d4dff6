//! Collection of what no manifest needs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How many, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// How many.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// `GET /collection`: what collection has before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionState {
    /// Blobs that a run would take out of repositories now; one that two repositories lose counts twice.
    pub due: Amount,
    /// Objects that this would free, as no repository needs them any more.
    pub freeable: Amount,
    /// Blobs of repositories that no manifest needs, and that are still leased or within their grace.
    pub waiting: Amount,
    /// When the first of those is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_due: Option<Timestamp>,
    /// Objects that no repository has any more, and that are not removed yet.
    pub removing: Amount,
    /// Who holds objects, so that none is removed.
    pub holds: Vec<Hold>,
    /// Seconds that a blob stays, at least, after somebody was told that it is there.
    pub lease_seconds: u64,
    /// Seconds that a blob stays after its last manifest was deleted.
    pub grace_seconds: u64,
}

/// A reason for objects to stay, as a backup under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Who holds them.
    pub name: String,
    /// When it ends by itself.
    pub expires: Timestamp,
}

/// `POST /collection`: what a run has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionRun {
    /// Blobs that were taken out of repositories; one that two repositories lost counts twice.
    pub links: u64,
    /// Objects that were removed.
    pub removed: Amount,
    /// Objects that could not be removed; they are tried again, and the registry's log says why.
    pub failed: u64,
    /// Whether somebody holds objects, so that none was removed.
    pub held: bool,
    /// Whether all that was due is done. If not, ask again.
    pub complete: bool,
    /// How long it took.
    pub milliseconds: u64,
}
