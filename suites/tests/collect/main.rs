//! Collection runs without pause while many clients push, retag, mount, delete and pull, and servers are killed at random
//! moments: no reference that is kept may ever fail to pull in full, and in the end nothing is left that no reference needs.
//!
//! Leases and graces are seconds here, so that what a client was told ends all the time. Clients (`client.rs`) share a small
//! pool of blobs across repositories, so that a blob is freed here while it is needed there; they write down what is kept
//! (`book.rs`). Collectors ask each server for one run after another. The main thread kills servers and starts them again. In
//! the end the book is compared with registry, catalog and store (`remains.rs`).
//!
//! The same runs on one server with SQLite and files, and on two replicas with one Postgres and one bucket (`place.rs`),
//! where a client is served by the other replica when one is killed.
//!
//! `SUITES_COLLECT_SECONDS` says for how long (60, with replicas 45), `SUITES_SEED` repeats the random choices of another run.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "this is a test")]

mod book;
mod client;
mod place;
mod remains;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use railhead_suites::http::Http;
use railhead_suites::registry::{OWNER, TEAM};
use railhead_suites::{Gate, Railhead, Random, number};

use crate::book::Book;
use crate::client::{Client, Figures, Pool};
use crate::place::Place;

const CLIENTS: usize = 8;
/// Seconds.
const LEASE: u64 = 3;
const CONFIGURATION: &str = "[collection]\ninterval_seconds = 1\nlease_seconds = 3\ngrace_seconds = 3\n";

#[test]
fn kept_references_stay_whole_while_collection_runs_and_the_server_is_killed() {
    let scratch = tempfile::tempdir().unwrap();
    run("one server, SQLite and files", Place::local(scratch.path()), 60);
}

#[test]
fn kept_references_stay_whole_while_two_replicas_collect_and_are_killed() {
    let scratch = tempfile::tempdir().unwrap();
    run("two replicas, Postgres and S3", Place::shared(scratch.path()), 45);
}

fn run(what: &str, mut place: Place, seconds: u64) {
    let length = Duration::from_secs(number("SUITES_COLLECT_SECONDS").unwrap_or(seconds));
    let seed = number("SUITES_SEED").unwrap_or_else(|| Random::from_clock().next());
    println!("{what}: {} s, SUITES_SEED={seed}", length.as_secs());
    let mut random = Random::new(seed);
    let railhead = &place.replicas[0];
    railhead.user(OWNER, "correct horse battery staple");
    railhead.organisation(TEAM, &[(OWNER, "owner")]);
    // With a quota every upload reserves room, which has to come back.
    railhead.cli(["owner", "limits", TEAM, "--quota", "100GiB"]).ok();
    let token = railhead.token(OWNER, &["pull", "push", "delete"]);
    railhead.cli(["user", "create", "root", "--admin"]).ok();
    let admin = railhead.token("root", &["admin"]);

    let gate = Arc::new(Gate::new(place.replicas.iter().map(|replica| login(replica, &token))));
    let (book, pool) = (Arc::new(Book::default()), Arc::new(Pool::new(&mut random)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|at| Client::new(at, seed, Arc::clone(&gate), Arc::clone(&book), Arc::clone(&pool)))
        .map(|client| thread::spawn(|| client.run()))
        .collect();
    let runs = Arc::new(AtomicU64::new(0));
    let collectors: Vec<_> = (0..place.replicas.len())
        .map(|at| {
            let (gate, runs, admin) = (Arc::clone(&gate), Arc::clone(&runs), admin.clone());
            thread::spawn(move || collect(&gate, at, &admin, &runs))
        })
        .collect();

    let (from, mut kills) = (Instant::now(), 0);
    while from.elapsed() < length {
        // Not a pause to wait for something: the moment of the kill is what is drawn by lot.
        thread::sleep(Duration::from_millis(50 + random.below(3000)));
        kills += kill_some(&mut place, &gate, &token, &mut random);
    }
    gate.end();
    let figures: Vec<Figures> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    for collector in collectors {
        collector.join().unwrap();
    }
    let took = from.elapsed();

    let references = remains::check(&mut place, &book, &token);
    say(what, took, kills, runs.load(Ordering::Relaxed), &figures, references);
}

/// Kills one of the servers, or all of them in one case of four, and starts them again. Gives the number of kills.
fn kill_some(place: &mut Place, gate: &Gate, token: &str, random: &mut Random) -> usize {
    let count = place.replicas.len();
    let all = count == 1 || random.below(4) == 0;
    let one = random.below(count as u64) as usize;
    let victims: Vec<usize> = (0..count).filter(|at| all || *at == one).collect();
    for at in &victims {
        gate.close(*at);
        place.replicas[*at].kill9();
    }
    if all {
        gate.wait_until_all_are_at_it(CLIENTS + count);
    } else {
        gate.check();
        // For so long the other replica has the registry to itself: drawn by lot as well.
        thread::sleep(Duration::from_millis(random.below(1500)));
    }
    for at in &victims {
        place.replicas[*at].restart();
        gate.open(*at, login(&place.replicas[*at], token));
    }
    victims.len()
}

/// Asks one replica for one run after another.
fn collect(gate: &Gate, at: usize, admin: &str, runs: &AtomicU64) {
    while !gate.ended() {
        let http = Http { authorization: format!("Bearer {admin}"), ..gate.pass_at(at) };
        if let Ok(answer) = http.send("POST", "/api/v1/collection", &[], b"{}") {
            assert_eq!(answer.status, 200, "{}", answer.text());
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

fn say(what: &str, took: Duration, kills: usize, runs: u64, figures: &[Figures], references: usize) {
    let sum = |of: fn(&Figures) -> usize| figures.iter().map(of).sum::<usize>();
    println!(
        "{what}: {} s, {kills} kills, {CLIENTS} clients, {runs} runs of collection; {} images pushed, {} retagged, {} deleted, \
         {} pulled in full meanwhile ({} blobs); blobs: {} found by HEAD, {} mounted, {} uploaded, {} sent again as a lease \
         had ended; {references} references checked in the end",
        took.as_secs(),
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
    assert!(sum(|figures| figures.deleted) > 0 && runs > 0, "nothing was collected");
}
