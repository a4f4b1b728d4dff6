//! HTTP/1.1 to one origin, over connections that are kept.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderValue, USER_AGENT};
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use crate::connect::Stream;
use crate::hops::Route;
use crate::{Error, Origin, Result, Trust};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// Connections that are kept for the next request.
const KEPT: usize = 8;
/// What requests call their sender.
pub(crate) const AGENT: &str = concat!("railhead/", env!("CARGO_PKG_VERSION"));

/// The body of a request.
pub type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// No body.
pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body of known length.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body whose length is not said beforehand, one piece after the other.
pub fn stream(pieces: impl IntoIterator<Item = Bytes, IntoIter: Send + Unpin + 'static>) -> Body {
    Pieces(pieces.into_iter()).boxed_unsync()
}

struct Pieces<I>(I);

impl<I: Iterator<Item = Bytes> + Unpin> http_body::Body for Pieces<I> {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        Poll::Ready(self.0.next().map(|piece| Ok(Frame::data(piece))))
    }
}

/// A body that is written while it is sent, and the end to write to. The sender says its length in a header; a pipe that is
/// dropped before so many bytes breaks the request off.
pub fn pipe() -> (Pipe, Body) {
    let (sender, receiver) = tokio::sync::mpsc::channel(2);
    (Pipe(sender), Piped(receiver).boxed_unsync())
}

/// The end of a [`pipe`] to write to.
#[derive(Debug)]
pub struct Pipe(tokio::sync::mpsc::Sender<Bytes>);

impl Pipe {
    /// Writes a piece, when there is room for it. False when nobody reads any more.
    pub async fn write(&self, piece: Bytes) -> bool {
        self.0.send(piece).await.is_ok()
    }
}

struct Piped(tokio::sync::mpsc::Receiver<Bytes>);

impl http_body::Body for Piped {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

/// An answer that was read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Requests to one origin. Cloning shares the connections.
#[derive(Clone, Debug)]
pub struct Http {
    inner: Arc<Inner>,
    timeout: Duration,
}

#[derive(Debug)]
struct Inner {
    origin: Origin,
    /// `ADDRESS:PORT` that is connected to in place of the origin's host.
    connect: Option<String>,
    trust: Option<Trust>,
    agent: HeaderValue,
    idle: Mutex<Vec<SendRequest<Body>>>,
}

impl Http {
    /// To `origin`, trusting `trust` if it speaks TLS; every answer must begin within `timeout`.
    pub fn new(origin: Origin, trust: Option<Trust>, timeout: Duration) -> Self {
        Self::with(origin, None, trust, timeout)
    }

    /// To the registry at the end of `route`: its URL is what is asked, its `connect` is where the connection goes.
    /// `trust` is what [`Trust::system`] makes of the route's `ca`.
    pub fn over(route: &Route, trust: Option<Trust>, timeout: Duration) -> Self {
        Self::with(route.url.clone(), route.connect.clone(), trust, timeout)
    }

    fn with(origin: Origin, connect: Option<String>, trust: Option<Trust>, timeout: Duration) -> Self {
        let agent = HeaderValue::from_static(AGENT);
        Self { inner: Arc::new(Inner { origin, connect, trust, agent, idle: Mutex::default() }), timeout }
    }

    /// The same, with the same connections; every answer must begin within `timeout`.
    #[must_use]
    pub fn within(&self, timeout: Duration) -> Self {
        Self { inner: self.inner.clone(), timeout }
    }

    /// Where requests go.
    pub fn origin(&self) -> &Origin {
        &self.inner.origin
    }

    /// Whom it trusts.
    pub fn trust(&self) -> Option<&Trust> {
        self.inner.trust.as_ref()
    }

    /// How long an answer may take to begin.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Asks, and gives the answer as soon as its head is there. The URI is a path with its query.
    pub async fn send(&self, mut request: Request<Body>) -> Result<Response<Incoming>> {
        let inner = &*self.inner;
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() =
            Uri::try_from(format!("{}{path}", inner.origin.base())).map_err(http::Error::from)?;
        let host = HeaderValue::try_from(inner.origin.authority()).map_err(http::Error::from)?;
        request.headers_mut().entry(HOST).or_insert(host);
        request.headers_mut().entry(USER_AGENT).or_insert_with(|| inner.agent.clone());
        let answer = tokio::time::timeout(self.timeout, self.exchange(request));
        answer.await.map_err(|_| self.timed_out(self.timeout))?
    }

    /// Asks, and reads the answer to its end, which may have `limit` bytes.
    pub async fn ask(&self, request: Request<Body>, limit: usize) -> Result<Answer> {
        self.read(self.send(request).await?, limit).await
    }

    /// Reads an answer to its end, which may have `limit` bytes.
    pub async fn read(&self, answer: Response<Incoming>, limit: usize) -> Result<Answer> {
        let (head, body) = answer.into_parts();
        let read = tokio::time::timeout(self.timeout, Limited::new(body, limit).collect());
        let body = match read.await.map_err(|_| self.timed_out(self.timeout))? {
            Ok(body) => body.to_bytes(),
            Err(error) => {
                return Err(match error.downcast::<hyper::Error>() {
                    Ok(source) => Error::Exchange { to: self.inner.origin.to_string(), source: *source },
                    Err(_) => Error::TooLarge { to: self.inner.origin.to_string(), limit },
                });
            }
        };
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    async fn exchange(&self, mut request: Request<Body>) -> Result<Response<Incoming>> {
        let broken = |source| Error::Exchange { to: self.inner.origin.to_string(), source };
        loop {
            let kept = self.kept();
            let fresh = kept.is_none();
            let mut sender = match kept {
                Some(sender) => sender,
                // Boxed: a TLS handshake is large, and seldom needed.
                None => Box::pin(self.connect()).await?,
            };
            match sender.try_send_request(request).await {
                Ok(response) => {
                    self.keep(sender);
                    return Ok(response);
                }
                // A kept connection may have been closed meanwhile; then the request was not taken, and comes back.
                Err(mut error) => match error.take_message() {
                    Some(back) if !fresh => request = back,
                    _ => return Err(broken(error.into_error())),
                },
            }
        }
    }

    async fn connect(&self) -> Result<SendRequest<Body>> {
        let origin = &self.inner.origin;
        let stream = tokio::time::timeout(
            CONNECT,
            Stream::open(origin, self.inner.connect.as_deref(), self.inner.trust.as_ref()),
        )
        .await
        .map_err(|_| self.timed_out(CONNECT))?
        .map_err(|source| Error::Connect { to: origin.to_string(), source })?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|source| Error::Exchange { to: origin.to_string(), source })?;
        // It ends by itself when its sender is dropped; its error reaches whoever waits for an answer.
        tokio::spawn(connection);
        Ok(sender)
    }

    fn kept(&self) -> Option<SendRequest<Body>> {
        let mut idle = self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|sender| !sender.is_closed());
        let at = idle.iter().position(SendRequest::is_ready)?;
        Some(idle.swap_remove(at))
    }

    fn keep(&self, sender: SendRequest<Body>) {
        let mut idle = self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(sender);
        }
    }

    fn timed_out(&self, limit: Duration) -> Error {
        Error::Timeout { to: self.inner.origin.to_string(), seconds: limit.as_secs() }
    }
}
