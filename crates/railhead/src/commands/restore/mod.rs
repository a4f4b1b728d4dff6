//! `railhead restore`: makes a registry of a backup, or tries whether one could be made.

mod drill;
mod rebuild;

use std::path::PathBuf;

use clap::Args;
use railhead_backup::{Only, Progress, Pushed, Restore as Plan, RestoreTo, Restored, Snapshot, Times, Vault};
use railhead_catalog::Catalog;
use railhead_client::Registry;
use railhead_oci::RepositoryName;

use super::Context;
use super::backup::{OpenKeys, PARALLEL, Watch, lost_lines, open, size};
use super::operator::block_on;
use super::remote::Remote;
use crate::config::Config;
use crate::failure::{Exit, Failure, Result};
use crate::printer::fields;
use crate::site::{DataDirectory, LockError, location, open_store};

/// Restore a backup into an empty data directory
#[derive(Debug, Args)]
pub struct Restore {
    /// Where the backups are: a directory, or `s3://BUCKET/PREFIX`
    from: String,
    /// Restore this backup, by its name or number, instead of the newest
    #[arg(long, value_name = "ID")]
    backup: Option<String>,
    /// Restore only this owner and all of its repositories; can be repeated
    #[arg(long = "owner", value_name = "NAME")]
    owners: Vec<String>,
    /// Restore only this repository and its owner; can be repeated
    #[arg(long = "repository", value_name = "OWNER/IMAGE")]
    repositories: Vec<RepositoryName>,
    /// What opens and proves it
    #[command(flatten)]
    keys: OpenKeys,
    /// Restore the catalog alone, where it is lost and the store is still there: what the store has is taken from there, what
    /// it lacks from the backup, and what the backup does not know is kept in lost-and-found/objects for 90 days
    #[arg(long, conflicts_with_all = ["registry", "drill", "owners", "repositories"])]
    catalog_only: bool,
    /// Do not hash the store's files now, but trust their names; the scrub hashes them later. In S3 objects have no such names
    #[arg(long, requires = "catalog_only")]
    trust_names: bool,
    /// Push it to the registry at this host instead, without accounts; its owners have to be there
    #[arg(long, value_name = "HOST[:PORT]", conflicts_with = "drill")]
    registry: Option<String>,
    /// How that registry is reached
    #[command(flatten)]
    remote: Remote,
    /// Only try: restore to a scratch directory, serve it on loopback, pull from it, and keep evidence
    #[arg(long)]
    drill: bool,
    /// The images that a drill pulls: a number of tags, or all
    #[arg(long, value_name = "N|all", default_value = "20", requires = "drill")]
    sample: drill::Sample,
    /// Where a drill makes its scratch directory, which needs room for the backup
    #[arg(long, value_name = "DIR", requires = "drill")]
    scratch: Option<PathBuf>,
}

impl Restore {
    /// Runs it.
    pub fn run(self, context: &Context) -> Result<()> {
        if context.common.server.is_some() {
            return Err(Failure::new(Exit::Usage, "a backup is restored into a data directory")
                .hint("name the directory with --data"));
        }
        block_on(self.start(context))?
    }

    async fn start(self, context: &Context) -> Result<()> {
        let config = context.config()?;
        let vault = open(&config, &self.from)?.with_identities(self.keys.identities()?);
        let key = self.keys.verifying()?;
        let snapshot = vault.snapshot(self.backup.as_deref(), key.as_ref()).await?;
        let only = Only { owners: self.owners.clone(), repositories: self.repositories.clone() };
        if self.drill {
            let drill = drill::Drill {
                vault: &vault,
                snapshot: &snapshot,
                only,
                sample: self.sample,
                scratch: self.scratch,
            };
            return drill.run(context).await;
        }
        if let Some(host) = &self.registry {
            let client = self.remote.client(context, host)?;
            return to_registry(context, &vault, &snapshot, only, &client, host).await;
        }
        if self.catalog_only {
            return rebuild::run(context, &config, &vault, &snapshot, self.trust_names).await;
        }
        let restored = into_data(context, &config, &vault, &snapshot, only).await?;
        context.printer.data(&restored, || shown(&config, &restored))?;
        end(restored.lost.len())
    }
}

async fn to_registry(
    context: &Context,
    vault: &Vault,
    snapshot: &Snapshot,
    only: Only,
    client: &Registry,
    host: &str,
) -> Result<()> {
    let watch = Watch::new(context.printer, "pushed");
    let scratch = std::env::temp_dir();
    let plan = RestoreTo {
        vault,
        snapshot,
        only,
        client,
        scratch: &scratch,
        times: Times::default(),
        watch: &|progress: &Progress| watch.tell(progress),
    };
    let pushed = railhead_backup::restore_to_registry(&plan).await?;
    context.printer.data(&pushed, || {
        let Pushed { id, repositories, manifests, tags, blobs, bytes, lost, millis } = &pushed;
        let rows = [
            ("backup", id.clone()),
            ("content", format!("{repositories} repositories, {manifests} manifests, {tags} tags")),
            ("pushed", format!("{blobs} blobs of {}", size(*bytes))),
            ("took", format!("{:.1} s", *millis as f64 / 1000.0)),
            ("into", host.to_owned()),
        ];
        fields(&rows) + &lost_lines(lost)
    })?;
    end(pushed.lost.len())
}

async fn into_data(
    context: &Context,
    config: &Config,
    vault: &Vault,
    snapshot: &Snapshot,
    only: Only,
) -> Result<Restored> {
    let watch = Watch::new(context.printer, "restored");
    let directory = lock(config)?;
    let restored = into(config, vault, snapshot, only, &|progress: &Progress| watch.tell(progress)).await;
    drop(directory);
    restored
}

fn lock(config: &Config) -> Result<DataDirectory> {
    // Whatever is made from here on is for this user alone.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    DataDirectory::create(&config.data).map_err(|error| match &error {
        LockError::Taken { .. } => Failure::of(Exit::Conflict, &error)
            .hint("a registry is restored while nobody serves it; name an empty directory with --data"),
        LockError::Io { .. } => Failure::of(Exit::Failed, &error),
    })
}

async fn open_catalog(config: &Config) -> Result<Catalog> {
    let catalog = Catalog::open(location(config)).await;
    catalog.map_err(|error| Failure::new(Exit::Failed, "cannot open the catalog").because(&error))
}

fn plan<'a>(
    config: &'a Config,
    vault: &'a Vault,
    snapshot: &'a Snapshot,
    only: Only,
    watch: &'a (dyn Fn(&Progress) + Sync),
) -> Plan<'a> {
    let times = Times::default();
    Plan { vault, snapshot, only, scratch: &config.data, parallel: PARALLEL, times, watch }
}

/// Restores into what a configuration names. The caller holds the data directory.
async fn into(
    config: &Config,
    vault: &Vault,
    snapshot: &Snapshot,
    only: Only,
    watch: &(dyn Fn(&Progress) + Sync),
) -> Result<Restored> {
    let (catalog, store) = (open_catalog(config).await?, open_store(config)?);
    let plan = plan(config, vault, snapshot, only, watch);
    let restored = railhead_backup::restore(&plan, &catalog, &store).await;
    // What failed first is what there is to say.
    let closed = catalog.close().await;
    let restored = restored?;
    closed.map_err(|error| Failure::of(Exit::Failed, &error))?;
    Ok(restored)
}

fn rows(restored: &Restored) -> Vec<(&'static str, String)> {
    let Restored { owners, repositories, manifests, tags, trashed, blobs, bytes, millis, .. } = restored;
    let trash = if *trashed == 0 { String::new() } else { format!(", {trashed} manifests in the trash") };
    let resumed = if restored.resumed { ", going on with an earlier attempt" } else { "" };
    vec![
        ("backup", format!("{}{resumed}", restored.id)),
        (
            "content",
            format!(
                "{owners} owners, {repositories} repositories, {manifests} manifests, {tags} tags{trash}"
            ),
        ),
        ("copied", format!("{blobs} blobs of {}", size(*bytes))),
        ("restored in", format!("{:.1} s", *millis as f64 / 1000.0)),
    ]
}

fn shown(config: &Config, restored: &Restored) -> String {
    let mut rows = rows(restored);
    rows.push(("into", config.data.display().to_string()));
    fields(&rows) + &lost_lines(&restored.lost)
}

fn end(lost: usize) -> Result<()> {
    match lost {
        0 => Ok(()),
        count => Err(Failure::new(
            Exit::Failed,
            format!("{count} things of the backup are lost; the rest is restored"),
        )
        .hint("push the images again that are named above; they are known by their digests")),
    }
}
