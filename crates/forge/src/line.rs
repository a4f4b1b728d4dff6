//! The line to the forge: one question after the other within bounds, and a breaker.
//!
//! A question waits for its turn, asks, and reads the answer, all within one time limit. After [`FAILURES`] failures in a row
//! the line is down: from then on one question every [`RETRY`] tries it, and all others fail at once. That it went down, and
//! that it is back, is logged once.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Request, StatusCode};
use railhead_client::{Body, Http, chain, empty};
use tokio::sync::Semaphore;

use crate::answer::Answer;
use crate::{Settings, Unavailable};

/// Questions that run at once.
pub const CONCURRENT: usize = 16;
/// How long after a failure the forge is asked again.
pub const RETRY: Duration = Duration::from_secs(2);
/// Failures in a row after which it counts as down.
const FAILURES: u32 = 3;
/// The largest answer that is read, in bytes.
const ANSWER_MAX: usize = 1 << 20;
/// A header of every question, so that a Railhead that gets one knows that it is no forge: see [`StatusCode::LOOP_DETECTED`].
pub const QUESTION: HeaderName = HeaderName::from_static("railhead-asks");
/// How often a wrong answer is logged.
const SAY_EVERY: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(crate) struct Line {
    http: Http,
    timeout: Duration,
    turns: Semaphore,
    health: Mutex<Health>,
    said: Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Health {
    failures: u32,
    /// While it is down: when it is tried again, and why it is down.
    down: Option<(Instant, String)>,
}

/// A request for `path`, as somebody or as nobody.
pub(crate) fn get(path: &str, authorization: Option<HeaderValue>) -> Request<Body> {
    request("GET", path, authorization)
}

pub(crate) fn request(method: &str, path: &str, authorization: Option<HeaderValue>) -> Request<Body> {
    let mut request = Request::new(empty());
    // Both are made here of parsed or encoded parts; were they not, the root is asked, and answers nothing of use.
    *request.method_mut() = method.parse().unwrap_or_default();
    *request.uri_mut() = path.parse().unwrap_or_default();
    request.headers_mut().insert(http::header::ACCEPT, HeaderValue::from_static("application/json"));
    request.headers_mut().insert(QUESTION, HeaderValue::from_static("1"));
    if let Some(value) = authorization {
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    request
}

impl Line {
    pub fn new(settings: &Settings) -> Self {
        Self {
            http: settings.http.clone(),
            timeout: settings.timeout,
            turns: Semaphore::new(CONCURRENT),
            health: Mutex::default(),
            said: Mutex::default(),
        }
    }

    /// Asks. An answer is whatever is no failure of the forge itself.
    pub async fn ask(&self, request: Request<Body>) -> Result<Answer, Unavailable> {
        self.may_try()?;
        let asked = format!("{} {}", request.method(), request.uri().path());
        let exchange = async {
            let Ok(_turn) = self.turns.acquire().await else {
                return Err(("the line to the forge is closed".to_owned(), false));
            };
            // Boxed: it is large, and would be moved through every layer above.
            Box::pin(self.http.ask(request, ANSWER_MAX)).await.map_err(|error| (chain(&error), true))
        };
        let outcome = match tokio::time::timeout(self.timeout, exchange).await {
            Ok(Ok(answer)) if answer.status == StatusCode::LOOP_DETECTED => Err(format!(
                "forge.url, {}, leads to a Railhead and not to the forge; it has to be where the forge itself listens, as in \
                 http://gitea-http:3000",
                self.http.origin()
            )),
            Ok(Ok(answer)) if answer.status.is_server_error() => Err(format!("answers {}", answer.status)),
            Ok(Ok(answer)) if answer.status == StatusCode::TOO_MANY_REQUESTS => {
                return self
                    .is_up(Err(Unavailable("the forge asks to be asked less often (429)".to_owned())));
            }
            Ok(Ok(answer)) => Ok(Answer::new(&answer, asked)),
            Ok(Err((why, _))) => Err(why),
            Err(_) => Err(format!("it gave no answer within {} ms", self.timeout.as_millis())),
        };
        match outcome {
            Ok(answer) => self.is_up(Ok(answer)),
            Err(why) => Err(self.failed(&why)),
        }
    }

    /// Says in the log, at most once a minute, that the forge answers what it should not.
    pub fn wrong(&self, error: &Unavailable) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
            *said = Some(Instant::now());
            tracing::warn!(forge = %self.http.origin(), error = %error, "the forge gave no answer that can be used");
        }
    }

    fn may_try(&self) -> Result<(), Unavailable> {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((next, why)) = &mut health.down {
            if Instant::now() < *next {
                return Err(down(why));
            }
            // This question tries it; the others wait for what it finds.
            *next = Instant::now() + RETRY;
        }
        Ok(())
    }

    fn is_up<T>(&self, outcome: Result<T, Unavailable>) -> Result<T, Unavailable> {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        health.failures = 0;
        if health.down.take().is_some() {
            tracing::info!(forge = %self.http.origin(), "the forge answers again");
        }
        outcome
    }

    fn failed(&self, why: &str) -> Unavailable {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        health.failures = health.failures.saturating_add(1);
        if health.failures >= FAILURES {
            if health.down.is_none() {
                tracing::warn!(
                    forge = %self.http.origin(),
                    error = why,
                    "the forge does not answer; what it said lately goes on for a while, public pulls go on"
                );
            }
            health.down = Some((Instant::now() + RETRY, why.to_owned()));
        }
        down(why)
    }
}

fn down(why: &str) -> Unavailable {
    Unavailable(format!("the forge does not answer: {why}"))
}
