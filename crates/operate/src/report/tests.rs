//! The report of a true story, told by its evidence.

use std::path::Path;

use serde_json::{Value, json};

use super::{Report, page, report};
use crate::evidence::{Archive, Evidence, Kind};
use crate::secrets::Secrets;
use crate::site::Site;

const HOST: &str = "gitea.coulomb.example";

/// A directory of evidence.
struct Kept {
    directory: tempfile::TempDir,
}

impl Kept {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn keep(&self, kind: Kind, time: &str, ok: bool, result: &Value) -> &Self {
        let mut evidence = Evidence::new(kind, HOST, ok, result).unwrap();
        evidence.time = time.parse().unwrap();
        Archive::new(self.path()).write(&evidence, &Secrets::default()).unwrap();
        self
    }

    fn report(&self) -> Report {
        let mut site = Site { evidence: self.path().to_owned(), ..Site::default() };
        site.name = Some("Railiance".to_owned());
        site.owner = Some("coulomb".to_owned());
        site.cluster.namespace = Some("state-hub".to_owned());
        report(&site, HOST).unwrap()
    }
}

fn finding(code: &str, title: &str, layer: &str, owner: &str) -> Value {
    json!({"code": code, "title": title, "severity": "error", "layer": layer, "owner": owner, "routes": ["public"]})
}

fn walk(name: &str, url: &str, status: u16) -> Value {
    json!({
        "route": {"name": name, "url": url, "connect": null, "ca": null},
        "registry": {"step": "taken", "millis": 3, "seen": {"status": status}},
    })
}

fn sick() -> Value {
    json!({
        "verdict": {"class": "combination", "text": "a combination: routing first, then application"},
        "findings": [
            finding("RH-ROUTE-404", "/v2/ is not routed to the registry", "routing", "railiance-cluster"),
            finding("RH-REALM-SCHEME", "the realm is http while TLS answers", "application", "railiance-apps"),
        ],
        "walks": [walk("public", "https://gitea.coulomb.example", 404)],
    })
}

fn healthy() -> Value {
    json!({
        "verdict": {"class": "healthy", "text": "healthy"},
        "findings": [{"code": "RH-X", "title": "a warning", "severity": "warning", "layer": "routing", "owner": null}],
        "walks": [walk("public", "https://gitea.coulomb.example", 401), json!({
            "route": {"name": "nodeport", "url": "http://gitea.coulomb.example", "connect": "203.0.113.254:32166"},
            "registry": {"step": "broken", "millis": 3, "broke": {}},
        })],
    })
}

fn proof(visibility: &str) -> Value {
    json!({
        "host": HOST, "repository": "coulomb/state-hub", "tag": "6186a99", "visibility": visibility,
        "digest": "sha256:039d29654ccb3754c6ecdbe497c6364bbd8452edcdcb7fa937dd9debf5b734ff",
        "steps": [{"name": "push blobs", "outcome": "ok", "detail": ""}],
    })
}

#[test]
fn the_story_of_a_public_registry() {
    let kept = Kept::new();
    kept.keep(Kind::Doctor, "2026-05-15T09:00:00Z", false, &sick())
        .keep(Kind::Doctor, "2026-05-18T09:00:00Z", true, &healthy())
        .keep(Kind::Doctor, "2026-05-19T09:00:00Z", true, &healthy())
        .keep(Kind::Proof, "2026-05-19T10:00:00Z", true, &proof("public"))
        .keep(Kind::Handoff, "2026-05-19T11:00:00Z", true, &proof("public"))
        .keep(Kind::HandoffCheck, "2026-05-19T11:05:00Z", true, &json!({"facts": []}));
    let report = kept.report();
    insta::assert_snapshot!("public_page", page(&report));
    insta::assert_json_snapshot!("public", report);
    // Nothing of the clock or the machine is in it.
    assert_eq!(kept.report(), report);
}

#[test]
fn nothing_is_shown_before_there_is_evidence() {
    let report = Kept::new().report();
    insta::assert_snapshot!("nothing_page", page(&report));
    assert!(!report.is_done());
}

#[test]
fn what_failed_is_named() {
    let kept = Kept::new();
    let mut failed = proof("private");
    failed["steps"] = json!([{"name": "push blobs", "outcome": "failed", "detail": "413 <html>"}]);
    let untrue = json!({"facts": [{"name": "tag and digest", "outcome": "failed"}, {"name": "login", "outcome": "ok"}]});
    let secret = json!({"act": "create", "name": "registry-pull", "namespace": "state-hub"});
    let check = json!({"image": "gitea.coulomb.example/coulomb/state-hub:6186a99", "expires": {"known": "never", "why": "x"}});
    kept.keep(Kind::Doctor, "2026-05-15T09:00:00Z", true, &healthy())
        .keep(Kind::Doctor, "2026-05-16T09:00:00Z", false, &sick())
        .keep(Kind::Proof, "2026-05-17T10:00:00Z", false, &failed)
        .keep(Kind::Handoff, "2026-05-17T11:00:00Z", true, &proof("private"))
        .keep(Kind::HandoffCheck, "2026-05-17T12:00:00Z", false, &untrue)
        .keep(Kind::PullSecret, "2026-05-17T12:00:00Z", true, &secret)
        .keep(Kind::PullSecretCheck, "2026-05-17T13:00:00Z", false, &check);
    insta::assert_snapshot!("failed_page", page(&kept.report()));
    // A check that is good makes that one good.
    kept.keep(Kind::PullSecretCheck, "2026-05-17T14:00:00Z", true, &check);
    let words = page(&kept.report());
    assert!(
        words.contains(
            "the pull secret pulls gitea.coulomb.example/coulomb/state-hub:6186a99; its token has no end"
        ),
        "{words}"
    );
}

#[test]
fn keeping_images_is_shown_by_backup_drill_and_retention() {
    let kept = Kept::new();
    let made = json!({
        "id": "000003-20260601T220000Z", "place": "/backup/registry",
        "counts": {"repositories": 4, "tags": 21, "bytes": 837_287_936},
    });
    let mut drilled = json!({
        "outcome": "nothing-to-pull", "millis": 4200, "restored": {"id": "000003-20260601T220000Z"},
        "pulled": {"manifests": 0, "blobs": 0, "bytes": 0},
    });
    let decided = json!({
        "act": "plan", "plan": "0123456789abcdef", "kept_tags": 15, "lost_tags": 6,
        "rules": {"default": {"keep_newest": 10}},
    });
    kept.keep(Kind::Backup, "2026-06-01T22:00:10Z", true, &made)
        .keep(Kind::Drill, "2026-06-01T22:05:00Z", false, &drilled)
        .keep(Kind::Retention, "2026-06-02T08:00:00Z", true, &decided);
    let words = page(&kept.report());
    assert!(words.contains("| T06 | Backup and retention | partly |"), "{words}");
    assert!(
        words.contains("the last, of 2026-06-01 22:05, had nothing to pull: `railhead restore FROM --drill`"),
        "{words}"
    );
    drilled["outcome"] = "passed".into();
    drilled["pulled"] = json!({"manifests": 25, "blobs": 90, "bytes": 837_287_936});
    kept.keep(Kind::Drill, "2026-06-02T22:05:00Z", true, &drilled);
    let page = page(&kept.report());
    insta::assert_snapshot!("keeping_section", &page[page.find("## T06").unwrap()..]);
}

#[test]
fn what_the_nodes_came_to_is_told_one_by_one() {
    let kept = Kept::new();
    let mut pulls = json!({"nodes": [
        {"node": "node1", "pulled": false, "outcome": "ok", "cause": {"code": "RH-AUTH-READ"}},
        {"node": "node1", "pulled": true, "outcome": "ok", "secrets": ["registry-pull"], "pull_millis": 430},
        {"node": "node2", "pulled": false, "outcome": "failed", "secrets": ["registry-pull"], "cause": {"code": "RH-TLS-UNTRUSTED"}},
    ]});
    kept.keep(Kind::Proof, "2026-05-19T10:00:00Z", true, &proof("private"));
    kept.keep(Kind::ClusterPull, "2026-05-19T10:00:00Z", false, &pulls);
    let words = page(&kept.report());
    for line in [
        "| T04 | Login, push and pull are proven | failed |",
        "node1 did not pull: RH-AUTH-READ, without a secret",
        "node1 pulled in 430 ms, with registry-pull",
        "a pull by every node; the last, of 2026-05-19 10:00, failed: `railhead prove gitea.coulomb.example/coulomb/IMAGE --user NAME --keep --cluster`",
    ] {
        assert!(words.contains(line), "{line}\n{words}");
    }
    pulls["nodes"].as_array_mut().unwrap().truncate(1);
    kept.keep(Kind::ClusterPull, "2026-05-19T11:00:00Z", false, &pulls);
    assert!(
        page(&kept.report()).contains("a pull with a pull secret, since nobody may pull without a login")
    );
    pulls["nodes"][0] =
        json!({"node": "node1", "pulled": true, "outcome": "ok", "secrets": ["registry-pull"]});
    kept.keep(Kind::ClusterPull, "2026-05-19T12:00:00Z", true, &pulls);
    assert!(page(&kept.report()).contains("| T04 | Login, push and pull are proven | done |"));
}

#[test]
fn a_page_written_after_its_check_has_to_be_checked_again() {
    let kept = Kept::new();
    kept.keep(Kind::HandoffCheck, "2026-05-17T12:00:00Z", true, &json!({"facts": []})).keep(
        Kind::Handoff,
        "2026-05-17T13:00:00Z",
        true,
        &proof("public"),
    );
    let words = page(&kept.report());
    assert!(
        words.contains("a check that the page is true: `railhead handoff --check registry.md`"),
        "{words}"
    );
}

#[test]
fn damaged_evidence_is_not_passed_over() {
    let kept = Kept::new();
    std::fs::write(kept.path().join("proof-20260517T120000.000Z.json"), "{").unwrap();
    let site = Site { evidence: kept.path().to_owned(), ..Site::default() };
    let error = report(&site, HOST).unwrap_err();
    assert!(error.to_string().contains("proof-20260517"), "{error}");
}
