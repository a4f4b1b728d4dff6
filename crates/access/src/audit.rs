//! The audit: who did what to what, and how it ended.
//!
//! What happens on every request is collected in memory, within a bound, and written in batches by
//! [`Audit::flush`]; what an administrator does is written before the answer. When the bound is reached entries are
//! counted instead, and the count is written: the audit can be incomplete under overload, but it says so.
//!
//! Invariant: no entry holds a secret. Its fields are names, ids and what [`Identity`] shows of itself.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use railhead_catalog::{AuditEntry, Catalog, Timestamp};
use serde_json::{Value, json};

use crate::{Identity, Result};

/// Entries written with one statement.
const BATCH: usize = 500;

/// How an act ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was refused.
    Denied,
    /// It failed.
    Failed,
}

impl Outcome {
    /// The word in the audit.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

/// One act.
#[derive(Clone, Debug)]
pub struct Act<'a> {
    /// Who.
    pub who: &'a Identity,
    /// From where; absent for the machine itself.
    pub from: Option<IpAddr>,
    /// What, as in `push` or `token.create`.
    pub action: &'a str,
    /// To what, as in `team/app:v1`.
    pub target: &'a str,
    /// How it ended.
    pub outcome: Outcome,
    /// More, for a program.
    pub detail: Option<Value>,
}

/// The writer of the audit.
pub struct Audit {
    catalog: Catalog,
    capacity: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    entries: VecDeque<AuditEntry>,
    lost: u64,
}

impl Audit {
    pub(crate) fn new(catalog: Catalog, capacity: usize) -> Self {
        Self { catalog, capacity, waiting: Mutex::default() }
    }

    /// Notes an act; it is written by the next [`Audit::flush`]. Never waits.
    pub fn note(&self, act: &Act<'_>, now: Timestamp) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.entries.len() < self.capacity {
            waiting.entries.push_back(entry(act, now));
        } else {
            waiting.lost += 1;
        }
    }

    /// Writes an act at once, behind all that was noted before.
    pub(crate) async fn write(&self, act: &Act<'_>, now: Timestamp) -> Result<()> {
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            // The bound is for what strangers can cause; an administrator's act is never dropped.
            waiting.entries.push_back(entry(act, now));
        }
        self.flush(now).await
    }

    /// Writes what was noted. After an error it is still noted.
    pub async fn flush(&self, now: Timestamp) -> Result<()> {
        loop {
            let (batch, lost) = self.take(now);
            if batch.is_empty() {
                return Ok(());
            }
            if let Err(error) = self.catalog.record(batch.clone()).await {
                self.give_back(batch, lost);
                return Err(error.into());
            }
        }
    }

    fn take(&self, now: Timestamp) -> (Vec<AuditEntry>, u64) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.entries.len().min(BATCH);
        let mut batch: Vec<_> = waiting.entries.drain(..count).collect();
        let lost = std::mem::take(&mut waiting.lost);
        if lost > 0 {
            batch.push(AuditEntry {
                at: now,
                account: None,
                token: None,
                address: None,
                action: "audit.lost".to_owned(),
                target: String::new(),
                outcome: Outcome::Failed.word().to_owned(),
                detail: Some(json!({ "entries": lost }).to_string()),
            });
        }
        (batch, lost)
    }

    fn give_back(&self, mut batch: Vec<AuditEntry>, lost: u64) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if lost > 0 {
            batch.pop();
        }
        waiting.lost += lost;
        for entry in batch.into_iter().rev() {
            waiting.entries.push_front(entry);
        }
    }
}

fn entry(act: &Act<'_>, now: Timestamp) -> AuditEntry {
    let mut detail = match &act.detail {
        Some(Value::Object(fields)) => fields.clone(),
        Some(other) => serde_json::Map::from_iter([("detail".to_owned(), other.clone())]),
        None => serde_json::Map::new(),
    };
    // Names as they were then: an account or token may be gone when the entry is read.
    detail.insert("who".to_owned(), act.who.name().into());
    if let Some(name) = act.who.token_name() {
        detail.insert("token".to_owned(), name.into());
    }
    AuditEntry {
        at: now,
        account: act.who.account_id(),
        token: act.who.token_id(),
        address: act.from.map(|address| address.to_string()),
        action: act.action.to_owned(),
        target: act.target.to_owned(),
        outcome: act.outcome.word().to_owned(),
        detail: Some(Value::Object(detail).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use railhead_catalog::{AuditFilter, Location};

    use super::*;
    use crate::{Access, Settings};

    #[tokio::test]
    async fn what_finds_no_room_is_counted_and_a_failure_loses_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(directory.path().join("catalog.sqlite"));
        let catalog = Catalog::open(location.clone()).await.unwrap();
        let who = Access::open(catalog.clone(), Settings::default()).await.unwrap().anonymous();
        let act = |target| Act {
            who: &who,
            from: None,
            action: "pull",
            target,
            outcome: Outcome::Done,
            detail: None,
        };
        let mut audit = Audit::new(catalog.clone(), 2);
        for target in ["a", "b", "c", "d"] {
            audit.note(&act(target), Timestamp(1));
        }
        catalog.close().await.unwrap();
        assert!(audit.flush(Timestamp(2)).await.is_err());

        audit.catalog = Catalog::open(location).await.unwrap();
        audit.write(&act("e"), Timestamp(3)).await.unwrap();
        audit.flush(Timestamp(4)).await.unwrap();
        let records = audit.catalog.audit(AuditFilter::default(), 10).await.unwrap();
        let seen: Vec<_> = records.iter().rev().map(|one| (&*one.entry.action, &*one.entry.target)).collect();
        assert_eq!(seen, [("pull", "a"), ("pull", "b"), ("pull", "e"), ("audit.lost", "")]);
        assert_eq!(records[0].entry.detail.as_deref(), Some(r#"{"entries":2}"#));
    }
}
