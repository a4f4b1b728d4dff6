//! A bucket of the tests' own, in a real S3 server.

use std::collections::BTreeSet;
use std::net::TcpListener;

use crate::http::{Answer, Http};
use crate::program::Program;
use crate::server::Server;

/// Its name.
pub const BUCKET: &str = "railhead";
/// The most keys that the server lists in one answer.
const PAGE: usize = 1000;

/// An S3 server (moto) with one empty bucket, and a client of it. It ends with the test.
pub struct Bucket {
    /// Asks for paths such as `/railhead/KEY`.
    pub http: Http,
    _server: Server,
}

impl Bucket {
    /// Starts the server and makes the bucket.
    pub fn start() -> Self {
        // Bound and let go, since the server cannot be asked which port it took.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let port = address.port().to_string();
        let moto = Program::find("moto_server").command(["--host", "127.0.0.1", "--port", &port]);
        let mut server = Server::start("moto_server", moto);
        // It checks no signature, but wants one.
        let scope = "Credential=test/20200101/us-east-1/s3/aws4_request";
        let authorization = format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0");
        let http = Http { address, authorization };
        server.wait_for("a bucket", |_| {
            http.send("PUT", &format!("/{BUCKET}"), &[], b"").ok().filter(|answer| answer.status == 200)
        });
        Self { http, _server: server }
    }

    /// The configuration that has a registry keep its bytes there. `key` is a file for the credentials.
    pub fn configuration(&self, key: &std::path::Path) -> String {
        std::fs::write(key, "test").unwrap();
        format!(
            "[store.s3]\nendpoint = 'http://{}'\nbucket = '{BUCKET}'\nallow_http = true\n\
             access_key_file = '{key}'\nsecret_key_file = '{key}'\n",
            self.http.address,
            key = key.display()
        )
    }

    /// Every key that begins with `prefix`, without it.
    pub fn keys(&self, prefix: &str) -> BTreeSet<String> {
        let mut keys = BTreeSet::new();
        let mut after = String::new();
        loop {
            let target = format!("/{BUCKET}?list-type=2&prefix={prefix}&start-after={after}");
            let answer = self.http.send("GET", &target, &[], b"").unwrap();
            assert_eq!(answer.status, 200, "{target}: {}", answer.text());
            let page = between(&answer, "<Key>", "</Key>");
            keys.extend(page.iter().filter_map(|key| key.strip_prefix(prefix)).map(str::to_owned));
            match page.last() {
                Some(last) if page.len() == PAGE => last.clone_into(&mut after),
                _ => return keys,
            }
        }
    }
}

/// Every text of an answer that stands between `start` and `end`.
pub fn between(answer: &Answer, start: &str, end: &str) -> Vec<String> {
    let text = answer.text();
    let parts = text.split(start).skip(1).filter_map(|part| part.split_once(end));
    parts.map(|(inside, _)| inside.to_owned()).collect()
}
