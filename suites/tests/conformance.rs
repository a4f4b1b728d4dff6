//! The official conformance program of the distribution-spec, with every switch on that a complete
//! registry can have on.
//!
//! Nothing may fail. What the program skips is compared with `docs/reference/conformance.md`, in both directions: each skip has
//! its reason there, and no reason outlives its skip.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "this is a test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use railhead_suites::registry::TEAM;
use railhead_suites::{Program, Registry};

/// Every switch that a registry without configuration can have on.
const SWITCHES: &[&str] = &[
    "API_PULL",
    "API_PUSH",
    "API_BLOBS_ATOMIC",
    "API_BLOBS_DELETE",
    "API_BLOBS_DIGEST_HEADER",
    "API_BLOBS_MOUNT_ANONYMOUS",
    "API_BLOBS_UPLOAD_CANCEL",
    "API_MANIFESTS_ATOMIC",
    "API_MANIFESTS_DELETE",
    "API_MANIFESTS_DIGEST_HEADER",
    "API_MANIFESTS_TAG_PARAM",
    "API_TAGS_ATOMIC",
    "API_TAGS_DELETE",
    "API_TAGS_LIST",
    "API_REFERRER",
    "DATA_IMAGE",
    "DATA_INDEX",
    "DATA_INDEX_LIST",
    "DATA_ARTIFACT",
    "DATA_SUBJECT",
    "DATA_SUBJECT_MISSING",
    "DATA_ARTIFACT_LIST",
    "DATA_SUBJECT_LIST",
    "DATA_DATA_FIELD",
    "DATA_NONDISTRIBUTABLE",
    "DATA_CUSTOM_FIELDS",
    "DATA_NO_LAYERS",
    "DATA_EMPTY_BLOB",
    "DATA_SHA512",
];

/// `DATA_SPARSE` pushes manifests whose layers and children the registry does not have. Railhead refuses those unless it is told
/// otherwise, so this switch is on where the configuration says so.
const SPARSE: &str = "[manifests]\nsparse = true\n";

#[test]
fn version_1_1_conforms() {
    conforms("1.1", true, "");
}

#[test]
fn every_switch_is_on_at_1_1_where_sparse_manifests_are_taken() {
    conforms("1.1", true, SPARSE);
}

#[test]
fn every_switch_is_on_at_dev_where_sparse_manifests_are_taken() {
    conforms("dev", true, SPARSE);
}

#[test]
fn the_coming_version_conforms() {
    conforms("dev", true, "");
}

/// Each request starts without a token, so each challenge has to name every scope that its request needs.
#[test]
fn a_client_that_keeps_no_token_conforms() {
    conforms("dev", false, "");
}

fn conforms(version: &str, keeps_tokens: bool, configuration: &str) {
    let registry = Registry::configured(configuration);
    let (user, secret) = registry.owner();
    let results = registry.scratch().join("results");
    let settings = registry.scratch().join("settings.yaml");
    fs::write(&settings, "{}").unwrap();
    let mut program = Program::find("conformance")
        .with("SSL_CERT_FILE", registry.ca().ca_file())
        .with("OCI_CONFIGURATION", settings)
        .with("OCI_RESULTS_DIR", &results)
        .with("OCI_VERSION", version)
        .with("OCI_REGISTRY", registry.host())
        .with("OCI_TLS", "enabled")
        .with("OCI_REPO1", format!("{TEAM}/conformance/one"))
        .with("OCI_REPO2", format!("{TEAM}/conformance/two"))
        .with("OCI_CACHE_AUTH", keeps_tokens.to_string())
        .with("OCI_USERNAME", user)
        .with("OCI_PASSWORD", secret);
    for switch in SWITCHES {
        program = program.with(&format!("OCI_{switch}"), "true");
    }
    if configuration == SPARSE {
        program = program.with("OCI_DATA_SPARSE", "true");
    }
    let outcome = program.run(None::<&str>);
    let report = fs::read_to_string(results.join("junit.xml"));
    let report = report.unwrap_or_else(|error| panic!("no junit.xml ({error}): {outcome}"));
    let cases = cases(&report);
    println!("distribution-spec {version}, {} ms", outcome.took.as_millis());
    println!("{}", summary(&outcome.stdout));
    let with = |status: &str| -> Vec<&Case> { cases.iter().filter(|case| case.status == status).collect() };
    for case in with("skipped") {
        println!("skipped: {} ({})", case.name, case.said);
    }
    let [passed, skipped] = ["passed", "skipped"].map(|status| with(status).len());
    let others: Vec<&Case> =
        cases.iter().filter(|case| !["passed", "skipped"].contains(&case.status)).collect();
    assert!(others.is_empty(), "{} checks failed: {others:#?}", others.len());
    assert!(
        passed > 500,
        "only {passed} checks passed and {skipped} were skipped: did the program reach the server?"
    );
    assert!(outcome.success, "{outcome}");
    compare_with_page(version, &with("skipped"));
}

/// What the program printed, from its verdict on, without the empty lines.
fn summary(printed: &str) -> String {
    let from = printed.find("OCI Conformance Result").unwrap_or(0);
    printed[from..].lines().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("\n")
}

#[derive(Debug)]
struct Case<'a> {
    status: &'a str,
    name: &'a str,
    said: &'a str,
}

/// The test cases of a `JUnit` report as the program writes it: the attributes are on one line with the tag.
fn cases(report: &str) -> Vec<Case<'_>> {
    let pieces = report.split("<testcase ").skip(1);
    let cases = pieces.map(|piece| {
        let attribute = |name: &str| between(piece, &format!("{name}=\""), "\"").unwrap_or_default();
        let said = between(piece, "<system-out>", "</system-out>").unwrap_or_default();
        Case { status: attribute("status"), name: attribute("name"), said }
    });
    cases.collect()
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(from)?;
    rest.split_once(to).map(|(found, _)| found)
}

/// Compares the skips with the table of the page: `| version | check | how often | why |`.
fn compare_with_page(version: &str, skipped: &[&Case]) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/reference/conformance.md");
    let page = fs::read_to_string(page).unwrap();
    let mut explained = BTreeMap::new();
    for line in page.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let ["", of, check, times, why, ""] = cells[..]
            && of == version
        {
            assert!(!why.is_empty(), "conformance.md gives no reason for the skip of {check}");
            explained.insert(check.trim_matches('`'), times.parse::<usize>().unwrap());
        }
    }
    let mut found = BTreeMap::new();
    for case in skipped {
        *found.entry(case.name.trim_start_matches("OCI Conformance Test/")).or_default() += 1;
    }
    assert_eq!(
        found, explained,
        "what {version} skipped (left) is not what docs/reference/conformance.md explains (right)"
    );
}
