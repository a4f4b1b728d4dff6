//! What is there in the end, against the book.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use railhead_suites::Railhead;
use railhead_suites::leftovers::assert_none;

use crate::book::Book;
use crate::client::check_object;
use crate::login;
use crate::place::Place;

/// How long collection may take to its end; leases are over after six seconds.
const LIMIT: Duration = Duration::from_mins(2);

/// Pulls everything that is kept, from each replica in turn, waits until nothing waits for collection, and compares. Gives
/// the number of references that were checked.
pub fn check(place: &mut Place, book: &Book, token: &str) -> usize {
    for replica in &mut place.replicas {
        assert!(replica.sigterm(), "SIGTERM must end the server with exit code 0");
        replica.restart();
    }
    wait(&place.replicas[0]);
    let https: Vec<_> = place.replicas.iter().map(|replica| login(replica, token)).collect();
    let mut references = 0;
    for (at, kept) in book.all().into_iter().enumerate() {
        let mut paths = vec![format!("{}/manifests/{}", kept.path, kept.digest)];
        paths.extend(kept.blobs.iter().map(|blob| format!("{}/blobs/{blob}", kept.path)));
        for path in &paths {
            let answer = https[at % https.len()].send("GET", path, &[("Accept", "*/*")], b"");
            check_object(path, &answer.unwrap_or_else(|error| panic!("GET {path}: {error}")));
        }
        references += paths.len();
    }
    let recount = place.replicas[0].cli(["usage", "--recount", "--output", "json"]).ok().stdout;
    let recount: serde_json::Value = serde_json::from_str(&recount).unwrap();
    assert_eq!(recount["differences"], serde_json::json!([]), "the usage is not what is there");
    place.end();
    compare(place, book);
    references
}

/// Waits until everything that may go has gone.
fn wait(railhead: &Railhead) {
    let end = Instant::now() + LIMIT;
    loop {
        let state = railhead.cli(["gc", "--dry-run", "--output", "json"]).ok().stdout;
        let state: serde_json::Value = serde_json::from_str(&state).unwrap();
        let counts = ["due", "waiting", "removing"].map(|name| state[name]["count"].as_u64().unwrap());
        if counts == [0, 0, 0] {
            return;
        }
        assert!(Instant::now() < end, "collection does not come to its end: {state}");
        thread::sleep(Duration::from_millis(200));
    }
}

/// A repository has the blobs that its kept manifests need, and no other.
fn compare(place: &Place, book: &Book) {
    let found = place.column(
        "SELECT '/v2/' || r.name || ' ' || l.digest FROM repository_blob AS l JOIN repository AS r ON r.id = l.repository",
    );
    let kept = book.all();
    let needed = kept.iter().flat_map(|kept| kept.blobs.iter().map(|blob| format!("{} {blob}", kept.path)));
    let needed: BTreeSet<String> = needed.collect();
    assert_none("links that are lost", &needed, &found);
    assert_none("links that nothing needs", &found, &needed);
}
