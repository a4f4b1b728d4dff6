//! All of a real Gitea to Railhead, and on to an empty Gitea: what was pulled by digest before is pulled by digest afterwards.

use railhead_suites::forge::{FORGE_PASSWORD, FORGE_USER};
use railhead_suites::http::Http;
use railhead_suites::{Image, Random};
use serde_json::Value;

use crate::content::{Pusher, is_served};
use crate::ends::{End, HIDDEN, gitea, migrate, operator, railhead};

/// Tags of one repository: more than one page of every list.
const MANY: usize = 130;

#[test]
fn all_of_gitea_goes_to_railhead_and_on_to_an_empty_gitea() {
    let scratch = tempfile::tempdir().unwrap();
    let home = |name: &str| scratch.path().join(name);
    let (_one, from) = gitea(&home("one"), "one.test:3000");
    let (_two, last) = gitea(&home("two"), "two.test:3000");
    let (railhead, middle) = railhead(&home("railhead"), "railhead.test:5050");
    let [app, many, deep] = ["app", "many", "deep/er"].map(|name| format!("{FORGE_USER}/{name}"));
    let secret = format!("{HIDDEN}/secret");
    let http = from.login(&[]);
    let mut pusher = Pusher::new(&http);
    let mut random = Random::new(17);
    let base = random.bytes(200_000);
    let on_base = |random: &mut Random| {
        let mut image = Image::random(random, 1, 2_000);
        image.layers.insert(0, base.clone());
        image
    };
    let signed = pusher.image(&app, Some("v1"), &on_base(&mut random));
    pusher.image(&app, Some("v2"), &on_base(&mut random));
    pusher.image(&app, None, &Image::random(&mut random, 1, 5_000));
    pusher.platforms(&app, "multi", &mut random);
    let sbom = pusher.referrer(&app, &signed, "application/spdx+json");
    pusher.fallback(&app, &signed, std::slice::from_ref(&sbom));
    pusher.signature(&app, &signed, &mut random);
    let only = Image::random(&mut random, 1, 3_000);
    for at in 0..MANY {
        let mut image = only.clone();
        image.config.splice(1..1, format!("\"at\":\"{at}\",").into_bytes());
        pusher.image(&many, Some(&format!("v{at}")), &image);
    }
    pusher.image(&deep, Some("latest"), &on_base(&mut random));
    pusher.image(&secret, Some("v1"), &Image::random(&mut random, 1, 3_000));
    let served = pusher.served;
    let operator_of = |name: &str, from: &End, to: &End| operator(&home(name), from, to);

    // There.
    let one = operator_of("first", &from, &middle);
    let report = migrate(&one, &from, &middle, &["--rehash"]).equal();
    let repositories = [&app, &deep, &many, &secret].map(String::as_str);
    is_served(&middle.login(&repositories), &served);
    assert_eq!(names(&report), repositories, "{report}");
    assert_eq!(report["totals"]["tags"], 6 + MANY + 1);
    assert!(
        report["totals"]["mounted_blobs"].as_u64() >= Some(1),
        "the base of deep/er: {}",
        report["totals"]
    );
    assert!(
        everybody_pulls(&middle, &app) && !everybody_pulls(&middle, &secret),
        "who sees it is who saw it"
    );
    let subject = signed["digest"].as_str().unwrap();
    let path = format!("/v2/{app}/referrers/{subject}");
    let listed = middle.login(&repositories).send("GET", &path, &[], b"").unwrap();
    assert!(String::from_utf8(listed.body).unwrap().contains(sbom["digest"].as_str().unwrap()));

    // Once more: nothing is copied, and it is still equal.
    let again = migrate(&one, &from, &middle, &[]).equal();
    assert_eq!((&again["totals"]["copied_blobs"], &again["totals"]["mounted_blobs"]), (&0.into(), &0.into()));
    assert_eq!(one.evidence("migration").len(), 2);

    // And on, with what is new here: a referrer that only Railhead's own list knows.
    let http = middle.login(&repositories);
    let mut pusher = Pusher::new(&http);
    let more = pusher.referrer(&app, &signed, "application/vnd.test.scan");
    let mut all = served;
    all.extend(pusher.served);
    let fallback = (app.clone(), subject.replace(':', "-"));
    let two = operator_of("second", &middle, &last);
    let git = Http::basic(last.address, last.user, FORGE_PASSWORD);
    let fields = [("Content-Type", "application/json")];
    let made = git.send("POST", "/api/v1/user/repos", &fields, br#"{"name":"deep"}"#).unwrap();
    assert_eq!(made.status, 201, "{made:?}");
    let report = migrate(&two, &middle, &last, &["--link"]).equal();
    assert_eq!(names(&report), repositories);
    let links: Vec<_> = report["repositories"].as_array().unwrap().iter().map(|one| &one["linked"]).collect();
    let linked = Value::from(format!("{FORGE_USER}/deep"));
    assert_eq!(links, [&Value::Null, &linked, &Value::Null, &Value::Null], "{report}");
    let path = format!("/api/v1/packages/{FORGE_USER}?type=container&q=deep");
    let shown: Value = serde_json::from_slice(&git.send("GET", &path, &[], b"").unwrap().body).unwrap();
    assert_eq!(shown[0]["repository"]["full_name"], linked, "the package's page shows the Git repository");
    let added = report["repositories"][0]["added"].to_string();
    assert!(added.contains(&fallback.1), "the target lists no referrers itself: {added}");
    // The list of referrers has one more by now; it is another document.
    let before = all.remove(&fallback).unwrap();
    let after = last.login(&[]);
    let answer = after.send("GET", &format!("/v2/{app}/manifests/{}", fallback.1), &[("Accept", "*/*")], b"");
    let index: Value = serde_json::from_slice(&answer.unwrap().body).unwrap();
    assert_eq!(index["manifests"][0], serde_json::from_slice::<Value>(&before).unwrap()["manifests"][0]);
    assert_eq!(index["manifests"][1]["digest"], more["digest"]);
    all.remove(&(app.clone(), railhead_oci::Digest::sha256(&before).to_string()));
    is_served(&after, &all);
    let versions = Http::basic(last.address, last.user, &last.token);
    let path = format!("/api/v1/packages/{FORGE_USER}?type=container&limit=50&q=app");
    let versions = String::from_utf8(versions.send("GET", &path, &[], b"").unwrap().body).unwrap();
    assert!(versions.contains(more["digest"].as_str().unwrap()), "what no tag names is there, too");
    drop(railhead);
}

#[test]
fn what_is_private_does_not_become_public_by_itself() {
    let scratch = tempfile::tempdir().unwrap();
    let (_forge, to) = gitea(&scratch.path().join("gitea"), "two.test:3000");
    let (_railhead, from) = railhead(&scratch.path().join("railhead"), "railhead.test:5050");
    let name = format!("{FORGE_USER}/app");
    let http = from.login(&[&name]);
    Pusher::new(&http).image(&name, Some("v1"), &Image::random(&mut Random::new(3), 1, 1_000));
    let operator = operator(&scratch.path().join("home"), &from, &to);
    let said = migrate(&operator, &from, &to, &[]);
    assert_eq!((said.outcome.code, &said.report["verdict"]), (Some(1), &"different".into()));
    assert!(
        said.differences()[0].contains("everybody sees the packages of alice"),
        "{:?}",
        said.differences()
    );
    let there = |http: &Http| http.send("GET", &format!("/v2/{name}/manifests/v1"), &[], b"").unwrap().status;
    assert_eq!(there(&to.login(&[])), 404);
    migrate(&operator, &from, &to, &["--widen"]).equal();
    assert_eq!(there(&to.login(&[])), 200);
}

#[test]
fn a_tag_that_names_something_else_stays_until_it_is_to_be_moved() {
    let scratch = tempfile::tempdir().unwrap();
    let (_one, from) = railhead(&scratch.path().join("one"), "one.test:5050");
    let (_two, to) = railhead(&scratch.path().join("two"), "two.test:5050");
    let name = format!("{FORGE_USER}/app");
    let mut random = Random::new(5);
    let [old, new] = [(); 2].map(|()| Image::random(&mut random, 1, 1_000));
    let [here, there] = [&from, &to].map(|end| end.login(&[&name]));
    let mut pusher = Pusher::new(&here);
    pusher.image(&name, Some("latest"), &new);
    Pusher::new(&there).image(&name, Some("latest"), &old);
    let operator = operator(&scratch.path().join("home"), &from, &to);
    let said = migrate(&operator, &from, &to, &["alice"]);
    assert_eq!(said.outcome.code, Some(1), "{}", said.outcome);
    assert!(
        said.differences()[0].contains("tag latest: the target names sha256:"),
        "{:?}",
        said.differences()
    );
    let named = || there.send("GET", &format!("/v2/{name}/manifests/latest"), &[], b"").unwrap().body;
    assert_eq!(named(), old.manifest());
    migrate(&operator, &from, &to, &["alice", "--replace"]).equal();
    assert_eq!(named(), new.manifest());
}

/// Whether `v1` of a repository is pulled without a login.
fn everybody_pulls(end: &End, name: &str) -> bool {
    let nobody = Http { address: end.address, authorization: String::new() };
    let answer = nobody.send("GET", &format!("/v2/token?scope=repository:{name}:pull"), &[], b"").unwrap();
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let authorization = format!("Bearer {}", body["token"].as_str().unwrap());
    let http = Http { authorization, ..nobody };
    http.send("GET", &format!("/v2/{name}/manifests/v1"), &[("Accept", "*/*")], b"").unwrap().status == 200
}

fn names(report: &Value) -> Vec<&str> {
    report["repositories"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}
