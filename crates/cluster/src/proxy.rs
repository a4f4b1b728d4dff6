//! Asking a service, a pod or a node's port through the API server, and what the kubelet knows.
//!
//! The API server passes the answer of what is behind on as it is, a 401 too; and it has answers of its own, a 401 too. They are
//! told apart by who wrote them. It keeps the header `Authorization` to itself, so nobody can log in on this way.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use serde_json::Value;

use crate::cluster::{ANSWER, Cluster, Exchanged, LARGEST, get, read};
use crate::error::said;
use crate::kind::segment;
use crate::{Error, MissingRight, Seen};

/// The most that an answer from behind may be.
const LIMIT: usize = 4 << 20;

/// What is asked through the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// A service's port, by number or name.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its port.
        port: String,
        /// Whether it speaks TLS. Its certificate is not verified then.
        tls: bool,
    },
    /// A pod's port.
    Pod {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its port.
        port: u16,
    },
    /// A port of a node, as a NodePort.
    Node {
        /// Its name.
        name: String,
        /// The port.
        port: u16,
    },
}

impl Via {
    fn path(&self, path: &str) -> String {
        let path = path.strip_prefix('/').unwrap_or(path);
        match self {
            Self::Service { namespace, name, port, tls } => format!(
                "/api/v1/namespaces/{}/services/{}{}:{}/proxy/{path}",
                segment(namespace),
                if *tls { "https:" } else { "" },
                segment(name),
                segment(port)
            ),
            Self::Pod { namespace, name, port } => {
                format!(
                    "/api/v1/namespaces/{}/pods/{}:{port}/proxy/{path}",
                    segment(namespace),
                    segment(name)
                )
            }
            Self::Node { name, port } => format!("/api/v1/nodes/{}:{port}/proxy/{path}", segment(name)),
        }
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service { namespace, name, port, .. } => write!(f, "service {namespace}/{name}:{port}"),
            Self::Pod { namespace, name, port } => write!(f, "pod {namespace}/{name}:{port}"),
            Self::Node { name, port } => write!(f, "node {name}:{port}"),
        }
    }
}

/// Who wrote an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// What was asked.
    Backend,
    /// The API server, since it could not or would not ask.
    ApiServer,
}

/// An answer through the API server.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Who wrote it.
    pub speaker: Speaker,
    /// The status.
    pub status: StatusCode,
    /// The headers, without those that the API server adds.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// What the API server says, where it speaks.
    pub fn said(&self) -> String {
        said(&self.body)
    }
}

/// The headers that the API server puts on every answer.
const OWN: [&str; 3] = ["audit-id", "x-kubernetes-pf-flowschema-uid", "x-kubernetes-pf-prioritylevel-uid"];

impl From<Exchanged> for Answer {
    fn from(exchanged: Exchanged) -> Self {
        let Exchanged { status, mut headers, body } = exchanged;
        let is_json = headers
            .get(http::header::CONTENT_TYPE)
            .is_some_and(|media| media.as_bytes().starts_with(b"application/json"));
        let is_status = !status.is_success()
            && is_json
            && serde_json::from_slice::<Value>(&body)
                .is_ok_and(|body| body["kind"] == "Status" && body["apiVersion"] == "v1");
        let speaker = if is_status { Speaker::ApiServer } else { Speaker::Backend };
        for name in OWN {
            headers.remove(name);
        }
        Self { speaker, status, headers, body }
    }
}

impl Cluster {
    /// Asks for a path through the API server. Whatever the answer, it is one; [`Seen::Denied`] is where the caller may not use
    /// the proxy, and [`Seen::Absent`] where there is no such service, pod or node.
    pub async fn ask(&self, via: &Via, path: &str, headers: &HeaderMap) -> Result<Seen<Answer>, Error> {
        self.ask_within(via, path, headers, ANSWER).await
    }

    /// The same with another bound.
    pub async fn ask_within(
        &self,
        via: &Via,
        path: &str,
        headers: &HeaderMap,
        patience: Duration,
    ) -> Result<Seen<Answer>, Error> {
        let act = format!("ask {via} through the API server");
        let mut request = Request::get(via.path(path)).body(Vec::new());
        if let Ok(request) = &mut request {
            request.headers_mut().extend(headers.clone());
        }
        let answer = Answer::from(self.exchange(&act, request, LIMIT, patience).await?);
        if answer.speaker == Speaker::Backend {
            return Ok(Seen::Found(answer));
        }
        match answer.status {
            StatusCode::FORBIDDEN => match MissingRight::read(&answer.said()) {
                Some(right) => Ok(Seen::Denied(right)),
                None => Ok(Seen::Found(answer)),
            },
            StatusCode::NOT_FOUND => Ok(Seen::Absent),
            StatusCode::UNAUTHORIZED => Err(Error::of(act, self.server(), answer.status, &answer.body)),
            _ => Ok(Seen::Found(answer)),
        }
    }

    /// What a node's kubelet counts: pods, volumes, disks.
    pub async fn node_stats(&self, node: &str) -> Result<Seen<Value>, Error> {
        let act = format!("ask the kubelet of {node} for its statistics");
        let path = format!("/api/v1/nodes/{}/proxy/stats/summary", segment(node));
        let answer = self.exchange(&act, get(&path), LARGEST, ANSWER).await?;
        match answer.status {
            status if status.is_success() => read(&act, &answer.body).map(Seen::Found),
            StatusCode::NOT_FOUND => Ok(Seen::Absent),
            status => match Error::of(act, self.server(), status, &answer.body) {
                Error::Denied { right, .. } => Ok(Seen::Denied(right)),
                error => Err(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Fake, Said, status};

    fn service(name: &str) -> Via {
        Via::Service { namespace: "default".into(), name: name.into(), port: "http".into(), tls: false }
    }

    #[tokio::test]
    async fn the_registrys_401_is_told_from_the_api_servers() {
        let fake = Fake::start(|request| match request.path.as_str() {
            "/api/v1/namespaces/default/services/gitea:http/proxy/v2/" => {
                Said::json(401, &json!({"errors": [{"code": "UNAUTHORIZED"}]})).with("www-authenticate", "Bearer realm=\"x\"").with("audit-id", "1")
            }
            "/api/v1/namespaces/default/services/forbidden:http/proxy/v2/" => {
                Said::json(403, &status(403, r#"services "x" is forbidden: User "u" cannot get resource "services/proxy" in API group "" in the namespace "default""#))
            }
            "/api/v1/namespaces/default/services/down:http/proxy/v2/" => Said::json(503, &status(503, "no endpoints available for service \"down:http\"")),
            "/api/v1/namespaces/default/services/gone:http/proxy/v2/" => Said::json(404, &status(404, "services \"gone\" not found")),
            _ => Said::json(401, &status(401, "Unauthorized")),
        })
        .await;
        let cluster = fake.cluster().await;
        let plain = HeaderMap::new();
        let answer = cluster.ask(&service("gitea"), "/v2/", &plain).await.unwrap().found().unwrap();
        assert_eq!((answer.speaker, answer.status.as_u16()), (Speaker::Backend, 401));
        assert!(answer.headers.contains_key("www-authenticate") && !answer.headers.contains_key("audit-id"));
        let denied = cluster.ask(&service("forbidden"), "/v2/", &plain).await.unwrap();
        assert_eq!(denied.denied().unwrap().to_string(), "get services/proxy in the namespace default");
        let down = cluster.ask(&service("down"), "/v2/", &plain).await.unwrap().found().unwrap();
        assert_eq!(
            (down.speaker, down.said()),
            (Speaker::ApiServer, "no endpoints available for service \"down:http\"".into())
        );
        assert!(matches!(cluster.ask(&service("gone"), "/v2/", &plain).await.unwrap(), Seen::Absent));
        let node = Via::Node { name: "n".into(), port: 32166 };
        assert!(matches!(
            cluster.ask(&node, "/v2/", &plain).await.unwrap_err(),
            Error::Unauthenticated { .. }
        ));
    }
}
