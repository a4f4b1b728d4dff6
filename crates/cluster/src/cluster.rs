//! The connection to the API server, and one exchange with it.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use kube::Client;
use kube::client::{AuthError, Body};
use serde_json::Value;
use tokio::time::timeout;

use crate::objects::Resource;
use crate::{Access, Error};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take.
pub(crate) const ANSWER: Duration = Duration::from_secs(30);
/// The most that one answer may be: a page of a list, with Secrets and ConfigMaps of a megabyte each.
pub(crate) const LARGEST: usize = 256 << 20;

/// A cluster, as one login sees it.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) client: Client,
    context: String,
    server: String,
    namespace: String,
    unverified: bool,
    /// Where the kinds of manifests are kept, by `apiVersion` and `kind`.
    pub(crate) resources: Arc<Mutex<HashMap<(String, String), Resource>>>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("context", &self.context)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// What came back, whatever the status.
pub(crate) struct Exchanged {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Cluster {
    /// Reads the kubeconfig and makes the client. Nothing is asked of the API server yet.
    pub async fn connect(access: &Access) -> Result<Self, Error> {
        let (context, mut config) = access.read().await?;
        config.connect_timeout = Some(CONNECT);
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let namespace = config.default_namespace.clone();
        let unverified = config.accept_invalid_certs;
        // A login program of the kubeconfig runs here, and may take its time.
        let client = Client::try_from(config).map_err(|error| login(&error))?;
        Ok(Self { client, context, server, namespace, unverified, resources: Arc::default() })
    }

    /// The context's name.
    pub fn context(&self) -> &str {
        &self.context
    }

    /// The address of the API server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The context's namespace, `default` if it names none.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Whether the kubeconfig says that the API server's certificate is not to be verified.
    pub fn is_unverified(&self) -> bool {
        self.unverified
    }

    /// The release of Kubernetes, as `v1.33.13`.
    pub async fn version(&self) -> Result<String, Error> {
        let act = "ask for the version of the cluster";
        let version = self.json(act, get("/version")).await?;
        Ok(version.get("gitVersion").and_then(Value::as_str).unwrap_or("unknown").to_owned())
    }

    /// Asks, and takes any answer.
    pub(crate) async fn exchange(
        &self,
        act: &str,
        request: http::Result<Request<Vec<u8>>>,
        limit: usize,
        patience: Duration,
    ) -> Result<Exchanged, Error> {
        let whole = async {
            let answer = self.send(act, request).await?;
            let (parts, body) = answer.into_parts();
            let body = Limited::new(body, limit).collect().await.map_err(|error| {
                if error.is::<LengthLimitError>() {
                    Error::Large { act: act.to_owned(), limit }
                } else {
                    self.unreachable(act, error.as_ref())
                }
            })?;
            Ok(Exchanged { status: parts.status, headers: parts.headers, body: body.to_bytes() })
        };
        let bound = timeout(patience, whole).await;
        bound.unwrap_or_else(|_| Err(self.slow(act, patience)))
    }

    /// Asks, and takes the head of any answer.
    async fn send(
        &self,
        act: &str,
        request: http::Result<Request<Vec<u8>>>,
    ) -> Result<http::Response<Body>, Error> {
        let request =
            request.map_err(|error| Error::Answer { act: act.to_owned(), why: error.to_string() })?;
        self.client.send(request.map(Body::from)).await.map_err(|error| self.failed(act, error))
    }

    /// Asks for JSON.
    pub(crate) async fn json(
        &self,
        act: &str,
        request: http::Result<Request<Vec<u8>>>,
    ) -> Result<Value, Error> {
        let answer = self.exchange(act, request, LARGEST, ANSWER).await?;
        if !answer.status.is_success() {
            return Err(Error::of(act.to_owned(), &self.server, answer.status, &answer.body));
        }
        read(act, &answer.body)
    }

    pub(crate) fn slow(&self, act: &str, patience: Duration) -> Error {
        Error::Slow { act: act.to_owned(), server: self.server.clone(), seconds: patience.as_secs() }
    }

    /// The library's error as one of ours.
    pub(crate) fn failed(&self, act: &str, error: kube::Error) -> Error {
        match error {
            kube::Error::Api(status) => {
                let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                Error::of(act.to_owned(), &self.server, code, status.message.as_bytes())
            }
            kube::Error::SerdeError(error) => Error::Answer {
                act: act.to_owned(),
                why: format!("it is not the JSON that was expected, at line {}", error.line()),
            },
            error if login_error(&error).is_some() => login(&error),
            error => self.unreachable(act, &error),
        }
    }

    fn unreachable(&self, act: &str, error: &(dyn StdError + 'static)) -> Error {
        Error::Unreachable { act: act.to_owned(), server: self.server.clone(), source: plain(error) }
    }
}

/// The innermost cause, which says the most: `Connection refused`, `invalid peer certificate`, `connection closed`.
fn plain(error: &(dyn StdError + 'static)) -> Box<dyn StdError + Send + Sync> {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string().into()
}

fn login_error(error: &kube::Error) -> Option<&AuthError> {
    match error {
        kube::Error::Auth(error) => Some(error),
        kube::Error::Service(error) => error.downcast_ref(),
        _ => None,
    }
}

/// What is wrong with the login, without what a login program printed, which may be a token.
fn login(error: &kube::Error) -> Error {
    let said = match login_error(error) {
        Some(AuthError::AuthExecStart(error)) => {
            format!("the login program of the kubeconfig cannot be started: {error}")
        }
        Some(AuthError::AuthExecRun { cmd, out }) => {
            format!("the login program `{}` of the kubeconfig ended with {}", first_word(cmd), out.status)
        }
        Some(AuthError::AuthExecParse(_) | AuthError::ExecPluginFailed) => {
            "the login program of the kubeconfig gave no login".to_owned()
        }
        Some(AuthError::ReadTokenFile(error, path)) => {
            format!("cannot read the token file {}: {error}", path.display())
        }
        Some(_) => "the login in the kubeconfig cannot be used".to_owned(),
        None => "the certificate, key or authority in the kubeconfig cannot be used".to_owned(),
    };
    Error::Login(said)
}

fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default().trim_matches('"')
}

pub(crate) fn get(path: &str) -> http::Result<Request<Vec<u8>>> {
    Request::get(path).header(http::header::ACCEPT, "application/json").body(Vec::new())
}

pub(crate) fn read(act: &str, body: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice(body).map_err(|error| Error::Answer {
        act: act.to_owned(),
        why: format!("it is not JSON, at line {} column {}", error.line(), error.column()),
    })
}
