//! The evidence of a site as one document: what is shown, task by task, and what is missing with the command that shows it.
//!
//! Order: [`History`] reads every document of one host; each [`Task`] of [`tasks::TASKS`] judges it; [`page`] writes it down.
//! The same evidence gives the same report: nothing of the clock or of this machine is in it.

mod enabled;
mod history;
mod keeping;
mod looked;
mod page;
mod tasks;
mod using;
mod workplan;

use jiff::Timestamp;
use serde::Serialize;

use crate::evidence::{Archive, EvidenceError, SCHEMA};
use crate::site::Site;

pub use page::page;
pub use workplan::{WorkplanError, Written, into_workplan};

pub(crate) use self::history::{Document, History};

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// All of it is shown.
    Done,
    /// Some of it is shown.
    Partly,
    /// What was tried last failed.
    Failed,
    /// Nothing is shown.
    Missing,
}

impl State {
    /// The word for a person.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Partly => "partly",
            Self::Failed => "failed",
            Self::Missing => "missing",
        }
    }
}

/// What is not shown, and what would show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// What is not shown.
    pub what: String,
    /// The command; none where Railhead has none.
    pub command: Option<String>,
}

/// A document that a task rests on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Source {
    /// When it was written.
    pub time: Timestamp,
    /// Its name in the directory of the evidence.
    pub file: String,
    /// Whether all was as it should be.
    pub ok: bool,
}

/// One task of a registry's way into use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Task {
    /// `T01`.
    pub id: &'static str,
    /// What it is.
    pub title: &'static str,
    /// How far it is.
    pub state: State,
    /// What is shown, a line each.
    pub facts: Vec<String>,
    /// What is not.
    pub missing: Vec<Missing>,
    /// What it rests on, the oldest first.
    pub evidence: Vec<Source>,
}

/// The report of one registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The version of the shape.
    pub schema: u32,
    /// What the site is called.
    pub site: Option<String>,
    /// `HOST[:PORT]`.
    pub host: String,
    /// The newest document that it rests on.
    pub until: Option<Timestamp>,
    /// The tasks, in order.
    pub tasks: Vec<Task>,
}

impl Report {
    /// Whether every task is done.
    pub fn is_done(&self) -> bool {
        self.tasks.iter().all(|task| task.state == State::Done)
    }
}

/// The report of `host` from the evidence in the site's directory.
pub fn report(site: &Site, host: &str) -> Result<Report, EvidenceError> {
    let tasks = judge(&History::read(&Archive::new(&site.evidence), host)?, site);
    let until = tasks.iter().flat_map(|task| &task.evidence).map(|source| source.time).max();
    Ok(Report { schema: SCHEMA, site: site.name.clone(), host: host.to_owned(), until, tasks })
}

/// Every task as `history` shows it.
pub(crate) fn judge(history: &History, site: &Site) -> Vec<Task> {
    tasks::TASKS.iter().map(|row| row.judge(history, site)).collect()
}

#[cfg(test)]
mod tests;
