//! Retention: plans, what is in the trash, and looking ahead.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use railhead_retention::{Forecast, Plan, Rules};

/// What to plan for. Without rules the registry's own are taken, from its configuration file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionWish {
    /// The rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<Rules>,
    /// References that something runs with: they stay.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub in_use: Vec<String>,
    /// Only this owner, or this repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
    /// Whether verdicts of what is kept are wanted too.
    pub all: bool,
    /// Whether the clock is right, though the registry has seen nothing for long.
    pub clock_is_right: bool,
}

/// `POST /retention/apply`: the plan to apply, and what it was made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionApply {
    /// The plan's hash.
    pub plan: String,
    /// What it was made for.
    pub wish: RetentionWish,
}

/// What an application has done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionApplied {
    /// The plan's hash.
    pub plan: String,
    /// Tags that are in the trash now.
    pub tags: u64,
    /// Manifests that are in the trash now.
    pub manifests: u64,
    /// Until when they can be brought back.
    pub until: Timestamp,
    /// Repositories that lost nothing, as they were changed in the last moment.
    pub moved: Vec<RetentionMoved>,
}

/// A repository that was changed in the last moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionMoved {
    /// The repository.
    pub repository: String,
    /// What had changed.
    pub what: String,
}

/// `POST /retention/undo`: either all that a plan took, or one reference.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionUndo {
    /// The plan's hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// As in `team/app:v1` or `team/app@sha256:…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// What was brought back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionUndone {
    /// References by tag.
    pub tags: Vec<String>,
    /// References by digest.
    pub manifests: Vec<String>,
    /// Tags that stay in the trash: meanwhile they name another image.
    pub taken: Vec<String>,
}

/// `GET /retention/trash`: what can be brought back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionTrash {
    /// Plans that were applied, the last one first.
    pub runs: Vec<RetentionRun>,
}

/// A plan that was applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionRun {
    /// Its hash.
    pub plan: String,
    /// When it was applied.
    pub applied: Timestamp,
    /// Until when it can be undone.
    pub until: Timestamp,
    /// Its tags in the trash.
    pub tags: u64,
    /// Its manifests in the trash.
    pub manifests: u64,
    /// References that can be brought back.
    pub references: Vec<String>,
}

/// `POST /retention/empty`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionEmptied {
    /// Manifests that cannot be brought back any more.
    pub manifests: u64,
}

/// `POST /retention/forecast`: what to look ahead for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionOutlook {
    /// Days ahead.
    pub days: u32,
    /// Days to look back at.
    pub past_days: u32,
    /// Bytes that there is room for beside what is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
    /// The rules, and what is in use.
    pub wish: RetentionWish,
}
