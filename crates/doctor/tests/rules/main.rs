//! The rules, on records made by hand: each code alone, codes together, and what one route says about another.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod across;
mod application;
mod arrival;
mod fixes;
mod identity;
mod realm;
mod routing;
mod transfer;

use std::collections::BTreeSet;

use railhead_client::hops::Walk;
use railhead_doctor::testing::now;
use railhead_doctor::{Code, Diagnosis, Layer, Place, Severity, diagnose};

/// Walks, and what has to be said about them.
struct Case {
    name: &'static str,
    place: Place,
    walks: Vec<Walk>,
    expected: Vec<Code>,
    layer: Option<Layer>,
}

impl Case {
    fn of(name: &'static str, walks: impl Into<Vec<Walk>>, expected: impl Into<Vec<Code>>) -> Self {
        Self { name, place: place(), walks: walks.into(), expected: expected.into(), layer: None }
    }

    /// The first finding is in this layer and not in its code's.
    fn in_layer(mut self, layer: Layer) -> Self {
        self.layer = Some(layer);
        self
    }

    fn at(mut self, change: impl FnOnce(&mut Place)) -> Self {
        change(&mut self.place);
        self
    }
}

fn place() -> Place {
    Place {
        account: Some("alice".to_owned()),
        repository: Some("alice/app".to_owned()),
        ..Place::new("git.example.com")
    }
}

fn codes(diagnosis: &Diagnosis) -> Vec<Code> {
    diagnosis.findings.iter().map(|finding| finding.code).collect()
}

fn all() -> Vec<Case> {
    let families = [
        arrival::cases,
        routing::cases,
        application::cases,
        realm::cases,
        identity::cases,
        transfer::cases,
        across::cases,
    ];
    families.iter().flat_map(|family| family()).collect()
}

#[test]
fn every_case_gets_its_findings_and_no_other() {
    let mut wrong = Vec::new();
    for case in all() {
        let diagnosis = diagnose(&case.place, case.walks, now());
        if codes(&diagnosis) != case.expected {
            wrong.push(format!(
                "{}: expected {:?}, found {:#?}",
                case.name, case.expected, diagnosis.findings
            ));
            continue;
        }
        if let Some(layer) = case.layer {
            assert_eq!(diagnosis.findings[0].layer, layer, "{}", case.name);
        }
        for finding in &diagnosis.findings {
            assert!(!finding.routes.is_empty() && !finding.evidence.is_empty(), "{}", case.name);
            assert!(finding.fix.len() > 20, "{}: {}", case.name, finding.code);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_code_is_found_by_some_case() {
    let found: BTreeSet<Code> = all().into_iter().flat_map(|case| case.expected).collect();
    // Those of the cluster's objects are found without a walk, and have their cases where they are found.
    let walked = Code::ALL.iter().filter(|code| code.story().hop != "cluster");
    let missing: Vec<&Code> = walked.filter(|code| !found.contains(code)).collect();
    assert!(missing.is_empty(), "no case has {missing:?}");
}

#[test]
fn findings_are_in_the_order_of_mending() {
    let key = |code: &Code| (code.story().severity, *code);
    for case in all() {
        assert!(case.expected.is_sorted_by_key(key), "{}", case.name);
    }
    assert!(Severity::Error < Severity::Warning && Severity::Warning < Severity::Info);
}
