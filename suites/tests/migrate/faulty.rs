//! A registry that has one repository and every fault that a source can have. It serves one request a connection, and counts them.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use railhead_oci::Digest;
use railhead_suites::Image;
use railhead_suites::image::MANIFEST;

/// What goes wrong with one path, each time it is asked for; when the list is at its end, all goes well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The answer ends after so many bytes of what it announced.
    CutAt(usize),
    /// Another status, with `Retry-After: 1`.
    Busy(u16),
    /// The token is not taken any more.
    Expired,
    /// The first byte is another one.
    Flipped,
    /// It is not there.
    Gone,
    /// Fewer bytes than there are, and as many announced.
    Short,
}

/// The repository's name.
pub const NAME: &str = "alice/app";

/// See the module.
pub struct Faulty {
    address: SocketAddr,
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    content: Mutex<BTreeMap<String, (String, Vec<u8>)>>,
    tags: Mutex<Vec<String>>,
    faults: Mutex<HashMap<String, Vec<Fault>>>,
    /// Requests as `METHOD path range`.
    asked: Mutex<Vec<String>>,
    /// The token that is taken now.
    token: Mutex<u32>,
}

impl Faulty {
    /// Starts one that has nothing.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::<Inner>::default();
        let serving = Arc::clone(&inner);
        // It ends with the test program.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = Arc::clone(&serving);
                thread::spawn(move || serving.serve(&stream, address));
            }
        });
        Self { address, inner }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds an image; the paths of its blobs, the configuration's first.
    pub fn image(&self, tag: &str, image: &Image) -> Vec<String> {
        let mut content = self.inner.content.lock().unwrap();
        let mut paths = Vec::new();
        for blob in std::iter::once(&image.config).chain(&image.layers) {
            let path = format!("/v2/{NAME}/blobs/{}", Digest::sha256(blob));
            content.insert(path.clone(), ("application/octet-stream".to_owned(), blob.clone()));
            paths.push(path);
        }
        let manifest = image.manifest();
        for reference in [tag.to_owned(), Digest::sha256(&manifest).to_string()] {
            let path = format!("/v2/{NAME}/manifests/{reference}");
            content.insert(path, (MANIFEST.to_owned(), manifest.clone()));
        }
        let mut tags = self.inner.tags.lock().unwrap();
        tags.push(tag.to_owned());
        tags.sort();
        paths
    }

    /// Lets these go wrong with a path, one after the other.
    pub fn fault(&self, path: &str, faults: &[Fault]) {
        let faults = faults.iter().rev().copied().collect();
        self.inner.faults.lock().unwrap().insert(path.to_owned(), faults);
    }

    /// Requests with this in them, in order.
    pub fn asked(&self, part: &str) -> Vec<String> {
        self.inner.asked.lock().unwrap().iter().filter(|line| line.contains(part)).cloned().collect()
    }
}

impl Inner {
    fn serve(&self, mut stream: &TcpStream, address: SocketAddr) {
        let Some((method, target, fields)) = read(stream) else { return };
        let path = target.split('?').next().unwrap().to_owned();
        let range = fields.get("range").cloned().unwrap_or_default();
        self.asked.lock().unwrap().push(format!("{method} {path} {range}"));
        let answer = self.answer(&method, &path, &fields, address);
        // A client that has left is no concern of this one.
        let _ = stream.write_all(&answer);
    }

    fn answer(
        &self,
        method: &str,
        path: &str,
        fields: &HashMap<String, String>,
        address: SocketAddr,
    ) -> Vec<u8> {
        if path == "/token" {
            let token = format!("{{\"token\": \"t{}\"}}", self.token.lock().unwrap());
            return head("200 OK", "application/json", token.len(), "") + &token.into_bytes();
        }
        let fault = self
            .faults
            .lock()
            .unwrap()
            .get_mut(path)
            .and_then(|faults| if method == "HEAD" { None } else { faults.pop() });
        if fault == Some(Fault::Expired) {
            *self.token.lock().unwrap() += 1;
        }
        let wanted = format!("Bearer t{}", self.token.lock().unwrap());
        if fields.get("authorization") != Some(&wanted) {
            let challenge =
                format!("WWW-Authenticate: Bearer realm=\"http://{address}/token\",service=\"faulty\"\r\n");
            return head("401 Unauthorized", "application/json", 0, &challenge).0;
        }
        match fault {
            Some(Fault::Busy(status)) => {
                return head(&format!("{status} Later"), "text/plain", 0, "Retry-After: 1\r\n").0;
            }
            Some(Fault::Gone) => return head("404 Not Found", "text/plain", 0, "").0,
            _ => {}
        }
        if path == "/v2/" {
            return head("200 OK", "application/json", 0, "").0;
        }
        if path == "/v2/_catalog" {
            let list = format!("{{\"repositories\": [\"{NAME}\"]}}");
            return head("200 OK", "application/json", list.len(), "") + list.as_bytes();
        }
        if path == format!("/v2/{NAME}/tags/list") {
            let list = serde_json::json!({ "name": NAME, "tags": *self.tags.lock().unwrap() }).to_string();
            return head("200 OK", "application/json", list.len(), "") + list.as_bytes();
        }
        let Some((kind, mut body)) = self.content.lock().unwrap().get(path).cloned() else {
            return head("404 Not Found", "text/plain", 0, "").0;
        };
        let whole = body.len();
        let from = fields
            .get("range")
            .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        if fault == Some(Fault::Flipped) {
            body[0] ^= 1;
        }
        if fault == Some(Fault::Short) {
            body.truncate(whole - 1);
        }
        let announced = body.len();
        let cut = |body: &mut Vec<u8>| {
            if let Some(Fault::CutAt(length)) = fault {
                body.truncate(length);
            }
        };
        if let Some(from) = from {
            let mut rest = body.split_off(from);
            cut(&mut rest);
            let range = format!("Content-Range: bytes {from}-{}/{whole}\r\n", whole - 1);
            return head("206 Partial Content", &kind, announced - from, &range) + &rest;
        }
        cut(&mut body);
        if method == "HEAD" {
            body.clear();
        }
        head("200 OK", &kind, announced, "") + &body
    }
}

/// A head, to which a body is added.
struct Head(Vec<u8>);

impl<B: AsRef<[u8]> + ?Sized> std::ops::Add<&B> for Head {
    type Output = Vec<u8>;

    fn add(mut self, body: &B) -> Vec<u8> {
        self.0.extend_from_slice(body.as_ref());
        self.0
    }
}

fn head(status: &str, kind: &str, length: usize, more: &str) -> Head {
    let head = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{more}\r\n"
    );
    Head(head.into_bytes())
}

/// Method, target, and fields with names in lower case.
fn read(stream: &TcpStream) -> Option<(String, String, HashMap<String, String>)> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut fields = HashMap::new();
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        fields.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Some((method, target, fields))
}
