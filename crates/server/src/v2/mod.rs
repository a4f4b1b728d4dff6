//! The endpoints of the distribution-spec, one file a noun. Rights were checked before a function here is called.

pub(crate) mod blobs;
pub(crate) mod lists;
pub(crate) mod manifests;
pub(crate) mod uploads;

use std::borrow::Cow;

use bytes::Bytes;
use http::HeaderName;
use railhead_oci::{Digest, Query, RepositoryName};

use crate::denial;
use crate::exchange::{Answer, Exchange};
use crate::failure::Failure;

/// The digest of what was asked for or stored.
pub(crate) const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// `GET /v2/` (spec, *Determining support*).
///
/// Anonymous clients get a challenge, even though they may pull what is public: a login is checked with this very
/// request, and must not seem to succeed with a wrong password.
pub(crate) async fn base(exchange: &mut Exchange) -> Result<Answer, Failure> {
    let identity = exchange.identify().await?;
    exchange.verified(&identity)?;
    if identity.is_anonymous() {
        let challenge = denial::challenge(exchange, None, None);
        return Err(Failure::unauthorized(&challenge, "log in to use this registry").note("challenge"));
    }
    Ok(Answer::json(http::StatusCode::OK, Bytes::from_static(b"{}")))
}

/// The path of a blob. Relative, so that it is right behind every proxy.
fn blob_path(name: &RepositoryName, digest: &Digest) -> String {
    format!("/v2/{name}/blobs/{digest}")
}

/// The first value of a parameter of the request's query.
fn parameter(exchange: &Exchange, name: &'static str) -> Result<Option<String>, Failure> {
    let query = Query::new(exchange.story.parts.uri.query());
    Ok(query.get(name)?.map(Cow::into_owned))
}

/// All values of a parameter of the request's query.
fn parameters(exchange: &Exchange, name: &'static str) -> Result<Vec<String>, Failure> {
    let query = Query::new(exchange.story.parts.uri.query());
    query.all(name).map(|value| Ok(value?.into_owned())).collect()
}

/// A digest that a client gives as a parameter.
fn digest_parameter(text: &str) -> Result<Digest, Failure> {
    text.parse().map_err(|error: railhead_oci::DigestError| {
        Failure::bad_request(railhead_oci::ErrorCode::DigestInvalid, error.to_string())
            .detail(serde_json::json!({ "digest": text.chars().take(200).collect::<String>() }))
    })
}
