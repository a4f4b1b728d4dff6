//! `railhead retention`

mod evidence;
mod forge;
mod in_use;
mod print;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use railhead_api::{
    Forecast, Plan, RetentionApplied, RetentionApply, RetentionEmptied, RetentionOutlook, RetentionTrash,
    RetentionUndo, RetentionUndone, RetentionWish, Route,
};

use super::{Context, confirm};
use crate::admin::Admin;
use crate::config::size;
use crate::failure::{Exit, Failure, Result};

/// Let images go by the rules of `[retention]` in railhead.toml.
#[derive(Debug, Subcommand)]
pub enum Retention {
    /// Show what would go, why, and the bytes that this really frees; change nothing
    Plan(PlanArguments),
    /// Move to the trash what the plan of that hash loses; refuse when the plan would be another one by now
    Apply(ApplyArguments),
    /// Tell why an image is kept or lost
    Why(WhyArguments),
    /// Bring back from the trash all that a plan took, or one image
    Undo {
        /// The plan's hash, or an image as in team/app:v1 or team/app@sha256:…
        what: String,
    },
    /// Show what can be brought back, and until when
    Trash,
    /// Empty the trash before its time
    Empty {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Look ahead: what each owner will hold, and when the volume is full, with and without the rules
    Simulate(SimulateArguments),
}

/// What a plan is made for.
#[derive(Debug, Default, Args)]
pub struct Wish {
    /// Keep what runs: a file with one image a line, or what `kubectl get … -o json` wrote; - is standard input; can be
    /// repeated
    #[arg(long, value_name = "FILE")]
    in_use: Vec<PathBuf>,
    /// Keep what runs in the cluster of this kubeconfig, and what its rollbacks need
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The cluster of this context; alone, of the kubeconfig that `kubectl` takes
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Believe the clock, though the registry has seen nothing for a week
    #[arg(long)]
    clock_is_right: bool,
    /// Of the packages of the Gitea or Forgejo at this host, with an access token of it
    #[arg(long, value_name = "HOST", requires = "user", conflicts_with = "clock_is_right")]
    registry: Option<String>,
    /// Whose token that is
    #[arg(long, value_name = "NAME", requires = "registry")]
    user: Option<String>,
}

/// `plan`
#[derive(Debug, Args)]
pub struct PlanArguments {
    /// Only this owner, or this repository
    only: Option<String>,
    /// Show what is kept, too
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    wish: Wish,
}

/// `apply`
#[derive(Debug, Args)]
pub struct ApplyArguments {
    /// The plan's hash
    plan: String,
    /// Only this owner, or this repository, if the plan was made so
    only: Option<String>,
    /// Do not ask, where there is no trash
    #[arg(long, requires = "registry")]
    yes: bool,
    #[command(flatten)]
    wish: Wish,
}

/// `why`
#[derive(Debug, Args)]
pub struct WhyArguments {
    /// An image, as in team/app:v1 or team/app@sha256:…
    image: String,
    #[command(flatten)]
    wish: Wish,
}

/// `simulate`
#[derive(Debug, Args)]
pub struct SimulateArguments {
    /// Days ahead
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Days of pushes to look back at
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3650))]
    past_days: u32,
    /// Bytes that there is room for beside what is held, as in 5GiB; without it the volume of the data directory is asked,
    /// if that is on this machine
    #[arg(long, value_name = "SIZE")]
    free: Option<String>,
    #[command(flatten)]
    wish: Wish,
}

impl Retention {
    /// Runs it.
    pub fn run(self, context: &Context) -> Result<()> {
        match &self {
            Self::Plan(PlanArguments { only, all, wish }) if wish.registry.is_some() => {
                return forge::run(context, only.as_deref(), wish, *all, None);
            }
            Self::Apply(ApplyArguments { plan, only, yes, wish }) if wish.registry.is_some() => {
                return forge::run(context, only.as_deref(), wish, false, Some((plan, *yes)));
            }
            Self::Why(WhyArguments { wish, .. }) | Self::Simulate(SimulateArguments { wish, .. })
                if wish.registry.is_some() =>
            {
                return Err(Failure::new(
                    Exit::Usage,
                    "a forge's packages are planned for and applied, and no more",
                )
                .hint("`railhead retention plan --all` tells of each image why it is kept or lost"));
            }
            _ => {}
        }
        context.block_on(async |admin| match self {
            Self::Plan(arguments) => plan(context, &admin, arguments).await,
            Self::Apply(arguments) => apply(context, &admin, arguments).await,
            Self::Why(arguments) => why(context, &admin, arguments).await,
            Self::Undo { what } => undo(context, &admin, what).await,
            Self::Trash => trash(context, &admin).await,
            Self::Empty { yes } => empty(context, &admin, yes).await,
            Self::Simulate(arguments) => simulate(context, &admin, arguments).await,
        })
    }
}

/// The wish with the rules of the site file; without any there, the registry takes its own.
async fn wish(context: &Context, wish: &Wish, only: Option<String>, all: bool) -> Result<RetentionWish> {
    let rules = context.retention()?.rules;
    let in_use = in_use::read(context.printer, wish).await?;
    let rules = (!rules.is_empty()).then_some(rules);
    Ok(RetentionWish { rules, in_use, only, all, clock_is_right: wish.clock_is_right })
}

async fn plan(context: &Context, admin: &Admin, arguments: PlanArguments) -> Result<()> {
    let wish = wish(context, &arguments.wish, arguments.only.clone(), arguments.all).await?;
    let plan: Plan = admin.send(&Route::RetentionPlan, &wish).await?;
    context.printer.data(&plan, || print::plan(&plan))?;
    evidence::of_plan(context, &arguments.wish, arguments.only.as_deref(), &plan)?;
    if !plan.is_empty() {
        context.printer.note(&format!("`railhead retention apply {}` moves it to the trash", plan.hash));
    }
    refused(context, &plan)
}

/// Repositories whose rules cannot be meant are an error, however well the others are served.
fn refused(context: &Context, plan: &Plan) -> Result<()> {
    for one in &plan.refused {
        context.printer.warning(&format!("{} loses nothing: {}; {}", one.repository, one.why, one.hint));
    }
    match plan.refused.as_slice() {
        [] => Ok(()),
        [one] => {
            let message = format!("the rules cannot be meant for {}", one.repository);
            Err(Failure::new(Exit::Failed, message).hint(one.hint.clone()))
        }
        many => {
            let message = format!("the rules cannot be meant for {} repositories", many.len());
            Err(Failure::new(Exit::Failed, message).hint("each is named above with what to do"))
        }
    }
}

async fn apply(context: &Context, admin: &Admin, arguments: ApplyArguments) -> Result<()> {
    let wish = wish(context, &arguments.wish, arguments.only.clone(), false).await?;
    let apply = RetentionApply { plan: arguments.plan, wish };
    let applied: RetentionApplied = admin.send(&Route::RetentionApply, &apply).await?;
    context.printer.data(&applied, || print::applied(&applied))?;
    evidence::of_applied(context, &arguments.wish, arguments.only.as_deref(), &applied)?;
    if applied.tags + applied.manifests > 0 {
        context.printer.note(&format!("`railhead retention undo {}` brings it back", applied.plan));
    }
    for moved in &applied.moved {
        context.printer.warning(&format!("{} was left alone: {}", moved.repository, moved.what));
    }
    Ok(())
}

async fn why(context: &Context, admin: &Admin, arguments: WhyArguments) -> Result<()> {
    let image = &arguments.image;
    let name =
        image.split_once('@').or_else(|| image.rsplit_once(':')).map_or(image.as_str(), |(name, _)| name);
    let wish = wish(context, &arguments.wish, Some(name.to_owned()), true).await?;
    let plan: Plan = admin.send(&Route::RetentionPlan, &wish).await?;
    let repository = plan.repositories.iter().find(|one| one.name.as_str() == name);
    let verdict = repository.and_then(|repository| {
        let reference = image.get(name.len() + 1..).filter(|reference| !reference.is_empty())?;
        let tag = repository.tags.iter().find(|tag| tag.tag == reference);
        let tag = tag.map(|tag| print::Told::new(image, tag.lost, &tag.rule, &tag.why));
        let manifest = repository.manifests.iter().find(|one| one.digest.to_string() == reference);
        tag.or_else(|| manifest.map(|one| print::Told::new(image, one.lost, &one.rule, &one.why)))
    });
    if let Some(verdict) = verdict {
        return context.printer.data(&verdict, || verdict.text());
    }
    refused(context, &plan)?;
    Err(Failure::new(Exit::NotFound, format!("there is no image {image}"))
        .hint("write it as team/app:v1 or team/app@sha256:…; `railhead tag list team/app` shows the tags"))
}

async fn undo(context: &Context, admin: &Admin, what: String) -> Result<()> {
    let undo = if what.contains(['/', ':', '@']) {
        RetentionUndo { plan: None, reference: Some(what) }
    } else {
        RetentionUndo { plan: Some(what), reference: None }
    };
    let undone: RetentionUndone = admin.send(&Route::RetentionUndo, &undo).await?;
    context.printer.data(&undone, || print::undone(&undone))?;
    for tag in &undone.taken {
        context.printer.warning(&format!("{tag} names another image by now, and was left alone"));
    }
    Ok(())
}

async fn trash(context: &Context, admin: &Admin) -> Result<()> {
    let trash: RetentionTrash = admin.get(&Route::RetentionTrash, &[]).await?;
    context.printer.data(&trash, || print::trash(&trash))
}

async fn empty(context: &Context, admin: &Admin, yes: bool) -> Result<()> {
    confirm(context.printer, yes, "empty the trash")?;
    let emptied: RetentionEmptied = admin.send(&Route::RetentionEmpty, &serde_json::json!({})).await?;
    context.printer.data(&emptied, || {
        format!(
            "{} manifests cannot be brought back any more; their layers go after the grace\n",
            emptied.manifests
        )
    })
}

async fn simulate(context: &Context, admin: &Admin, arguments: SimulateArguments) -> Result<()> {
    let free_bytes = match &arguments.free {
        Some(text) => {
            Some(size::parse(text).map_err(|wrong| Failure::new(Exit::Usage, format!("--free: {wrong}")))?)
        }
        None => free_here(context)?,
    };
    let wish = wish(context, &arguments.wish, None, false).await?;
    let outlook = RetentionOutlook { days: arguments.days, past_days: arguments.past_days, free_bytes, wish };
    let forecast: Forecast = admin.send(&Route::RetentionForecast, &outlook).await?;
    context.printer.data(&forecast, || print::forecast(&forecast))?;
    if free_bytes.is_none() {
        context.printer.note("nobody said how much room there is: --free tells when it is full");
    }
    context.printer.note(&format!(
        "this takes the next {} days to be like the last {}; what was pushed and deleted since is not seen",
        forecast.days, forecast.past_days
    ));
    Ok(())
}

/// Bytes free on the volume of the data directory, if the store is there and on this machine.
fn free_here(context: &Context) -> Result<Option<u64>> {
    if context.common.server.is_some() {
        return Ok(None);
    }
    let config = context.config()?;
    if config.s3.is_some() {
        return Ok(None);
    }
    let volume = rustix::fs::statvfs(&config.data);
    Ok(volume.ok().map(|volume| volume.f_bavail.saturating_mul(volume.f_frsize)))
}
