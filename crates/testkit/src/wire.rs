//! One request on one connection, and its answer as it came.

use std::net::SocketAddr;

use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use railhead_oci::Digest;
use serde_json::Value;
use tokio::net::TcpStream;

/// A request in the making.
#[derive(Clone, Debug)]
pub struct Ask {
    to: SocketAddr,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

/// Begins a request.
pub fn ask(to: SocketAddr, method: Method, path: impl Into<String>) -> Ask {
    Ask { to, method, path: path.into(), headers: Vec::new(), body: Bytes::new() }
}

impl Ask {
    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Logs in with Basic credentials.
    #[must_use]
    pub fn basic(self, user: &str, password: &str) -> Self {
        let text = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        self.header("authorization", format!("Basic {text}"))
    }

    /// Uses a token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it and reads the whole answer.
    pub async fn send(self) -> Reply {
        let stream = TcpStream::connect(self.to).await.expect("the registry accepts connections");
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1 begins");
        let driver = tokio::spawn(connection);
        let mut request = http::Request::builder().method(self.method).uri(&self.path);
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request = request.header("host", self.to.to_string());
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(self.body)).expect("the request is well formed");
        let response = sender.send_request(request).await.expect("the registry answers");
        let (parts, body) = response.into_parts();
        let collected = body.collect().await;
        let cut = collected.is_err();
        let body = collected.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        driver.abort();
        Reply { status: parts.status, headers: parts.headers, body, cut }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; empty when it was cut.
    pub body: Bytes,
    /// Whether the connection ended before the body did.
    pub cut: bool,
}

impl Reply {
    /// Makes sure of the status.
    #[track_caller]
    #[must_use]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    /// A header as text; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap_or_default())
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("the body is JSON, but {error}: {}", String::from_utf8_lossy(&self.body))
        })
    }

    /// The code of the first error in the body.
    #[track_caller]
    pub fn code(&self) -> String {
        self.json()["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The digest that the registry says the content has.
    #[track_caller]
    pub fn digest(&self) -> Digest {
        self.header("docker-content-digest").parse().expect("the answer names a digest")
    }
}
