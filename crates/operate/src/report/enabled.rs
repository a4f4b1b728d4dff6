//! What evidence tells of turning a registry on, and of what others have to do.

use std::collections::BTreeSet;

use serde_json::Value;

use super::history::{Document, History};
use super::tasks::{Found, part};

/// The issues in the repositories of others.
pub(super) fn follow_ups(history: &History, kind: &str) -> Vec<String> {
    let mut told = BTreeSet::new();
    let all = history.all(kind).iter().flat_map(|document| document.list("/filed"));
    let words = |filed: &Value| {
        let url = part(filed, "/url").to_owned();
        let words = format!("Follow-up in {}: {}, {url}", part(filed, "/repository"), part(filed, "/title"));
        told.insert(url).then_some(words)
    };
    all.filter_map(words).collect()
}

/// Not every registry has to be turned on, so nothing is missing where nobody tried. What changed something last counts; a
/// change that a gate refused changed nothing.
pub(super) fn enabled(history: &History) -> Found {
    let mut found = Found::new();
    let tries: Vec<&Document> = history
        .all("enable")
        .iter()
        .filter(|document| !document.text("/applied/verdict").is_empty())
        .collect();
    let changed = tries.iter().find(|document| document.text("/applied/verdict") != "refused");
    if let Some(newest) = changed.or(tries.first()) {
        found.evidence.push(newest.source());
        let steps = newest.list("/applied/steps");
        match newest.text("/applied/verdict") {
            "applied" => found.fact(format!(
                "{}: applied to the release {}/{} through {} gates and steps",
                newest.day(),
                newest.text("/namespace"),
                newest.text("/release"),
                steps.len()
            )),
            verdict => {
                let why = steps.iter().find(|step| step["outcome"] == "failed");
                let why = why.map_or("", |step| part(step, "/name"));
                let what = format!("the change of {}: {verdict} at '{why}'", newest.day());
                found.miss(what, Some("railhead enable --apply --user NAME --backup DIR".to_owned()));
                found.failed = verdict != "refused";
            }
        }
    }
    found.facts.extend(follow_ups(history, "enable"));
    found
}
