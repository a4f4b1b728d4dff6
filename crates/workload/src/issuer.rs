//! The keys of an issuer: fetched when they are first needed, kept for an hour, asked for anew when a token names a key that
//! is not there, but never more often than once a minute. When the issuer does not answer, the last keys go on for a day.

use std::path::PathBuf;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use http::{Request, StatusCode};
use railhead_client::{Http, Origin, Trust, chain, empty};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::jwt::Token;
use crate::keys::{Checked, Keys};
use crate::{Refusal, short, wrong};

/// An issuer is asked for its keys no more often.
pub const ASK_EVERY: Duration = Duration::from_mins(1);
/// Seconds that keys are used without asking.
const FRESH: i64 = 3600;
/// Seconds that keys are used when there are no others.
const STALE: i64 = 86_400;
/// How long an issuer may take for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest document that is read, in bytes.
const DOCUMENT_MAX: usize = 256 << 10;
/// What is taken: an API server of Kubernetes answers 406 to who takes only plain JSON for its keys.
const ACCEPTED: &str = "application/json, application/jwk-set+json";

/// Where keys come from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// The issuer says it at `/.well-known/openid-configuration`.
    Discovery,
    /// This URL.
    Url(String),
    /// This file, which is read again when it is an hour old or a key is missing.
    File(PathBuf),
}

/// An issuer, and how to get its keys.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The very text of its tokens' claim `iss`.
    pub url: String,
    /// Where its keys are.
    pub keys: KeySource,
    /// Whom to trust there.
    pub trust: Option<Trust>,
    /// A file with a token to show there, as Kubernetes wants one. It is read each time, as it is replaced.
    pub token_file: Option<PathBuf>,
}

/// An issuer with what is known of its keys.
#[derive(Debug)]
pub(crate) struct Known {
    issuer: Issuer,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    keys: Keys,
    /// When they came, and when they were last asked for, in Unix seconds.
    at: i64,
    asked: i64,
    /// Why the last question failed.
    failed: Option<String>,
}

impl Known {
    pub fn new(issuer: Issuer) -> Self {
        let state = State { keys: Keys::default(), at: i64::MIN / 2, asked: i64::MIN / 2, failed: None };
        Self { issuer, state: Mutex::new(state) }
    }

    pub fn url(&self) -> &str {
        &self.issuer.url
    }

    /// Checks that the token is this issuer's.
    pub async fn check(&self, token: &Token, now: i64) -> Result<(), Refusal> {
        let mut state = self.state.lock().await;
        if now - state.at >= FRESH {
            self.ask(&mut state, now).await;
        }
        if matches!(self.look(&state, token, now)?, Checked::Signed) {
            return Ok(());
        }
        self.ask(&mut state, now).await;
        match self.look(&state, token, now)? {
            Checked::Signed => Ok(()),
            Checked::UnknownKey => Err(wrong(format!(
                "the token names the key '{}', which its issuer does not have",
                short(token.header.kid.as_deref().unwrap_or_default())
            ))),
        }
    }

    fn look(&self, state: &State, token: &Token, now: i64) -> Result<Checked, Refusal> {
        if now - state.at >= STALE {
            let why = state.failed.as_deref().unwrap_or("they were not given lately");
            return Err(Refusal::Unavailable(format!(
                "the keys of {} cannot be had: {why}",
                self.issuer.url
            )));
        }
        state.keys.check(token)
    }

    async fn ask(&self, state: &mut State, now: i64) {
        if (0..ASK_EVERY.as_secs() as i64).contains(&(now - state.asked)) {
            return;
        }
        state.asked = now;
        let asked = tokio::time::timeout(TIMEOUT, Box::pin(self.fetch())).await;
        let asked = asked.unwrap_or_else(|_| Err(format!("no answer within {} s", TIMEOUT.as_secs())));
        match asked.and_then(|bytes| Keys::read(&bytes)) {
            Ok(keys) => {
                if state.failed.take().is_some() {
                    tracing::info!(issuer = self.issuer.url, "the issuer gives its keys again");
                }
                (state.keys, state.at) = (keys, now);
            }
            Err(why) => {
                if state.failed.is_none() {
                    tracing::warn!(
                        issuer = self.issuer.url,
                        error = why,
                        "the keys of an issuer cannot be had"
                    );
                }
                state.failed = Some(why);
            }
        }
    }

    async fn fetch(&self) -> Result<Vec<u8>, String> {
        #[derive(Deserialize)]
        struct Discovered {
            issuer: String,
            jwks_uri: String,
        }
        let url = match &self.issuer.keys {
            KeySource::File(path) => {
                return std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
            }
            KeySource::Url(url) => url.clone(),
            KeySource::Discovery => {
                let at =
                    format!("{}/.well-known/openid-configuration", self.issuer.url.trim_end_matches('/'));
                let document = self.get(&at).await?;
                let found: Discovered = serde_json::from_slice(&document)
                    .map_err(|error| format!("{at} is no OpenID configuration: {error}"))?;
                if found.issuer != self.issuer.url {
                    return Err(format!("{at} is of the issuer '{}'", short(&found.issuer)));
                }
                found.jwks_uri
            }
        };
        self.get(&url).await
    }

    async fn get(&self, url: &str) -> Result<Vec<u8>, String> {
        let uri: http::Uri = url.parse().map_err(|_| format!("'{}' is not a URL", short(url)))?;
        let (scheme, authority) =
            (uri.scheme_str().unwrap_or_default(), uri.authority().map_or("", |at| at.as_str()));
        let origin: Origin = format!("{scheme}://{authority}")
            .parse()
            .map_err(|_| format!("'{}' is not a URL", short(url)))?;
        // Whoever is on the way could put keys of his own there.
        let by_http = self.issuer.url.starts_with("http://");
        if !origin.is_private() && !by_http {
            return Err(format!("'{}' is not https", short(url)));
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::get(path).header(ACCEPT, ACCEPTED);
        if let Some(file) = &self.issuer.token_file {
            let token =
                std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
            let token = SecretString::from(token.trim());
            let value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()));
            let mut value = value.map_err(|_| format!("{} has no token", file.display()))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let request = request.body(empty()).map_err(|error| error.to_string())?;
        let http = Http::new(origin, self.issuer.trust.clone(), TIMEOUT);
        let answer = Box::pin(http.ask(request, DOCUMENT_MAX)).await.map_err(|error| chain(&error))?;
        if answer.status != StatusCode::OK {
            return Err(format!("{url} answers {}", answer.status));
        }
        Ok(answer.body.to_vec())
    }
}
