//! Findings, the verdict, and the whole diagnosis.

use std::collections::BTreeSet;

use jiff::Timestamp;
use railhead_client::hops::Walk;
use serde::Serialize;

use crate::{Code, Layer, Server, Severity};

/// One cause: what is wrong, who has to act, what shows it, and what to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is called.
    pub code: Code,
    /// One line.
    pub title: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Where the cause lies.
    pub layer: Layer,
    /// Who owns that layer, if the site says so.
    pub owner: Option<String>,
    /// The routes that show it, as they were given.
    pub routes: Vec<String>,
    /// What shows it, a line each.
    pub evidence: Vec<String>,
    /// What to change, ready to be pasted.
    pub fix: String,
}

/// What kind of trouble it is, and so who has to act first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// No error. There may be warnings.
    Healthy,
    /// The forge or the registry itself.
    Application,
    /// What is in front.
    Routing,
    /// Certificates, names, trust.
    Tls,
    /// Accounts, tokens, roles.
    Identity,
    /// Where the bytes are.
    Storage,
    /// Where the metadata is.
    Database,
    /// Names, addresses, ports.
    Network,
    /// The program that pushes or pulls, and its machine.
    Client,
    /// Several of them.
    Combination,
}

impl Class {
    /// All classes, with the exit code that says so and what it means, in the order of the codes.
    pub const ALL: [(Self, u8, &'static str); 10] = [
        (Self::Healthy, 0, "No error was found; there may be warnings."),
        (Self::Application, 10, "The forge or the registry itself has to be mended."),
        (Self::Routing, 11, "What is in front has to be mended."),
        (Self::Tls, 12, "TLS or trust has to be mended."),
        (Self::Identity, 13, "Accounts, tokens or roles have to be mended."),
        (Self::Storage, 14, "The storage has to be mended."),
        (Self::Database, 15, "The database has to be mended."),
        (Self::Network, 16, "Names, addresses or ports have to be mended."),
        (Self::Client, 17, "The client or its machine has to be mended."),
        (Self::Combination, 20, "Several of the above have to be mended."),
    ];

    /// The exit code that says so.
    pub const fn exit(self) -> u8 {
        match self {
            Self::Healthy => 0,
            Self::Application => 10,
            Self::Routing => 11,
            Self::Tls => 12,
            Self::Identity => 13,
            Self::Storage => 14,
            Self::Database => 15,
            Self::Network => 16,
            Self::Client => 17,
            Self::Combination => 20,
        }
    }

    /// The word in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Application => Layer::Application.word(),
            Self::Routing => Layer::Routing.word(),
            Self::Tls => Layer::Tls.word(),
            Self::Identity => Layer::Identity.word(),
            Self::Storage => Layer::Storage.word(),
            Self::Database => Layer::Database.word(),
            Self::Network => Layer::Network.word(),
            Self::Client => Layer::Client.word(),
            Self::Combination => "combination",
        }
    }

    const fn of(layer: Layer) -> Self {
        match layer {
            Layer::Application => Self::Application,
            Layer::Routing => Self::Routing,
            Layer::Tls => Self::Tls,
            Layer::Identity => Self::Identity,
            Layer::Storage => Self::Storage,
            Layer::Database => Self::Database,
            Layer::Network => Self::Network,
            Layer::Client => Self::Client,
        }
    }
}

/// What it comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// One class.
    pub class: Class,
    /// The layers that have an error, in the order of mending.
    pub layers: Vec<Layer>,
    /// The exit code.
    pub exit: u8,
    /// For a person, one line.
    pub text: String,
}

impl Verdict {
    /// What findings come to, which stand in the order of mending.
    pub fn of(findings: &[Finding]) -> Self {
        let mut seen = BTreeSet::new();
        let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
        let layers: Vec<Layer> =
            errors.map(|finding| finding.layer).filter(|layer| seen.insert(*layer)).collect();
        let warnings = findings.iter().filter(|finding| finding.severity == Severity::Warning).count();
        let (class, text) = match layers.as_slice() {
            [] if warnings == 0 => (Class::Healthy, "healthy".to_owned()),
            [] => (Class::Healthy, format!("healthy, with {}", count(warnings, "warning"))),
            [layer] => (Class::of(*layer), layer.to_string()),
            [first, rest @ ..] => {
                let rest: Vec<&str> = rest.iter().map(|layer| layer.word()).collect();
                (Class::Combination, format!("a combination: {first} first, then {}", rest.join(", then ")))
            }
        };
        Self { class, layers, exit: class.exit(), text }
    }
}

/// `1 warning`, `2 warnings`.
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Everything that is said about a registry.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnosis {
    /// The `HOST[:PORT]` that clients name.
    pub host: String,
    /// When it was judged.
    pub time: Timestamp,
    /// What it comes to.
    pub verdict: Verdict,
    /// In the order of mending: errors first.
    pub findings: Vec<Finding>,
    /// What answers on each route.
    pub servers: Vec<Server>,
    /// What was seen.
    pub walks: Vec<Walk>,
}
