//! The audit: who did what to what, and how it ended.

use crate::sql::{Row, params};
use crate::{Catalog, OwnerId, Result, Timestamp, TokenId};

/// One act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who; absent when nobody was logged in.
    pub account: Option<OwnerId>,
    /// The token that was used.
    pub token: Option<TokenId>,
    /// From where.
    pub address: Option<String>,
    /// What was done, as in `manifest.put`.
    pub action: String,
    /// To what, as in `team/app:1.0`.
    pub target: String,
    /// How it ended, as in `done` or `denied`.
    pub outcome: String,
    /// More, as JSON that the catalog does not read.
    pub detail: Option<String>,
}

/// One act that was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its number; a later act has a greater one.
    pub id: i64,
    /// The act.
    pub entry: AuditEntry,
}

/// Which acts to list; all given conditions hold.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Only this account's.
    pub account: Option<OwnerId>,
    /// Only this action.
    pub action: Option<String>,
    /// Only on this target.
    pub target: Option<String>,
    /// Only from then on.
    pub since: Option<Timestamp>,
    /// Only those with a smaller number, to page on.
    pub before: Option<i64>,
}

macro_rules! select_audit {
    ($condition:literal) => {
        concat!(
            "SELECT id, at, account, token, address, action, target, outcome, detail FROM audit
             WHERE id < ?1 AND at >= ?2 AND (CAST(?3 AS TEXT) IS NULL OR action = ?3)
             AND (CAST(?4 AS BIGINT) IS NULL OR account = ?4) AND (CAST(?5 AS TEXT) IS NULL OR target = ?5)",
            $condition,
            " ORDER BY id DESC LIMIT ?6"
        )
    };
}

impl Catalog {
    /// Records acts, in order. Volatile.
    pub async fn record(&self, entries: Vec<AuditEntry>) -> Result<()> {
        self.write_volatile("record in the audit", move |sql| {
            for entry in &entries {
                sql.execute(
                    "INSERT INTO audit (at, account, token, address, action, target, outcome, detail)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    params![
                        entry.at,
                        entry.account,
                        entry.token,
                        entry.address.as_deref(),
                        &entry.action,
                        &entry.target,
                        &entry.outcome,
                        entry.detail.as_deref()
                    ],
                )?;
            }
            Ok(())
        })
        .await
    }

    /// Up to `limit` acts, newest first.
    pub async fn audit(&self, filter: AuditFilter, limit: u32) -> Result<Vec<AuditRecord>> {
        // The condition without a parameter lets the planner use the index of what is asked for.
        let statement = match (&filter.target, filter.account) {
            (Some(_), _) => select_audit!(" AND target = ?5"),
            (None, Some(_)) => select_audit!(" AND account = ?4"),
            (None, None) => select_audit!(""),
        };
        self.read("read the audit", move |sql| {
            let rows = sql.query(
                statement,
                params![
                    filter.before.unwrap_or(i64::MAX),
                    filter.since.unwrap_or(Timestamp(i64::MIN)),
                    filter.action.as_deref(),
                    filter.account,
                    filter.target.as_deref(),
                    limit
                ],
            )?;
            rows.into_iter().map(AuditRecord::read).collect()
        })
        .await
    }
}

impl AuditRecord {
    fn read(mut row: Row) -> Result<Self> {
        Ok(Self {
            id: row.take()?,
            entry: AuditEntry {
                at: row.take()?,
                account: row.take()?,
                token: row.take()?,
                address: row.take()?,
                action: row.take()?,
                target: row.take()?,
                outcome: row.take()?,
                detail: row.take()?,
            },
        })
    }
}
