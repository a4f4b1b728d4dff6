//! The tasks, and what shows each. A new kind of evidence is one more [`Need`] in a row of the table.

use std::collections::BTreeSet;

use railhead_doctor::Layer;
use serde_json::Value;

use super::enabled::{enabled, follow_ups};
use super::history::{Document, History};
use super::{Missing, Source, State, Task, keeping};
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

    fn lacks(what: impl Into<String>, command: Option<String>) -> Self {
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
            Self::Diagnosis => diagnosis(history),
            Self::Inventory => inventory(history),
            Self::Durability => durability(history),
            Self::Enabled => enabled(history),
            Self::Clear(layers) => clear(history, layers),
            Self::Proof => proof(history, site),
            Self::ClusterPull => cluster_pull(history, site),
            Self::Handoff => handoff(history),
            Self::PullSecret => pull_secret(history, site),
            Self::Newest { kind, what, command, tell } => newest(history, kind, what, *command, *tell),
        }
    }
}

fn doctor(history: &History) -> String {
    format!("railhead doctor {}", history.host)
}

fn prove(history: &History, site: &Site) -> String {
    let owner = site.owner.as_deref().unwrap_or("OWNER");
    format!("railhead prove {}/{owner}/IMAGE --user NAME --keep", history.host)
}

fn diagnosis(history: &History) -> Found {
    let all = history.all("doctor");
    let (Some(newest), Some(oldest)) = (all.first(), all.last()) else {
        return Found::lacks(
            "a diagnosis: what is wrong on which way, and who has to act",
            Some(doctor(history)),
        );
    };
    let mut found = Found::new();
    for document in if all.len() > 1 { vec![oldest, newest] } else { vec![newest] } {
        found.fact(format!("{}: {}", document.day(), document.text("/verdict/text")));
        found.facts.extend(
            errors(document).map(|finding| format!("{}: {}", document.day(), finding_words(finding))),
        );
        found.evidence.push(document.source());
    }
    found.facts.extend(newest.list("/walks").iter().filter_map(route_words));
    found.facts.extend(follow_ups(history, "doctor"));
    found
}

/// A text of a part of a document; empty where there is none.
pub(super) fn part<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Not every registry is in a cluster, so nothing is missing without an inspection.
fn inventory(history: &History) -> Found {
    let mut found = Found::new();
    let Some(newest) = history.newest("inspection") else { return found };
    found.evidence.push(newest.source());
    for release in newest.list("/inventory/releases") {
        let text = |name: &str| release[name].as_str().unwrap_or_default();
        found.fact(format!(
            "{}: release {}/{}, revision {}, {}, chart {}, app version {}",
            newest.day(),
            text("namespace"),
            text("name"),
            release["revision"],
            text("status"),
            text("chart"),
            text("app_version")
        ));
    }
    for service in newest.list("/inventory/services") {
        let ports = service["ports"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let ports: Vec<&str> = ports.collect();
        found.fact(format!(
            "Service {} ({}): {}",
            part(service, "/name"),
            part(service, "/kind"),
            ports.join(", ")
        ));
    }
    for setting in newest.list("/inventory/settings") {
        let named = (part(setting, "/section"), part(setting, "/key"));
        if [("server", "ROOT_URL"), ("packages", "ENABLED"), ("packages", "LIMIT_SIZE_CONTAINER")]
            .contains(&named)
        {
            let value = setting["value"]
                .as_str()
                .map_or_else(|| format!("{} by default", part(setting, "/default")), str::to_owned);
            found.fact(format!("[{}] {} is {value}", named.0, named.1));
        }
    }
    found.facts.extend(errors(newest).map(|finding| format!("{}: {}", newest.day(), finding_words(finding))));
    found
}

fn durability(history: &History) -> Found {
    let mut found = Found::new();
    let Some(newest) = history.newest("inspection") else { return found };
    found.evidence.push(newest.source());
    if let Some(storage) = newest.result().pointer("/inventory/storage").filter(|storage| !storage.is_null())
    {
        let of_claim = match part(storage, "/claim") {
            "" => String::new(),
            claim => format!(
                " on the claim {claim}, class {}, volume {}",
                part(storage, "/class"),
                part(storage, "/volume")
            ),
        };
        found.fact(format!("{}: packages are in {}{of_claim}", newest.day(), part(storage, "/place")));
        if let Some(bytes) = storage["packages_bytes"].as_u64() {
            let of = storage["size_bytes"]
                .as_u64()
                .map_or_else(String::new, |size| format!(" of {} MiB", size >> 20));
            found.fact(format!("{} MiB{of} are used by packages", bytes >> 20));
        }
    }
    let backups = newest.list("/inventory/backups");
    if backups.is_empty() {
        found.fact("No backup is scheduled in the cluster");
    }
    found.facts.extend(
        backups.iter().map(|backup| format!("{}: {}", part(backup, "/object"), part(backup, "/why"))),
    );
    found.facts.extend(follow_ups(history, "inspection"));
    found
}

/// A route of a walk and what its `/v2/` answered.
fn route_words(walk: &Value) -> Option<String> {
    let text = |pointer: &str| walk.pointer(pointer).and_then(Value::as_str);
    let (name, url) = (text("/route/name")?, text("/route/url")?);
    let connect = text("/route/connect").map_or_else(String::new, |connect| format!(" by {connect}"));
    let status = walk.pointer("/registry/seen/status").and_then(Value::as_u64);
    let answer = status.map_or_else(|| "does not answer".to_owned(), |status| format!("answers {status}"));
    Some(format!("Route {name} ({url}{connect}): /v2/ {answer}"))
}

fn errors(document: &Document) -> impl Iterator<Item = &Value> {
    document.list("/findings").iter().filter(|finding| finding["severity"] == "error")
}

fn finding_words(finding: &Value) -> String {
    let text = |name: &str| finding[name].as_str().unwrap_or_default();
    let owner = finding["owner"].as_str().map_or_else(String::new, |owner| format!(", {owner}"));
    format!("{}: {} ({}{owner})", text("code"), text("title"), text("layer"))
}

fn clear(history: &History, layers: &[Layer]) -> Found {
    let all = history.all("doctor");
    let Some(newest) = all.first() else {
        return Found::lacks("a diagnosis without findings", Some(doctor(history)));
    };
    let is_here = |finding: &&Value| layers.iter().any(|layer| finding["layer"] == layer.word());
    let mut found = Found::new();
    found.evidence.push(newest.source());
    let open: BTreeSet<&str> =
        errors(newest).filter(is_here).filter_map(|finding| finding["code"].as_str()).collect();
    for finding in errors(newest).filter(is_here) {
        let code = finding["code"].as_str().unwrap_or_default();
        found.miss(
            format!("{} is not mended", finding_words(finding)),
            Some(format!("railhead explain {code}")),
        );
        found.failed = true;
    }
    // What was found once and is not found any more was mended between two diagnoses.
    let mut told = BTreeSet::new();
    for (at, document) in all.iter().enumerate().skip(1) {
        for finding in errors(document).filter(is_here) {
            let code = finding["code"].as_str().unwrap_or_default();
            if !open.contains(code) && told.insert(code) {
                let after = &all[at - 1];
                found.fact(format!(
                    "{} was found until {}, and is gone since {}",
                    finding_words(finding),
                    document.day(),
                    after.day()
                ));
                found.evidence.extend([document.source(), after.source()]);
            }
        }
    }
    if open.is_empty() {
        let words: Vec<&str> = layers.iter().map(|layer| layer.word()).collect();
        found.fact(format!("{}: no error of the layers {}", newest.day(), words.join(", ")));
    }
    found
}

fn proof(history: &History, site: &Site) -> Found {
    let Some(newest) = history.newest("proof") else {
        return Found::lacks("a proof of login, push and pull", Some(prove(history, site)));
    };
    let mut found = Found::new();
    found.evidence.push(newest.source());
    let image = format!("{}/{}:{}", newest.text("/host"), newest.text("/repository"), newest.text("/tag"));
    if newest.evidence.ok {
        found.fact(format!("{}: {image} was pushed and pulled from here", newest.day()));
        found.fact(format!("Digest {}", newest.text("/digest")));
        let visibility = newest.text("/visibility");
        if !visibility.is_empty() {
            found.fact(format!("Images are {visibility}"));
        }
        return found;
    }
    found.failed = true;
    let failed = newest.list("/steps").iter().filter(|step| step["outcome"] == "failed");
    found.facts.extend(failed.map(|step| {
        let text = |name: &str| step[name].as_str().unwrap_or_default();
        format!("{}: '{}' failed: {}", newest.day(), text("name"), text("detail"))
    }));
    found.miss("a proof that did not fail", Some(prove(history, site)));
    found
}

/// What the nodes said when they pulled.
fn cluster_pull(history: &History, site: &Site) -> Found {
    let command = format!("{} --cluster", prove(history, site));
    let Some(newest) = history.newest("cluster-pull") else {
        return Found::lacks("a pull by a node of the cluster", Some(command));
    };
    let mut found = Found::new();
    found.evidence.push(newest.source());
    for pull in newest.list("/nodes") {
        let names = pull["secrets"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let names: Vec<&str> = names.collect();
        let way = if names.is_empty() {
            "without a secret".to_owned()
        } else {
            format!("with {}", names.join(" and "))
        };
        let came = match (pull["pulled"] == true, part(pull, "/cause/code")) {
            (true, _) => pull["pull_millis"]
                .as_u64()
                .map_or("pulled".to_owned(), |millis| format!("pulled in {millis} ms")),
            (false, "") => "did not pull".to_owned(),
            (false, code) => format!("did not pull: {code}"),
        };
        found.fact(format!("{}: {} {came}, {way}", newest.day(), part(pull, "/node")));
    }
    found.failed = newest.list("/nodes").iter().any(|pull| pull["outcome"] == "failed");
    if found.failed {
        found.miss(format!("a pull by every node; the last, of {}, failed", newest.day()), Some(command));
    } else if !newest.evidence.ok {
        found.miss(
            "a pull with a pull secret, since nobody may pull without a login",
            Some(command + " --pull-secret NAME"),
        );
    }
    found
}

fn handoff(history: &History) -> Found {
    let Some(page) = history.newest("handoff") else {
        let command = format!("railhead handoff {} --out registry.md", history.host);
        return Found::lacks("the page that the consuming team needs", Some(command));
    };
    let mut found = Found::new();
    let image = format!("{}/{}:{}", page.text("/host"), page.text("/repository"), page.text("/tag"));
    found.fact(format!("{}: the page was written, about {image}", page.day()));
    found.evidence.push(page.source());
    let command = Some("railhead handoff --check registry.md".to_owned());
    match history.newest("handoff-check") {
        Some(check) if check.time() >= page.time() => {
            found.evidence.push(check.source());
            if check.evidence.ok {
                found.fact(format!("{}: every fact of it was true", check.day()));
            } else {
                let untrue = check.list("/facts").iter().filter(|fact| fact["outcome"] == "failed");
                let names: Vec<&str> = untrue.filter_map(|fact| fact["name"].as_str()).collect();
                found.miss(
                    format!("{}: of the page these facts were not true: {}", check.day(), names.join(", ")),
                    command,
                );
                found.failed = true;
            }
        }
        _ => found.miss("a check that the page is true", command),
    }
    found
}

fn pull_secret(history: &History, site: &Site) -> Found {
    let proven = history.newest("proof").filter(|proof| proof.evidence.ok);
    let visibility = proven.map_or("", |proof| proof.text("/visibility"));
    if visibility == "public" && history.newest("pull-secret-check").is_none() {
        let mut found = Found::new();
        found.fact("No pull secret is needed: everybody may pull");
        return found;
    }
    let mut found = Found::new();
    if let Some(made) = history.newest("pull-secret") {
        found.fact(format!("{}: {}", made.day(), made_words(made)));
        found.evidence.push(made.source());
    }
    let owner = site.owner.as_deref().unwrap_or("OWNER");
    let verify = |image: &str| format!("railhead pull-secret verify {image} --file FILE");
    let any = format!("{}/{owner}/IMAGE", history.host);
    match history.newest("pull-secret-check") {
        Some(check) => {
            found.evidence.push(check.source());
            let image = check.text("/image");
            if check.evidence.ok {
                found.fact(format!("{}: the pull secret pulls {image}; {}", check.day(), ends(check)));
            } else {
                let what = format!("{}: the pull secret does not pull {image}", check.day());
                found.miss(what, Some(verify(image)));
                found.failed = true;
            }
        }
        None if visibility == "private" || found.evidence.len() == 1 => {
            if found.evidence.is_empty() {
                let create = format!("railhead pull-secret create {} --user NAME", history.host);
                found.miss("a pull secret, since not everybody may pull", Some(create));
            }
            found.miss("a check that the pull secret pulls", Some(verify(&any)));
        }
        None => {
            found
                .miss("whether a pull secret is needed, which a proof finds out", Some(prove(history, site)));
        }
    }
    found
}

fn made_words(made: &Document) -> String {
    let act = if made.text("/act") == "rotate" { "changed" } else { "made" };
    let namespace = made.text("/namespace");
    let place = if namespace.is_empty() { String::new() } else { format!(" for the namespace {namespace}") };
    format!("the pull secret {} was {act}{place}", made.text("/name"))
}

fn ends(check: &Document) -> String {
    match check.text("/expires/known") {
        "at" => format!("its token ends at {}", check.text("/expires/at")),
        "never" => "its token has no end".to_owned(),
        _ => "nobody says when its token ends".to_owned(),
    }
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
