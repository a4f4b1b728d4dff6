//! Servers of one answer per connection, which remember what they were asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use railhead_client::Credentials;
use railhead_client::hops::{Route, Settings, Walk, Walker};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// The secret of the account of all tests.
pub const SECRET: &str = "s3cret-of-kim";
/// The host that all routes name; it is connected to by `connect`.
pub const HOST: &str = "git.example.com";

/// What a server does with a request.
#[derive(Clone)]
pub enum Reply {
    /// Writes these bytes, and closes.
    Bytes(Vec<u8>),
    /// Writes these bytes, and then keeps still.
    Stall(Vec<u8>),
    /// Writes the first bytes once, and the others again and again.
    Endless(Vec<u8>, Vec<u8>),
}

impl Reply {
    /// An answer with these header lines and this body.
    pub fn new(status: &str, headers: &[&str], body: &str) -> Self {
        let headers = headers.iter().map(|line| [line, "\r\n"].concat()).collect::<Vec<_>>().concat();
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n");
        Self::Bytes(format!("{head}{body}").into_bytes())
    }
}

type Handler = Arc<dyn Fn(&str) -> Reply + Send + Sync>;

/// A server on loopback, which ends with its value.
pub struct Server {
    pub address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Answers each request as `handler` says; it is given the head.
    pub async fn start(handler: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        Self::serve(None, handler).await
    }

    /// The same over TLS.
    pub async fn start_tls(
        acceptor: TlsAcceptor,
        handler: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::serve(Some(acceptor), handler).await
    }

    /// Writes `bytes` to everybody who connects, and closes once the other side has spoken.
    pub async fn start_raw(bytes: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    let _ = stream.write_all(bytes).await;
                    let _ = stream.read(&mut buffer).await;
                });
            }
        });
        Self { address, heads: Arc::default(), task }
    }

    async fn serve(
        acceptor: Option<TlsAcceptor>,
        handler: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let (handler, notes): (Handler, _) = (Arc::new(handler), heads.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (handler, notes, acceptor) = (handler.clone(), notes.clone(), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => serve_one(stream, &handler, &notes).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve_one(stream, &handler, &notes).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, heads, task }
    }

    /// The heads of all requests so far.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// A route over plain HTTP to it.
    pub fn route(&self) -> Route {
        format!("plain=http://{HOST},connect={}", self.address).parse().unwrap()
    }

    /// A route over TLS to it.
    pub fn tls_route(&self) -> Route {
        format!("tls=https://{HOST},connect={}", self.address).parse().unwrap()
    }
}

async fn serve_one<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    handler: &Handler,
    notes: &Mutex<Vec<String>>,
) {
    let Some(head) = read_request(&mut stream).await else { return };
    notes.lock().unwrap().push(head.clone());
    match handler(&head) {
        Reply::Bytes(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Reply::Stall(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.flush().await;
            std::future::pending::<()>().await;
        }
        Reply::Endless(first, again) => {
            if stream.write_all(&first).await.is_ok() {
                while stream.write_all(&again).await.is_ok() {}
            }
        }
    }
}

/// Reads a request to its end; its head.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 16 << 10];
    loop {
        let count = stream.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&buffer[..count]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let body = &bytes[end + 4..];
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        let is_whole = match length {
            Some(length) => body.len() >= length,
            None => !head.contains("transfer-encoding: chunked") || body.ends_with(b"0\r\n\r\n"),
        };
        if is_whole {
            return Some(head);
        }
    }
}

/// What a healthy registry answers, whose token endpoint is `realm`.
pub fn registry(realm: &str) -> impl Fn(&str) -> Reply + Send + Sync + use<> {
    let realm = realm.to_owned();
    move |head| {
        let line = head.lines().next().unwrap_or_default();
        let is_known = head.contains("authorization: bearer token-of-kim");
        if line.starts_with("get /token") {
            let is_kim = head.contains("authorization: basic");
            let token = if is_kim { "token-of-kim" } else { "token-of-nobody" };
            return Reply::new("200 OK", &[], &format!(r#"{{"token":"{token}","expires_in":300}}"#));
        }
        if line.starts_with("post /token") {
            return Reply::new("405 Method Not Allowed", &[], "");
        }
        if line.starts_with("get /v2/ ") && is_known {
            return Reply::new("200 OK", &["Docker-Distribution-API-Version: registry/2.0"], "{}");
        }
        if line.contains(" /v2/") && !is_known {
            let challenge = format!(r#"WWW-Authenticate: Bearer realm="{realm}",service="registry""#);
            let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"login"}]}"#;
            return Reply::new("401 Unauthorized", &[&challenge], body);
        }
        if line.contains("/tags/list") {
            return Reply::new("200 OK", &[], r#"{"name":"team/app","tags":["1"]}"#);
        }
        if line.starts_with("post /v2/team/app/blobs/uploads/")
            || line.starts_with("patch /v2/team/app/blobs/uploads/1")
        {
            let location = "Location: /v2/team/app/blobs/uploads/1?_state=of-the-upload";
            return Reply::new("202 Accepted", &[location], "");
        }
        if line.starts_with("delete /v2/team/app/blobs/uploads/1?_state=of-the-upload") {
            return Reply::new("204 No Content", &[], "");
        }
        Reply::new("404 Not Found", &[], "")
    }
}

/// Short times, and an account.
pub fn settings() -> Settings {
    let mut settings = Settings::new(HOST, "team/app".parse().unwrap());
    settings.account = Some(Credentials { user: "kim".to_owned(), secret: SECRET.to_owned().into() });
    settings.connect_timeout = Duration::from_millis(500);
    settings.answer_timeout = Duration::from_millis(500);
    settings
}

/// Walks one route.
pub async fn walk(settings: Settings, route: &Route) -> Walk {
    Walker::new(settings).unwrap().walk(route).await
}

/// Whether a record, as it is written, holds a secret of these tests.
pub fn leaks(walk: &Walk) -> Vec<&'static str> {
    let record = serde_json::to_string(walk).unwrap();
    // The account in the form of Basic, too.
    let secrets = [SECRET, "token-of-kim", "token-of-nobody", "a2ltOnMzY3JldC1vZi1raW0", "of-the-upload"];
    secrets.into_iter().filter(|secret| record.contains(secret)).collect()
}
