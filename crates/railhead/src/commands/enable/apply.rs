//! `railhead enable --apply`: the change goes to the cluster through gates, and the files are written when it has stayed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use railhead_backup::target::Directory;
use railhead_backup::{Asked, Plan as BackupPlan, Progress, Times, Vault};
use railhead_client::hops::Route;
use railhead_client::{Credentials, Registry, chain};
use railhead_cluster::{Access, Cluster};
use railhead_doctor::{Names, Place, Software};
use railhead_operate::enable::apply::{Applied, Apply, Backups, Copying, Forge, Take, Verdict};
use railhead_operate::enable::{Helm, Plan, Values, Wanted};
use railhead_operate::prove::Step;
use railhead_operate::{Archive, Evidence, Filed, FollowUp, Kind, Secrets, Site};

use crate::commands::Context;
use crate::commands::backup::{PARALLEL, Shown};
use crate::commands::doctor::duration;
use crate::commands::follow_up::{file_all, forge, login};
use crate::commands::operator::{keep, path, routes, token, warn_of_plain};
use crate::commands::remote::reach;
use crate::commands::stop::Stop;
use crate::failure::{Exit, Failure, Result};

/// How old a backup may be, unless the site says so.
const BACKUP_HOURS: u32 = 24;
/// How long a blob may be on its way into a backup.
const COPYING: Duration = Duration::from_mins(30);
/// Where the images are, in the directory of a backup.
const IMAGES: &str = "images";

/// Flags of the act.
#[expect(clippy::doc_markdown, reason = "it is the text of --help")]
#[derive(Debug, Args)]
#[command(next_help_heading = "Applying")]
pub struct How {
    /// Apply it: through gates before and after, and rolled back if one after it is not passed
    #[arg(long, requires = "user")]
    pub apply: bool,
    /// Take a backup of the forge and of its images before, into this directory
    #[arg(long, value_name = "DIR", requires = "apply")]
    pub backup: Option<PathBuf>,
    /// How long the first route may take to work [default: 1m, and 5m where a certificate is made]
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "apply")]
    pub patience: Option<Duration>,
    /// File what others have to do as issues in their repositories on the forge
    #[arg(long, requires = "user")]
    pub file: bool,
    /// The account on the forge, with its token in RAILHEAD_TOKEN: scopes write:repository, write:user, read:package with --backup, and write:issue with --file
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// The kubeconfig [variable: KUBECONFIG]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

/// What an act works on.
pub struct Act<'a> {
    pub context: &'a Context,
    pub site: &'a Site,
    pub wanted: &'a Wanted,
    pub values: &'a Values,
    pub plan: &'a Plan,
    pub how: &'a How,
}

impl Act<'_> {
    /// Applies the plan.
    pub async fn apply(&self, helm: &Helm, watch: &mut dyn FnMut(&Step)) -> Result<Applied> {
        let Self { context, site, wanted, how, .. } = self;
        let mut stop = Stop::listen()?;
        let login = self.login()?;
        let http = forge(context, site, &wanted.host)?;
        let ca = path(context, context.common.ca.as_ref(), "RAILHEAD_CA");
        let routes = routes(context, &[], site, &wanted.host)?;
        warn_of_plain(context, &routes);
        let access = Access { kubeconfig: how.kubeconfig.clone(), context: wanted.context.clone() };
        let cluster = Cluster::connect(&access).await?;
        let hours = site.release.backup_hours.unwrap_or(BACKUP_HOURS);
        let backups = Backups::of_evidence(&Archive::new(&site.evidence), &wanted.host)?;
        let backups = backups.with_velero(&cluster, &wanted.namespace).await?;
        let place = self.place();
        let images = || -> Copying<'_> { Box::pin(self.copy_images(&routes, &login)) };
        let take = how.backup.as_deref().map(|directory| Take { directory, images: &images });
        let apply = Apply {
            wanted,
            plan: self.plan,
            values: self.values,
            helm,
            cluster: &cluster,
            forge: Forge { http: &http, account: &login, ca: ca.as_deref() },
            place: &place,
            routes: &routes,
            backups: &backups,
            take,
            limit: Duration::from_hours(hours.into()),
            patience: how.patience,
        };
        let applied = Box::pin(apply.run(async || stop.wanted().await, watch)).await;
        if let Some(dump) = &applied.dump {
            let evidence = Evidence::new(Kind::Backup, &wanted.host, true, dump)?;
            keep(site, &evidence, &Secrets::new([(login.user.as_str(), &login.secret)]))?;
        }
        Ok(applied)
    }

    /// Copies the images over the first route on which the registry takes the login, with evidence; where they are.
    async fn copy_images(&self, routes: &[Route], login: &Credentials) -> Result<Option<String>, String> {
        let Some(directory) = &self.how.backup else { return Ok(None) };
        let Some(client) = registry(routes, login).await? else { return Ok(None) };
        let host = &self.wanted.host;
        let vault = Vault::new(Arc::new(Directory::new(directory.join(IMAGES))));
        let plan = BackupPlan {
            vault: &vault,
            source: railhead_backup::format::Source::Registry { host: host.clone() },
            scratch: &std::env::temp_dir(),
            recipients: Vec::new(),
            sign: None,
            parallel: PARALLEL,
            times: Times::default(),
            now: &jiff::Timestamp::now,
            watch: &|_: &Progress| (),
        };
        let asked = Asked { client: &client, owners: Vec::new(), repositories: Vec::new() };
        let made = match railhead_backup::backup_registry(&plan, &asked).await {
            Ok(made) => made,
            // A registry that was never used has nothing to copy.
            Err(railhead_backup::Error::NotThere(_)) => return Ok(None),
            Err(error) => return Err(chain(&error)),
        };
        let shown = Shown { place: vault.place(), made: &made, pruned: None };
        let evidence = Evidence::new(Kind::Backup, host, !made.has_damage(), &shown);
        let evidence = evidence.map_err(|error| chain(&error))?;
        let secrets = Secrets::new([(login.user.as_str(), &login.secret)]);
        keep(self.site, &evidence, &secrets).map_err(|failure| failure.message)?;
        if made.has_damage() {
            return Err("the registry has damaged blobs, so the copy does not have them".to_owned());
        }
        let counts = &made.counts;
        Ok(Some(format!(
            "{} at {}, {} repositories and {} blobs",
            made.id,
            vault.place(),
            counts.repositories,
            counts.blobs
        )))
    }

    /// Files what others have to do: what was filed, and what could not be, with why.
    pub async fn file(&self) -> Result<(Vec<Filed>, Vec<String>)> {
        let theirs = self.plan.follow_ups.iter().filter(|one| !self.wanted.is_own(one.owner.as_deref()));
        let theirs: Vec<FollowUp> = theirs.cloned().collect();
        file_all(self.context, self.site, &self.wanted.host, &self.login()?, &theirs).await
    }

    /// What must not stand in evidence.
    pub fn secrets(&self) -> Result<Secrets> {
        // A token that is there is a secret, also where nobody logs in with it.
        let user = self.how.user.as_deref().unwrap_or_default();
        Ok(Secrets::new(token(self.context)?.iter().map(|token| (user, token))))
    }

    fn login(&self) -> Result<Credentials> {
        login(self.context, self.how.user.as_deref())
    }

    fn place(&self) -> Place {
        let Wanted { release, namespace, route, .. } = self.wanted;
        Place {
            forge: self.site.forge.and_then(|forge| forge.word().parse::<Software>().ok()),
            owners: self.wanted.owners.clone(),
            names: Names {
                release: Some(release.clone()),
                namespace: Some(namespace.clone()),
                service: Some(route.service.clone()),
                port: Some(route.port),
            },
            ..Place::new(&self.wanted.host)
        }
    }
}

/// A client over the first route on which the registry takes the login.
async fn registry(routes: &[Route], login: &Credentials) -> Result<Option<Registry>, String> {
    for (at, route) in routes.iter().enumerate() {
        let others =
            routes.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, route)| route.clone());
        let ways: Vec<Route> = std::iter::once(route.clone()).chain(others).collect();
        let client = reach(&ways, Some(login.clone()), COPYING).map_err(|failure| failure.message)?;
        // What is wrong with a route, the doctor says.
        if client.ping().await.is_ok_and(|answer| answer.status.is_success()) {
            return Ok(Some(client));
        }
    }
    Ok(None)
}

/// How it ended.
pub fn end(applied: &Applied) -> Result<()> {
    let why = applied.failed().map_or_else(String::new, |step| format!(": {}: {}", step.name, step.detail));
    match applied.verdict {
        Verdict::Applied => Ok(()),
        Verdict::Refused => Err(Failure::new(Exit::Conflict, format!("nothing was changed{why}"))
            .hint("mend what the gate names, and give the same command again")),
        Verdict::RolledBack => Err(Failure::new(Exit::Failed, format!("it was rolled back{why}"))
            .hint("everything is as it was before; mend what failed, and give the same command again")),
        Verdict::NotRolledBack => {
            Err(Failure::new(Exit::Failed, format!("it failed, and not all of it could be rolled back{why}"))
                .hint("the failed steps above say what remains, and how to bring it back by hand"))
        }
    }
}
