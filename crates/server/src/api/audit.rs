//! The audit.

use railhead_api::{AuditEvent, AuditEvents};
use railhead_catalog::{AuditFilter, AuditRecord};
use serde_json::Value;

use super::{Answer, Api, Call, Result, ok, time};

impl Api {
    pub(super) async fn audit(&self, call: &Call<'_>) -> Result<Answer> {
        let filter = AuditFilter { before: call.number("before")?, ..Default::default() };
        let limit = call.limit()?;
        let records = self.access.audit_records(&call.actor(), filter, limit).await?;
        let next = records.last().filter(|_| records.len() == limit as usize).map(|last| last.id);
        ok(&AuditEvents { events: records.into_iter().map(event).collect::<Result<_>>()?, next })
    }
}

fn event(record: AuditRecord) -> Result<AuditEvent> {
    let entry = record.entry;
    // The name as it was then; the account may be gone.
    let detail: Option<Value> = entry.detail.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let actor =
        detail.as_ref().and_then(|detail| detail.get("who")).and_then(Value::as_str).map(str::to_owned);
    Ok(AuditEvent {
        id: record.id,
        at: time(entry.at)?,
        actor,
        action: entry.action,
        subject: entry.target,
        from: entry.address,
        outcome: entry.outcome,
        detail: entry.detail,
    })
}
