//! What was done, and how the registry is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// Grows with time; `before` takes it.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who; absent for somebody unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// What, as in `user.create`.
    pub action: String,
    /// On what.
    pub subject: String,
    /// From which address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What came of it: `ok`, or why not.
    pub outcome: String,
    /// More, as JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// `GET /audit?before=&limit=`, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvents {
    /// This page.
    pub events: Vec<AuditEvent>,
    /// What to give as `before` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// `GET /status`: that the admin API answers, and who it thinks is asking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Railhead's version.
    pub version: String,
    /// Who asks.
    pub you: String,
    /// Whether who asks may do everything.
    pub admin: bool,
}
