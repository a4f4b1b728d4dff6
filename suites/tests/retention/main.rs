//! Retention in the product: images are pushed, a plan is made, applied, undone, applied again, and what the store gives back
//! is what the plan said, byte for byte.
//!
//! Nothing of the last day ever goes, so the test makes the images old in the catalog, while the server is stopped.

#![expect(clippy::unwrap_used, reason = "this is a test")]

mod forge;

use std::path::Path;

use railhead_suites::http::Http;
use railhead_suites::image::Image;
use railhead_suites::railhead::Options;
use railhead_suites::{Railhead, Random};

const CONFIGURATION: &str = "[collection]\nlease_seconds = 1\ngrace_seconds = 1\ninterval_seconds = 0\n[retention]\nkeep_newest = 1\n";

/// Bytes of all objects of the store.
fn bytes(directory: &Path) -> u64 {
    let mut sum = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let about = entry.metadata().unwrap();
        sum += if about.is_dir() { bytes(&entry.path()) } else { about.len() };
    }
    sum
}

/// Makes all that was pushed so many days older.
fn age(railhead: &mut Railhead, days: i64) {
    assert!(railhead.sigterm());
    let catalog = rusqlite::Connection::open(railhead.data().join("catalog.sqlite")).unwrap();
    let by = days * 86_400_000;
    for statement in [
        "UPDATE manifest SET pushed_at = pushed_at - ?1, pulled_at = NULL",
        "UPDATE tag SET moved_at = moved_at - ?1, created_at = created_at - ?1",
    ] {
        catalog.execute(statement, [by]).unwrap();
    }
    drop(catalog);
    railhead.restart();
}

/// Pushes images, each newer than the one before: a base that all share, and a layer of its own.
fn push(http: &Http, path: &str, tag: &str, base: &[u8], random: &mut Random) {
    let mut image = Image::random(random, 1, 50_000);
    image.layers.insert(0, base.to_vec());
    for blob in std::iter::once(&image.config).chain(&image.layers) {
        let digest = railhead_oci::Digest::sha256(blob);
        let target = format!("{path}/blobs/uploads/?digest={digest}");
        let answer =
            http.send("POST", &target, &[("Content-Type", "application/octet-stream")], blob).unwrap();
        assert_eq!(answer.status, 201);
    }
    let target = format!("{path}/manifests/{tag}");
    let answer =
        http.send("PUT", &target, &[("Content-Type", railhead_suites::image::MANIFEST)], &image.manifest());
    assert_eq!(answer.unwrap().status, 201);
}

/// Pulls an image in full; `false` when it is not there.
fn pulls(http: &Http, path: &str, tag: &str) -> bool {
    let get = |path: &str| http.send("GET", path, &[("Accept", "*/*")], b"").unwrap();
    let manifest = get(&format!("{path}/manifests/{tag}"));
    if manifest.status == 404 {
        return false;
    }
    let facts = railhead_oci::Manifest::read(None, &manifest.body).unwrap();
    for digest in facts.blobs {
        let blob = get(&format!("{path}/blobs/{digest}"));
        assert_eq!((blob.status, railhead_oci::Digest::sha256(&blob.body)), (200, digest));
    }
    true
}

#[test]
fn what_the_plan_says_is_what_the_disk_gets_back() {
    let scratch = tempfile::tempdir().unwrap();
    let configuration = scratch.path().join("railhead.toml");
    std::fs::write(&configuration, CONFIGURATION).unwrap();
    let configuration = configuration.display().to_string();
    let arguments = vec!["--config".to_owned(), configuration.clone()];
    let mut railhead = Railhead::start(scratch.path(), Options { arguments, ..Options::default() });
    railhead.organisation("team", &[]);
    railhead.cli(["user", "create", "ada", "--admin"]).ok();
    let token = railhead.token("ada", &["pull", "push"]);
    let mut random = Random::new(7);
    let (base, path) = (random.bytes(100_000), "/v2/team/app");
    let login = |railhead: &Railhead| {
        Http::login(railhead.address(), "ada", &token, &["repository:team/app:pull,push".to_owned()]).unwrap()
    };
    for tag in ["v1", "v2", "v3"] {
        push(&login(&railhead), path, tag, &base, &mut random);
        age(&mut railhead, 10);
    }
    let cli = |railhead: &Railhead, words: &[&str]| {
        let words = words.iter().copied().chain(["--config", &configuration, "--output", "json"]);
        let text = railhead.cli(words).ok().stdout;
        serde_json::from_str::<serde_json::Value>(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    };
    let store = railhead.data().join("blobs");
    let before = bytes(&store);

    let plan = cli(&railhead, &["retention", "plan"]);
    assert_eq!((plan["lost_tags"].as_u64(), plan["freed_blobs"].as_u64()), (Some(2), Some(4)), "{plan}");
    let freed = plan["freed_bytes"].as_u64().unwrap();
    assert!(freed > 100_000 && freed < 110_000, "two layers of 50 kB, not the base: {freed}");
    let hash = plan["hash"].as_str().unwrap();
    let why = cli(&railhead, &["retention", "why", "team/app:v3"]);
    assert_eq!((why["lost"].as_bool(), why["rule"].as_str()), (Some(false), Some("keep_newest")), "{why}");

    usage_and_outlook_say_the_same(&railhead, &cli, freed, before);

    cli(&railhead, &["retention", "apply", hash]);
    assert!(!pulls(&login(&railhead), path, "v1") && pulls(&login(&railhead), path, "v3"));
    cli(&railhead, &["gc", "--now"]);
    assert_eq!(bytes(&store), before, "what is in the trash keeps its bytes");
    cli(&railhead, &["retention", "undo", hash]);
    for tag in ["v1", "v2", "v3"] {
        assert!(pulls(&login(&railhead), path, tag), "{tag} is back");
    }

    age(&mut railhead, 10);
    let again = cli(&railhead, &["retention", "plan"]);
    assert_eq!(again["hash"].as_str(), Some(hash), "the same is lost, so it is the same plan");
    cli(&railhead, &["retention", "apply", hash]);
    cli(&railhead, &["retention", "empty", "--yes"]);
    // The grace is a second; until it has passed there is something that waits for it.
    let waits = || cli(&railhead, &["gc", "--dry-run"])["waiting"]["count"] != 0;
    let begun = std::time::Instant::now();
    while waits() {
        assert!(begun.elapsed().as_secs() < 60, "something waits for longer than a grace");
    }
    cli(&railhead, &["gc", "--now"]);
    assert_eq!(before - bytes(&store), freed);
    assert!(pulls(&login(&railhead), path, "v3"));
    let recount = cli(&railhead, &["usage", "--recount"]);
    assert_eq!(recount["differences"].as_array().map(Vec::len), Some(0), "{recount}");
}

/// What `usage` and `retention simulate` say before anything was lost. All bytes came within a day.
fn usage_and_outlook_say_the_same(
    railhead: &Railhead,
    cli: &impl Fn(&Railhead, &[&str]) -> serde_json::Value,
    freed: u64,
    stored: u64,
) {
    let usage = cli(railhead, &["usage"]);
    let team = usage["owners"].as_array().unwrap().iter().find(|one| one["owner"] == "team").unwrap();
    let [used, unique, shared, free] = ["used_bytes", "unique_bytes", "shared_bytes", "rules_free_bytes"]
        .map(|name| team[name].as_u64().unwrap());
    assert_eq!((unique, shared, free), (used, 0, freed), "{usage}");
    let manifests = used - stored;
    assert!(manifests > 0 && manifests < 5000, "three manifests beside {stored} bytes of blobs: {manifests}");

    let room = (10 * stored).to_string();
    let seen = cli(railhead, &["retention", "simulate", "--days", "90", "--free", &room]);
    let total = |name: &str| seen["total"][name].as_u64().unwrap();
    assert_eq!((total("now_bytes"), total("daily_bytes")), (used, stored), "{seen}");
    assert_eq!((total("then_bytes"), total("full_in_days")), (used + 90 * stored, 10));
    assert_eq!((total("rules_free_bytes"), seen["owners"][0]["owner"].as_str()), (freed, Some("ada")));
    assert!(total("then_with_rules_bytes") < total("then_bytes") && total("full_with_rules_in_days") > 10);

    let quota = (used * 100 / 95).to_string();
    railhead.cli(["owner", "limits", "team", "--quota", &quota]).ok();
    let warned = railhead.cli(["usage"]).ok();
    assert!(warned.stderr.contains("team uses 95 % of its quota"), "{warned}");
    railhead.cli(["owner", "limits", "team", "--quota=-1"]).ok();
    let quiet = railhead.cli(["usage"]).ok();
    assert!(!quiet.stderr.contains("of its quota"), "{quiet}");
}
