//! The server is killed at random moments under load, again and again: what it has answered must be true afterwards.
//!
//! Pushers (`pusher.rs`) push blobs, manifests and tags without pause and write down every promise (`promises.rs`). The main
//! thread kills the server with SIGKILL, starts it again at once, and checks the promises of the last round while the pushers
//! wait; then it opens the gate, and the pushers go on where the kill caught them. In the end everything is
//! checked once more, and the data directory must hold nothing that the catalog does not know.
//!
//! `SUITES_KILLS` sets the number of kills (200), `SUITES_SEED` repeats the random choices of another run.

#![expect(clippy::unwrap_used, reason = "this is a test")]

mod promises;
mod pusher;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use railhead_suites::http::Http;
use railhead_suites::railhead::Options;
use railhead_suites::registry::{TEAM, WRITER};
use railhead_suites::{Gate, Railhead, Random, leftovers, number};

use crate::promises::Promises;
use crate::pusher::Pusher;

const PUSHERS: usize = 6;

#[test]
fn what_was_answered_survives_kill_9() {
    let kills = number("SUITES_KILLS").unwrap_or(200);
    let seed = number("SUITES_SEED").unwrap_or_else(|| Random::from_clock().next());
    println!("{kills} kills, SUITES_SEED={seed}");
    let mut random = Random::new(seed);
    let scratch = tempfile::tempdir().unwrap();
    let mut railhead = Railhead::start(scratch.path(), Options::default());
    railhead.user(WRITER, "correct horse battery staple");
    railhead.organisation(TEAM, &[(WRITER, "writer")]);
    let token = railhead.token(WRITER, &["pull", "push"]);

    let (gate, promises) = (Arc::new(Gate::new([login(&railhead, &token)])), Arc::new(Promises::default()));
    let pushers: Vec<_> = (0..PUSHERS)
        .map(|at| Pusher::new(at, seed, Arc::clone(&gate), Arc::clone(&promises)))
        .map(|pusher| thread::spawn(|| pusher.run()))
        .collect();
    let from = Instant::now();
    let mut slowest_start = Duration::ZERO;
    for _ in 0..kills {
        // Not a pause to wait for something: the moment of the kill is what is drawn by lot.
        thread::sleep(Duration::from_millis(5 + random.below(400)));
        gate.close(0);
        railhead.kill9();
        let ended = Instant::now();
        railhead.restart();
        slowest_start = slowest_start.max(ended.elapsed());
        let http = login(&railhead, &token);
        gate.wait_until_all_are_at_it(PUSHERS);
        promises.check_last_round(&http);
        gate.open(0, http);
    }
    gate.end();
    let figures: Vec<pusher::Figures> = pushers.into_iter().map(|pusher| pusher.join().unwrap()).collect();
    let took = from.elapsed();

    assert!(railhead.sigterm(), "SIGTERM must end the server with exit code 0");
    railhead.restart();
    let objects = promises.check_all(&login(&railhead, &token));
    leftovers::check(&mut railhead);
    let sum = |of: fn(&pusher::Figures) -> usize| figures.iter().map(of).sum::<usize>();
    println!(
        "{kills} kills in {} s, slowest start {} ms; {} images pushed, {} uploads met by a kill, {} cut off by the pusher; \
         {} resumed, {} found committed, {} begun anew; {objects} objects verified",
        took.as_secs(),
        slowest_start.as_millis(),
        sum(|figures| figures.images),
        sum(|figures| figures.cut_off),
        sum(|figures| figures.hung_up),
        sum(|figures| figures.resumed),
        sum(|figures| figures.committed),
        sum(|figures| figures.begun_anew),
    );
    assert!(
        kills < 50 || sum(|figures| figures.resumed) > 0,
        "no kill ever met an upload: the load is too light"
    );
}

fn login(railhead: &Railhead, token: &str) -> Http {
    let scopes: Vec<String> =
        (0..PUSHERS).map(|at| format!("repository:{}:pull,push", pusher::repository(at))).collect();
    let login = Http::login(railhead.address(), WRITER, token, &scopes);
    login.unwrap_or_else(|error| panic!("cannot log in: {error}\n{}", railhead.server().log()))
}
