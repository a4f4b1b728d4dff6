//! The tasks, and what shows each. A new kind of evidence is one more [`Need`] in a row of the table.

use railhead_doctor::Layer;
use serde_json::Value;

use super::enabled::enabled;
use super::history::{Document, History};
use super::{Missing, Source, State, Task, keeping, looked, using};
use crate::site::Site;

/// One thing that shows a part of a task.
pub enum Need {
    /// The diagnosis: what was found first, and what is left.
    Diagnosis,
    /// What the cluster has around the registry, where an inspection was made.
    Inventory,
    /// Where the packages are and what backs them up, where an inspection was made.
    Durability,
    /// The registry was turned on through the gates, where that was done.
    Enabled,
    /// No finding of these layers is left.
    Clear(&'static [Layer]),
    /// Login, push and pull worked.
    Proof,
    /// The nodes of the cluster pulled.
    ClusterPull,
    /// The page for the consuming team was written, and was true since.
    Handoff,
    /// A private image has a pull secret that works.
    PullSecret,
    /// The newest document of a kind is good. Kinds are named by their words, so that one may be here before there is a
    /// command that writes it.
    Newest {
        /// The kind.
        kind: &'static str,
        /// What it shows.
        what: &'static str,
        /// What would write it; none where nothing does yet.
        command: Option<&'static str>,
        /// What more it tells.
        tell: fn(&Document) -> Option<String>,
    },
}

/// A row of the table.
pub struct Row {
    id: &'static str,
    title: &'static str,
    needs: &'static [Need],
}

/// Every task, in order.
pub const TASKS: &[Row] = &[
    Row { id: "T01", title: "Inventory and diagnosis", needs: &[Need::Diagnosis, Need::Inventory] },
    Row {
        id: "T02",
        title: "The registry is configured",
        needs: &[
            Need::Enabled,
            Need::Clear(&[Layer::Application, Layer::Identity, Layer::Storage, Layer::Database]),
        ],
    },
    Row {
        id: "T03",
        title: "/v2/ reaches the registry",
        needs: &[Need::Clear(&[Layer::Routing, Layer::Tls, Layer::Network, Layer::Client])],
    },
    Row { id: "T04", title: "Login, push and pull are proven", needs: &[Need::Proof, Need::ClusterPull] },
    Row { id: "T05", title: "Handed over", needs: &[Need::Handoff, Need::PullSecret] },
    Row {
        id: "T06",
        title: "Backup and retention",
        needs: &[
            Need::Durability,
            Need::Newest {
                kind: "backup",
                what: "a backup of the images",
                command: Some("railhead backup TO"),
                tell: keeping::backup,
            },
            Need::Newest {
                kind: "drill",
                what: "a restore that was tried",
                command: Some("railhead restore FROM --drill"),
                tell: keeping::drill,
            },
            Need::Newest {
                kind: "retention",
                what: "a decision what is kept for how long",
                command: Some("railhead retention plan"),
                tell: keeping::retention,
            },
        ],
    },
];

/// What came of one need.
pub(super) struct Found {
    pub(super) facts: Vec<String>,
    missing: Vec<Missing>,
    pub(super) evidence: Vec<Source>,
    /// The newest try failed.
    pub(super) failed: bool,
}

impl Found {
    pub(super) fn new() -> Self {
        Self { facts: Vec::new(), missing: Vec::new(), evidence: Vec::new(), failed: false }
    }

    pub(super) fn lacks(what: impl Into<String>, command: Option<String>) -> Self {
        let mut found = Self::new();
        found.miss(what, command);
        found
    }

    pub(super) fn miss(&mut self, what: impl Into<String>, command: Option<String>) {
        self.missing.push(Missing { what: what.into(), command });
    }

    pub(super) fn fact(&mut self, fact: impl Into<String>) {
        self.facts.push(fact.into());
    }
}

impl Row {
    /// How far the task is.
    pub fn judge(&self, history: &History, site: &Site) -> Task {
        let found: Vec<Found> = self.needs.iter().map(|need| need.look(history, site)).collect();
        let state = match (found.iter().any(|one| one.failed), found.iter().all(|one| one.missing.is_empty()))
        {
            (true, _) => State::Failed,
            (false, true) => State::Done,
            (false, false) if found.iter().all(|one| one.evidence.is_empty()) => State::Missing,
            (false, false) => State::Partly,
        };
        let mut task = Task {
            id: self.id,
            title: self.title,
            state,
            facts: Vec::new(),
            missing: Vec::new(),
            evidence: Vec::new(),
        };
        for one in found {
            task.facts.extend(one.facts);
            task.missing.extend(one.missing);
            task.evidence.extend(one.evidence);
        }
        task.evidence.sort();
        task.evidence.dedup();
        task
    }
}

impl Need {
    fn look(&self, history: &History, site: &Site) -> Found {
        match self {
            Self::Diagnosis => looked::diagnosis(history),
            Self::Inventory => looked::inventory(history),
            Self::Durability => looked::durability(history),
            Self::Enabled => enabled(history),
            Self::Clear(layers) => looked::clear(history, layers),
            Self::Proof => using::proof(history, site),
            Self::ClusterPull => using::cluster_pull(history, site),
            Self::Handoff => using::handoff(history),
            Self::PullSecret => using::pull_secret(history, site),
            Self::Newest { kind, what, command, tell } => newest(history, kind, what, *command, *tell),
        }
    }
}

/// A text of a part of a document; empty where there is none.
pub(super) fn part<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn newest(
    history: &History,
    kind: &str,
    what: &str,
    command: Option<&str>,
    tell: fn(&Document) -> Option<String>,
) -> Found {
    let command = command.map(str::to_owned);
    let Some(newest) = history.newest(kind) else { return Found::lacks(what, command) };
    let mut found = Found::new();
    found.evidence.push(newest.source());
    if newest.evidence.ok {
        let more = tell(newest).map_or_else(String::new, |more| format!(": {more}"));
        found.fact(format!("{}: {what}{more}", newest.day()));
    } else if newest.text("/outcome") == "nothing-to-pull" {
        found.miss(format!("{what}; the last, of {}, had nothing to pull", newest.day()), command);
    } else {
        found.failed = true;
        found.miss(format!("{what}; the last, of {}, failed", newest.day()), command);
    }
    found
}
