//! Audit.
use crate::*;
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    pub at: Timestamp,
    pub account: Option<OwnerId>,
    pub token: Option<TokenId>,
    pub address: Option<String>,
    pub action: String,
    pub target: String,
    pub outcome: String,
    /// JSON.
    pub detail: Option<String>,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    pub id: i64,
    pub entry: AuditEntry,
}
/// Which entries to list; all given conditions hold.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    pub account: Option<OwnerId>,
    pub action: Option<String>,
    pub target: Option<String>,
    pub since: Option<Timestamp>,
    /// Only entries with a smaller id, to page on.
    pub before: Option<i64>,
}
impl Catalog {
    /// volatile
    pub async fn record(&self, entries: Vec<AuditEntry>) -> Result<()> {
        todo!()
    }
    /// Newest first.
    pub async fn audit(&self, filter: AuditFilter, limit: u32) -> Result<Vec<AuditRecord>> {
        todo!()
    }
}
