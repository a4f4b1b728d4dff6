//! What is there in the end, against the book.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use railhead_suites::Railhead;
use rusqlite::{Connection, OpenFlags};

use crate::book::Book;
use crate::client::check_object;
use crate::{leftovers, login};

/// How long collection may take to its end; leases are over after six seconds.
const LIMIT: Duration = Duration::from_mins(2);

/// Pulls everything that is kept, waits until nothing waits for collection, and compares. Gives the number of references
/// that were checked.
pub fn check(railhead: &mut Railhead, book: &Book, token: &str) -> usize {
    assert!(railhead.sigterm(), "SIGTERM must end the server with exit code 0");
    railhead.restart();
    wait(railhead);
    let http = login(railhead, token);
    let mut references = 0;
    for kept in book.all() {
        let mut paths = vec![format!("{}/manifests/{}", kept.path, kept.digest)];
        paths.extend(kept.blobs.iter().map(|blob| format!("{}/blobs/{blob}", kept.path)));
        for path in &paths {
            let answer = http.send("GET", path, &[("Accept", "*/*")], b"");
            check_object(path, &answer.unwrap_or_else(|error| panic!("GET {path}: {error}")));
        }
        references += paths.len();
    }
    let recount = railhead.cli(["usage", "--recount", "--output", "json"]).ok().stdout;
    let recount: serde_json::Value = serde_json::from_str(&recount).unwrap();
    assert_eq!(recount["differences"], serde_json::json!([]), "the usage is not what is there");
    leftovers::check(railhead);
    compare(railhead, book);
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
fn compare(railhead: &Railhead, book: &Book) {
    let file = railhead.data().join("catalog.sqlite");
    let catalog = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    let mut query = catalog
        .prepare("SELECT '/v2/' || r.name || ' ' || l.digest FROM repository_blob AS l JOIN repository AS r ON r.id = l.repository")
        .unwrap();
    let found: BTreeSet<String> =
        query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let needed: BTreeSet<String> = book
        .all()
        .iter()
        .flat_map(|kept| kept.blobs.iter().map(|blob| format!("{} {blob}", kept.path)))
        .collect();
    let (lost, left) = (needed.difference(&found).count(), found.difference(&needed).count());
    assert_eq!((lost, left), (0, 0), "links that are lost, and links that nothing needs");
}
