//! Where the bytes are.

use serde::{Deserialize, Serialize};

/// `GET /usage?after=&limit=`, by name: what each owner stores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// This page.
    pub owners: Vec<OwnerUsage>,
    /// What to give as `after` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What an owner stores, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerUsage {
    /// The owner.
    pub owner: String,
    /// How many repositories have something.
    pub repositories: u64,
    /// Layers, each counted once, and manifests.
    pub used_bytes: u64,
    /// Of these, layers that other owners have too.
    pub shared_bytes: u64,
    /// Of these, what only this owner has.
    pub unique_bytes: u64,
    /// What unfinished uploads have reserved.
    pub reserved_bytes: u64,
    /// What the owner may use; `-1` is no limit.
    pub quota_bytes: i64,
}

/// `GET /usage/{owner}?after=&limit=`, by name: what each repository of an owner stores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageOfOwner {
    /// This page.
    pub repositories: Vec<RepositoryUsage>,
    /// What to give as `after` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What a repository stores, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryUsage {
    /// Its name.
    pub name: String,
    /// Layers and manifests.
    pub bytes: u64,
    /// Of these, layers that other repositories have too, of whatever owner.
    pub shared_bytes: u64,
    /// Of these, what only this repository has: what its deletion frees.
    pub unique_bytes: u64,
    /// Of these, layers that no manifest needs and that wait for collection.
    pub waiting_bytes: u64,
}

/// `POST /usage/{owner}/recount`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecountStart {
    /// Whether wrong sums are set right.
    pub mend: bool,
}

/// What a recount found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recount {
    /// Sums that were not what is there.
    pub differences: Vec<Difference>,
    /// Whether they were set right.
    pub mended: bool,
}

/// A sum that was not what is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Which: `used`, `reserved` or `shares` of an owner, `bytes` of a repository.
    pub sum: String,
    /// The owner or the repository.
    pub of: String,
    /// What the catalog said.
    pub stored: u64,
    /// What a recount gives.
    pub counted: u64,
}
