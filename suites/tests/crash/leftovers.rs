//! What is on disk against what the catalog knows.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use railhead_suites::Railhead;
use rusqlite::{Connection, OpenFlags};

/// After a clean end nothing is on disk that the catalog does not know, and everything that it knows is there.
pub fn check(railhead: &mut Railhead) {
    assert!(railhead.sigterm(), "SIGTERM must end the server with exit code 0");
    let data = railhead.data();
    let catalog =
        Connection::open_with_flags(data.join("catalog.sqlite"), OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    let known = column(&catalog, "SELECT object_key FROM blob");
    let on_disk = files(&data.join("blobs"), &data.join("blobs"));
    assert_same("blobs", &on_disk, &known);
    let uploads = column(&catalog, "SELECT id FROM upload");
    let staged = files(&data.join("uploads"), &data.join("uploads"));
    assert_same("uploads", &staged, &uploads);
    let problems = column(&catalog, "PRAGMA integrity_check");
    assert_eq!(problems, BTreeSet::from(["ok".to_owned()]));
    let dangling: i64 =
        catalog.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
    assert_eq!(dangling, 0, "rows that refer to nothing");
    println!("on disk: {} blobs, {} uploads, all known to the catalog", on_disk.len(), staged.len());
}

fn assert_same(what: &str, on_disk: &BTreeSet<String>, known: &BTreeSet<String>) {
    let unknown: Vec<&String> = on_disk.difference(known).collect();
    let missing: Vec<&String> = known.difference(on_disk).collect();
    assert!(
        unknown.is_empty(),
        "{} files in {what}/ that the catalog does not know: {unknown:?}",
        unknown.len()
    );
    assert!(
        missing.is_empty(),
        "{} of {what} in the catalog that are not on disk: {missing:?}",
        missing.len()
    );
}

fn column(catalog: &Connection, query: &str) -> BTreeSet<String> {
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
