//! `railhead hub`: tells a hub what new evidence shows; and what every command that keeps evidence does behind it.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use railhead_operate::hub::{Effort, HubError, Outbox, Pause, Refused, Sent, send};
use railhead_operate::{Hub as Known, Site};
use serde::Serialize;

use super::Context;
use super::operator::block_on;
use crate::failure::{Exit, Failure, Result};
use crate::printer::{table, time};

/// What to do with the hub.
#[derive(Debug, Subcommand)]
pub enum Hub {
    Send(Send),
    List(List),
}

/// Send what waits for the hub, now
///
/// Looks for evidence that the hub was not told of, and posts a message for each task and each finding that it changes, signed and
/// in order. Every command that keeps evidence does the same behind it, in passing: what the hub does not take then waits, and
/// the next command or this one tries again. The hub is `url` in [hub] of the site file.
#[derive(Debug, Args)]
pub struct Send {
    /// Send those again that the hub refused
    #[arg(long)]
    refused: bool,
}

/// Show what waits for the hub, and what it refused
///
/// Sends nothing, and makes no message of new evidence.
#[derive(Debug, Args)]
pub struct List {}

/// A message, for programs.
#[derive(Serialize)]
struct Message {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    about: String,
}

/// What waits, for programs.
#[derive(Serialize)]
struct Listed {
    hub: String,
    waiting: Vec<Message>,
    refused: Vec<Refused>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pause: Option<Pause>,
}

impl Hub {
    /// Runs it; the code says whether the hub has everything.
    pub fn run(self, context: &Context) -> Result<ExitCode> {
        let site = context.site()?;
        let Some(hub) = &site.hub else {
            return Err(Failure::new(Exit::Usage, "the site file names no hub")
                .hint("name it with `url` and `key_file` in [hub] of the site file"));
        };
        match self {
            Self::Send(command) => command.run(context, &site, hub),
            Self::List(_) => list(context, &site, hub),
        }
    }
}

impl Send {
    fn run(&self, context: &Context, site: &Site, hub: &Known) -> Result<ExitCode> {
        let outbox = Outbox::new(site);
        if !hub.origin.is_private() {
            context
                .printer
                .warning(&format!("{hub} is not encrypted: everybody on the way can read the messages"));
        }
        outbox.gather(site)?;
        if self.refused {
            outbox.again()?;
        }
        let sent = block_on(send(&outbox, hub, Effort::Now))??;
        context.printer.data(&sent, || {
            format!("sent: {}, refused: {}, waiting: {}\n", sent.sent, sent.refused.len(), sent.waiting)
        })?;
        match (&sent.pause, sent.refused.as_slice()) {
            (Some(pause), _) => {
                let failure =
                    Failure::new(Exit::Unavailable, format!("the hub {hub} does not take messages"));
                Err(Failure { causes: vec![pause.why.clone()], ..failure }
                    .hint("nothing is lost: the messages wait, and the next command tries again"))
            }
            (None, [first, ..]) => Err(refusal(hub, first, sent.refused.len())),
            (None, []) => Ok(ExitCode::SUCCESS),
        }
    }
}

fn refusal(hub: &Known, first: &Refused, count: usize) -> Failure {
    let failure = Failure::new(Exit::Failed, format!("the hub {hub} refused {count} messages"));
    let directory = first.path.parent().unwrap_or(Path::new(".")).display();
    Failure { causes: vec![format!("{}: {}", first.path.display(), first.why)], ..failure }
        .hint(format!("they are in {directory}; `railhead hub send --refused` sends them again"))
}

fn list(context: &Context, site: &Site, hub: &Known) -> Result<ExitCode> {
    let outbox = Outbox::new(site);
    let words = |waiting: railhead_operate::hub::Waiting| {
        let (kind, about) = waiting.words();
        Message { id: waiting.id, kind, about }
    };
    let listed = Listed {
        hub: hub.to_string(),
        waiting: outbox.waiting()?.into_iter().map(words).collect(),
        refused: outbox.refused()?,
        pause: outbox.pause()?,
    };
    context.printer.data(&listed, || text(&listed))?;
    Ok(ExitCode::SUCCESS)
}

fn text(listed: &Listed) -> String {
    let rows = |one: &Message| vec![one.kind.clone(), one.about.clone(), one.id.clone()];
    let waiting: Vec<Vec<String>> = listed.waiting.iter().map(rows).collect();
    let mut text = format!("{}: {} wait, {} refused\n", listed.hub, waiting.len(), listed.refused.len());
    if let Some(pause) = &listed.pause {
        let Pause { tries, until, why } = pause;
        // Writing to a string cannot fail.
        let _ = writeln!(text, "failed {tries} times, next try {}: {why}", time(*until));
    }
    if !waiting.is_empty() {
        text += &table(&["WAITS", "ABOUT", "ID"], &waiting);
    }
    if !listed.refused.is_empty() {
        let rows = |one: &Refused| vec![one.path.display().to_string(), one.why.clone()];
        text += &table(&["REFUSED", "WHY"], &listed.refused.iter().map(rows).collect::<Vec<_>>());
    }
    text
}

/// Tells the hub of the site, if it has one, what a command's evidence shows. What goes wrong is said, and changes nothing of how the
/// command ended.
pub fn tell(context: &Context) {
    // A site file that cannot be read is what the command said.
    let Ok(site) = context.site() else { return };
    let Some(hub) = &site.hub else { return };
    let outbox = Outbox::new(&site);
    let told = outbox.gather(&site).map_err(Failure::from).and_then(|_| {
        match block_on(send(&outbox, hub, Effort::Passing))? {
            // Who sends sees what was gathered just now.
            Err(HubError::Busy { .. }) => Ok(Sent::default()),
            sent => Ok(sent?),
        }
    });
    match told {
        Ok(sent) => said(context, hub, &sent),
        Err(failure) => {
            let why = std::iter::once(failure.message).chain(failure.causes).collect::<Vec<_>>().join(": ");
            context.printer.warning(&format!("the hub was not told: {why}"));
        }
    }
}

fn said(context: &Context, hub: &Known, sent: &Sent) {
    if sent.sent > 0 {
        context.printer.note(&format!("the hub was told: {} messages", sent.sent));
    }
    for one in &sent.refused {
        context.printer.warning(&format!("the hub refused {}: {}", one.path.display(), one.why));
    }
    match &sent.pause {
        Some(Pause { until, why, .. }) => context.printer.warning(&format!(
            "{} messages wait for the hub {hub} until {}, or until `railhead hub send`: {why}",
            sent.waiting,
            time(*until)
        )),
        None if sent.waiting > 0 => {
            context.printer.note(&format!("{} messages wait for the hub: the time was up", sent.waiting));
        }
        None => {}
    }
}
