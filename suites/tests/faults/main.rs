//! The fault bench: `railhead doctor` against everything that goes wrong between a client and a registry.
//!
//! Real registries (Gitea, Railhead, distribution) stand behind real proxies (nginx, `HAProxy`, Caddy, Traefik), broken as people
//! break them, and behind a breaker where no proxy can be made to. A [`case::Case`] names the fault and what the doctor has to say.
//!
//! Order: faults alone, pairs of them, set-ups without any. What was found out becomes the page `docs/reference/faults.md`;
//! `SUITES_WRITE=1` writes it, and otherwise it must say the same. `SUITES_ONLY=text` runs the cases whose
//! names, servers or codes have the text.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "this is a test")]

mod bench;
mod case;
mod healthy;
mod hostile;
mod names;
mod page;
mod pairs;
mod seed;
mod singles;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use bench::Bench;
use case::{Case, Kind};
use railhead_suites::{Program, railhead};

/// Cases that run at the same time: most of them wait for something.
const AT_A_TIME: usize = 6;

/// The first code, in the order of mending, that an inspection finds and no route shows.
const FIRST_OF_A_CLUSTER: &str = "RH-RELEASE-NONE";

/// Every case, in the order of the page.
fn all() -> Vec<Case> {
    let mut cases: Vec<Case> = singles::cases();
    cases.extend(pairs::cases());
    cases.extend(seed::cases());
    cases.extend(healthy::cases());
    cases.extend(hostile::cases());
    cases
}

#[test]
fn every_code_is_some_fault_alone() {
    let known = Program::at(railhead::binary()).run(["explain", "--output", "json"]).ok().stdout;
    let known: serde_json::Value = serde_json::from_str(&known).unwrap();
    let tried: BTreeSet<&str> =
        singles::cases().iter().flat_map(|case| &case.expected).map(|one| one.code).collect();
    // Those that only an inspection of a cluster finds come last; the suite `cluster` is theirs.
    let known: BTreeSet<&str> = known
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|story| story["code"].as_str())
        .take_while(|code| *code != FIRST_OF_A_CLUSTER)
        .collect();
    assert_eq!(tried, known, "a code that no server shows, or a case whose code does not exist");
}

#[test]
fn the_doctor_names_every_fault_and_nothing_else() {
    let only = std::env::var("SUITES_ONLY").unwrap_or_default();
    let begin = Instant::now();
    let mut cases = all();
    let all = cases.len();
    cases.retain(|case| format!("{} ({}) {:?}", case.name, case.server, case.expected).contains(&only));
    let bench = Bench::new();
    let failures = run(&bench, &cases);
    for kind in Kind::ALL {
        let of_kind = cases.iter().filter(|case| case.kind == kind);
        let failed = failures.iter().filter(|(at, _)| cases[*at].kind == kind);
        println!("{kind:?}: {} cases, {} failed", of_kind.count(), failed.count());
    }
    println!("all of it took {} s", begin.elapsed().as_secs());
    let told: Vec<&str> = failures.iter().map(|(_, why)| why.as_str()).collect();
    assert!(told.is_empty(), "{} of {} cases failed:\n\n{}", told.len(), cases.len(), told.join("\n\n"));
    if cases.len() == all {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/faults.md");
        page::write_or_compare(&file, &page::of(&cases));
    }
}

/// Runs all cases, some at a time, and gives the failures in the order of the cases.
fn run(bench: &Bench, cases: &[Case]) -> Vec<(usize, String)> {
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(at) else { return };
                    if let Err(why) = case.run(bench) {
                        let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
                        failures.push((at, why));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.sort_by_key(|(at, _)| *at);
    failures
}
