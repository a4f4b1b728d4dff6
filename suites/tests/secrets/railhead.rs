//! With Railhead itself, over TLS, whose tokens have an end.

use railhead_suites::Railhead;
use railhead_suites::railhead::Options;

use crate::place::{Place, silent};

#[test]
fn the_end_of_a_token_is_known_and_what_it_may_do_beside_pull() {
    let scratch = tempfile::tempdir().unwrap();
    let railhead = Railhead::start(scratch.path(), Options { tls: true, ..Options::default() });
    railhead.user("kim", "correct horse battery staple");
    let host = railhead.address().to_string();
    let ca = railhead.ca().ca_file();
    let place = Place::new(&host, &format!("https://{host}"), "").with("RAILHEAD_CA", &ca);
    let writer = railhead.token("kim", &["pull", "push", "delete"]);
    let image = format!("{host}/kim/app:v1");
    place.publish(&image, "kim", &writer);

    let words =
        ["token", "create", "--user", "kim", "--scope", "pull:kim", "--expires", "7d", "--output", "json"];
    let made: serde_json::Value = serde_json::from_str(&railhead.cli(words).ok().stdout).unwrap();
    let reader = made["secret"].as_str().unwrap();
    let ends = made["token"]["expires"].as_str().unwrap();
    let secrets = [reader, writer.as_str()];

    let wide = place.run("pull-secret create --user kim", &writer, "").ok();
    assert!(wide.stderr.contains("the token may do more than pull"), "{wide}");
    let narrow = place.run("pull-secret create --user kim --token-file -", "", &format!("{reader}\n")).ok();
    assert!(!narrow.stderr.contains("more than pull"), "{narrow}");

    let verify = format!("pull-secret verify {image} --file - --output json");
    let outcome = silent(place.run(&verify, "", &narrow.stdout).ok(), &secrets);
    let told: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!((told["expires"]["known"].as_str(), told["expires"]["at"].as_str()), (Some("at"), Some(ends)));
    assert_eq!((told["visibility"].as_str(), told["may_more"].as_bool()), (Some("private"), Some(false)));
    let text = place.run(&verify.replace(" --output json", ""), "", &narrow.stdout).ok();
    assert!(text.stdout.contains("rotate it before that"), "{text}");

    railhead.cli(["token", "revoke", "--yes", made["token"]["id"].as_str().unwrap()]);
    railhead.cli(["repo", "visibility", "kim/app", "public"]).ok();
    let revoked = silent(place.run(&verify, "", &narrow.stdout), &secrets);
    let told: serde_json::Value = serde_json::from_str(&revoked.stdout).unwrap();
    assert_eq!((told["ok"].as_bool(), told["visibility"].as_str()), (Some(false), Some("public")));
    revoked.refused(&["it is wrong, revoked or has ended"]);
    place.evidence("pull-secret-check", &secrets);
}

#[test]
fn a_token_is_not_sent_where_the_certificate_is_not_trusted() {
    let scratch = tempfile::tempdir().unwrap();
    let railhead = Railhead::start(scratch.path(), Options { tls: true, ..Options::default() });
    let host = railhead.address().to_string();
    let place = Place::new(&host, &format!("https://{host}"), "");
    let outcome = place.run("pull-secret create --user kim", "rh_a", "");
    outcome.refused(&["the certificate is not trusted"]);
}
