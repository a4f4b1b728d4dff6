//! `railhead doctor`: walks every hop of every route, and says what is wrong, who has to act, and what to change.
//!
//! Order: the place (host, site file, flags), the walk, the judgement, the report; the exit code is the verdict's class.

mod asked;
mod print;
mod through;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use railhead_client::Credentials;
use railhead_client::hops::{LimitSettings, Route, Settings, Slow};
use railhead_doctor::{Class, Diagnosis, Layer, Names, Owners, Place, Server, Software, diagnose};
use railhead_oci::RepositoryName;
use railhead_operate::through::is_through;
use railhead_operate::{Evidence, Filed, Kind, Secrets, Site};
use serde::Serialize;

use self::asked::{Host, resolution};
pub use self::asked::{duration, owner};
pub use self::print::findings;
use super::Context;
use super::follow_up::{self, FileArguments};
use super::inspect::ClusterArguments;
use super::operator::{account, block_on, keep, path, routes_or, site_of, token, warn_of_plain};
use crate::failure::{Exit, Failure, Result};

/// What is tried when nobody names a route.
const SCHEMES: [&str; 2] = ["https", "http"];
/// What is read and written when nobody names a repository and nobody logs in.
const NOBODYS: &str = "railhead/doctor";
/// The image that is tried at the account's own name.
const IMAGE: &str = "railhead-doctor";

/// Find out why a registry does not work, and who has to mend what
///
/// Walks every route from the name to the start of an upload, which is cancelled, and ends with the exit code of the
/// verdict. Without --route the routes are those of the site file, or https and http of the host. The account's token
/// comes from RAILHEAD_TOKEN or --token-file, and is sent to the registry's own token endpoint only. A route that connects to
/// cluster:service/NAMESPACE/NAME:PORT, cluster:pod/NAMESPACE/NAME:PORT or cluster:node/NAME:PORT goes through the API server
/// of the kubeconfig as far as the challenge, so that nothing has to be installed in the cluster.
#[expect(clippy::doc_markdown, reason = "this is help for a terminal, not Markdown")]
#[derive(Debug, Args)]
pub struct Doctor {
    /// The registry as images name it; without it, the site file's
    #[arg(value_name = "HOST[:PORT]")]
    host: Option<Host>,
    /// A way to it, as in pod=http://git.example.com,connect=10.0.0.7:3000; repeat it for others
    #[arg(long = "route", value_name = "NAME=URL[,connect=ADDRESS:PORT][,ca=FILE]")]
    routes: Vec<Route>,
    /// Log in as this account
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Read and write this repository; it need not exist, and nothing stays in it
    #[arg(long, value_name = "OWNER/IMAGE")]
    repository: Option<RepositoryName>,
    /// Use these addresses for a name instead of asking for them
    #[arg(long = "resolve", value_name = "HOST=ADDRESS[,ADDRESS]", value_parser = resolution)]
    resolve: Vec<(String, Vec<IpAddr>)>,
    /// Begin no upload
    #[arg(long, conflicts_with = "limits")]
    no_write: bool,
    /// Look for limits of size and time in front, which takes about as long as --limits-time
    #[arg(long)]
    limits: bool,
    /// How long slow uploads are watched [default: 75s]
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "limits")]
    limits_time: Option<Duration>,
    /// How long each hop may take [default: 5s, and 10s for answers]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    /// Who owns a layer, as in routing=cluster-team; repeat it for others
    #[arg(long = "owner", value_name = "LAYER=WHO", value_parser = owner)]
    owners: Vec<(Layer, String)>,
    /// Keep the diagnosis as evidence in this directory [default: the site's, if there is a site file]
    #[arg(long, value_name = "DIR")]
    evidence: Option<PathBuf>,
    /// Which cluster
    #[command(flatten)]
    cluster: ClusterArguments,
    /// What others have to mend
    #[command(flatten)]
    file: FileArguments,
}

/// A diagnosis, and as evidence.
#[derive(Serialize)]
struct Diagnosed<'a> {
    #[serde(flatten)]
    diagnosis: &'a Diagnosis,
    /// The issues for others.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    filed: &'a [Filed],
}

/// The same for programs.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    diagnosed: &'a Diagnosed<'a>,
    /// Where it is kept, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<PathBuf>,
}

impl Doctor {
    /// Runs it; the code of the verdict.
    pub fn run(self, context: &Context) -> Result<ExitCode> {
        let account = self.account(context)?;
        let host = self.host(context)?;
        let site = site_of(context, &host.authority)?;
        let routes = self.routes(context, &site, &host)?;
        let place = self.place(&site, host);
        if account.is_some() && !place.assumed_routes {
            warn_of_plain(context, &routes);
        }
        let diagnosis = self.diagnose(context, &site, &place, &routes, account.as_ref())?;
        for what in untried(&diagnosis, account.is_some(), self.limits) {
            context.printer.note(&what);
        }
        let command = format!("railhead doctor {}", diagnosis.host);
        let who = (diagnosis.host.as_str(), self.user.as_deref());
        let filed = self.file.file(context, &site, who, &command, &diagnosis.findings)?;
        let diagnosed = Diagnosed { diagnosis: &diagnosis, filed: &filed.filed };
        let kept = self.keep(site, &diagnosed, account.as_ref());
        // A diagnosis that cannot be kept is shown all the same.
        let evidence = kept.as_ref().ok().cloned().flatten();
        let shown = Shown { diagnosed: &diagnosed, evidence: evidence.clone() };
        context.printer.data(&shown, || {
            print::text(&diagnosis, evidence.as_deref()) + &follow_up::shown(&filed.filed)
        })?;
        kept?;
        filed.end()?;
        Ok(ExitCode::from(diagnosis.verdict.exit))
    }

    fn diagnose(
        &self,
        context: &Context,
        site: &Site,
        place: &Place,
        routes: &[Route],
        account: Option<&Credentials>,
    ) -> Result<Diagnosis> {
        let named = place.repository.as_deref().unwrap_or(NOBODYS);
        let repository = named.parse().map_err(|error| {
            Failure::new(Exit::Usage, format!("'{named}' cannot be the name of a repository"))
                .because(&error)
                .hint("name one that is allowed with --repository OWNER/IMAGE")
        })?;
        let mut settings = Settings::new(place.host.clone(), repository);
        settings.account = account.cloned();
        settings.known = routes.iter().filter(|route| !is_through(route)).cloned().collect();
        settings.resolve = self.resolve.iter().cloned().collect::<BTreeMap<_, _>>();
        settings.write = !self.no_write;
        settings.open_login = !place.assumed_routes;
        if let Some(timeout) = self.timeout {
            (settings.connect_timeout, settings.answer_timeout) = (timeout, timeout);
        }
        settings.limits = self.limits.then(|| {
            let time = self.limits_time.unwrap_or(LimitSettings::default().time);
            LimitSettings { time, ..LimitSettings::default() }
        });
        let walks = block_on(through::walk_all(context, &self.cluster.access(site), routes, settings))??;
        Ok(diagnose(place, walks, Timestamp::now()))
    }

    /// The registry that was named, or the site's.
    fn host(&self, context: &Context) -> Result<Host> {
        if let Some(host) = &self.host {
            return Ok(host.clone());
        }
        match context.site()?.host {
            Some(host) => host.parse().map_err(|error: String| Failure::new(Exit::Usage, error)),
            None => Err(Failure::new(Exit::Usage, "there is no registry to look at")
                .hint("name its host, as in `railhead doctor git.example.com`, or in the site file")),
        }
    }

    fn routes(&self, context: &Context, site: &Site, host: &Host) -> Result<Vec<Route>> {
        let mut routes = routes_or(context, &self.routes, site, &host.authority, &SCHEMES)?;
        if let Some(ca) = path(context, context.common.ca.as_ref(), "RAILHEAD_CA") {
            // The challenge on a route of plain HTTP may lead to TLS.
            for route in &mut routes {
                route.ca.get_or_insert_with(|| ca.clone());
            }
        }
        Ok(routes)
    }

    /// What is known of the registry.
    fn place(&self, site: &Site, host: Host) -> Place {
        Place {
            host: host.authority,
            path: host.path,
            forge: site.forge.and_then(|forge| forge.word().parse::<Software>().ok()),
            owners: self.owners(site.owners()),
            account: self.user.clone(),
            repository: self.repository(site),
            names: Names::default(),
            assumed_routes: self.routes.is_empty() && site.routes().is_empty(),
        }
    }

    fn owners(&self, known: &Owners) -> Owners {
        self.owners.iter().fold(known.clone(), |owners, (layer, who)| owners.with(*layer, who))
    }

    /// The repository that was named, or one of the site's owner, or of the account.
    fn repository(&self, site: &Site) -> Option<String> {
        if let Some(repository) = &self.repository {
            return Some(repository.to_string());
        }
        let user = self.user.as_ref()?;
        let owner = site.owner.as_ref().unwrap_or(user);
        Some(format!("{}/{IMAGE}", owner.to_lowercase()))
    }

    /// Who logs in. A token that lies about for other commands keeps nobody from a diagnosis without a login.
    fn account(&self, context: &Context) -> Result<Option<Credentials>> {
        if self.user.is_none() && token(context)?.is_some() {
            context.printer.note("there is a token, but no --user: nobody logs in");
            return Ok(None);
        }
        account(context, self.user.as_deref())
    }

    /// Keeps the diagnosis where somebody said, or with the site's evidence; nowhere where there is no site.
    fn keep(
        &self,
        mut site: Site,
        diagnosed: &Diagnosed<'_>,
        account: Option<&Credentials>,
    ) -> Result<Option<PathBuf>> {
        let diagnosis = diagnosed.diagnosis;
        match &self.evidence {
            Some(directory) => site.evidence.clone_from(directory),
            None if site.file.is_none() => return Ok(None),
            None => {}
        }
        let healthy = diagnosis.verdict.class == Class::Healthy;
        let server = diagnosis.servers.iter().find(|server| server.software.is_some()).map(Server::words);
        let evidence = Evidence::new(Kind::Doctor, &diagnosis.host, healthy, diagnosed)?
            .with_versions(server.map(|words| ("server".to_owned(), words)));
        let accounts = account.map(|account| (account.user.as_str(), &account.secret));
        keep(&site, &evidence, &Secrets::new(accounts)).map(Some)
    }
}

/// What could not be tried, a line each.
fn untried(diagnosis: &Diagnosis, login: bool, limits: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let asked = diagnosis.walks.iter().any(|walk| walk.challenge.seen().is_some());
    if asked && !login {
        lines.push(
            "nobody logged in: --user NAME, with RAILHEAD_TOKEN, tries reading and writing too".to_owned(),
        );
    }
    for walk in diagnosis.walks.iter().filter(|_| limits) {
        let name = &walk.route.name;
        match &walk.limits {
            None => lines.push(format!("{name}: no upload could be begun, so no limits were looked for")),
            Some(seen) => {
                let slow = [&seen.trickle, &seen.pause];
                if let Some(why) = slow.into_iter().find_map(Slow::untried) {
                    lines.push(format!("{name}: slow uploads were not tried: {why}"));
                }
            }
        }
    }
    lines
}

/// The exit codes beyond those that every command has, for the reference.
pub fn exit_codes() -> impl Iterator<Item = (u8, &'static str)> {
    Class::ALL
        .into_iter()
        .filter(|(class, ..)| *class != Class::Healthy)
        .map(|(_, code, meaning)| (code, meaning))
}
