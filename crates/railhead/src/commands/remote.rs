//! A registry that backups are taken from or brought to, and that images are exported from.

use std::time::Duration;

use clap::Args;
use railhead_client::hops::Route;
use railhead_client::{Credentials, Http, Registry, Trust};
use railhead_operate::Site;

use super::Context;
use super::follow_up::forge;
use super::operator::{account, routes, site_of, warn_of_plain};
use crate::failure::Result;

/// How long an answer may take, and a blob on its way there.
const TIMEOUT: Duration = Duration::from_mins(30);

/// How a registry is reached.
#[expect(clippy::doc_markdown, reason = "this is help for a terminal, not Markdown")]
#[derive(Debug, Args)]
pub struct Remote {
    /// Log in there as this account, with the token in RAILHEAD_TOKEN or --token-file
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// A way to the registry, as in pod=http://git.example.com,connect=10.0.0.7:3000
    #[arg(long = "route", value_name = "NAME=URL[,connect=ADDRESS:PORT][,ca=FILE]")]
    routes: Vec<Route>,
}

impl Remote {
    /// A client of the registry at `host`.
    pub fn client(&self, context: &Context, host: &str) -> Result<Registry> {
        let site = site_of(context, host)?;
        let credentials = account(context, self.user.as_deref())?;
        let routes = routes(context, &self.routes, &site, host)?;
        let client = reach(&routes, credentials, TIMEOUT)?;
        knowing_the_forge(context, client, &site, host, routes.first())
    }
}

/// The same client, which asks the forge's API where the site file says that Git is; a warning where somebody logs in by plain
/// http on the way that is taken, or there.
pub fn knowing_the_forge(
    context: &Context,
    client: Registry,
    site: &Site,
    host: &str,
    first: Option<&Route>,
) -> Result<Registry> {
    // A login is shown to no forge but the one whose site this is.
    let is_own = site.host.as_deref() == Some(host);
    let git = site.release.git.clone().filter(|_| is_own).map(|url| Route::new("git", url));
    if client.credentials().is_some() {
        let asked: Vec<Route> = first.cloned().into_iter().chain(git.clone()).collect();
        warn_of_plain(context, &asked);
    }
    if git.is_none() {
        return Ok(client);
    }
    let api = forge(context, site, host)?.within(client.http().timeout());
    Ok(client.with_api(api))
}

/// A client over the first of these routes, which are never none; it knows the others.
pub fn reach(routes: &[Route], credentials: Option<Credentials>, timeout: Duration) -> Result<Registry> {
    let mut ways = Vec::new();
    for route in routes {
        let trust = route.is_tls().then(|| Trust::system(route.ca.as_deref())).transpose()?;
        ways.push(Http::over(route, trust, timeout));
    }
    // There is always a first: without one it is https to the host.
    let first = ways.remove(0);
    Ok(Registry::new(first, credentials).knowing(ways))
}
