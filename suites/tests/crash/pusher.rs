//! One client that pushes images without pause. A kill may meet it at any step; it then finds out how far the server got, as
//! a patient client would, and goes on from there.

use std::io;
use std::sync::Arc;

use railhead_oci::Digest;
use railhead_suites::http::{Answer, Http};
use railhead_suites::image::{Image, MANIFEST};
use railhead_suites::{Gate, Random, registry};

use crate::promises::Promises;

/// The repository of the pusher number `at`. Nobody else pushes there, so its tags have one history.
pub fn repository(at: usize) -> String {
    format!("{}/crash-{at}", registry::TEAM)
}

/// What a pusher has seen.
#[derive(Default)]
pub struct Figures {
    /// Images pushed, with all that belongs to them.
    pub images: usize,
    /// Times that a kill met an upload after it was begun.
    pub cut_off: usize,
    /// Uploads that the pusher itself cut off in the middle of a request.
    pub hung_up: usize,
    /// Times that an upload was resumed at the offset that the server gave.
    pub resumed: usize,
    /// Uploads found to be committed, though the answer never came.
    pub committed: usize,
    /// Uploads that were gone after a kill during the closing request, with their blob not there.
    pub begun_anew: usize,
}

pub struct Pusher {
    path: String,
    random: Random,
    gate: Arc<Gate>,
    promises: Arc<Promises>,
    figures: Figures,
}

impl Drop for Pusher {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.gate.lose_one();
        }
    }
}

/// An upload that the server has answered for.
struct Upload {
    location: String,
    /// Bytes that the server has acknowledged.
    acknowledged: usize,
    /// Bytes that were sent, at most.
    sent: usize,
    /// Whether the closing request was ever sent.
    closing: bool,
    /// Whether the server may still be at a request that was cut off.
    contended: bool,
}

/// What is left of an upload that was cut off.
enum Found {
    Upload,
    Blob,
    Nothing,
}

impl Upload {
    /// Checks the status of an answer. After a cut the server may have taken more than it said when it was asked: it then
    /// has to refuse the offset, and the pusher asks again.
    fn expect(&self, answer: &Answer, status: u16) -> io::Result<()> {
        if answer.status == 416 && self.contended {
            return Err(io::ErrorKind::Interrupted.into());
        }
        assert_eq!(answer.status, status, "{}: {}", self.location, answer.text());
        Ok(())
    }
}

impl Pusher {
    pub fn new(at: usize, seed: u64, gate: Arc<Gate>, promises: Arc<Promises>) -> Self {
        let random = Random::new(seed ^ (at as u64 + 1) << 48);
        Self { path: format!("/v2/{}", repository(at)), random, gate, promises, figures: Figures::default() }
    }

    pub fn run(mut self) -> Figures {
        while !self.gate.ended() {
            let (layers, size) = (1 + self.random.below(3) as usize, 1 + self.random.below(150_000) as usize);
            let image = Image::random(&mut self.random, layers, size);
            for content in image.layers.iter().chain([&image.config]) {
                self.blob(content);
            }
            self.manifest(&image);
            self.figures.images += 1;
        }
        std::mem::take(&mut self.figures)
    }

    fn blob(&mut self, content: &[u8]) {
        let digest = Digest::sha256(content);
        if self.random.below(4) == 0 {
            let target = format!("{}/blobs/uploads/?digest={digest}", self.path);
            let fields = [("Content-Type", "application/octet-stream")];
            self.until_answered(|http| http.send("POST", &target, &fields, content), 201);
        } else {
            self.upload(content, &digest);
        }
        self.promises.object(format!("{}/blobs/{digest}", self.path));
    }

    /// An upload in up to three requests with content, resumed as often as it takes.
    fn upload(&mut self, content: &[u8], digest: &Digest) {
        let mut upload = self.begin();
        loop {
            let http = self.gate.pass();
            match self.step(&http, &mut upload, content, digest) {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    self.figures.cut_off += usize::from(error.kind() != io::ErrorKind::Interrupted);
                    match self.resume(&mut upload, digest) {
                        Found::Upload => {}
                        Found::Blob => return,
                        Found::Nothing => upload = self.begin(),
                    }
                }
            }
        }
    }

    fn begin(&self) -> Upload {
        let target = format!("{}/blobs/uploads/", self.path);
        let answer = self.until_answered(|http| http.send("POST", &target, &[], b""), 202);
        Upload { location: location(&answer), acknowledged: 0, sent: 0, closing: false, contended: false }
    }

    /// Sends the next part; whether the upload is then complete.
    fn step(
        &mut self,
        http: &Http,
        upload: &mut Upload,
        content: &[u8],
        digest: &Digest,
    ) -> io::Result<bool> {
        let rest = &content[upload.acknowledged..];
        // Two bytes at least: the Range of one byte is that of none.
        let part = (2 + self.random.below(2 * rest.len() as u64 + 1) as usize).min(rest.len());
        if part == rest.len() {
            upload.closing = true;
            upload.sent = content.len();
            let separator = if upload.location.contains('?') { '&' } else { '?' };
            let target = format!("{}{separator}digest={digest}", upload.location);
            let range = range(upload.acknowledged, content.len());
            let mut fields = vec![("Content-Type", "application/octet-stream")];
            // The range of nothing cannot be written.
            fields.extend((!rest.is_empty()).then_some(("Content-Range", range.as_str())));
            let answer = http.send("PUT", &target, &fields, rest)?;
            upload.expect(&answer, 201)?;
            return Ok(true);
        }
        upload.sent = upload.sent.max(upload.acknowledged + part);
        let range = range(upload.acknowledged, upload.acknowledged + part);
        let fields = [("Content-Type", "application/octet-stream"), ("Content-Range", range.as_str())];
        if self.random.below(8) == 0 {
            (self.figures.hung_up, upload.contended) = (self.figures.hung_up + 1, true);
            http.send_part("PATCH", &upload.location, &fields, &rest[..part], part / 2)?;
            return Err(io::ErrorKind::Interrupted.into());
        }
        let answer = http.send("PATCH", &upload.location, &fields, &rest[..part])?;
        upload.expect(&answer, 202)?;
        upload.acknowledged += part;
        assert_eq!(offset(&answer), upload.acknowledged, "PATCH {}", upload.location);
        upload.location = location(&answer);
        Ok(false)
    }

    /// Asks how far the upload got.
    fn resume(&mut self, upload: &mut Upload, digest: &Digest) -> Found {
        let answer = self.ask("GET", &upload.location);
        if answer.status == 404 && upload.closing {
            let blob = self.ask("HEAD", &format!("{}/blobs/{digest}", self.path));
            if blob.status == 200 {
                self.figures.committed += 1;
                return Found::Blob;
            }
            // No promise is broken: the closing request had no answer. It is counted, since it costs the client a push.
            assert_eq!(blob.status, 404, "HEAD of {digest}");
            self.figures.begun_anew += 1;
            return Found::Nothing;
        }
        assert_eq!(answer.status, 204, "the upload {} was begun: {}", upload.location, answer.text());
        let offset = offset(&answer);
        let possible = upload.acknowledged..=upload.sent;
        assert!(possible.contains(&offset), "{}: at {offset}, but must be in {possible:?}", upload.location);
        upload.acknowledged = offset;
        self.figures.resumed += 1;
        Found::Upload
    }

    fn manifest(&mut self, image: &Image) {
        let manifest = image.manifest();
        let digest = Digest::sha256(&manifest);
        let fields = [("Content-Type", MANIFEST)];
        let tag = format!("{}/manifests/t{}", self.path, self.random.below(4));
        for target in [format!("{}/manifests/{digest}", self.path), tag.clone()] {
            if target == tag {
                self.promises.tag_may_become(&tag, &digest);
            }
            self.until_answered(|http| http.send("PUT", &target, &fields, &manifest), 201);
        }
        self.promises.tag(&tag, &digest);
        self.promises.object(format!("{}/manifests/{digest}", self.path));
    }

    fn ask(&self, method: &str, target: &str) -> Answer {
        loop {
            if let Ok(answer) = self.gate.pass().send(method, target, &[], b"") {
                return answer;
            }
        }
    }

    /// Sends a request that may be sent again, until an answer comes, which has to be `status`.
    fn until_answered(&self, send: impl Fn(&Http) -> io::Result<Answer>, status: u16) -> Answer {
        loop {
            if let Ok(answer) = send(&self.gate.pass()) {
                assert_eq!(answer.status, status, "{}: {}", self.path, answer.text());
                return answer;
            }
        }
    }
}

/// The bytes from `start` up to `end`, which is left out, as `Content-Range` writes them.
fn range(start: usize, end: usize) -> String {
    format!("{start}-{}", end.saturating_sub(1))
}

fn location(answer: &Answer) -> String {
    answer.header("location").expect("an upload's answer has a Location").to_owned()
}

/// The number of bytes that the server has, from `Range`, which is inclusive: an empty upload is `0-0` or has none.
fn offset(answer: &Answer) -> usize {
    let Some((_, last)) = answer.header("range").and_then(|range| range.split_once('-')) else {
        return 0;
    };
    match last.parse().expect("Range ends with a number") {
        0 => 0,
        last => last + 1,
    }
}
