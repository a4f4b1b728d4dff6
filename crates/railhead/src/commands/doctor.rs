//! `railhead doctor`: walks every hop of every route, and says what is wrong, who has to act, and what to change.
//!
//! Order: the place (host, site file, flags), the walk, the judgement, the report; the exit code is the verdict's class.

mod asked;
mod print;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use railhead_client::Credentials;
use railhead_client::hops::{LimitSettings, Route, Settings, Walker};
use railhead_doctor::{Class, Diagnosis, Layer, Names, Owners, Place, Software, diagnose};
use railhead_oci::RepositoryName;
use railhead_operate::Site;
use secrecy::SecretString;

pub use self::asked::owner;
use self::asked::{Host, duration, resolution};
use super::Context;
use crate::config::read_secret;
use crate::failure::{Exit, Failure, Result};

/// What is read and written when nobody names a repository and nobody logs in.
const NOBODYS: &str = "railhead/doctor";
/// The image that is tried at the account's own name.
const IMAGE: &str = "railhead-doctor";

/// Find out why a registry does not work, and who has to mend what
///
/// Walks every route from the name to the start of an upload, which is cancelled, and ends with the exit code of the
/// verdict. Without --route the routes are those of the site file, or https and http of the host. The account's token
/// comes from RAILHEAD_TOKEN or --token-file, and is sent to the registry's own token endpoint only.
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
    #[arg(long)]
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
}

impl Doctor {
    /// Runs it; the code of the verdict.
    pub fn run(self, context: &Context) -> Result<ExitCode> {
        let site = site(context)?;
        let account = self.account(context)?;
        let (place, routes) = self.place(context, &site)?;
        let diagnosis = self.diagnose(&place, &routes, account)?;
        context.printer.data(&diagnosis, || print::text(&diagnosis))?;
        Ok(ExitCode::from(diagnosis.verdict.exit))
    }

    fn diagnose(&self, place: &Place, routes: &[Route], account: Option<Credentials>) -> Result<Diagnosis> {
        let named = place.repository.as_deref().unwrap_or(NOBODYS);
        let repository = named.parse().map_err(|error| {
            Failure::new(Exit::Usage, format!("'{named}' cannot be the name of a repository"))
                .because(&error)
                .hint("name one that is allowed with --repository OWNER/IMAGE")
        })?;
        let mut settings = Settings::new(place.host.clone(), repository);
        settings.account = account;
        settings.known = routes.to_vec();
        settings.resolve = self.resolve.iter().cloned().collect::<BTreeMap<_, _>>();
        settings.write = !self.no_write;
        if let Some(timeout) = self.timeout {
            (settings.connect_timeout, settings.answer_timeout) = (timeout, timeout);
        }
        settings.limits = self.limits.then(|| {
            let time = self.limits_time.unwrap_or(LimitSettings::default().time);
            LimitSettings { time, ..LimitSettings::default() }
        });
        let walker = Walker::new(settings)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(Exit::Failed, "cannot start the runtime").because(&error))?;
        let walks = runtime.block_on(walker.walk_all(routes));
        Ok(diagnose(place, walks, Timestamp::now()))
    }

    /// What is known of the registry, and the ways to it.
    fn place(&self, context: &Context, site: &Site) -> Result<(Place, Vec<Route>)> {
        let host = match (&self.host, &site.host) {
            (Some(host), _) => host.clone(),
            (None, Some(host)) => host.parse().map_err(|error: String| Failure::new(Exit::Usage, error))?,
            (None, None) => {
                return Err(Failure::new(Exit::Usage, "there is no registry to look at")
                    .hint("name its host, as in `railhead doctor git.example.com`, or in the site file"));
            }
        };
        // A site file says nothing about another registry.
        let here = site.host.as_ref().is_none_or(|own| own.eq_ignore_ascii_case(&host.authority));
        let site = if here { site.clone() } else { Site::default() };
        if !here {
            context.printer.note("the site file is another registry's, and is not used");
        }
        let mut routes = if self.routes.is_empty() { site.routes.clone() } else { self.routes.clone() };
        let assumed_routes = routes.is_empty();
        if assumed_routes {
            routes = host.routes().map_err(|error| Failure::of(Exit::Usage, &error))?;
        }
        if let Some(ca) = path(context, context.common.ca.as_ref(), "RAILHEAD_CA") {
            for route in &mut routes {
                route.ca.get_or_insert_with(|| ca.clone());
            }
        }
        let mut names = BTreeSet::new();
        if let Some(twice) = routes.iter().find(|route| !names.insert(route.name.as_str())) {
            return Err(Failure::new(Exit::Usage, format!("there are two routes named '{}'", twice.name)));
        }
        let place = Place {
            host: host.authority,
            path: host.path,
            forge: site.forge.and_then(|forge| forge.word().parse::<Software>().ok()),
            owners: self.owners(&site.owners),
            account: self.user.clone(),
            repository: self.repository(&site),
            names: Names { namespace: site.cluster.namespace.clone(), ..Names::default() },
            assumed_routes,
        };
        Ok((place, routes))
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

    fn account(&self, context: &Context) -> Result<Option<Credentials>> {
        let file = path(context, context.common.token_file.as_ref(), "RAILHEAD_TOKEN_FILE");
        let secret: Option<SecretString> = match (file, context.layers.variable("RAILHEAD_TOKEN")) {
            (Some(file), _) => Some(read_secret(&file)?),
            (None, token) => token.map(Into::into),
        };
        match (self.user.clone(), secret) {
            (Some(user), Some(secret)) => Ok(Some(Credentials { user, secret })),
            (Some(user), None) => Err(Failure::new(Exit::Usage, format!("there is no token for {user}"))
                .hint("put it into RAILHEAD_TOKEN, or name a file with --token-file")),
            (None, Some(_)) => {
                context.printer.note("there is a token, but no --user: nobody logs in");
                Ok(None)
            }
            (None, None) => Ok(None),
        }
    }
}

/// The site file, or nothing where there is none.
fn site(context: &Context) -> Result<Site> {
    let Some(file) = context.layers.site_file() else { return Ok(Site::default()) };
    Site::read(&file).map_err(|error| {
        let failure = Failure::of(Exit::Usage, &error);
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })
}

fn path(context: &Context, flag: Option<&PathBuf>, variable: &str) -> Option<PathBuf> {
    flag.cloned().or_else(|| context.layers.variable(variable).map(Into::into))
}

/// The exit codes beyond those that every command has, for the reference.
pub fn exit_codes() -> impl Iterator<Item = (u8, &'static str)> {
    Class::ALL
        .into_iter()
        .filter(|(class, ..)| *class != Class::Healthy)
        .map(|(_, code, meaning)| (code, meaning))
}
