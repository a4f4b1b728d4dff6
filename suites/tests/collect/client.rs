//! One client that pushes, retags, deletes and pulls without pause, and holds the server to what it says.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use railhead_oci::Digest;
use railhead_suites::http::{Answer, Http};
use railhead_suites::image::{CONFIG, LAYER, MANIFEST, descriptor};
use railhead_suites::registry::TEAM;
use railhead_suites::{Gate, Random};
use serde_json::json;

use crate::LEASE;
use crate::book::{Book, Kept};

const REPOSITORIES: usize = 4;
const CONTENTS: usize = 24;
/// Manifests that a client keeps at the same time, about.
const KEPT: usize = 12;
const OCTETS: (&str, &str) = ("Content-Type", "application/octet-stream");

/// The names of the repositories, which all clients share.
pub fn repositories() -> impl Iterator<Item = String> {
    (0..REPOSITORIES).map(|at| format!("{TEAM}/collect-{at}"))
}

/// The layers that all images are made of.
pub struct Pool(Vec<Vec<u8>>);

impl Pool {
    pub fn new(random: &mut Random) -> Self {
        let size = |random: &mut Random| 1 + random.below(60_000) as usize;
        Self(
            (0..CONTENTS)
                .map(|_| size(random))
                .collect::<Vec<_>>()
                .iter()
                .map(|len| random.bytes(*len))
                .collect(),
        )
    }
}

/// What a client has done.
#[derive(Default)]
pub struct Figures {
    pub pushed: usize,
    pub retagged: usize,
    pub deleted: usize,
    /// Images pulled in full.
    pub pulled: usize,
    /// Their blobs.
    pub blobs: usize,
    /// Blobs that the server said were there.
    pub found: usize,
    pub mounted: usize,
    pub uploaded: usize,
    /// Manifests that were refused as the push had taken longer than a lease.
    pub late: usize,
}

pub struct Client {
    at: usize,
    random: Random,
    gate: Arc<Gate>,
    book: Arc<Book>,
    pool: Arc<Pool>,
    figures: Figures,
}

impl Drop for Client {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.gate.lose_one();
        }
    }
}

/// When the server was asked about a blob that it then said was there.
type Told = BTreeMap<String, Instant>;

impl Client {
    pub fn new(at: usize, seed: u64, gate: Arc<Gate>, book: Arc<Book>, pool: Arc<Pool>) -> Self {
        let random = Random::new(seed ^ (at as u64 + 1) << 48);
        Self { at, random, gate, book, pool, figures: Figures::default() }
    }

    pub fn run(mut self) -> Figures {
        while !self.gate.ended() {
            let kept = self.book.all().iter().filter(|kept| kept.client == self.at).count();
            match self.random.below(10) {
                0..=3 if kept < KEPT => self.push(),
                0..=5 => self.delete(),
                6 => self.retag(),
                7 => self.leave_an_upload(),
                _ => self.pull(),
            }
        }
        std::mem::take(&mut self.figures)
    }

    /// An image of some layers of the pool, with a config of its own, into any of the repositories.
    fn push(&mut self) {
        let path = self.path();
        let layers: Vec<Vec<u8>> = (0..=self.random.below(4))
            .map(|_| self.pool.0[self.random.below(CONTENTS as u64) as usize].clone())
            .collect();
        let config = json!({"made": format!("{:016x}{:016x}", self.random.next(), self.random.next())});
        let config = config.to_string().into_bytes();
        let described: Vec<_> = layers.iter().map(|layer| descriptor(LAYER, layer)).collect();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(CONFIG, &config), "layers": described,
        });
        let manifest = manifest.to_string().into_bytes();
        let contents: Vec<&Vec<u8>> = layers.iter().chain([&config]).collect();
        let mut told = Told::new();
        for content in &contents {
            self.blob(&path, content, &mut told);
        }
        let target = format!("{path}/manifests/c{}-t{}", self.at, self.random.below(6));
        loop {
            let answer =
                self.answered(|http| http.send("PUT", &target, &[("Content-Type", MANIFEST)], &manifest));
            if answer.status == 201 {
                break;
            }
            Self::check_refusal(&answer, &told);
            self.figures.late += 1;
            for content in &contents {
                if answer.text().contains(&Digest::sha256(content).to_string()) {
                    self.blob(&path, content, &mut told);
                }
            }
        }
        let blobs = contents.iter().map(|content| Digest::sha256(content)).collect();
        self.book.keep(Kept { path, digest: Digest::sha256(&manifest), blobs, client: self.at });
        self.figures.pushed += 1;
    }

    /// A manifest was refused: that may only be for a blob whose lease has ended.
    fn check_refusal(answer: &Answer, told: &Told) {
        let text = answer.text();
        assert_eq!(answer.status, 404, "{text}");
        assert!(text.contains("MANIFEST_BLOB_UNKNOWN"), "{text}");
        for (digest, asked) in told.iter().filter(|(digest, _)| text.contains(*digest)) {
            let ago = asked.elapsed();
            assert!(
                ago >= Duration::from_secs(LEASE),
                "{digest} was there {ago:?} ago, and its lease is {LEASE} s"
            );
        }
    }

    /// Sees to it that the repository has a blob: asks, mounts, or uploads, as clients do.
    fn blob(&mut self, path: &str, content: &[u8], told: &mut Told) {
        let digest = Digest::sha256(content);
        loop {
            let asked = Instant::now();
            if self.random.below(4) > 0 {
                let there =
                    self.answered(|http| http.send("HEAD", &format!("{path}/blobs/{digest}"), &[], b""));
                if there.status == 200 {
                    self.figures.found += 1;
                    told.insert(digest.to_string(), asked);
                    return;
                }
                assert_eq!(there.status, 404, "HEAD of {digest}");
            }
            let (target, mount) = if self.random.below(2) == 0 {
                let other = self.path();
                let from = other.trim_start_matches("/v2/");
                (format!("{path}/blobs/uploads/?mount={digest}&from={from}"), true)
            } else {
                (format!("{path}/blobs/uploads/?digest={digest}"), false)
            };
            let body = if mount { b"" } else { content };
            let asked = Instant::now();
            let answer = self.answered(|http| http.send("POST", &target, &[OCTETS], body));
            let done = match answer.status {
                201 if mount => {
                    self.figures.mounted += 1;
                    true
                }
                201 => {
                    self.figures.uploaded += 1;
                    true
                }
                202 if mount => self.finish(&answer, content, &digest),
                status => panic!("POST {target}: {status} {}", answer.text()),
            };
            if done {
                // A blob of an image is told of more than once; what counts is the last time.
                told.insert(digest.to_string(), asked);
                return;
            }
        }
    }

    /// Sends the content to an upload that was begun; `false` when a kill came in between.
    fn finish(&mut self, begun: &Answer, content: &[u8], digest: &Digest) -> bool {
        let location = begun.header("location").expect("an upload's answer has a Location");
        let joint = if location.contains('?') { '&' } else { '?' };
        let target = format!("{location}{joint}digest={digest}");
        match self.gate.pass().send("PUT", &target, &[OCTETS], content) {
            Ok(answer) => {
                assert_eq!(answer.status, 201, "PUT {target}: {}", answer.text());
                self.figures.uploaded += 1;
                true
            }
            Err(_) => false,
        }
    }

    fn retag(&mut self) {
        let Some(kept) = self.book.any(Some(self.at), self.random.next()) else { return };
        let by_digest = format!("{}/manifests/{}", kept.path, kept.digest);
        let manifest = self.answered(|http| http.send("GET", &by_digest, &[("Accept", "*/*")], b""));
        assert_eq!(manifest.status, 200, "{by_digest} is kept: {}", manifest.text());
        let target = format!("{}/manifests/c{}-t{}", kept.path, self.at, self.random.below(6));
        let fields = [("Content-Type", MANIFEST)];
        let answer = self.answered(|http| http.send("PUT", &target, &fields, &manifest.body));
        assert_eq!(answer.status, 201, "{target}: {}", answer.text());
        self.figures.retagged += 1;
    }

    fn delete(&mut self) {
        let Some(kept) = self.book.any(Some(self.at), self.random.next()) else { return };
        self.book.give_up(&kept.digest);
        let target = format!("{}/manifests/{}", kept.path, kept.digest);
        let answer = self.answered(|http| http.send("DELETE", &target, &[], b""));
        // The answer to the first try may have been lost in a kill.
        assert!(matches!(answer.status, 202 | 404), "DELETE {target}: {} {}", answer.status, answer.text());
        self.figures.deleted += 1;
    }

    /// Half an upload that nobody goes on with.
    fn leave_an_upload(&mut self) {
        let target = format!("{}/blobs/uploads/", self.path());
        let begun = self.answered(|http| http.send("POST", &target, &[], b""));
        assert_eq!(begun.status, 202, "{}", begun.text());
        let location = begun.header("location").expect("an upload's answer has a Location").to_owned();
        // A kill may meet it: it is left in any case.
        let _ = self.gate.pass().send("PATCH", &location, &[OCTETS], &self.random.bytes(1000));
    }

    /// Pulls an image that anybody keeps, in full.
    fn pull(&mut self) {
        let Some(kept) = self.book.any(None, self.random.next()) else { return };
        let mut paths = vec![format!("{}/manifests/{}", kept.path, kept.digest)];
        paths.extend(kept.blobs.iter().map(|blob| format!("{}/blobs/{blob}", kept.path)));
        for path in &paths {
            let answer = self.answered(|http| http.send("GET", path, &[("Accept", "*/*")], b""));
            if answer.status == 404 && !self.book.keeps(&kept.digest) {
                return; // somebody has begun to delete it meanwhile
            }
            check_object(path, &answer);
        }
        self.figures.pulled += 1;
        self.figures.blobs += kept.blobs.len();
    }

    fn path(&mut self) -> String {
        format!("/v2/{TEAM}/collect-{}", self.random.below(REPOSITORIES as u64))
    }

    /// Sends a request that may be sent again until an answer comes.
    fn answered(&self, send: impl Fn(&Http) -> io::Result<Answer>) -> Answer {
        loop {
            if let Ok(answer) = send(&self.gate.pass()) {
                return answer;
            }
        }
    }
}

/// An answer has to be the content that the path's digest names.
pub fn check_object(path: &str, answer: &Answer) {
    assert_eq!(answer.status, 200, "{path} is kept: {}", answer.text());
    let (_, digest) = path.rsplit_once('/').unwrap();
    assert_eq!(Digest::sha256(&answer.body).to_string(), digest, "wrong bytes at {path}");
}
