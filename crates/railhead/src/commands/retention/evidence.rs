//! Evidence of what is kept for how long: the rules, and what a plan by them lets go.

use railhead_api::{Plan, RetentionApplied};
use railhead_operate::{Evidence, Kind};
use railhead_retention::Rules;
use serde::Serialize;

use super::Wish;
use crate::commands::Context;
use crate::commands::backup::{name_of, tell_of_evidence};
use crate::failure::Result;

/// The content of the evidence.
#[derive(Debug, Default, Serialize)]
struct Decision<'a> {
    /// `plan` or `apply`.
    act: &'static str,
    /// The plan's hash.
    plan: &'a str,
    /// The rules of the site file; without them the registry has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    rules: Option<&'a Rules>,
    /// The owner or the repository, when it is not everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    only: Option<&'a str>,
    /// Tags that stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_tags: Option<u64>,
    /// Tags that go.
    lost_tags: u64,
    /// Manifests that go.
    lost_manifests: u64,
    /// Bytes that this frees.
    #[serde(skip_serializing_if = "Option::is_none")]
    freed_bytes: Option<u64>,
    /// Repositories that lose nothing, as their rules cannot be meant or as they changed in the last moment.
    left_alone: Vec<&'a str>,
}

/// Keeps evidence of a plan that was shown.
pub(super) fn of_plan(context: &Context, wish: &Wish, only: Option<&str>, plan: &Plan) -> Result<()> {
    keep(context, wish, Decision { act: "plan", only, ..of(plan) })
}

/// Keeps evidence of a plan that was carried out in full.
pub(super) fn of_whole(context: &Context, wish: &Wish, only: Option<&str>, plan: &Plan) -> Result<()> {
    keep(context, wish, Decision { act: "apply", only, ..of(plan) })
}

/// Keeps evidence of what went to the trash.
pub(super) fn of_applied(
    context: &Context,
    wish: &Wish,
    only: Option<&str>,
    applied: &RetentionApplied,
) -> Result<()> {
    let decision = Decision {
        act: "apply",
        plan: &applied.plan,
        only,
        lost_tags: applied.tags,
        lost_manifests: applied.manifests,
        left_alone: applied.moved.iter().map(|moved| moved.repository.as_str()).collect(),
        ..Decision::default()
    };
    keep(context, wish, decision)
}

fn of(plan: &Plan) -> Decision<'_> {
    Decision {
        plan: &plan.hash,
        kept_tags: Some(plan.kept_tags),
        lost_tags: plan.lost_tags,
        lost_manifests: plan.lost_manifests,
        freed_bytes: Some(plan.freed_bytes),
        left_alone: plan.refused.iter().map(|one| one.repository.as_str()).collect(),
        ..Decision::default()
    }
}

fn keep(context: &Context, wish: &Wish, decision: Decision<'_>) -> Result<()> {
    let rules = context.retention()?.rules;
    let rules = (!rules.is_empty()).then_some(&rules);
    // A registry elsewhere may have rules that this file does not know; where something goes, it has.
    if rules.is_none() && decision.lost_tags + decision.lost_manifests == 0 {
        context.printer.note("no evidence is kept: there are no rules, so nothing is decided");
        return Ok(());
    }
    let ok = decision.left_alone.is_empty();
    let evidence = Evidence::new(Kind::Retention, host(context, wish)?, ok, &Decision { rules, ..decision })?;
    tell_of_evidence(context, &evidence)
}

/// The registry, as the report calls it.
fn host(context: &Context, wish: &Wish) -> Result<String> {
    if let Some(host) = &wish.registry {
        return Ok(host.to_ascii_lowercase());
    }
    let elsewhere = context.common.server.as_deref().map(|server| {
        let host = server.split_once("://").map_or(server, |(_, host)| host);
        host.split('/').next().unwrap_or(host).to_ascii_lowercase()
    });
    match (context.site()?.host, elsewhere) {
        (Some(host), _) | (None, Some(host)) => Ok(host),
        (None, None) => name_of(context, &context.config()?),
    }
}
