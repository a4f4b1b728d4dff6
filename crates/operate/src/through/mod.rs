//! Routes through the API server: a service, a pod or a node's port is asked by the API server's proxy, so that nothing has to be
//! installed in the cluster, and no port opened.
//!
//! Order: where each route leads, whether the API server gets an answer there, the walk by a relay.
//!
//! Invariants: nobody logs in on this way, since the API server keeps that header for itself; it adds `X-Forwarded-Proto: https`, so what
//! the realm's scheme is for a pod is not seen either. The walk ends after the challenge, and says so.

mod relay;
mod via;

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use railhead_client::hops::{Broke, Broken, Route, Settings, Walk, Walker};
use railhead_cluster::{Cluster, Error, MissingRight, Seen, Speaker, Via};

use self::relay::Relay;

pub use via::{ViaError, is_through, via};

/// Why the hops behind the challenge are not taken.
const NOT_SEEN: &str =
    "the API server passes no login on, and changes what the registry is told about the scheme";

/// What came of a route.
#[derive(Debug)]
pub enum Through {
    /// It was walked as far as it goes.
    Walked(Box<Walk>),
    /// The caller may not use the API server's proxy.
    Denied(MissingRight),
}

/// A route could not be walked for what is wrong here, or with the API server.
#[derive(Debug, thiserror::Error)]
pub enum ThroughError {
    /// The API server.
    #[error(transparent)]
    Cluster(#[from] Error),
    /// The walk's settings.
    #[error(transparent)]
    Client(#[from] railhead_client::Error),
    /// The relay.
    #[error("cannot listen on the loopback for the way through the API server")]
    Relay(#[from] std::io::Error),
}

/// Walks `route`, which leads to `via`, with what other walks are taken with, as far as it holds on this way.
pub async fn walk(
    cluster: &Cluster,
    route: &Route,
    via: Via,
    settings: &Settings,
) -> Result<Through, ThroughError> {
    let host = host_of(route);
    let mut headers = HeaderMap::new();
    headers.insert(http::header::HOST, host.clone());
    match cluster.ask_within(&via, "/v2/", &headers, patience(settings)).await {
        Ok(Seen::Denied(right)) => return Ok(Through::Denied(right)),
        Ok(Seen::Absent) => {
            let why = "the cluster has none of that name, or nothing behind it";
            return Ok(unreached(route, &via, Broke::Refused, why));
        }
        Ok(Seen::Found(answer)) if answer.speaker == Speaker::ApiServer => {
            let said = answer.said();
            return Ok(unreached(route, &via, kind(&said), format!("the API server says: {said}")));
        }
        Ok(Seen::Found(_)) => {}
        Err(Error::Slow { seconds, .. }) => {
            let why = format!("no answer within {seconds} s");
            return Ok(unreached(route, &via, Broke::ConnectTimeout, why));
        }
        Err(error) => return Err(error.into()),
    }
    let relay = Relay::start(cluster.clone(), via.clone(), host).await?;
    let address = relay.address().to_string();
    let asked = Route { connect: Some(address.clone()), ..route.clone() };
    let mut settings = settings.clone();
    (settings.account, settings.limits, settings.challenge_only) = (None, None, Some(NOT_SEEN));
    let mut walk = Walker::new(settings)?.walk(&asked).await;
    walk.route = route.clone();
    walk.address_as(&address, &via.to_string());
    Ok(Through::Walked(Box::new(walk)))
}

/// The `Host` of a route's requests.
fn host_of(route: &Route) -> HeaderValue {
    let text = route.url.to_string();
    let authority = text.split_once("://").map_or(text.as_str(), |(_, authority)| authority);
    HeaderValue::from_str(authority).unwrap_or_else(|_| HeaderValue::from_static("localhost"))
}

fn patience(settings: &Settings) -> Duration {
    settings.connect_timeout + settings.answer_timeout
}

fn unreached(route: &Route, via: &Via, kind: Broke, detail: impl Into<String>) -> Through {
    let broken = Broken { kind, detail: detail.into() };
    Through::Walked(Box::new(Walk::unreached(route, &via.to_string(), broken)))
}

/// What the API server says of a backend that it could not ask.
fn kind(said: &str) -> Broke {
    if said.contains("timeout") || said.contains("deadline exceeded") {
        Broke::ConnectTimeout
    } else if said.contains("no route to host") || said.contains("unreachable") {
        Broke::Unreachable
    } else {
        // Nothing listens, or no pod is behind it.
        Broke::Refused
    }
}
