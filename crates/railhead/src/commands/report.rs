//! `railhead report`: what the evidence of a site shows, task by task, and what is missing.

use std::path::{Path, PathBuf};

use clap::Args;
use railhead_operate::report::{self, into_workplan, page, report};
use railhead_operate::write_whole;

use super::Context;
use super::operator::site_of;
use crate::failure::{Exit, Failure, Result};

/// Gather the evidence of a site as one document, task by task, with what is missing
///
/// Reads what inspect, doctor, prove, handoff, pull-secret, backup, restore --drill and retention wrote into the site's directory
/// of evidence, and writes Markdown, or with --output json JSON. The same evidence gives the same report.
#[derive(Debug, Args)]
pub struct Report {
    /// The registry; without it, the site file's
    #[arg(value_name = "HOST[:PORT]")]
    host: Option<String>,
    /// Write the Markdown to this file, and beside it the JSON, instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write what is shown under the tasks of this workplan: Markdown with a fenced block `task` for each, as in `id: PLAN-T01`
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    into: Option<PathBuf>,
    /// Fail when a task is not done
    #[arg(long)]
    check: bool,
}

impl Report {
    /// Runs it.
    pub fn run(self, context: &Context) -> Result<()> {
        let own = context.site()?.host;
        let Some(host) = self.host.as_ref().map(|host| host.to_ascii_lowercase()).or(own) else {
            return Err(Failure::new(Exit::Usage, "there is no registry to report about")
                .hint("name its host, as in `railhead report git.example.com`, or in the site file"));
        };
        let site = site_of(context, &host)?;
        let report = report(&site, &host)?;
        if let Some(out) = &self.out {
            let beside = out.with_extension("json");
            if beside == *out {
                let message = format!("{} is the name of the JSON, not of the Markdown", out.display());
                return Err(Failure::new(Exit::Usage, message).hint("name it with .md"));
            }
            let mut json =
                serde_json::to_string_pretty(&report).map_err(|error| Failure::of(Exit::Failed, &error))?;
            json.push('\n');
            write_whole(out, page(&report).as_bytes())?;
            write_whole(&beside, json.as_bytes())?;
            context.printer.note(&format!("the report is in {} and {}", out.display(), beside.display()));
        } else if let Some(workplan) = &self.into {
            write_into(context, workplan, &report)?;
        } else {
            context.printer.data(&report, || page(&report))?;
        }
        if !self.check || report.is_done() {
            return Ok(());
        }
        let open: Vec<&str> =
            report.tasks.iter().filter(|task| !task.missing.is_empty()).map(|task| task.id).collect();
        Err(Failure::new(Exit::Failed, format!("not everything is shown: {}", open.join(", ")))
            .hint("the report names the commands that would show it"))
    }
}

/// Writes the report into a workplan, of which nothing else changes.
fn write_into(context: &Context, workplan: &Path, report: &report::Report) -> Result<()> {
    let text = std::fs::read_to_string(workplan).map_err(|error| {
        Failure::new(Exit::NotFound, format!("cannot read the workplan {}", workplan.display()))
            .because(&error)
    })?;
    let written = into_workplan(&text, report).map_err(|error| Failure::of(Exit::Usage, &error))?;
    write_whole(workplan, written.text.as_bytes())?;
    for task in written.absent {
        context.printer.warning(&format!("{} has no task {task}", workplan.display()));
    }
    context.printer.note(&format!("the report is in {}", workplan.display()));
    Ok(())
}
