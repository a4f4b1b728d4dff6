//! `railhead gc`

use clap::Args;
use railhead_api::{CollectionRun, CollectionState, Route};

use crate::admin::Admin;
use crate::config::size::show;
use crate::failure::{Exit, Failure, Result};
use crate::printer::{Printer, fields, table, time, time_or};

/// Remove what no image needs any more, or show what would be removed.
///
/// A running server does this by itself, every `collection.interval_seconds`. Neither way shortens a lease or a grace: a
/// blob that a client was just told of stays.
#[derive(Debug, Args)]
pub struct Gc {
    /// Show what a run would remove now, and what waits; remove nothing
    #[arg(long, required_unless_present = "now", conflicts_with = "now")]
    dry_run: bool,
    /// Remove what is due now, and wait until it is done
    #[arg(long)]
    now: bool,
}

impl Gc {
    /// Runs it.
    pub async fn run(self, admin: &Admin, printer: Printer) -> Result<()> {
        if self.now { collect(admin, printer).await } else { outlook(admin, printer).await }
    }
}

async fn outlook(admin: &Admin, printer: Printer) -> Result<()> {
    let state: CollectionState = admin.get(&Route::Collection, &[]).await?;
    printer.data(&state, || show_state(&state))
}

fn show_state(state: &CollectionState) -> String {
    let amount = |amount: railhead_api::Amount| format!("{} ({})", amount.count, show(amount.bytes));
    let mut text = fields(&[
        ("due", format!("{} of repositories", amount(state.due))),
        ("frees", format!("{} of the store", amount(state.freeable))),
        ("waiting", format!("{} of repositories", amount(state.waiting))),
        ("next due", time_or(state.next_due, "-")),
        ("forgotten", format!("{} of the store, not removed yet", amount(state.removing))),
        ("lease", format!("{} s", state.lease_seconds)),
        ("grace", format!("{} s", state.grace_seconds)),
    ]);
    if !state.holds.is_empty() {
        let rows: Vec<_> =
            state.holds.iter().map(|hold| vec![hold.name.clone(), time(hold.expires)]).collect();
        text.push('\n');
        text.push_str(&table(&["HELD BY", "UNTIL"], &rows));
    }
    text
}

async fn collect(admin: &Admin, printer: Printer) -> Result<()> {
    let mut all = CollectionRun::default();
    while !all.complete {
        let run: CollectionRun = admin.send(&Route::CollectionRun, &serde_json::json!({})).await?;
        all.links += run.links;
        all.removed.count += run.removed.count;
        all.removed.bytes += run.removed.bytes;
        all.failed += run.failed;
        all.milliseconds += run.milliseconds;
        (all.held, all.complete) = (run.held, run.complete);
        if !all.complete && !printer.is_json() {
            printer.note(&format!(
                "{} objects ({}) are removed so far",
                all.removed.count,
                show(all.removed.bytes)
            ));
        }
    }
    printer.data(&all, || {
        fields(&[
            ("taken", format!("{} blobs out of repositories", all.links)),
            ("removed", format!("{} objects ({})", all.removed.count, show(all.removed.bytes))),
            ("failed", all.failed.to_string()),
            ("time", format!("{} ms", all.milliseconds)),
        ])
    })?;
    if all.held {
        printer
            .note("somebody holds objects, as a backup does, so none was removed; `gc --dry-run` tells who");
    }
    if all.failed > 0 {
        let message = format!("{} objects could not be removed", all.failed);
        return Err(
            Failure::new(Exit::Failed, message).hint("they are tried again; the registry's log says why")
        );
    }
    Ok(())
}
