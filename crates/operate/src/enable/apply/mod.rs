//! Brings the change to the cluster, through gates.
//!
//! | when | gate | where |
//! | --- | --- | --- |
//! | before | the release is there, deployed, of the chart that is to be applied, and with the values of the files | [`before`] |
//! | before | the API server and helm would take the change (nothing is kept) | [`before`] |
//! | before | what is reachable from outside can be read | [`exposure`] |
//! | before | pages, login, clone and push work | [`health`] |
//! | before | the forge and its images are backed up, or are now | [`fresh`], [`dump`], [`database`] |
//! | after | the pod's `app.ini` says what it has to | [`settled`] |
//! | after | the routes lead to the registry, and no route is worse than before | [`settled`] |
//! | after | nothing else is reachable from outside | [`exposure`] |
//! | after | pages, login, clone and push work | [`health`] |
//!
//! Invariants: a gate before the change that is not passed leaves everything as it is; one after it rolls the change back, and so does
//! an interruption ([`back`]); files are written by the caller once the change has stayed.

mod back;
mod before;
mod change;
mod database;
mod dump;
mod exposure;
mod fresh;
mod health;
mod settled;

use std::cell::RefCell;
use std::path::Path;
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use railhead_client::{chain, hops};
use railhead_cluster::{Cluster, Kind, kinds};
use railhead_doctor::Place;
use serde::Serialize;
use serde_json::Value;

pub use database::DatabaseDump;
pub use dump::Dump;
pub use exposure::{Exposure, Way};
pub use fresh::{Backup, Backups};
pub use health::Forge;

use self::change::Change;
use super::Values;
use super::check::step;
use super::helm::Helm;
use super::plan::{Plan, Wanted};
use crate::prove::{Outcome, Step};
use crate::site::RouteKind;

/// A copy of the images that is being made: where it is, or none where the registry shows none yet.
pub type Copying<'a> = Pin<Box<dyn Future<Output = Result<Option<String>, String>> + 'a>>;

/// Takes a backup.
pub struct Take<'a> {
    /// Where to.
    pub directory: &'a Path,
    /// Copies the images there.
    pub images: &'a dyn Fn() -> Copying<'a>,
}

/// What is applied, to what, and who asks.
pub struct Apply<'a> {
    /// What is wanted.
    pub wanted: &'a Wanted,
    /// What changes.
    pub plan: &'a Plan,
    /// The user's values.
    pub values: &'a Values,
    /// helm.
    pub helm: &'a Helm,
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The forge, for the health of Git.
    pub forge: Forge<'a>,
    /// The registry, for the doctor.
    pub place: &'a Place,
    /// The routes to it.
    pub routes: &'a [hops::Route],
    /// The backups that there are.
    pub backups: &'a Backups,
    /// A backup that is taken now.
    pub take: Option<Take<'a>>,
    /// How old a backup may be.
    pub limit: Duration,
    /// How long the first route may take to work; by the kind of its certificate where nobody says so.
    pub patience: Option<Duration>,
}

/// What it came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The change is there, and everything works.
    Applied,
    /// A gate was not passed, and nothing was changed.
    Refused,
    /// It did not work, and everything is as it was before.
    RolledBack,
    /// It did not work, and it could not be rolled back.
    NotRolledBack,
}

impl Verdict {
    /// For a person.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Applied => "applied, and everything works",
            Self::Refused => "nothing was changed",
            Self::RolledBack => "rolled back",
            Self::NotRolledBack => "NOT all of it could be rolled back",
        }
    }
}

/// What was done.
#[derive(Clone, Debug, Serialize)]
pub struct Applied {
    /// What it came to.
    pub verdict: Verdict,
    /// Every step, in order.
    pub steps: Vec<Step>,
    /// The backup that was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dump: Option<Dump>,
}

impl Applied {
    /// Why it did not stay: the first step that failed.
    pub fn failed(&self) -> Option<&Step> {
        self.steps.iter().find(|step| step.outcome == Outcome::Failed)
    }
}

/// Steps as they end. The course and who interrupts it both write here.
struct Record<'a> {
    steps: RefCell<Vec<Step>>,
    watch: RefCell<&'a mut dyn FnMut(&Step)>,
}

impl Record<'_> {
    fn put(&self, step: Step) {
        (*self.watch.borrow_mut())(&step);
        self.steps.borrow_mut().push(step);
    }

    /// Notes how something ended; whether it ended well.
    fn note(&self, name: &str, since: Instant, seen: Result<String, String>) -> bool {
        let (outcome, detail) = match seen {
            Ok(detail) => (Outcome::Ok, detail),
            Err(detail) => (Outcome::Failed, detail),
        };
        self.put(step(name, since, outcome, detail));
        outcome == Outcome::Ok
    }

    /// The same for something that is needed later: `words` tell of it.
    fn take<T>(
        &self,
        name: &str,
        since: Instant,
        seen: Result<T, String>,
        words: impl Fn(&T) -> String,
    ) -> Option<T> {
        match seen {
            Ok(seen) => {
                self.note(name, since, Ok(words(&seen)));
                Some(seen)
            }
            Err(why) => {
                self.note(name, since, Err(why));
                None
            }
        }
    }
}

impl Apply<'_> {
    /// Does it, and tells `watch` of every step. Each call of `stop` ends when somebody wants it to end.
    pub async fn run(&self, mut stop: impl AsyncFnMut(), watch: &mut dyn FnMut(&Step)) -> Applied {
        let record = Record { steps: RefCell::default(), watch: RefCell::new(watch) };
        let dump = RefCell::new(None);
        let before = {
            let gates = pin!(self.gates(&record, &dump));
            tokio::select! {
                biased;
                () = stop() => {
                    let why = "somebody ended it before anything was changed".to_owned();
                    record.note("interrupted", Instant::now(), Err(why));
                    None
                }
                before = gates => before,
            }
        };
        let verdict = match before {
            None => Verdict::Refused,
            Some(change) => self.through(&record, change, &mut stop).await,
        };
        Applied { verdict, steps: record.steps.into_inner(), dump: dump.into_inner() }
    }

    /// The change with the gates after it, and back where one of them is not passed. Nobody can interrupt the way back.
    async fn through(&self, record: &Record<'_>, change: Change, stop: &mut impl AsyncFnMut()) -> Verdict {
        let change = RefCell::new(change);
        let is_well = {
            let course = pin!(self.course(record, &change));
            tokio::select! {
                biased;
                () = stop() => {
                    record.note("interrupted", Instant::now(), Err("somebody ended it".to_owned()));
                    false
                }
                is_well = course => is_well,
            }
        };
        if is_well { Verdict::Applied } else { self.roll_back(record, &change.into_inner()).await }
    }
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The kind of one of the route's objects.
fn kind(object: &Value) -> Kind {
    match object["kind"].as_str() {
        Some("Certificate") => kinds::CERTIFICATE,
        Some("IngressRoute") => kinds::INGRESS_ROUTE,
        Some("HTTPRoute") => kinds::HTTP_ROUTE,
        _ => kinds::INGRESS,
    }
}

/// Whether the kind of route asks for a certificate that somebody has to make first.
fn waits_for_certificate(wanted: &Wanted) -> bool {
    wanted.route.tls.issuer.is_some() && wanted.route.kind != RouteKind::HttpRoute
}
