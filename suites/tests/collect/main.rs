//! Collection runs without pause while many clients push, retag, mount, delete and pull, and the server is killed at random
//! moments: no reference that is kept may ever fail to pull in full, and in the end nothing is left that no reference needs.
//!
//! Leases and graces are seconds here, so that what a client was told ends all the time. Clients (`client.rs`) share a small
//! pool of blobs across repositories, so that a blob is freed here while it is needed there; they write down what is kept
//! (`book.rs`). A collector asks for one run after another. The main thread kills the server and starts it again. In the end
//! the book is compared with registry, catalog and store (`remains.rs`).
//!
//! `SUITES_COLLECT_SECONDS` says for how long (60), `SUITES_SEED` repeats the random choices of another run.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "this is a test")]

mod book;
mod client;
#[path = "../crash/gate.rs"]
mod gate;
#[path = "../crash/leftovers.rs"]
mod leftovers;
mod remains;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use railhead_suites::http::Http;
use railhead_suites::railhead::Options;
use railhead_suites::registry::{OWNER, TEAM};
use railhead_suites::{Railhead, Random};

use crate::book::Book;
use crate::client::{Client, Figures, Pool};
use crate::gate::Gate;

const CLIENTS: usize = 8;
/// Seconds.
const LEASE: u64 = 3;
const CONFIGURATION: &str = "[collection]\ninterval_seconds = 1\nlease_seconds = 3\ngrace_seconds = 3\n";

#[test]
fn kept_references_stay_whole_while_collection_runs_and_the_server_is_killed() {
    let length = Duration::from_secs(number("SUITES_COLLECT_SECONDS").unwrap_or(60));
    let seed = number("SUITES_SEED").unwrap_or_else(|| Random::from_clock().next());
    println!("{} s, SUITES_SEED={seed}", length.as_secs());
    let mut random = Random::new(seed);
    let scratch = tempfile::tempdir().unwrap();
    let configuration = scratch.path().join("site.toml");
    std::fs::write(&configuration, CONFIGURATION).unwrap();
    let arguments = vec!["--config".to_owned(), configuration.display().to_string()];
    let mut railhead = Railhead::start(scratch.path(), Options { arguments, ..Options::default() });
    railhead.user(OWNER, "correct horse battery staple");
    railhead.organisation(TEAM, &[(OWNER, "owner")]);
    // With a quota every upload reserves room, which has to come back.
    railhead.cli(["owner", "limits", TEAM, "--quota", "100GiB"]).ok();
    let token = railhead.token(OWNER, &["pull", "push", "delete"]);
    railhead.cli(["user", "create", "root", "--admin"]).ok();
    let admin = railhead.token("root", &["admin"]);

    let gate = Arc::new(Gate::new(login(&railhead, &token)));
    let (book, pool) = (Arc::new(Book::default()), Arc::new(Pool::new(&mut random)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|at| Client::new(at, seed, Arc::clone(&gate), Arc::clone(&book), Arc::clone(&pool)))
        .map(|client| thread::spawn(|| client.run()))
        .collect();
    let runs = Arc::new(AtomicU64::new(0));
    let collector = {
        let (gate, runs) = (Arc::clone(&gate), Arc::clone(&runs));
        thread::spawn(move || collect(&gate, &admin, &runs))
    };

    let (from, mut kills) = (Instant::now(), 0);
    while from.elapsed() < length {
        // Not a pause to wait for something: the moment of the kill is what is drawn by lot.
        thread::sleep(Duration::from_millis(50 + random.below(3000)));
        gate.close();
        railhead.kill9();
        railhead.restart();
        kills += 1;
        let http = login(&railhead, &token);
        gate.wait_until_all_are_at_it(CLIENTS + 1);
        gate.open(http);
    }
    gate.end();
    let figures: Vec<Figures> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    collector.join().unwrap();
    let took = from.elapsed();

    let references = remains::check(&mut railhead, &book, &token);
    let sum = |of: fn(&Figures) -> usize| figures.iter().map(of).sum::<usize>();
    println!(
        "{} s, {kills} kills, {CLIENTS} clients, {} runs of collection; {} images pushed, {} retagged, {} deleted, {} pulled \
         in full meanwhile ({} blobs); blobs: {} found by HEAD, {} mounted, {} uploaded, {} sent again as a lease had ended; \
         {references} references checked in the end",
        took.as_secs(),
        runs.load(Ordering::Relaxed),
        sum(|figures| figures.pushed),
        sum(|figures| figures.retagged),
        sum(|figures| figures.deleted),
        sum(|figures| figures.pulled),
        sum(|figures| figures.blobs),
        sum(|figures| figures.found),
        sum(|figures| figures.mounted),
        sum(|figures| figures.uploaded),
        sum(|figures| figures.late),
    );
    assert!(
        sum(|figures| figures.found) > 0 && sum(|figures| figures.mounted) > 0,
        "the load shares no blobs"
    );
    assert!(sum(|figures| figures.deleted) > 0 && runs.load(Ordering::Relaxed) > 0, "nothing was collected");
}

/// Asks for one run after another.
fn collect(gate: &Gate, admin: &str, runs: &AtomicU64) {
    while !gate.ended() {
        let http = Http { authorization: format!("Bearer {admin}"), ..gate.pass() };
        if let Ok(answer) = http.send("POST", "/api/v1/collection", &[], b"{}") {
            assert_eq!(answer.status, 200, "{}", client::text(&answer));
            runs.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn login(railhead: &Railhead, token: &str) -> Http {
    let scopes: Vec<String> =
        client::repositories().map(|name| format!("repository:{name}:pull,push,delete")).collect();
    let login = Http::login(railhead.address(), OWNER, token, &scopes);
    login.unwrap_or_else(|error| panic!("cannot log in: {error}\n{}", railhead.server().log()))
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable} is '{value}'; it has to be a number")))
}
