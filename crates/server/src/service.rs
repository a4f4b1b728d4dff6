//! What is not the registry itself: the admin API's way in, health, metrics, a word of welcome.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use railhead_access::Identity;
use railhead_oci::ErrorCode;

use crate::api::Call;
use crate::denial;
use crate::exchange::{Answer, Exchange};
use crate::failure::Failure;

/// Largest body of a request to the admin API, in bytes.
const API_BODY_MAX: usize = 1 << 20;
/// Everything of the admin API is below this.
const API: &str = "/api/v1";

/// Hands a request to the admin API. `from` is the client's address; none on the control socket.
pub(crate) async fn api(
    exchange: &mut Exchange,
    who: Arc<Identity>,
    from: Option<IpAddr>,
) -> Result<Answer, Failure> {
    exchange.verified(&who)?;
    if who.is_anonymous() {
        let challenge = denial::challenge(exchange, None, None);
        return Err(Failure::unauthorized(&challenge, "the admin API needs a token").note("challenge"));
    }
    let body = exchange.collect(API_BODY_MAX).await?;
    let core = exchange.core().clone();
    let parts = &exchange.story.parts;
    let Some(path) = parts.uri.path().strip_prefix(API) else { return Err(Failure::no_such_path()) };
    let call = Call { method: parts.method.clone(), path, query: parts.uri.query(), body, who, from };
    let answer = core.api.call(call).await;
    Ok(Answer::json(answer.status, answer.body))
}

/// Whether the catalog answers.
pub(crate) async fn ready(exchange: &mut Exchange) -> Result<Answer, Failure> {
    match exchange.core().registry.catalog().ping().await {
        Ok(()) => Ok(Answer::text("ready\n")),
        Err(error) => {
            tracing::error!(error = crate::failure::chain(&error), "the catalog does not answer");
            Err(Failure::new(
                StatusCode::SERVICE_UNAVAILABLE,
                ErrorCode::Unknown,
                "the catalog does not answer",
            ))
        }
    }
}

/// Metrics, for this machine and for administrators. A proxy on this machine passes the public host name on, so what
/// comes through it is not local.
pub(crate) async fn metrics(exchange: &mut Exchange) -> Result<Answer, Failure> {
    if !exchange.is_local() && !is_admin(&*exchange.identify().await?) {
        let challenge = denial::challenge(exchange, None, None);
        return Err(
            Failure::unauthorized(&challenge, "metrics need an administrator's token").note("challenge")
        );
    }
    let mut answer = Answer::text(exchange.core().metrics.text());
    let openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static(openmetrics));
    Ok(answer)
}

/// For who looks with a browser.
pub(crate) fn welcome() -> Answer {
    Answer::text(Bytes::from_static(
        b"This is Railhead, a container registry. Its interface is below /v2/; log in with a token as the password.\n",
    ))
}

fn is_admin(identity: &Identity) -> bool {
    identity.account().is_some_and(|account| account.admin)
}
