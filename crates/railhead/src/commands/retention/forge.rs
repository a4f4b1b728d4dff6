//! `railhead retention … --registry HOST`: the same plan for the container packages of Gitea and Forgejo.
//!
//! A forge tells when something was pushed and never when it was pulled, and has no trash: what is applied is gone. So
//! `apply` asks, and names the backup.
//!
//! Manifests are read on the site's first route. The API is asked where Git is, when the site file says where that is: the
//! first route may lead nothing but `/v2` to the forge, as the one does that `enable` makes.

use std::time::Duration;

use jiff::Timestamp;
use railhead_operate::{Packages, PackagesError};
use railhead_retention::{InUse, Plan, Question};
use serde::Serialize;

use super::super::operator::{account, block_on, routes, site_of};
use super::super::remote::{knowing_the_forge, reach};
use super::super::{Context, confirm};
use super::{Wish, evidence, in_use, print, refused};
use crate::failure::{Exit, Failure, Result};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_mins(2);

/// What was deleted.
#[derive(Serialize)]
struct Deleted {
    plan: String,
    versions: u64,
}

/// Plans; `hash` is the plan to apply.
pub(super) fn run(
    context: &Context,
    only: Option<&str>,
    wish: &Wish,
    all: bool,
    hash: Option<(&str, bool)>,
) -> Result<()> {
    let only = only.ok_or_else(|| {
        Failure::new(Exit::Usage, "nobody says whose packages")
            .hint("name an owner, or one image, as in team or team/app")
    })?;
    let rules = context.retention()?.rules;
    if rules.is_empty() {
        return Err(Failure::new(Exit::Usage, "there are no rules")
            .hint("write a table [retention] into railhead.toml; see the guide on retention"));
    }
    let packages = packages(context, wish)?;
    let owner = only.split('/').next().unwrap_or(only);
    block_on(async {
        let in_use = in_use::read(context.printer, wish).await?;
        let in_use = InUse::of(in_use.iter().map(String::as_str)).0;
        let repositories = packages.of(owner).await.map_err(|error| failed(&error))?;
        let now = Timestamp::now().as_millisecond();
        let only = only.to_ascii_lowercase();
        let question = Question { rules: &rules, in_use: &in_use, now, only: Some(&only), all };
        let plan = railhead_retention::plan(&repositories, &question);
        match hash {
            None => {
                evidence::of_plan(context, wish, Some(&only), &plan)?;
                show(context, &plan)
            }
            Some((hash, yes)) => {
                apply(context, &packages, &plan, hash, yes).await?;
                evidence::of_whole(context, wish, Some(&only), &plan)
            }
        }
    })?
}

fn show(context: &Context, plan: &Plan) -> Result<()> {
    context.printer.data(plan, || print::plan(plan))?;
    context.printer.note("a forge tells no pulls: keep_days goes by pushes alone here");
    context
        .printer
        .note("a layer that another owner has too stays, and the forge frees the room by its own cron job");
    refused(context, plan)
}

async fn apply(context: &Context, packages: &Packages, plan: &Plan, hash: &str, yes: bool) -> Result<()> {
    if plan.hash != hash {
        let message = format!("the world has moved: the plan is {} by now, and not {hash}", plan.hash);
        return Err(Failure::new(Exit::Conflict, message).hint("look at a new plan, and apply that"));
    }
    context
        .printer
        .warning("a forge has no trash: what goes is gone; `railhead backup --registry` makes a copy before");
    confirm(
        context.printer,
        yes,
        &format!("delete {} tags and {} manifests", plan.lost_tags, plan.lost_manifests),
    )?;
    let mut deleted = Deleted { plan: plan.hash.clone(), versions: 0 };
    for repository in &plan.repositories {
        deleted.versions += packages.remove(repository).await.map_err(|error| failed(&error))?;
    }
    context.printer.data(&deleted, || format!("{} versions deleted\n", deleted.versions))
}

fn packages(context: &Context, wish: &Wish) -> Result<Packages> {
    let host = wish.registry.as_deref().unwrap_or_default();
    let site = site_of(context, host)?;
    let credentials = account(context, wish.user.as_deref())?.ok_or_else(|| {
        Failure::new(Exit::Usage, "a token of the forge is needed")
            .hint("name the account with --user, and put its token into RAILHEAD_TOKEN")
    })?;
    let routes = routes(context, &[], &site, host)?;
    let client = reach(&routes, Some(credentials), TIMEOUT)?;
    Ok(Packages::new(knowing_the_forge(context, client, &site, host, routes.first())?))
}

fn failed(error: &PackagesError) -> Failure {
    let failure = Failure::of(Exit::Failed, error);
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
