//! The admin API, asked over HTTP.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Request, StatusCode};
use railhead_api::{ErrorBody, ErrorCode, ErrorDetail, PREFIX};
use secrecy::{ExposeSecret as _, SecretString};

use crate::http1::{empty, full};
use crate::{Error, Http, Result};

/// The largest answer that is read, in bytes.
const ANSWER_MAX: usize = 64 << 20;

/// The admin API of one registry.
#[derive(Clone, Debug)]
pub struct Admin {
    http: Http,
    token: Option<SecretString>,
}

impl Admin {
    /// Over `http`, showing `token`. A unix socket needs none: who can open it is the administrator.
    pub fn new(http: Http, token: Option<SecretString>) -> Self {
        Self { http, token }
    }

    /// Where it is.
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// Asks for `path`, which is behind `/api/v1` and may have a query; the JSON of an answer that is a success.
    pub async fn ask(&self, method: &str, path: &str, body: Option<Bytes>) -> Result<Bytes> {
        let mut request = Request::builder().method(method).uri(format!("{PREFIX}{path}"));
        if let Some(token) = &self.token {
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))
                .map_err(http::Error::from)?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let answer = self.http.ask(request.body(body.map_or_else(empty, full))?, ANSWER_MAX).await?;
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        if let Ok(refused) = serde_json::from_slice::<ErrorBody>(&answer.body) {
            return Err(Error::Refused(refused.error));
        }
        if let Some(refused) = registry_error(answer.status, &answer.body) {
            return Err(Error::Refused(refused));
        }
        let what = match answer.header("location") {
            Some(location) if answer.status.is_redirection() => format!("a redirect to {location}"),
            _ if answer.status == StatusCode::NOT_FOUND => {
                "which is not an answer of Railhead's admin API".to_owned()
            }
            _ => "without saying why".to_owned(),
        };
        Err(Error::Unexpected {
            to: self.http.origin().to_string(),
            asked: format!("{method} {PREFIX}{path}"),
            status: answer.status,
            what,
        })
    }
}

/// Who is not let in to the admin API is told so in the registry's own form of errors.
fn registry_error(status: StatusCode, body: &[u8]) -> Option<ErrorDetail> {
    let code = match status {
        StatusCode::UNAUTHORIZED => ErrorCode::Unauthenticated,
        StatusCode::FORBIDDEN => ErrorCode::Denied,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => ErrorCode::Unavailable,
        _ => return None,
    };
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let message = body.pointer("/errors/0/message")?.as_str()?.to_owned();
    Some(ErrorDetail { code, message, hint: None })
}
