//! What the operator's commands start from: the site, the account, the routes, and where evidence goes.

use std::collections::BTreeSet;
use std::path::PathBuf;

use railhead_client::hops::Route;
use railhead_client::{Credentials, Origin};
use railhead_operate::through::is_through;
use railhead_operate::{Archive, Evidence, Secrets, Site};
use secrecy::SecretString;

use super::Context;
use crate::config::read_secret;
use crate::failure::{Exit, Failure, Result};

/// The scheme of the way to `host` when nobody says another one; the route is called by it.
const DEFAULT_SCHEME: &str = "https";

/// Runs a command's future to its end.
pub fn block_on<T>(future: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, "cannot start the runtime").because(&error))?;
    Ok(runtime.block_on(future))
}

/// A path of a flag, or of its variable.
pub fn path(context: &Context, flag: Option<&PathBuf>, variable: &str) -> Option<PathBuf> {
    flag.cloned().or_else(|| context.layers.variable(variable).map(Into::into))
}

/// The token of `--token-file` or `RAILHEAD_TOKEN`, if there is one.
pub fn token(context: &Context) -> Result<Option<SecretString>> {
    let file = path(context, context.common.token_file.as_ref(), "RAILHEAD_TOKEN_FILE");
    match (file, context.layers.variable("RAILHEAD_TOKEN")) {
        (Some(file), _) if file.as_os_str() == "-" => {
            super::read_hidden(context.printer, "token", true).map(Some)
        }
        (Some(file), _) => Ok(Some(read_secret(&file)?)),
        (None, token) => Ok(token.map(Into::into)),
    }
}

/// The account to log in with: a user and the token of it, or neither.
pub fn account(context: &Context, user: Option<&str>) -> Result<Option<Credentials>> {
    account_of(user, token(context)?, "RAILHEAD_TOKEN, or name a file with --token-file", "--user")
}

/// The same, where `place` is where a token is put, and `flag` names the account.
pub fn account_of(
    user: Option<&str>,
    token: Option<SecretString>,
    place: &str,
    flag: &str,
) -> Result<Option<Credentials>> {
    match (user, token) {
        (Some(user), Some(secret)) => Ok(Some(Credentials { user: user.to_owned(), secret })),
        (None, None) => Ok(None),
        (Some(user), None) => Err(Failure::new(Exit::Usage, format!("there is no token for {user}"))
            .hint(format!("put it into {place}"))),
        (None, Some(_)) => Err(Failure::new(Exit::Usage, "there is a token, and nobody says whose")
            .hint(format!("name the account with {flag}"))),
    }
}

/// The site, if it is the one of `host`.
pub fn site_of(context: &Context, host: &str) -> Result<Site> {
    let site = context.site()?;
    if site.host.as_deref().is_none_or(|own| own == host) {
        return Ok(site);
    }
    context.printer.note("the site file is another registry's: only its evidence directory is used");
    Ok(Site { evidence: site.evidence, ..Site::default() })
}

/// The routes to `host`: those of the flags, of the site, or https. `--ca` is for those that name no authority.
pub fn routes(context: &Context, flags: &[Route], site: &Site, host: &str) -> Result<Vec<Route>> {
    let mut routes = routes_or(context, flags, site, host, &[DEFAULT_SCHEME])?;
    // Who asks for more than a diagnosis logs in.
    let (through, plain): (Vec<Route>, Vec<Route>) = routes.drain(..).partition(is_through);
    for route in &through {
        context.printer.note(&format!(
            "the route {} goes through the cluster's API server, where nobody can log in: only `railhead doctor` asks there",
            route.name
        ));
    }
    if plain.is_empty() && !through.is_empty() {
        return Err(Failure::new(Exit::Usage, "every route goes through the cluster's API server")
            .hint("name one that a client can take with --route, or in the site file"));
    }
    Ok(plain)
}

/// The same, where other schemes than https are tried when nobody names a route.
pub fn routes_or(
    context: &Context,
    flags: &[Route],
    site: &Site,
    host: &str,
    schemes: &[&str],
) -> Result<Vec<Route>> {
    let mut routes = if flags.is_empty() { site.routes().to_vec() } else { flags.to_vec() };
    if routes.is_empty() {
        for scheme in schemes {
            let url: Origin =
                format!("{scheme}://{host}").parse().map_err(|error| Failure::of(Exit::Usage, &error))?;
            routes.push(Route::new(*scheme, url));
        }
    }
    if let Some(ca) = path(context, context.common.ca.as_ref(), "RAILHEAD_CA") {
        for route in routes.iter_mut().filter(|route| route.is_tls()) {
            route.ca.get_or_insert_with(|| ca.clone());
        }
    }
    let mut names = BTreeSet::new();
    if let Some(twice) = routes.iter().find(|route| !names.insert(route.name.as_str())) {
        return Err(Failure::new(Exit::Usage, format!("there are two routes named '{}'", twice.name)));
    }
    Ok(routes)
}

/// Says it when a token goes where everybody on the way can read it.
pub fn warn_of_plain(context: &Context, routes: &[Route]) {
    let open = routes.iter().filter(|route| !route.url.is_private());
    for url in open.map(|route| route.url.to_string()).collect::<BTreeSet<_>>() {
        context.printer.warning(&format!("{url} is not encrypted: everybody on the way can read the token"));
    }
}

/// Keeps evidence; where it is.
pub fn keep(site: &Site, evidence: &Evidence, secrets: &Secrets) -> Result<PathBuf> {
    Ok(Archive::new(&site.evidence).write(evidence, secrets)?)
}
