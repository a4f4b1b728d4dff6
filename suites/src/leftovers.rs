//! What is in a store against what the catalog knows, both read past the server.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::Railhead;

/// The objects that are blobs.
pub const KNOWN_OBJECTS: &str = "SELECT object_key FROM blob";
/// The uploads that somebody may still go on with.
pub const KNOWN_UPLOADS: &str = "SELECT id FROM upload";

/// After a clean end nothing is on disk that the catalog does not know, and everything that it knows is there.
pub fn check(railhead: &mut Railhead) {
    assert!(railhead.sigterm(), "SIGTERM must end the server with exit code 0");
    let data = railhead.data();
    let catalog = open(data);
    let on_disk = files(&data.join("blobs"), &data.join("blobs"));
    assert_none("files in blobs/ that the catalog does not know", &on_disk, &column(&catalog, KNOWN_OBJECTS));
    assert_none("blobs in the catalog that are not on disk", &column(&catalog, KNOWN_OBJECTS), &on_disk);
    let staged = files(&data.join("uploads"), &data.join("uploads"));
    assert_none(
        "files in uploads/ that the catalog does not know",
        &staged,
        &column(&catalog, KNOWN_UPLOADS),
    );
    assert_none("uploads in the catalog that are not on disk", &column(&catalog, KNOWN_UPLOADS), &staged);
    let problems = column(&catalog, "PRAGMA integrity_check");
    assert_eq!(problems, BTreeSet::from(["ok".to_owned()]));
    let dangling: i64 =
        catalog.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
    assert_eq!(dangling, 0, "rows that refer to nothing");
    println!("on disk: {} blobs, {} uploads, all known to the catalog", on_disk.len(), staged.len());
}

/// Fails the test when something is in `found` and not in `expected`.
#[track_caller]
pub fn assert_none(what: &str, found: &BTreeSet<String>, expected: &BTreeSet<String>) {
    let unexpected: Vec<&String> = found.difference(expected).collect();
    assert!(unexpected.is_empty(), "{} {what}: {unexpected:?}", unexpected.len());
}

/// The catalog in a data directory.
pub fn open(data: &Path) -> Connection {
    Connection::open_with_flags(data.join("catalog.sqlite"), OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap()
}

/// The texts in the first column of an answer.
pub fn column(catalog: &Connection, query: &str) -> BTreeSet<String> {
    let mut query = catalog.prepare(query).unwrap();
    query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn files(root: &Path, directory: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.append(&mut files(root, &path));
        } else {
            found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        }
    }
    found
}
