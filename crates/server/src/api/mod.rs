//! The admin API: one handler a route, one file a noun. Knows no transport: the server hands it requests that came over
//! HTTP or the control socket, and the command line calls it in its own process.
//!
//! A handler is: read the question, let `access` judge and change, answer. Judgement is never made here but asked of
//! [`Access`]; what changes repositories and tags goes through [`Registry`], which forgets what it remembered of them.

mod audit;
mod collection;
mod fault;
mod limits;
mod organisations;
mod owners;
mod repositories;
mod retention;
mod scrub;
mod source;
mod tags;
mod tokens;
mod usage;
mod users;

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};
use railhead_access::{Access, Act, Actor, Identity, Outcome};
use railhead_api::{NoRoute, Route, Status};
use railhead_catalog::Timestamp;
use railhead_registry::Registry;
use railhead_retention::Rules;
use railhead_upkeep::scrub::{Scrubber, Settings as ScrubSettings};
use railhead_upkeep::{Collector, Retention};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::fault::Fault;
use crate::pulls::Pulls;

/// Rows that a list has without `limit`, and at most.
const PAGE: u32 = 1000;

/// The admin API. Cloning gives the same one.
#[derive(Clone)]
pub struct Api {
    access: Access,
    registry: Registry,
    collector: Arc<Collector>,
    retention: Arc<Retention>,
    /// The registry's own rules.
    rules: Arc<Rules>,
    pulls: Arc<Pulls>,
    scrubber: Arc<Scrubber>,
}

/// A request.
#[derive(Debug)]
pub struct Call<'a> {
    /// Its method.
    pub method: Method,
    /// Its path behind `/api/v1`.
    pub path: &'a str,
    /// Its query, without the question mark.
    pub query: Option<&'a str>,
    /// Its body, whole.
    pub body: Bytes,
    /// Who asks. Over the control socket and in the own process that is [`Access::operator`].
    pub who: Arc<Identity>,
    /// From where; absent on the machine itself.
    pub from: Option<IpAddr>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its JSON.
    pub body: Vec<u8>,
}

type Result<T, E = Fault> = std::result::Result<T, E>;

impl Api {
    /// The admin API of this registry, which has these rules of retention and is scrubbed like this.
    pub fn new(access: Access, registry: Registry, rules: Rules, scrub: ScrubSettings) -> Self {
        let collector = Arc::new(Collector::new(registry.clone()));
        let retention = Arc::new(Retention::new(registry.clone()));
        let scrubber = Arc::new(Scrubber::new(registry.clone(), scrub));
        let (rules, pulls) = (Arc::new(rules), Arc::default());
        Self { access, registry, collector, retention, rules, pulls, scrubber }
    }

    /// What does its retention.
    pub(crate) fn retention(&self) -> &Arc<Retention> {
        &self.retention
    }

    /// What was pulled and is not written yet.
    pub(crate) fn pulls(&self) -> &Pulls {
        &self.pulls
    }

    /// What runs its collections.
    pub(crate) fn collector(&self) -> &Arc<Collector> {
        &self.collector
    }

    /// What hashes its blobs again.
    pub(crate) fn scrubber(&self) -> &Arc<Scrubber> {
        &self.scrubber
    }

    /// Answers a request.
    pub async fn call(&self, call: Call<'_>) -> Answer {
        let answer = match Route::parse(call.method.as_str(), call.path) {
            Ok(route) => self.route(route, &call).await,
            Err(NoRoute::Path) => {
                Err(Fault::not_found(format!("the admin API has nothing at {}", call.path)))
            }
            Err(NoRoute::Method(allowed)) => Err(Fault::method(&call, &allowed)),
        };
        answer.unwrap_or_else(|fault| fault.answer(&call))
    }

    async fn route(&self, route: Route<'_>, call: &Call<'_>) -> Result<Answer> {
        match route {
            Route::Status => self.status(call).await,
            Route::Users => self.users(call).await,
            Route::UserCreate => self.create_user(call).await,
            Route::UserPassword { user } => self.set_password(call, &user).await,
            Route::UserEnabled { user } => self.set_enabled(call, &user).await,
            Route::Organisations => self.organisations(call).await,
            Route::OrganisationCreate => self.create_organisation(call).await,
            Route::Members { organisation } => self.members(call, &organisation).await,
            Route::MemberSet { organisation, user } => self.set_member(call, &organisation, &user).await,
            Route::MemberRemove { organisation, user } => {
                self.remove_member(call, &organisation, &user).await
            }
            Route::Owners => self.all_owners(call).await,
            Route::OwnerAdopt { owner } => self.adopt_owner(call, &owner).await,
            Route::Limits { owner } => self.limits(call, &owner).await,
            Route::LimitsSet { owner } => self.set_limits(call, &owner).await,
            Route::Tokens => self.tokens(call).await,
            Route::TokenCreate => self.create_token(call).await,
            Route::TokenCurrent => self.current_token(call).await,
            Route::TokenRevoke { id } => self.revoke_token(call, &id).await,
            Route::Repositories => self.repositories(call).await,
            Route::Repository { name } => self.repository(call, &name).await,
            Route::RepositoryDelete { name } => self.delete_repository(call, &name).await,
            Route::RepositoryVisibility { name } => self.set_visibility(call, &name).await,
            Route::RepositoryManifests { name } => self.manifests(call, &name).await,
            Route::Tags { name } => self.tags(call, &name).await,
            Route::TagDelete { name, tag } => self.delete_tag(call, &name, &tag).await,
            Route::Audit => self.audit(call).await,
            Route::Collection => self.collection(call).await,
            Route::CollectionRun => self.collect(call).await,
            Route::Usage => self.usage(call).await,
            Route::UsageOfOwner { owner } => self.usage_of_owner(call, &owner).await,
            Route::Recount { owner } => self.recount(call, &owner).await,
            Route::Scrub => self.scrub(call).await,
            Route::Damage => self.damage(call).await,
            Route::Verify => self.verify(call).await,
            Route::RetentionPlan => self.plan_retention(call).await,
            Route::RetentionApply => self.apply_retention(call).await,
            Route::RetentionUndo => self.undo_retention(call).await,
            Route::RetentionTrash => self.retention_trash(call).await,
            Route::RetentionEmpty => self.empty_retention(call).await,
            Route::RetentionForecast => self.forecast_retention(call).await,
        }
    }

    async fn status(&self, call: &Call<'_>) -> Result<Answer> {
        ok(&Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            you: call.who.name().to_owned(),
            admin: self.access.require_admin(&call.who).await.is_ok(),
        })
    }

    /// Writes what was done to the audit, before it is answered.
    async fn wrote(&self, call: &Call<'_>, action: &str, target: &str, detail: Option<Value>) -> Result<()> {
        let act = Act { who: &call.who, from: call.from, action, target, outcome: Outcome::Done, detail };
        let now = self.access.now();
        self.access.audit().note(&act, now);
        Ok(self.access.audit().flush(now).await?)
    }
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Api")
    }
}

impl Call<'_> {
    fn actor(&self) -> Actor {
        Actor { who: Arc::clone(&self.who), from: self.from }
    }

    fn read<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Fault::invalid(format!("the body cannot be read: {error}")))
    }

    /// One parameter of the query; an empty one is absent.
    fn parameter(&self, name: &str) -> Result<Option<String>> {
        for pair in self.query.unwrap_or_default().split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if key == name && !value.is_empty() {
                let wrong = || Fault::invalid(format!("the parameter '{name}' is not percent-encoded UTF-8"));
                return railhead_api::unsegment(value)
                    .map(|value| Some(value.into_owned()))
                    .ok_or_else(wrong);
            }
        }
        Ok(None)
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>> {
        let wrong = || Fault::invalid(format!("the parameter '{name}' is not a number in its range"));
        self.parameter(name)?.map(|text| text.parse().map_err(|_| wrong())).transpose()
    }

    fn limit(&self) -> Result<u32> {
        match self.number::<u32>("limit")? {
            Some(0) => Err(Fault::invalid("the parameter 'limit' is 0".to_owned())),
            limit => Ok(limit.unwrap_or(PAGE).min(PAGE)),
        }
    }
}

fn ok(value: &impl Serialize) -> Result<Answer> {
    json(StatusCode::OK, value)
}

fn created(value: &impl Serialize) -> Result<Answer> {
    json(StatusCode::CREATED, value)
}

fn json(status: StatusCode, value: &impl Serialize) -> Result<Answer> {
    let body = serde_json::to_vec(value).map_err(|error| Fault::internal(&error))?;
    Ok(Answer { status, body })
}

fn amount(amount: railhead_catalog::Amount) -> railhead_api::Amount {
    railhead_api::Amount { count: amount.count, bytes: amount.bytes }
}

/// A time of the catalog in the API's form.
fn time(time: Timestamp) -> Result<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(time.0).map_err(|error| Fault::internal(&error))
}

fn time_if(time_if: Option<Timestamp>) -> Result<Option<jiff::Timestamp>> {
    time_if.map(time).transpose()
}
