//! `railhead audit …`

use clap::{Args, Subcommand};
use railhead_api::{AuditEvent, AuditEvents, Route};

use crate::admin::Admin;
use crate::failure::Result;
use crate::printer::{Printer, table, time};

/// Show what was done.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// List what was done, the newest first
    List(List),
}

/// `audit list`
#[derive(Debug, Args)]
pub struct List {
    /// How many entries to show
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    limit: u32,
    /// Only entries before the one with this id
    #[arg(long, value_name = "ID")]
    before: Option<i64>,
}

impl Audit {
    /// Runs it.
    pub async fn run(self, admin: &Admin, printer: Printer) -> Result<()> {
        let Self::List(List { limit, before }) = self;
        let mut query = vec![("limit", limit.to_string())];
        query.extend(before.map(|before| ("before", before.to_string())));
        let events: AuditEvents = admin.get(&Route::Audit, &query).await?;
        printer.data(&events, || {
            let rows: Vec<_> = events.events.iter().map(row).collect();
            table(&["ID", "TIME", "WHO", "FROM", "WHAT", "ON", "OUTCOME"], &rows)
        })
    }
}

fn row(event: &AuditEvent) -> Vec<String> {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    vec![
        event.id.to_string(),
        time(event.at),
        or_dash(&event.actor),
        or_dash(&event.from),
        event.action.clone(),
        event.subject.clone(),
        event.outcome.clone(),
    ]
}
