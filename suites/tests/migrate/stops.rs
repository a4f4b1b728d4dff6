//! A move that is killed in the middle, or asked to stop, goes on where it was: nothing is uploaded twice.

use railhead_suites::forge::FORGE_USER;
use railhead_suites::http::Http;
use railhead_suites::{Image, Railhead, Random, Server};

use crate::content::{Pusher, is_served};
use crate::ends::{migrate, operator, railhead, words};

/// Uploads that the server ended well.
fn uploads(railhead: &Railhead) -> u64 {
    let http = Http { address: railhead.address(), authorization: String::new() };
    let metrics = String::from_utf8(http.send("GET", "/metrics", &[], b"").unwrap().body).unwrap();
    let of = |line: &&str| line.starts_with("railhead_requests_total{") && line.contains("upload_finish");
    let line = metrics.lines().find(|line| of(line) && line.contains("2xx"));
    line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64)
}

#[test]
fn a_move_that_was_killed_goes_on_and_uploads_nothing_twice() {
    let scratch = tempfile::tempdir().unwrap();
    let (_one, from) = railhead(&scratch.path().join("one"), "one.test:5050");
    let (two, to) = railhead(&scratch.path().join("two"), "two.test:5050");
    let names = ["app", "tool", "web"].map(|name| format!("{FORGE_USER}/{name}"));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let http = from.login(&names);
    let mut pusher = Pusher::new(&http);
    let mut random = Random::new(23);
    let (images, layers) = (5, 3);
    for name in &names {
        for at in 0..images {
            pusher.image(name, Some(&format!("v{at}")), &Image::random(&mut random, layers, 40_000));
        }
    }
    let blobs = (names.len() * images * (layers + 1)) as u64;
    let operator = operator(&scratch.path().join("home"), &from, &to);
    // 60 blobs of 40 kB at 1 MB a second are seconds enough to be stopped in.
    let slow = ["--rate", "1MB", "--parallel", "1"];
    let command = |more: &[&str]| operator.command(words(&from, &to, more));
    let mut killed = Server::start("railhead migrate", command(&slow));
    let before = killed.wait_for("eight blobs", |_| Some(uploads(&two)).filter(|count| *count >= 8));
    killed.kill9();
    assert!(before < blobs, "it was killed in the middle");

    let mut stopped = Server::start("railhead migrate", command(&slow));
    stopped.wait_for("some more", |_| Some(uploads(&two)).filter(|count| *count >= before + 8));
    assert!(!stopped.sigterm(), "who is stopped has not moved everything");
    let log = stopped.log();
    assert!(log.contains("\"verdict\": \"interrupted\""), "{log}");

    let report = migrate(&operator, &from, &to, &[]).equal();
    let total = &report["totals"];
    assert!(total["there_blobs"].as_u64().unwrap() >= before + 8, "{total}");
    assert_eq!(total["copied_blobs"].as_u64().unwrap() + total["there_blobs"].as_u64().unwrap(), blobs);
    assert_eq!(uploads(&two), blobs, "every blob was uploaded once, over all three tries");
    is_served(&to.login(&names), &pusher.served);
}
