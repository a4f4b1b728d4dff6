//! `/v2/token`: Docker's token flow. `GET` with Basic credentials and a query, or `POST` with a form, as `OAuth2` has it;
//! the answer is JSON in every case.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, StatusCode};
use railhead_access::Identity;
use railhead_oci::{ErrorCode, Query, Scope};
use serde_json::json;

use crate::denial;
use crate::exchange::{Answer, Exchange};
use crate::failure::Failure;

/// Largest form, in bytes.
const FORM_MAX: usize = 64 << 10;

pub(crate) async fn token(exchange: &mut Exchange) -> Result<Answer, Failure> {
    let (identity, scopes) = if exchange.story.parts.method == Method::POST {
        let form = exchange.collect(FORM_MAX).await?;
        posted(exchange, &form).await?
    } else {
        let query = exchange.story.parts.uri.query().unwrap_or_default().to_owned();
        (exchange.identify().await?, values(&query, "scope")?)
    };
    let wanted = Scope::parse_all(scopes.iter().map(String::as_str));
    let issued = match exchange.core().access.issue(&identity, &wanted).await {
        Ok(issued) => issued,
        Err(denied) => return Err(denial::refuse(denied, exchange, None)),
    };
    let body = json!({
        "token": issued.token,
        "access_token": issued.token,
        "expires_in": issued.expires_in,
        "issued_at": issued.issued_at,
        "scope": issued.granted.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
    });
    let mut answer = Answer::json(StatusCode::OK, body.to_string());
    answer.headers.insert(http::header::CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    Ok(answer)
}

/// A form (RFC 6749): a password, or a token kept from before. Docker's own form puts the password into
/// `password`; clients that keep a refresh token send that.
async fn posted(exchange: &mut Exchange, form: &Bytes) -> Result<(Arc<Identity>, Vec<String>), Failure> {
    let bad = |message: &str| Failure::bad_request(ErrorCode::Unsupported, message);
    let form = std::str::from_utf8(form).map_err(|_| bad("the form is not text"))?;
    let one = |name: &'static str| Ok::<_, Failure>(values(form, name)?.into_iter().next());
    let scopes = values(form, "scope")?;
    let identity = match one("grant_type")?.as_deref() {
        Some("password") => {
            let (Some(user), Some(password)) = (one("username")?, one("password")?) else {
                return Err(bad("the form lacks username or password"));
            };
            login(exchange, &user, &password).await?
        }
        Some("refresh_token") => {
            // Long-lived credentials are tokens here, so a token stands in for a refresh token.
            let Some(kept) = one("refresh_token")? else { return Err(bad("the form lacks refresh_token")) };
            login(exchange, one("username")?.as_deref().unwrap_or_default(), &kept).await?
        }
        None => exchange.identify().await?,
        Some(_) => return Err(bad("grant_type is password or refresh_token")),
    };
    Ok((identity, scopes))
}

async fn login(exchange: &mut Exchange, user: &str, password: &str) -> Result<Arc<Identity>, Failure> {
    let core = exchange.core().clone();
    let basic = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    match core.access.authenticate(Some(&basic), exchange.story.client).await {
        Ok(identity) => {
            exchange.story.identity = Some(identity.clone());
            Ok(identity)
        }
        Err(denied) => Err(denial::refuse(denied, exchange, None)),
    }
}

fn values(query: &str, name: &'static str) -> Result<Vec<String>, Failure> {
    Query::new(Some(query)).all(name).map(|value| Ok(value?.into_owned())).collect()
}
