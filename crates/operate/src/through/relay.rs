//! A relay on the loopback that asks the API server for what comes in, since a walk speaks HTTP to an address.
//!
//! Invariants: only GET and HEAD go through, and never a login; an answer that the API server wrote is never passed off as the
//! registry's, but ends the connection.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{ACCEPT, CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use railhead_cluster::{Cluster, Seen, Speaker, Via};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What of a request is passed on.
const ASKED: [http::HeaderName; 2] = [ACCEPT, USER_AGENT];
/// What of an answer belongs to the connection that it came on.
const OF_CONNECTION: [http::HeaderName; 3] = [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING];

/// A relay; it ends when it is dropped.
#[derive(Debug)]
pub(super) struct Relay {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Relay {
    /// Starts one to `via`. `host` is the `Host` that the registry is to see.
    pub(super) async fn start(cluster: Cluster, via: Via, host: HeaderValue) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (cluster, via, host) = (cluster.clone(), via.clone(), host.clone());
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        answer(cluster.clone(), via.clone(), host.clone(), request)
                    });
                    // Whoever asks sees that the connection ended.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
        Ok(Self { address, task })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The API server had no answer of the registry.
#[derive(Debug, thiserror::Error)]
#[error("the API server has no answer of the registry")]
struct NoAnswer;

async fn answer(
    cluster: Cluster,
    via: Via,
    host: HeaderValue,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, NoAnswer> {
    let is_head = request.method() == Method::HEAD;
    if !is_head && request.method() != Method::GET {
        let mut refusal = Response::new(Full::default());
        *refusal.status_mut() = StatusCode::NOT_IMPLEMENTED;
        return Ok(refusal);
    }
    let mut headers = HeaderMap::new();
    for name in ASKED {
        if let Some(value) = request.headers().get(&name) {
            headers.insert(name, value.clone());
        }
    }
    headers.insert(HOST, host);
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let Ok(Seen::Found(answer)) = cluster.ask(&via, path, &headers).await else { return Err(NoAnswer) };
    if answer.speaker == Speaker::ApiServer {
        return Err(NoAnswer);
    }
    let body = if is_head { Bytes::new() } else { answer.body };
    let mut response = Response::new(Full::new(body));
    (*response.status_mut(), *response.headers_mut()) = (answer.status, answer.headers);
    for name in OF_CONNECTION {
        response.headers_mut().remove(name);
    }
    Ok(response)
}
