//! One request and its answer, bounded in bytes and time, written down without secrets.

use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::broke;
use super::line::Line;
use super::reach::Spot;
use super::record::{Answered, Broke, Broken};
use super::redact::Secrets;
use super::tap::First;
use crate::http1::{AGENT, Body, empty};

/// The largest head that is read.
const HEAD_MAX: usize = 64 << 10;
/// How much of a body is looked into.
const BODY_READ: usize = 64 << 10;
/// From which size on a body counts as endless, whatever length it states. Pages of applications are larger than what
/// is looked into, and end.
const BODY_MAX: u64 = 1 << 20;
/// How much of a body, and of a header's value, is written down.
const TEXT_MAX: usize = 2 << 10;

/// Headers that tell servers, proxies and causes apart, or that the protocol is made of.
const HEADERS: [&str; 28] = [
    "age",
    "allow",
    "cf-mitigated",
    "cf-ray",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "docker-content-digest",
    "docker-distribution-api-version",
    "docker-upload-uuid",
    "location",
    "range",
    "retry-after",
    "server",
    "set-cookie",
    "strict-transport-security",
    "transfer-encoding",
    "upgrade",
    "via",
    "www-authenticate",
    "x-amz-cf-id",
    "x-cache",
    "x-powered-by",
    "x-request-id",
    "x-served-by",
    "x-varnish",
];

/// A request.
pub(super) struct Ask {
    pub(super) method: Method,
    /// Path and query.
    pub(super) path: String,
    /// Never sent over a connection that is not trusted.
    pub(super) authorization: Option<HeaderValue>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Body,
}

impl Ask {
    /// Without a body and without credentials.
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), authorization: None, headers: Vec::new(), body: empty() }
    }

    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(super) fn with_credentials(mut self, authorization: Option<HeaderValue>) -> Self {
        self.authorization = authorization;
        self
    }

    pub(super) fn with_header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, HeaderValue::from_static(value)));
        self
    }

    pub(super) fn with_body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }
}

/// An answer: what is written down, and what the walk needs of it but must not be.
pub(super) struct Heard {
    pub(super) answered: Answered,
    /// As they came, with secrets.
    pub(super) headers: HeaderMap,
    /// The body's beginning as it came, with secrets.
    pub(super) bytes: Vec<u8>,
}

impl Heard {
    /// What is written down, after a secret was found in it.
    pub(super) fn cleaned(mut self, secrets: &Secrets) -> Answered {
        self.answered.headers = headers(&self.headers, secrets);
        self.answered.body = text(&self.bytes, secrets);
        self.answered
    }

    /// A header as it came.
    pub(super) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Asks over `line`, which is used up.
pub(super) async fn exchange(
    line: Line,
    spot: &Spot,
    ask: Ask,
    within: Duration,
    secrets: &Secrets,
) -> Result<Heard, Broken> {
    if ask.authorization.is_some() && !line.is_trusted() {
        let detail =
            "the certificate of this connection does not verify, so no credentials were sent over it";
        return Err(Broken::new(Broke::TlsHandshake, detail));
    }
    let deadline = Instant::now() + within;
    let asked = format!("{} {}{}", ask.method, spot.end.origin, secrets.url(&ask.path));
    let request = request(ask, spot)?;
    let first = line.stream.first();
    let head = Head { first: &first, certificate_wanted: line.certificate_wanted, deadline, within, secrets };
    let (response, _driver) = head.wait(line, request).await?;
    let (parts, body) = response.into_parts();
    if size(&parts.headers) > HEAD_MAX {
        return Err(broke::head_too_large());
    }
    let read = read(body, length(&parts.headers), deadline).await;
    let answered = Answered {
        asked,
        address: spot.address.to_string(),
        status: parts.status.as_u16(),
        headers: headers(&parts.headers, secrets),
        body: text(&read.bytes, secrets),
        body_bytes: read.count,
        body_broke: read.broke,
        body_endless: read.is_endless,
    };
    Ok(Heard { answered, headers: parts.headers, bytes: read.bytes })
}

fn request(ask: Ask, spot: &Spot) -> Result<Request<Body>, Broken> {
    let mut request = Request::builder()
        .method(ask.method)
        .uri(&ask.path)
        .header(HOST, spot.end.origin.authority())
        .header(USER_AGENT, AGENT);
    for (name, value) in ask.headers {
        request = request.header(name, value);
    }
    if let Some(value) = ask.authorization {
        request = request.header(AUTHORIZATION, value);
    }
    request
        .body(ask.body)
        .map_err(|error| Broken::new(Broke::NotHttp, format!("the request cannot be made: {error}")))
}

/// Ends the task that serves a connection when nobody waits for it any more.
struct Driver(JoinHandle<hyper::Result<()>>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Waiting for the head of an answer.
struct Head<'a> {
    first: &'a First,
    certificate_wanted: bool,
    deadline: Instant,
    within: Duration,
    secrets: &'a Secrets,
}

impl Head<'_> {
    async fn wait(&self, line: Line, request: Request<Body>) -> Result<(Response<Incoming>, Driver), Broken> {
        let io = TokioIo::new(line.stream);
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(HEAD_MAX)
            .handshake(io)
            .await
            .map_err(|error| self.broken(&error))?;
        let answer = sender.send_request(request);
        let mut driver = Driver(tokio::spawn(connection));
        match timeout_at(self.deadline, answer).await {
            Ok(Ok(response)) => Ok((response, driver)),
            Ok(Err(error)) if error.is_canceled() || error.is_closed() => {
                // The connection failed before it took the request; it knows why.
                match timeout_at(self.deadline, &mut driver.0).await {
                    Ok(Ok(Err(cause))) => Err(self.broken(&cause)),
                    _ => Err(self.broken(&error)),
                }
            }
            Ok(Err(error)) => Err(self.broken(&error)),
            Err(_) => Err(self.timed_out()),
        }
    }

    fn broken(&self, error: &hyper::Error) -> Broken {
        let broken = broke::exchanging(error, &self.first.bytes(), self.certificate_wanted);
        Broken::new(broken.kind, self.secrets.clean(&broken.detail))
    }

    fn timed_out(&self) -> Broken {
        let first = self.first.bytes();
        if first.is_empty()
            || b"HTTP/1.".starts_with(&first[..first.len().min(7)])
            || first.starts_with(b"HTTP/1.")
        {
            let detail = format!("no answer within {} s", self.within.as_secs_f32());
            return Broken::new(Broke::AnswerTimeout, detail);
        }
        Broken::new(Broke::NotHttp, self.secrets.clean(&broke::shown(&first)))
    }
}

/// What was read of a body.
#[derive(Default)]
struct Read {
    bytes: Vec<u8>,
    count: u64,
    broke: Option<Broken>,
    is_endless: bool,
}

/// hyper bounds its buffer, and reads a head that is somewhat larger.
fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum()
}

/// The stated length of the body.
fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn read(mut body: Incoming, length: Option<u64>, deadline: Instant) -> Read {
    let mut read = Read::default();
    let bound = if length.is_some() { BODY_READ as u64 } else { BODY_MAX };
    while read.count < bound {
        let frame = match timeout_at(deadline, body.frame()).await {
            Ok(None) => return read,
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(error))) => {
                read.broke = Some(Broken::new(Broke::BodyCut, error.to_string()));
                return read;
            }
            Err(_) => {
                let detail = format!("the body did not end in time, after {} bytes", read.count);
                read.broke = Some(Broken::new(Broke::BodySlow, detail));
                return read;
            }
        };
        let Some(data) = frame.data_ref() else { continue };
        read.count += data.len() as u64;
        let room = BODY_READ - read.bytes.len();
        read.bytes.extend_from_slice(&data[..data.len().min(room)]);
    }
    // A page of a stated length ends, though it is not read to its end.
    read.is_endless =
        length.is_none_or(|length| length > BODY_MAX) && !hyper::body::Body::is_end_stream(&body);
    read
}

fn headers(all: &HeaderMap, secrets: &Secrets) -> Vec<(String, String)> {
    let matter = all.iter().filter(|(name, _)| HEADERS.contains(&name.as_str()));
    matter.map(|(name, value)| (name.to_string(), header(name, value, secrets))).collect()
}

fn header(name: &HeaderName, value: &HeaderValue, secrets: &Secrets) -> String {
    let value = String::from_utf8_lossy(value.as_bytes());
    let clean = match name.as_str() {
        "set-cookie" => value.split('=').next().unwrap_or_default().trim().to_owned(),
        "location" => secrets.url(&value),
        _ => secrets.clean(&value),
    };
    short(&clean)
}

/// The beginning of a body as text without secrets and control characters.
fn text(bytes: &[u8], secrets: &Secrets) -> String {
    short(&secrets.clean(&String::from_utf8_lossy(bytes)))
}

/// At most as much as is written down, its control characters replaced.
fn short(text: &str) -> String {
    let end = text.floor_char_boundary(TEXT_MAX);
    let lines = text[..end].replace("\r\n", "\n");
    let is_plain = |letter: char| !letter.is_control() || matches!(letter, '\n' | '\t');
    lines.chars().map(|letter| if is_plain(letter) { letter } else { char::REPLACEMENT_CHARACTER }).collect()
}
