//! Files that sops keeps encrypted, with keys of age.

use std::fs;

use railhead_suites::railhead::Options;
use railhead_suites::{Program, Railhead};

use crate::place::{Place, silent};

/// A Railhead with an image, and a site whose secrets are encrypted.
struct Bench {
    _scratch: tempfile::TempDir,
    railhead: Railhead,
    place: Place,
    image: String,
    token: String,
}

impl Bench {
    fn new(rules: &str) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let railhead = Railhead::start(scratch.path(), Options::default());
        railhead.user("kim", "correct horse battery staple");
        let host = railhead.address().to_string();
        let more =
            "[cluster]\nnamespace = \"team\"\npull_secret_file = \"deploy/pull.sops.yaml\"\nsops = true\n";
        let sops = Program::find("sops").path().parent().unwrap().to_owned();
        let path = format!("{}:{}", sops.display(), std::env::var("PATH").unwrap());
        let mut place = Place::new(&host, &format!("http://{host}"), more).with("PATH", path);
        let key = place.path("key.txt");
        Program::find("age-keygen").run(["-o", key.to_str().unwrap()]).ok();
        place = place.with("SOPS_AGE_KEY_FILE", &key);
        let recipient = place.read("key.txt");
        let recipient = recipient.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
        fs::write(place.path(".sops.yaml"), rules.replace("RECIPIENT", recipient)).unwrap();
        fs::create_dir(place.path("deploy")).unwrap();
        let token = railhead.token("kim", &["pull", "push"]);
        let image = format!("{host}/kim/app:v1");
        place.publish(&image, "kim", &token);
        Self { _scratch: scratch, railhead, place, image, token }
    }
}

const CREATE: &str = "pull-secret create --user kim --out {}/deploy/pull.sops.yaml";

#[test]
fn a_file_is_never_plain_and_a_rotation_keeps_the_rest() {
    let bench = Bench::new("creation_rules:\n  - path_regex: deploy/.*\\.sops\\.yaml$\n    age: RECIPIENT\n");
    let place = &bench.place;
    let second = bench.railhead.token("kim", &["pull"]);
    let secrets = [bench.token.as_str(), second.as_str()];
    silent(place.run(CREATE, &bench.token, "").ok(), &secrets);
    let first = place.read("deploy/pull.sops.yaml");
    // Who applies it has to see what it is; the rules did not say so.
    for part in ["kind: Secret", "namespace: team", ".dockerconfigjson: ENC[", "age1"] {
        assert!(first.contains(part), "{part}: {first}");
    }
    let verify = format!("pull-secret verify {}", bench.image);
    silent(place.run(&verify, "", "").ok(), &secrets);

    // What somebody added with sops stays.
    let sops = Program::find("sops").with("SOPS_AGE_KEY_FILE", place.path("key.txt"));
    let file = place.path("deploy/pull.sops.yaml");
    let label = [file.to_str().unwrap(), "[\"metadata\"][\"labels\"]", "{\"team\":\"a\"}"];
    sops.run(["set"].iter().chain(&label)).ok();
    silent(place.run("pull-secret rotate", &second, "").ok(), &secrets);
    let rotated = place.read("deploy/pull.sops.yaml");
    assert!(rotated.contains("team: a") && rotated.contains(".dockerconfigjson: ENC["), "{rotated}");
    assert_ne!(first, rotated);
    let told = place.run(&format!("{verify} --output json"), "", "").ok();
    let told: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(told["may_more"], false, "the narrow token is in it");
    let left: Vec<_> =
        fs::read_dir(place.path("deploy")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["pull.sops.yaml"], "nothing else is left there");
    place.evidence("pull-secret", &secrets);
}

#[test]
fn without_the_key_or_a_rule_nothing_is_written_and_it_says_why() {
    let rules = "creation_rules:\n  - path_regex: deploy/pull\\.sops\\.yaml$\n    age: RECIPIENT\n  \
                 - path_regex: deploy/plain\\.yaml$\n    age: RECIPIENT\n    encrypted_regex: ^nothing$\n";
    let bench = Bench::new(rules);
    let place = &bench.place;
    place.run(CREATE, &bench.token, "").ok();
    let before = place.read("deploy/pull.sops.yaml");
    let line = format!("pull-secret verify {}", bench.image);
    let none = CREATE.replace("pull.sops.yaml", "other.yaml");
    place.run(&none, &bench.token, "").refused(&["add a creation rule whose path_regex matches"]);
    let plain = CREATE.replace("pull.sops.yaml", "plain.yaml");
    place.run(&plain, &bench.token, "").refused(&["leave the login plain"]);
    for name in ["other.yaml", "plain.yaml"] {
        assert!(!place.path("deploy").join(name).exists(), "{name}");
    }
    fs::write(place.path("key.txt"), "").unwrap();
    place.run(&line, "", "").refused(&["sops needs the private key"]);
    place.run("pull-secret rotate", &bench.token, "").refused(&["sops needs the private key"]);
    assert_eq!(place.read("deploy/pull.sops.yaml"), before);
}
