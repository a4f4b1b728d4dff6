//! A client's conversation with one registry: it logs in as real clients do, keeps its connection and its token,
//! and knows the requests of the distribution API. Every answer is checked; one that was not expected is an error
//! that shows the request and the answer.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::content::{Layer, MANIFEST, WRITE, digest};
use crate::http::{Answer, Body, Connection};

/// What docker says it accepts when it asks for a manifest.
pub const ACCEPT: &str = "Accept: application/vnd.oci.image.manifest.v1+json\r\n\
    Accept: application/vnd.oci.image.index.v1+json\r\n\
    Accept: application/vnd.docker.distribution.manifest.v2+json\r\n\
    Accept: application/vnd.docker.distribution.manifest.list.v2+json\r\n\
    Accept: application/vnd.docker.distribution.manifest.v1+prettyjws\r\n\
    Accept: application/json\r\n";

/// An account of a server with access control.
#[derive(Clone)]
pub struct Login {
    /// The account's name.
    pub user: String,
    /// A token or password.
    pub secret: String,
}

/// What a request must be answered with.
#[derive(Clone, Copy, Debug)]
pub struct Expect {
    /// The status code.
    pub status: u16,
    /// Length of the body, when it is known.
    pub length: Option<u64>,
}

impl Expect {
    /// Only the status is known.
    pub const fn status(status: u16) -> Self {
        Self { status, length: None }
    }

    /// 200 with so many bytes.
    pub const fn bytes(length: usize) -> Self {
        Self { status: 200, length: Some(length as u64) }
    }
}

/// A token of the registry, as a header line.
struct Bearer {
    line: String,
    renew: Instant,
}

/// One client on one connection, in one repository.
pub struct Session {
    connection: Connection,
    host: String,
    repository: String,
    login: Option<Login>,
    bearer: Option<Bearer>,
}

impl Session {
    /// Connects and, when the server has accounts, fetches a token for `repository`.
    pub fn open(address: SocketAddr, repository: &str, login: Option<&Login>) -> Result<Self> {
        let mut session = Self {
            connection: Connection::open(address)?,
            host: address.to_string(),
            repository: repository.to_owned(),
            login: login.cloned(),
            bearer: None,
        };
        session.renew()?;
        Ok(session)
    }

    /// The bytes of a request without a body, ready to be sent many times.
    pub fn prepare(&self, method: &str, path: &str, headers: &str) -> Vec<u8> {
        let bearer = self.bearer.as_ref().map_or("", |bearer| &bearer.line);
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: railhead-bench\r\n{bearer}{headers}\r\n",
            self.host
        )
        .into_bytes()
    }

    /// Makes the same request `count` times, with a new token when the old one gets old.
    pub fn repeat(
        &mut self,
        (method, path, headers): (&str, &str, &str),
        count: usize,
        expect: Expect,
    ) -> Result<()> {
        let body = if method == "HEAD" { Body::Absent } else { Body::Count };
        let mut request = self.prepare(method, path, headers);
        for _ in 0..count {
            if self.renew()? {
                request = self.prepare(method, path, headers);
            }
            self.exchange(&request, body, expect)?;
        }
        Ok(())
    }

    /// Makes one request without a body.
    pub fn ask(&mut self, method: &str, path: &str, headers: &str, expect: Expect) -> Result<Answer> {
        self.renew()?;
        let body = if method == "HEAD" { Body::Absent } else { Body::Keep };
        let request = self.prepare(method, path, headers);
        self.exchange(&request, body, expect)
    }

    /// The body of the last answer to [`Session::ask`].
    pub fn body(&self) -> &[u8] {
        &self.connection.body
    }

    /// Pushes `layer` as docker does: POST, one streamed PATCH without a length, PUT.
    pub fn push_layer(&mut self, layer: &Layer) -> Result<()> {
        self.upload(&layer.digest, |connection| {
            let mut stream = layer.stream();
            let mut left = layer.length;
            let mut frame = Vec::with_capacity(WRITE + 16);
            while left > 0 {
                let size = left.min(WRITE);
                frame.clear();
                frame.extend_from_slice(format!("{size:x}\r\n").as_bytes());
                let start = frame.len();
                frame.resize(start + size, 0);
                stream.fill(&mut frame[start..]);
                frame.extend_from_slice(b"\r\n");
                connection.send(&frame)?;
                left -= size;
            }
            connection.send(b"0\r\n\r\n")
        })
    }

    /// Pushes `bytes` the same way, in one chunk.
    pub fn push_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.upload(&digest(bytes), |connection| {
            let mut frame = format!("{:x}\r\n", bytes.len()).into_bytes();
            frame.extend_from_slice(bytes);
            frame.extend_from_slice(b"\r\n0\r\n\r\n");
            connection.send(&frame)
        })
    }

    /// Puts a manifest under `reference`, a tag or a digest with an optional query.
    pub fn push_manifest(&mut self, reference: &str, manifest: &[u8]) -> Result<()> {
        self.renew()?;
        let path = format!("/v2/{}/manifests/{reference}", self.repository);
        let headers = format!("Content-Type: {MANIFEST}\r\nContent-Length: {}\r\n", manifest.len());
        let mut request = self.prepare("PUT", &path, &headers);
        request.extend_from_slice(manifest);
        self.exchange(&request, Body::Keep, Expect::status(201))?;
        Ok(())
    }

    /// Sends a request and checks its answer.
    pub fn exchange(&mut self, request: &[u8], body: Body, expect: Expect) -> Result<Answer> {
        self.connection.send(request)?;
        let answer = self.connection.answer(body).with_context(|| first_line(request))?;
        self.verify(answer, expect, request)?;
        Ok(answer)
    }

    fn upload(&mut self, digest: &str, write_body: impl FnOnce(&mut Connection) -> Result<()>) -> Result<()> {
        self.renew()?;
        let path = format!("/v2/{}/blobs/uploads/", self.repository);
        let post = self.prepare("POST", &path, "Content-Length: 0\r\n");
        self.exchange(&post, Body::Keep, Expect::status(202))?;
        let location = self.location()?;

        let headers = "Transfer-Encoding: chunked\r\nContent-Type: application/octet-stream\r\n";
        let head = self.prepare("PATCH", &location, headers);
        self.connection.send(&head)?;
        // A server that refuses answers early and stops reading: its answer says more than the broken pipe.
        let sending = write_body(&mut self.connection);
        let answer = self.connection.answer(Body::Keep);
        let answer = answer.map_err(|error| sending.err().unwrap_or(error)).context("PATCH")?;
        self.verify(answer, Expect::status(202), &head)?;

        let location = self.location()?;
        let mark = if location.contains('?') { '&' } else { '?' };
        let put = self.prepare("PUT", &format!("{location}{mark}digest={digest}"), "Content-Length: 0\r\n");
        self.exchange(&put, Body::Keep, Expect::status(201))?;
        Ok(())
    }

    /// Path and query of the last answer's Location.
    fn location(&self) -> Result<String> {
        let location = self.connection.header("location").context("an upload without a Location")?;
        path_of(location).map(str::to_owned)
    }

    fn verify(&self, answer: Answer, expect: Expect, request: &[u8]) -> Result<()> {
        let right =
            answer.status == expect.status && expect.length.is_none_or(|length| length == answer.length);
        if right {
            return Ok(());
        }
        bail!(
            "{}: expected {} with {} bytes, but {} bytes came with\n{}\n{}",
            first_line(request),
            expect.status,
            expect.length.map_or_else(|| "any".to_owned(), |length| length.to_string()),
            answer.length,
            self.connection.head(),
            String::from_utf8_lossy(&self.connection.body)
        )
    }

    /// Fetches a token when there is none or it gets old; true when it did.
    fn renew(&mut self) -> Result<bool> {
        let Some(login) = self.login.clone() else { return Ok(false) };
        if self.bearer.as_ref().is_some_and(|bearer| Instant::now() < bearer.renew) {
            return Ok(false);
        }
        self.bearer = None;
        let probe = self.prepare("GET", "/v2/", "");
        self.exchange(&probe, Body::Keep, Expect::status(401))?;
        let challenge = self.connection.header("www-authenticate").context("401 without a challenge")?;
        let realm = parameter(challenge, "realm").context("a challenge without a realm")?;
        let service = parameter(challenge, "service").context("a challenge without a service")?;
        let path = format!(
            "{}?service={service}&scope=repository:{}:pull,push&account={}",
            path_of(realm)?,
            self.repository,
            login.user
        );
        let basic = STANDARD.encode(format!("{}:{}", login.user, login.secret));
        let request = self.prepare("GET", &path, &format!("Authorization: Basic {basic}\r\n"));
        self.exchange(&request, Body::Keep, Expect::status(200)).context("no token")?;
        self.bearer = Some(bearer(&self.connection.body)?);
        Ok(true)
    }
}

/// The token in the token endpoint's answer (token authentication specification, *Token Response Fields*).
fn bearer(body: &[u8]) -> Result<Bearer> {
    let answer: serde_json::Value =
        serde_json::from_slice(body).context("the token endpoint's answer is not JSON")?;
    let token = answer["token"]
        .as_str()
        .or_else(|| answer["access_token"].as_str())
        .context("the token endpoint's answer has no token")?;
    let seconds = answer["expires_in"].as_u64().unwrap_or(60);
    ensure!(seconds >= 10, "a token that lives {seconds} s is of no use");
    Ok(Bearer {
        line: format!("Authorization: Bearer {token}\r\n"),
        renew: Instant::now() + Duration::from_secs(seconds * 4 / 5),
    })
}

fn parameter<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = challenge.split_once(&format!("{name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

/// What follows scheme and host in a URL; a path stays as it is.
fn path_of(url: &str) -> Result<&str> {
    let Some((_, rest)) = url.split_once("://") else { return Ok(url) };
    let at = rest.find('/').with_context(|| format!("a URL without a path: {url}"))?;
    Ok(&rest[at..])
}

fn first_line(request: &[u8]) -> String {
    String::from_utf8_lossy(request.split(|byte| *byte == b'\r').next().unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_reduced_to_its_path() {
        assert_eq!(path_of("http://h:1/v2/a?b=c").unwrap(), "/v2/a?b=c");
        assert_eq!(path_of("/v2/a").unwrap(), "/v2/a");
        assert!(path_of("http://h").is_err());
    }

    #[test]
    fn a_challenge_is_read() {
        let challenge = r#"Bearer realm="http://h/token",service="s",scope="x""#;
        assert_eq!(parameter(challenge, "realm"), Some("http://h/token"));
        assert_eq!(parameter(challenge, "error"), None);
    }
}
