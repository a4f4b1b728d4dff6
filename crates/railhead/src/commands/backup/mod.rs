//! `railhead backup …`: makes, lists, verifies and prunes backups.

mod keys;
mod place;
mod show;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use railhead_backup::format::Source;
use railhead_backup::{Asked, Check, Keep, Made, Plan, Progress, Pruned, Times, Vault};
use railhead_catalog::Catalog;
use railhead_oci::RepositoryName;
use railhead_operate::{Evidence, Kind, Secrets};
use serde::Serialize;

pub use keys::{OpenKeys, SealKeys};
pub use place::open;
pub use show::{Watch, lost_lines, size};

use super::Context;
use super::operator::{block_on, keep as keep_evidence};
use super::remote::Remote;
use crate::config::Config;
use crate::failure::{Exit, Failure, Result};
use crate::site::{location, open_store};

/// Blobs on their way at the same time: enough to keep a disk or a network busy.
pub const PARALLEL: usize = 4;

/// Back up the registry of the data directory, while it serves
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Backup {
    /// Something else than making one
    #[command(subcommand)]
    action: Option<Action>,
    /// Make one
    #[command(flatten)]
    make: Make,
}

/// What is done with backups.
#[derive(Debug, Subcommand)]
enum Action {
    /// List the backups at a place
    List(List),
    /// Read every file of the backups again, and name what is damaged
    Verify(Verify),
    /// Remove old backups, and what no backup needs any more
    Prune(Prune),
}

/// `backup TO`
#[derive(Debug, Args)]
struct Make {
    /// Where to
    #[arg(value_name = "TO", required = true)]
    to: Option<String>,
    /// Back up what the registry at this host serves instead, as that of Gitea or Forgejo; it has no accounts then
    #[arg(long, value_name = "HOST[:PORT]")]
    registry: Option<String>,
    /// Only this owner of that registry; can be repeated
    #[arg(long = "owner", value_name = "NAME", requires = "registry")]
    owners: Vec<String>,
    /// Only this repository of that registry; can be repeated
    #[arg(long = "repository", value_name = "OWNER/IMAGE", requires = "registry")]
    repositories: Vec<RepositoryName>,
    /// How that registry is reached
    #[command(flatten)]
    remote: Remote,
    /// For whom it is sealed
    #[command(flatten)]
    seal: SealKeys,
    /// Sign it with this Ed25519 key, in PEM
    #[arg(long, value_name = "FILE")]
    sign_key: Option<PathBuf>,
    /// Do not read what was written once more to compare it
    #[arg(long)]
    trust_target: bool,
    /// Which backups stay afterwards; without any of these, all
    #[command(flatten)]
    keep: KeepRules,
}

/// Which backups stay; each rule keeps some, and what none keeps goes.
#[derive(Clone, Copy, Debug, Args)]
struct KeepRules {
    /// Keep the newest N backups, and remove others that no --keep rule keeps
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    keep: u32,
    /// Keep the newest of each of the last N days that have one
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    keep_daily: u32,
    /// Keep the newest of each of the last N weeks that have one
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    keep_weekly: u32,
    /// Keep the newest of each of the last N months that have one
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    keep_monthly: u32,
}

/// `backup list`
#[derive(Debug, Args)]
struct List {
    /// Where they are
    from: String,
}

/// `backup verify`
#[derive(Debug, Args)]
struct Verify {
    /// Where they are
    from: String,
    /// Only this backup, by its name or number
    #[arg(long, value_name = "ID")]
    backup: Option<String>,
    /// What opens and proves them
    #[command(flatten)]
    keys: OpenKeys,
    /// Remove damaged files, so that the next backup writes them again
    #[arg(long)]
    remove_damaged: bool,
}

/// `backup prune`
#[derive(Debug, Args)]
struct Prune {
    /// Where they are
    from: String,
    /// Which stay
    #[command(flatten)]
    keep: KeepRules,
    /// Remove just this one, by its whole name, though its manifest may not be readable
    #[arg(long, value_name = "ID", conflicts_with_all = ["keep", "keep_daily", "keep_weekly", "keep_monthly", "dry_run"])]
    drop: Option<String>,
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
}

impl From<KeepRules> for Keep {
    fn from(rules: KeepRules) -> Self {
        Self {
            last: rules.keep,
            daily: rules.keep_daily,
            weekly: rules.keep_weekly,
            monthly: rules.keep_monthly,
        }
    }
}

impl Backup {
    /// Runs it.
    pub fn run(self, context: &Context) -> Result<()> {
        if context.common.server.is_some() {
            return Err(Failure::new(Exit::Usage, "a backup is made where the data directory is")
                .hint("to take what another registry serves, use --registry HOST"));
        }
        block_on(async {
            match self.action {
                None => self.make.run(context).await,
                Some(Action::List(list)) => list.run(context).await,
                Some(Action::Verify(verify)) => verify.run(context).await,
                Some(Action::Prune(prune)) => prune.run(context).await,
            }
        })?
    }
}

/// A backup for programs, and the content of its evidence.
#[derive(Serialize)]
pub struct Shown<'a> {
    /// Where it is.
    pub place: String,
    #[serde(flatten)]
    pub made: &'a Made,
    /// What went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pruned: Option<&'a Pruned>,
}

impl Make {
    async fn run(self, context: &Context) -> Result<()> {
        let config = context.config()?;
        let (recipients, sign) = (self.seal.read()?, keys::signing(self.sign_key.as_deref())?);
        let vault = open(&config, self.to.as_deref().unwrap_or_default())?;
        let vault = if self.trust_target { vault.trusting() } else { vault };
        let watch = Watch::new(context.printer, "backed up");
        let name = match &self.registry {
            Some(host) => host.clone(),
            None => name_of(context, &config)?,
        };
        let temporary = std::env::temp_dir();
        let plan = Plan {
            vault: &vault,
            source: match &self.registry {
                Some(host) => Source::Registry { host: host.clone() },
                None => Source::Data { name: name.clone() },
            },
            // What a registry serves holds no hashes of passwords; what the data directory has stays in there.
            scratch: if self.registry.is_some() { &temporary } else { &config.data },
            recipients,
            sign: sign.as_ref(),
            parallel: PARALLEL,
            times: Times::default(),
            now: &jiff::Timestamp::now,
            watch: &|progress: &Progress| watch.tell(progress),
        };
        let made = match &self.registry {
            Some(host) => self.of_registry(context, &plan, host).await,
            None => of_data(&config, &plan).await,
        }?;
        finish(context, &vault, &name, &made, &self.keep.into(), plan.scratch).await
    }

    async fn of_registry(&self, context: &Context, plan: &Plan<'_>, host: &str) -> Result<Made> {
        let client = self.remote.client(context, host)?;
        let asked =
            Asked { client: &client, owners: self.owners.clone(), repositories: self.repositories.clone() };
        Ok(railhead_backup::backup_registry(plan, &asked).await?)
    }
}

async fn of_data(config: &Config, plan: &Plan<'_>) -> Result<Made> {
    let (catalog, store) = open_beside(config).await?;
    let made = railhead_backup::backup(plan, &catalog, &store).await;
    // What failed first is what there is to say.
    let closed = catalog.close().await;
    let made = made?;
    closed.map_err(|error| Failure::of(Exit::Failed, &error))?;
    Ok(made)
}

/// Prunes, keeps the evidence, and shows what was made.
async fn finish(
    context: &Context,
    vault: &Vault,
    name: &str,
    made: &Made,
    keep: &Keep,
    scratch: &Path,
) -> Result<()> {
    let pruned = if keep.is_empty() {
        None
    } else {
        Some(railhead_backup::prune(vault, keep, scratch, Times::default(), false).await)
    };
    let (pruned, failed) = match pruned.transpose() {
        Ok(pruned) => (pruned, None),
        Err(error) => (None, Some(error)),
    };
    let shown = Shown { place: vault.place(), made, pruned: pruned.as_ref() };
    let evidence = Evidence::new(Kind::Backup, name, !made.has_damage(), &shown)?;
    tell_of_evidence(context, &evidence)?;
    context.printer.data(&shown, || show::made(&vault.place(), made, pruned.as_ref()))?;
    for blob in &made.missing {
        context.printer.warning(&show::missing(blob));
    }
    if let Some(told) = pruned.as_ref().and_then(show::out_of_order) {
        context.printer.warning(&told);
    }
    if let Some(error) = failed {
        return Err(Failure::from(error).hint("the new backup is there; old ones were not pruned"));
    }
    if made.has_damage() {
        return Err(Failure::new(
            Exit::Failed,
            "blobs of the registry are damaged, so this backup does not have them",
        )
        .hint("push their images again, which heals them, and back up again; everything else is backed up"));
    }
    Ok(())
}

/// Keeps evidence. That it cannot be kept does not undo what was done.
pub fn tell_of_evidence(context: &Context, evidence: &Evidence) -> Result<()> {
    let site = context.site()?;
    match keep_evidence(&site, evidence, &Secrets::default()) {
        Ok(path) => context.printer.note(&format!("evidence: {}", path.display())),
        Err(failure) => {
            let causes = failure.causes.join(": ");
            context.printer.warning(&format!("no evidence was kept: {}: {causes}", failure.message));
        }
    }
    Ok(())
}

/// What people call the registry of the data directory.
pub fn name_of(context: &Context, config: &Config) -> Result<String> {
    if let Some(host) = context.site()?.host {
        return Ok(host);
    }
    let machine = || rustix::system::uname().nodename().to_string_lossy().into_owned();
    Ok(config.hosts.first().cloned().unwrap_or_else(machine))
}

/// Opens catalog and store beside a server that may be running on them.
pub async fn open_beside(config: &Config) -> Result<(Catalog, railhead_blobs::Store)> {
    if !config.data.is_dir() {
        let message = format!("there is no data directory at {}", config.data.display());
        return Err(Failure::new(Exit::NotFound, message).hint("name it with --data"));
    }
    let catalog = Catalog::open_beside(location(config)).await;
    let catalog =
        catalog.map_err(|error| Failure::new(Exit::Failed, "cannot open the catalog").because(&error))?;
    if let Some(what) = catalog.restoring().await.map_err(|error| Failure::of(Exit::Failed, &error))? {
        let message = format!("the restore of {what} was stopped before its end: there is no whole registry");
        return Err(Failure::new(Exit::Conflict, message)
            .hint("give the same `railhead restore` again: it goes on where it was"));
    }
    Ok((catalog, open_store(config)?))
}

impl List {
    async fn run(self, context: &Context) -> Result<()> {
        let vault = open(&context.config()?, &self.from)?;
        let mut all = Vec::new();
        for id in vault.ids().await? {
            all.push(show::Listed::read(&vault, &id).await);
        }
        context.printer.data(&all, || show::list(&all))?;
        match all.iter().filter(|listed| listed.damage().is_some()).count() {
            0 => Ok(()),
            count => Err(Failure::new(Exit::Failed, format!("{count} of the manifests cannot be read"))
                .hint("`railhead backup verify` names every damaged file")),
        }
    }
}

impl Verify {
    async fn run(self, context: &Context) -> Result<()> {
        let vault = open(&context.config()?, &self.from)?.with_identities(self.keys.identities()?);
        let key = self.keys.verifying()?;
        let watch = Watch::new(context.printer, "read");
        let scratch = std::env::temp_dir();
        let check = Check {
            vault: &vault,
            only: self.backup,
            key: key.as_ref(),
            scratch: &scratch,
            remove_damaged: self.remove_damaged,
            times: Times::default(),
            watch: &|progress: &Progress| watch.tell(progress),
        };
        let verified = railhead_backup::verify(&check).await;
        let verified = verified?;
        context.printer.data(&verified, || show::verified(&verified))?;
        if !verified.damages.is_empty() {
            let message = format!("{} files of the backups are damaged", verified.damages.len());
            return Err(Failure::new(Exit::Failed, message).hint(
                "what is whole can still be restored; --remove-damaged lets the next backup write the blobs again",
            ));
        }
        if verified.unread > 0 {
            let message = format!("{} files are sealed, and only their sizes were compared", verified.unread);
            return Err(Failure::new(Exit::Failed, message).hint("give what opens them with --identity"));
        }
        Ok(())
    }
}

impl Prune {
    async fn run(self, context: &Context) -> Result<()> {
        let vault = open(&context.config()?, &self.from)?;
        if let Some(id) = &self.drop {
            railhead_backup::drop_backup(&vault, id, Times::default()).await?;
            let dropped = serde_json::json!({ "removed": [id] });
            return context
                .printer
                .data(&dropped, || format!("{id} is removed; its files go with the next pruning\n"));
        }
        let keep = Keep::from(self.keep);
        if keep.is_empty() {
            return Err(Failure::new(Exit::Usage, "nobody says which backups stay")
                .hint("give at least one of --keep, --keep-daily, --keep-weekly and --keep-monthly"));
        }
        let pruned =
            railhead_backup::prune(&vault, &keep, &std::env::temp_dir(), Times::default(), self.dry_run)
                .await?;
        context.printer.data(&pruned, || show::pruned(&pruned, self.dry_run))?;
        if let Some(told) = show::out_of_order(&pruned) {
            context.printer.warning(&told);
        }
        Ok(())
    }
}
