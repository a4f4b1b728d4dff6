//! The clients of a proof, and how a check ends.

use std::error::Error as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use railhead_client::hops::{Route, without_patterns};
use railhead_client::{Answer, Credentials, Error, Http, Registry, Trust, chain};
use railhead_doctor::Software;
use railhead_oci::Digest;

use super::made::Made;
use super::plan::Plan;
use super::record::{Outcome, Step, Verdict};
use crate::secrets::Secrets;

/// How long an answer may take, beside the time that its bytes need.
const PATIENCE: Duration = Duration::from_mins(1);
/// The slowest line that a proof waits for, in bytes a second.
const SLOWEST: u64 = 100_000;

/// What a check saw.
pub(crate) struct Seen {
    pub(crate) outcome: Outcome,
    pub(crate) digest: Option<Digest>,
    pub(crate) bytes: Option<u64>,
    pub(crate) detail: String,
}

impl Seen {
    fn new(outcome: Outcome, detail: impl Into<String>) -> Self {
        Self { outcome, digest: None, bytes: None, detail: detail.into() }
    }

    pub(crate) fn ok(detail: impl Into<String>) -> Self {
        Self::new(Outcome::Ok, detail)
    }

    pub(crate) fn fact(detail: impl Into<String>) -> Self {
        Self::new(Outcome::Fact, detail)
    }

    pub(crate) fn not_tried(detail: impl Into<String>) -> Self {
        Self::new(Outcome::NotTried, detail)
    }

    pub(crate) fn about(mut self, digest: Digest, bytes: u64) -> Self {
        (self.digest, self.bytes) = (Some(digest), Some(bytes));
        self
    }
}

/// Why a check failed.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) detail: String,
    pub(crate) class: Verdict,
}

impl Trouble {
    pub(crate) fn new(detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), class: Verdict::Failed }
    }

    pub(crate) fn of(detail: impl Into<String>, class: Verdict) -> Self {
        Self { detail: detail.into(), class }
    }

    /// An answer that is not the one that was due.
    pub(crate) fn answer(asked: &str, answer: &Answer) -> Self {
        let class = if is_refusal(answer.status) { Verdict::Denied } else { Verdict::Failed };
        Self { detail: format!("{asked} was answered with {}", said(answer)), class }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let class = match &error {
            Error::Connect { .. } | Error::Timeout { .. } | Error::Exchange { .. } => Verdict::Unreachable,
            Error::Unexpected { status, .. } if is_refusal(*status) => Verdict::Denied,
            _ => Verdict::Failed,
        };
        let mut detail = match &error {
            Error::Unexpected { asked, status, what, .. } => unexpected(asked, *status, what),
            _ => error.to_string(),
        };
        if let Some(cause) = error.source() {
            detail = format!("{detail}: {}", chain(cause));
        }
        Self { detail, class }
    }
}

/// An error of the registry in its own words, not in its JSON.
fn unexpected(asked: &str, status: StatusCode, what: &str) -> String {
    let Some(body) = what.strip_prefix("and said: ") else {
        return format!("{asked} was answered with {status}, {what}");
    };
    let body = Bytes::copy_from_slice(body.as_bytes());
    let answer = Answer { status, headers: http::HeaderMap::new(), body };
    format!("{asked} was answered with {}", said(&answer))
}

/// How a check ends.
pub(crate) type Checked = Result<Seen, Trouble>;

/// Not logged in, or not allowed.
pub(crate) fn is_refusal(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

/// `1 blob`, `2 blobs`.
pub(crate) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Status and the registry's own error.
pub(crate) fn said(answer: &Answer) -> String {
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let error = &body["errors"][0];
    match (error["code"].as_str(), error["message"].as_str()) {
        (Some(code), Some(message)) if !message.is_empty() => format!("{}, {code}: {message}", answer.status),
        (Some(code), _) => format!("{}, {code}", answer.status),
        _ => answer.status.to_string(),
    }
}

/// A way over each of these routes, on which blobs up to `largest` bytes go.
pub(crate) fn ways(routes: &[&Route], largest: u64) -> Result<Vec<Http>, Error> {
    let timeout = PATIENCE + Duration::from_secs(largest / SLOWEST);
    let way = |route: &&Route| {
        let trust = route.is_tls().then(|| Trust::system(route.ca.as_deref())).transpose()?;
        Ok(Http::over(route, trust, timeout))
    };
    routes.iter().map(way).collect()
}

/// A usable route and the client on it.
pub(crate) struct End<'a> {
    pub(crate) route: &'a Route,
    pub(crate) registry: Registry,
}

/// The clients of a proof.
pub(crate) struct Bench<'a> {
    pub(crate) plan: &'a Plan,
    /// The usable routes; the first is pushed to.
    pub(crate) ends: Vec<End<'a>>,
    /// What answers.
    pub(crate) software: Option<Software>,
    pub(crate) made: Made,
    /// Held while something is made that would be unknown if it were given up halfway.
    pub(crate) whole: tokio::sync::Mutex<()>,
    known: Vec<Http>,
}

impl<'a> Bench<'a> {
    /// Clients for these routes, which are not none.
    pub(crate) fn new(
        plan: &'a Plan,
        routes: &[&'a Route],
        software: Option<Software>,
    ) -> Result<Self, Error> {
        let known = ways(routes, plan.image.largest())?;
        let (made, whole) = Default::default();
        let mut bench = Self { plan, ends: Vec::new(), software, made, whole, known };
        for (route, http) in routes.iter().zip(&bench.known) {
            let registry = bench.over(http, plan.account.clone());
            bench.ends.push(End { route, registry });
        }
        Ok(bench)
    }

    fn over(&self, http: &Http, account: Option<Credentials>) -> Registry {
        Registry::new(http.clone(), account).knowing(self.known.iter().cloned())
    }

    /// The client that pushes.
    pub(crate) fn main(&self) -> &Registry {
        &self.ends[0].registry
    }

    /// A client on the first route with another account, or none.
    pub(crate) fn main_as(&self, account: Option<Credentials>) -> Registry {
        self.over(&self.known[0], account)
    }
}

/// The steps as they end.
pub(crate) struct Record<'a> {
    pub(crate) steps: Vec<Step>,
    /// The class of the first failure.
    pub(crate) class: Option<Verdict>,
    pub(crate) secrets: Secrets,
    pub(crate) watch: &'a mut dyn FnMut(&Step),
}

impl Record<'_> {
    /// Runs a check and writes down how it ended; whether it did not fail.
    pub(crate) async fn step(
        &mut self,
        name: &str,
        route: Option<&str>,
        check: impl Future<Output = Checked>,
    ) -> bool {
        let since = Instant::now();
        let checked = check.await;
        self.note(name, route, since.elapsed().as_millis() as u64, checked)
    }

    /// Writes down how a check ended; whether it did not fail.
    pub(crate) fn note(&mut self, name: &str, route: Option<&str>, millis: u64, checked: Checked) -> bool {
        let seen = checked.unwrap_or_else(|trouble| {
            self.class.get_or_insert(trouble.class);
            Seen::new(Outcome::Failed, trouble.detail)
        });
        let is_fine = seen.outcome != Outcome::Failed;
        let step = Step {
            name: name.to_owned(),
            route: route.map(str::to_owned),
            outcome: seen.outcome,
            millis,
            digest: seen.digest,
            bytes: seen.bytes,
            // What a server said may be what it was sent.
            detail: one_line(&without_patterns(&self.secrets.clean(&seen.detail))),
        };
        (self.watch)(&step);
        self.steps.push(step);
        is_fine
    }

    /// Writes down what was not tried, and why.
    pub(crate) fn skip(&mut self, names: &[&str], why: &str) {
        for name in names {
            self.note(name, None, 0, Ok(Seen::not_tried(why)));
        }
    }

    /// Writes down why those of `names` were not tried that are not in the record.
    pub(crate) fn skip_rest<'n>(&mut self, names: impl IntoIterator<Item = &'n str>, why: &str) {
        for name in names {
            // A program's steps are called `docker login` and so on.
            let is_it = |step: &Step| {
                step.name.strip_prefix(name).is_some_and(|rest| !rest.starts_with(|c| c != ' '))
            };
            if !self.steps.iter().any(is_it) {
                self.skip(&[name], why);
            }
        }
    }
}

/// Text of a server in one line, without what could move a cursor.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split(|letter: char| letter.is_whitespace() || letter.is_control()).collect();
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
