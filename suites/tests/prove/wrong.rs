//! Something is wrong, and the proof says so at the right step, and at no other.

use std::net::SocketAddr;

use railhead_suites::breaker::Script;
use railhead_suites::http::base64;
use railhead_suites::{Breaker, Operator};

use crate::said::Said;
use crate::sites::{Gitea, OWNER, Product, Reference, Site};

/// Proves `proof` through `script`, with what comes behind the flags of the route.
fn through(site: &Site, script: Script, more: &[&str]) -> Said {
    let breaker = Breaker::start(script);
    let route = site.over(breaker.address());
    let words: Vec<&str> = route.iter().map(String::as_str).chain(more.iter().copied()).collect();
    site.prove("proof", &words)
}

fn to(product: &Product) -> SocketAddr {
    product.railhead.address()
}

#[test]
fn a_registry_that_asks_nobody_takes_wrong_tokens_too() {
    let reference = Reference::start(false, true);
    let said = reference.site.prove("proof", &["--public"]);
    let said = said.failed(&["wrong-token", "anonymous push", "readonly-token"], 1);
    assert!(said.detail("wrong-token").contains("an upload can be begun with a wrong token"), "{said}");
    assert_eq!(said.with("fact"), ["login", "referrer"], "{said}");
    let uploads: Vec<_> = reference.links();
    assert!(uploads.iter().all(|link| !link.to_string_lossy().contains("_uploads")), "{uploads:?}");
}

#[test]
fn a_login_that_takes_any_password_is_found() {
    let product = Product::start();
    let account = format!("Basic {}", base64(&format!("{OWNER}:{}", product.site.token)));
    // Everybody gets a token, and every token is the account's.
    let script = Script::http(to(&product))
        .answer("GET", "/v2/token", "200 OK", &["Content-Type: application/json"], r#"{"token":"any"}"#)
        .request(move |request| {
            if request.get("authorization").is_some() {
                request.set("Authorization", &account);
            }
        });
    let said = through(&product.site, script, &["--public"]);
    let said = said.failed(&["wrong-token", "anonymous push", "readonly-token"], 1);
    assert!(said.detail("wrong-token").starts_with("`docker login` takes a wrong token"), "{said}");
    assert_eq!(product.rows()[0], 0);
}

#[test]
fn who_may_not_log_in_or_push_is_told_what_the_token_needs() {
    let gitea = Gitea::start();
    let name = gitea.site.name("proof");
    let operator = |token: &str| {
        let ca = gitea.authority.file();
        let operator = Operator::at(&gitea.site.path("other"), "").with("RAILHEAD_TOKEN", token);
        let words = ["prove", &name, "--user", OWNER, "--ca", ca.to_str().unwrap()];
        Said::of(&operator, "proof", &words, &[token])
    };
    let said = operator("0123456789012345678901234567890123456789").failed(&["login"], 3);
    assert!(said.outcome.stderr.contains("write:package"), "{said}");
    assert_eq!(said.with("not-tried").len(), 12, "{said}");
    let said = operator(&gitea.site.readonly).failed(&["push blobs"], 3);
    assert!(said.outcome.stderr.contains("write:package"), "{said}");
    assert_eq!(gitea.packages(), [""; 0]);
}

#[test]
fn a_token_that_may_push_is_not_one_that_may_not() {
    let product = Product::start();
    let site = &product.site;
    let operator = Operator::at(&site.path("other"), "")
        .with("RAILHEAD_TOKEN", &site.token)
        .with("RAILHEAD_TOKEN_READONLY", &site.token);
    let name = site.name("proof");
    let route = format!("main=http://{}", site.host);
    let said =
        Said::of(&operator, "proof", &["prove", &name, "--user", OWNER, "--route", &route], &[&site.token]);
    said.failed(&["readonly-token"], 1);
    assert_eq!(product.rows()[0], 0);
}

#[test]
fn one_bit_of_a_blob_or_a_manifest_is_found_and_named() {
    let product = Product::start();
    let script = || Script::http(to(&product));
    let said = through(&product.site, script().flip("GET", "/v2/alice/proof/blobs/*", 1000), &[]);
    let said = said.failed(&["pull digest"], 1);
    let blob = &said.result["contents"][0];
    let detail = said.detail("pull digest");
    assert!(
        detail.contains(blob["digest"].as_str().unwrap()) && detail.contains("the random layer"),
        "{said}"
    );
    assert!(detail.contains("bytes came whose digest is sha256:"), "{said}");

    let by_tag = script().flip("GET", "/v2/alice/proof/manifests/v*", 100);
    let breaker = Breaker::start(by_tag);
    let route = product.site.over(breaker.address());
    let words: Vec<&str> = route.iter().map(String::as_str).collect();
    product.site.prove("proof:v1", &words).failed(&["pull tag"], 1);
    assert_eq!(product.rows()[0], 0);
}

#[test]
fn what_a_server_echoes_of_a_secret_is_not_shown() {
    let product = Product::start();
    let echo = format!(r#"{{"errors":[{{"code":"DENIED","message":"not with {}"}}]}}"#, product.site.token);
    let script = Script::http(to(&product)).answer("POST", "*/uploads/", "400 Bad Request", &[], &echo);
    // `Said` looks for the token in all that was said and kept.
    let said = through(&product.site, script, &[]).failed(&["push blobs"], 1);
    assert!(said.detail("push blobs").contains("DENIED: not with [redacted]"), "{said}");
}

#[test]
fn an_unreachable_registry_and_a_foreign_certificate_end_before_anything_is_sent() {
    let mut gitea = Gitea::start();
    gitea.behind(gitea.forge.address(), &gitea.site.path("another"));
    let said = gitea.site.prove("proof", &[]).failed(&["route"], 1);
    assert!(
        said.detail("route").contains("the certificate is not trusted: its authority is unknown here"),
        "{said}"
    );
    assert!(said.outcome.stderr.contains(&format!("railhead doctor {}", gitea.site.host)), "{said}");
    gitea.unreachable();
    let said = gitea.site.prove("proof", &[]).failed(&["route"], 6);
    assert_eq!(said.with("not-tried").len(), 13, "{said}");
}
