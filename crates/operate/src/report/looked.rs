//! What evidence tells of looking: diagnoses of the ways to the registry, and inspections of what is around it.

use std::collections::BTreeSet;

use railhead_doctor::Layer;
use serde_json::Value;

use super::enabled::follow_ups;
use super::history::{Document, History};
use super::tasks::{Found, part};

pub(super) fn diagnosis(history: &History) -> Found {
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

/// Not every registry is in a cluster, so nothing is missing without an inspection.
pub(super) fn inventory(history: &History) -> Found {
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

pub(super) fn durability(history: &History) -> Found {
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

pub(super) fn clear(history: &History, layers: &[Layer]) -> Found {
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

fn doctor(history: &History) -> String {
    format!("railhead doctor {}", history.host)
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
