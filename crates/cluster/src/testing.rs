//! An API server for the tests of this room: it answers what a test says, or breaks off.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::{Access, Cluster};

/// What was asked.
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: String,
}

/// What is answered.
pub enum Said {
    /// This.
    Answer(Response<Full<Bytes>>),
    /// The connection is closed.
    Broken,
}

impl Said {
    pub fn json(status: u16, body: &Value) -> Self {
        let answer = Response::builder().status(status).header("content-type", "application/json");
        Self::Answer(answer.body(Full::from(body.to_string())).unwrap())
    }

    pub fn lines(lines: &[Value]) -> Self {
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        let text = lines.join("\n") + "\n";
        Self::Answer(Response::new(Full::from(text)))
    }

    pub fn with(mut self, name: &'static str, value: &'static str) -> Self {
        if let Self::Answer(answer) = &mut self {
            answer.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        self
    }
}

/// A Status as the API server writes it.
pub fn status(code: u16, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message, "reason": "x"})
}

/// The server.
pub struct Fake {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Fake {
    pub async fn start(answer: impl Fn(Asked) -> Said + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(answer);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answer = Arc::clone(&answer);
                let service = service_fn(move |request: Request<Incoming>| {
                    let asked = Asked {
                        method: request.method().to_string(),
                        path: request.uri().path().to_owned(),
                        query: request.uri().query().unwrap_or_default().to_owned(),
                    };
                    let said = answer(asked);
                    async move {
                        match said {
                            Said::Answer(answer) => Ok::<_, std::io::Error>(answer),
                            Said::Broken => Err(std::io::Error::other("broken")),
                        }
                    }
                });
                tokio::spawn(async move {
                    // A test that breaks off is none that fails.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                    Ok::<(), Infallible>(())
                });
            }
        });
        Self { address, serving }
    }

    pub async fn cluster(&self) -> Cluster {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: \"http://{}\"}}}}]\n\
             contexts: [{{name: x, context: {{cluster: c, user: u}}}}]\nusers: [{{name: u, user: {{}}}}]\ncurrent-context: x\n",
            self.address
        );
        std::fs::write(file.path(), text).unwrap();
        let access = Access { kubeconfig: Some(file.path().to_owned()), context: None };
        Cluster::connect(&access).await.unwrap()
    }

    /// Ends it; a client of where it was.
    pub async fn stop(self) -> Cluster {
        let cluster = self.cluster().await;
        self.serving.abort();
        let _ = self.serving.await;
        cluster
    }
}
