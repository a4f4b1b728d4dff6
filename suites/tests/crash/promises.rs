//! What the server has promised by its answers, and whether it keeps it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use railhead_oci::Digest;
use railhead_suites::http::{Answer, Http};

#[derive(Default)]
pub struct Promises {
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    /// Blobs and manifests that were answered 201, by path; the digest is the path's last part.
    objects: Vec<String>,
    /// How many of them are of the rounds before the last.
    checked: usize,
    /// What a tag may name, by path. One value; two while a push of it has no answer.
    tags: BTreeMap<String, Vec<String>>,
}

impl Promises {
    /// The server has answered 201 for the object at `path`.
    pub fn object(&self, path: String) {
        self.book.lock().unwrap().objects.push(path);
    }

    /// A push of the tag at `path` begins; it may take effect from now on.
    pub fn tag_may_become(&self, path: &str, digest: &Digest) {
        let mut book = self.book.lock().unwrap();
        let allowed = book.tags.entry(path.to_owned()).or_insert_with(|| vec![String::new()]);
        if !allowed.contains(&digest.to_string()) {
            allowed.push(digest.to_string());
        }
    }

    /// The server has answered 201: the tag names this and nothing else.
    pub fn tag(&self, path: &str, digest: &Digest) {
        self.book.lock().unwrap().tags.insert(path.to_owned(), vec![digest.to_string()]);
    }

    /// Checks every tag, and the objects since the last check.
    pub fn check_last_round(&self, http: &Http) {
        let mut book = self.book.lock().unwrap();
        for path in &book.objects[book.checked..] {
            check_object(http, path);
        }
        check_tags(http, &book.tags);
        book.checked = book.objects.len();
    }

    /// Checks everything and gives the number of objects.
    pub fn check_all(&self, http: &Http) -> usize {
        let book = self.book.lock().unwrap();
        for path in &book.objects {
            check_object(http, path);
        }
        check_tags(http, &book.tags);
        book.objects.len() + book.tags.len()
    }
}

fn check_object(http: &Http, path: &str) {
    let answer = get(http, path);
    assert_eq!(answer.status, 200, "{path} was answered 201 and is not there: {}", answer.text());
    let (_, digest) = path.rsplit_once('/').unwrap();
    assert_eq!(Digest::sha256(&answer.body).to_string(), digest, "wrong bytes at {path}");
}

fn check_tags(http: &Http, tags: &BTreeMap<String, Vec<String>>) {
    for (path, allowed) in tags {
        let answer = get(http, path);
        let found = match answer.status {
            404 => String::new(),
            200 => Digest::sha256(&answer.body).to_string(),
            status => panic!("{path}: {status} {}", answer.text()),
        };
        assert!(allowed.contains(&found), "{path} names '{found}', but may only name {allowed:?}");
    }
}

fn get(http: &Http, path: &str) -> Answer {
    let answer = http.send("GET", path, &[("Accept", "*/*")], b"");
    answer.unwrap_or_else(|error| panic!("GET {path}: {error}"))
}
