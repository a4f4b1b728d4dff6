//! What evidence tells of using the registry: proofs, pulls by nodes, the page for the consuming team, pull secrets.

use serde_json::Value;

use super::history::{Document, History};
use super::tasks::{Found, part};
use crate::site::Site;

pub(super) fn proof(history: &History, site: &Site) -> Found {
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
pub(super) fn cluster_pull(history: &History, site: &Site) -> Found {
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

pub(super) fn handoff(history: &History) -> Found {
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

pub(super) fn pull_secret(history: &History, site: &Site) -> Found {
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

fn prove(history: &History, site: &Site) -> String {
    let owner = site.owner.as_deref().unwrap_or("OWNER");
    format!("railhead prove {}/{owner}/IMAGE --user NAME --keep", history.host)
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
