//! What a hub is told of a site's evidence, and that none of it gets lost on the way to the outbox.

use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::change::picture;
use super::*;
use crate::evidence::{Archive, Evidence, Kind};
use crate::report::History;
use crate::secrets::Secrets;
use crate::site::Site;

const HOST: &str = "gitea.coulomb.example";

/// A site with a directory of evidence.
struct World {
    _directory: tempfile::TempDir,
    site: Site,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let name = Some("Railiance".to_owned());
        let site = Site { evidence: directory.path().to_owned(), name, ..Site::default() };
        Self { _directory: directory, site }
    }

    fn keep(&self, kind: Kind, host: &str, time: &str, result: &Value) -> &Self {
        let mut evidence = Evidence::new(kind, host, true, result).unwrap();
        evidence.time = time.parse().unwrap();
        Archive::new(&self.site.evidence).write(&evidence, &Secrets::default()).unwrap();
        self
    }

    fn outbox(&self) -> Outbox {
        Outbox::new(&self.site)
    }

    /// Gathers; what waits then, as it stands in the names of the files.
    fn gather(&self) -> Vec<String> {
        self.outbox().gather(&self.site).unwrap();
        let name = |one: Waiting| one.path.file_name().unwrap().to_str().unwrap().to_owned();
        self.outbox().waiting().unwrap().into_iter().map(name).collect()
    }

    /// Gathers, and gives what waits away; type and subject of each.
    fn told(&self) -> Vec<String> {
        self.outbox().gather(&self.site).unwrap();
        let waiting = self.outbox().waiting().unwrap();
        for one in &waiting {
            one.taken().unwrap();
        }
        let words = |one: &Waiting| {
            let (kind, about) = one.words();
            format!("{kind} {about}")
        };
        waiting.iter().map(words).collect()
    }
}

fn finding(code: &str, evidence: &str) -> Value {
    json!({"code": code, "title": "a title", "severity": "error", "layer": "routing", "owner": "railiance-cluster",
        "routes": ["public"], "evidence": [evidence], "fix": "mend it"})
}

fn diagnosis(findings: &[Value]) -> Value {
    json!({"verdict": {"class": "routing", "text": "routing"}, "findings": findings, "walks": []})
}

#[test]
fn a_hub_is_told_of_what_changes() {
    let world = World::new();
    let (lost, scheme) = (finding("RH-ROUTE-404", "404 in 3 ms"), finding("RH-REALM-SCHEME", "http"));
    world.keep(Kind::Doctor, HOST, "2026-05-15T09:00:00Z", &diagnosis(&[lost, scheme.clone()]));
    let first = world.told();
    insta::assert_snapshot!(first.join("\n"), @r"
    railhead.finding.open RH-REALM-SCHEME: a title
    railhead.finding.open RH-ROUTE-404: a title
    railhead.task.changed T01: Inventory and diagnosis
    railhead.task.changed T02: The registry is configured
    railhead.task.changed T03: /v2/ reaches the registry
    railhead.task.changed T04: Login, push and pull are proven
    railhead.task.changed T05: Handed over
    railhead.task.changed T06: Backup and retention
    ");
    assert_eq!(world.told(), [""; 0]);
    // What stays is not told again, also where it took other milliseconds.
    let again = finding("RH-REALM-SCHEME", "http, again");
    world.keep(Kind::Doctor, HOST, "2026-05-19T09:00:00Z", &diagnosis(&[again]));
    insta::assert_snapshot!(world.told().join("\n"), @r"
    railhead.finding.gone RH-ROUTE-404: a title
    railhead.task.changed T01: Inventory and diagnosis
    railhead.task.changed T02: The registry is configured
    railhead.task.changed T03: /v2/ reaches the registry
    ");
}

#[test]
fn a_message_has_all_that_its_reader_needs() {
    let world = World::new();
    world.keep(
        Kind::Doctor,
        HOST,
        "2026-05-15T09:00:00Z",
        &diagnosis(&[finding("RH-ROUTE-404", "GET /v2/ answered 404")]),
    );
    let plan = json!({
        "follow_ups": [{"layer": "routing", "owner": "railiance-cluster", "title": "Route /v2", "text": "…"},
            {"layer": "storage", "owner": null, "title": "Back up", "text": "…"}],
        "filed": [{"title": "Route /v2", "url": "https://git.example.com/a/b/issues/7", "was_there": false}],
    });
    world.keep(Kind::Enable, HOST, "2026-05-15T10:00:00Z", &plan);
    world.outbox().gather(&world.site).unwrap();
    let bodies = world.outbox().waiting().unwrap().into_iter().take(4).map(|one| {
        let body: Value = serde_json::from_slice(&one.body).unwrap();
        serde_json::to_string_pretty(&body).unwrap()
    });
    insta::assert_snapshot!(bodies.collect::<Vec<_>>().join("\n"));
}

#[test]
fn each_host_has_its_own_story() {
    let world = World::new();
    world.keep(Kind::Doctor, HOST, "2026-05-15T09:00:00Z", &diagnosis(&[finding("RH-ROUTE-404", "")]));
    world.told();
    world.keep(Kind::Doctor, "b.example", "2026-05-15T10:00:00Z", &diagnosis(&[]));
    let told = world.told();
    assert!(!told.is_empty() && told.iter().all(|one| one.starts_with("railhead.task.changed")), "{told:?}");
}

#[test]
fn a_kill_before_the_end_makes_the_same_messages_again() {
    let world = World::new();
    world.keep(Kind::Doctor, HOST, "2026-05-15T09:00:00Z", &diagnosis(&[finding("RH-ROUTE-404", "")]));
    let whole = world.gather();
    assert_eq!(whole.len(), 7, "{whole:?}");
    let told = world.outbox().path().join("told");
    // Killed before the document was noted, within the note, and with half of the messages written or sent.
    for left in ["", "doctor-2026"] {
        fs::write(&told, left).unwrap();
        for gone in whole.iter().skip(3) {
            fs::remove_file(world.outbox().path().join("outbox").join(gone)).unwrap();
        }
        assert_eq!(world.gather(), whole);
    }
    assert!(fs::read_to_string(&told).unwrap().ends_with("\ndoctor-20260515T090000.000Z.json\n"));
    assert_eq!(world.gather(), whole, "nothing is told twice without need");
}

#[test]
fn what_the_hub_refused_is_kept_and_can_be_sent_again() {
    let world = World::new();
    world.keep(Kind::Doctor, HOST, "2026-05-15T09:00:00Z", &diagnosis(&[]));
    let whole = world.gather();
    let outbox = world.outbox();
    let refused = outbox.set_aside(&outbox.waiting().unwrap()[1], "it answered 422: no").unwrap();
    assert_eq!(outbox.refused().unwrap(), [refused]);
    assert_eq!(outbox.waiting().unwrap().len(), whole.len() - 1);
    assert_eq!(outbox.again().unwrap(), 1);
    assert_eq!(world.gather(), whole, "in its old place");
    assert_eq!(fs::read_dir(outbox.path().join("refused")).unwrap().count(), 0);
}

#[test]
fn a_damaged_document_is_named() {
    let world = World::new();
    fs::write(world.site.evidence.join("proof-2026.json"), "{").unwrap();
    let error = world.outbox().gather(&world.site).unwrap_err();
    assert!(error.to_string().contains("proof-2026.json"), "{error}");
}

/// What a hub knows that has read the messages in order.
#[derive(Default)]
struct Reader(BTreeMap<String, Value>);

impl Reader {
    fn read(&mut self, body: &[u8]) {
        let body: Value = serde_json::from_slice(body).unwrap();
        let data = &body["data"];
        let thing = ["finding", "follow_up", "task"].iter().find(|thing| data[**thing].is_object()).unwrap();
        let value = &data[*thing];
        let kind = data["source"].as_str().unwrap_or_default().split('-').next().unwrap();
        let key = match *thing {
            "finding" => format!("{kind} {} {}", value["code"], value["routes"]),
            "follow_up" => value["title"].to_string(),
            _ => value["id"].to_string(),
        };
        match body["type"].as_str().unwrap().rsplit('.').next() {
            Some("gone") => assert!(self.0.remove(&key).is_some(), "{key} was never there"),
            _ => drop(self.0.insert(key, value.clone())),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn who_reads_the_messages_in_order_knows_what_the_evidence_shows(
        acts in prop::collection::vec((0_usize..4, prop::collection::btree_set(0_usize..4, 0..4), any::<bool>()), 1..10),
    ) {
        const CODES: [&str; 4] = ["RH-A", "RH-B", "RH-C", "RH-D"];
        let world = World::new();
        let mut reader = Reader::default();
        for (at, (kind, codes, tells)) in acts.iter().enumerate() {
            let findings: Vec<Value> = codes.iter().map(|code| finding(CODES[*code], "")).collect();
            let (kind, result) = match kind {
                0 | 1 => (Kind::Doctor, diagnosis(&findings)),
                2 => (Kind::Inspection, diagnosis(&findings)),
                _ => (Kind::Enable, json!({"follow_ups": codes.iter().map(|code| json!({"title": CODES[*code]})).collect::<Vec<_>>()})),
            };
            world.keep(kind, HOST, &format!("2026-05-15T09:00:{at:02}Z"), &result);
            if *tells || at + 1 == acts.len() {
                world.outbox().gather(&world.site).unwrap();
                for one in world.outbox().waiting().unwrap() {
                    reader.read(&one.body);
                    one.taken().unwrap();
                }
            }
        }
        let history = History::read(&Archive::new(&world.site.evidence), HOST).unwrap();
        prop_assert_eq!(reader.0.len(), picture(&history, &world.site).unwrap().len());
        let open: Vec<&str> = reader.0.keys().filter_map(|key| key.strip_prefix("doctor \"")).collect();
        let newest = history.newest("doctor").map_or(0, |document| document.list("/findings").len());
        prop_assert_eq!(open.len(), newest);
    }
}
