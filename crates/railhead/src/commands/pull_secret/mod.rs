//! `railhead pull-secret …`: makes, changes and tries the login that a cluster pulls with.

mod create;
mod file;
mod rotate;
mod verify;

use std::path::PathBuf;

use clap::Subcommand;
use jiff::Timestamp;
use railhead_client::Credentials;
use railhead_client::hops::Route;
use railhead_operate::pull_secret::{Check, CheckResult, ImageName};
use railhead_operate::{Evidence, Kind, Secrets, Site};
use serde::Serialize;

use super::Context;
use super::operator::{block_on, keep, routes, warn_of_plain};
use crate::failure::{Exit, Failure, Result};

/// Make, change and try the login that a cluster pulls with
#[derive(Debug, Subcommand)]
pub enum PullSecret {
    /// Make a Secret from a token, for `kubectl apply` or as a file
    Create(create::Create),
    /// Put a new token into a Secret, in place of the old one
    Rotate(rotate::Rotate),
    /// Pull with a Secret as a kubelet does, and say when its token ends
    Verify(verify::Verify),
}

impl PullSecret {
    /// Runs it.
    pub fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Create(create) => create.run(context),
            Self::Rotate(rotate) => rotate.run(context),
            Self::Verify(verify) => verify.run(context),
        }
    }
}

/// What was made or changed: evidence, and what programs are told when the Secret goes into a file.
#[derive(Serialize)]
struct Made {
    /// `create` or `rotate`.
    act: &'static str,
    /// The Secret.
    name: String,
    /// Its namespace, if it says so.
    namespace: Option<String>,
    /// The servers that have the login.
    servers: Vec<String>,
    /// The account.
    user: String,
    /// The file; none where it went to standard output.
    file: Option<PathBuf>,
    /// Whether the file is encrypted.
    encrypted: bool,
    /// How the token was tried; none where it was not.
    check: Option<CheckResult>,
}

impl Made {
    /// Keeps it as evidence.
    fn keep(&self, site: &Site, host: &str, secrets: &Secrets) -> Result<PathBuf> {
        let evidence = Evidence::new(Kind::PullSecret, host, true, self)?;
        keep(site, &evidence, secrets)
    }
}

/// The one way that is tried: a kubelet has one too.
fn way(context: &Context, flag: Option<&Route>, site: &Site, host: &str) -> Result<Route> {
    let flags = flag.map_or(&[][..], std::slice::from_ref);
    let mut all = routes(context, flags, site, host)?;
    all.truncate(1);
    warn_of_plain(context, &all);
    all.pop().ok_or_else(|| Failure::new(Exit::Usage, format!("there is no route to {host}")))
}

/// Tries a login that is to go into a Secret, and says what is worth knowing. One that is refused must not get there.
fn try_login(
    context: &Context,
    site: &Site,
    host: &str,
    login: &Credentials,
    image: Option<&ImageName>,
    route: &Route,
) -> Result<CheckResult> {
    let check = Check { host, image, secret: None, login: Some(login), route, site };
    let result = block_on(check.run(&mut |_| ()))??;
    if let Some(step) = result.failed() {
        let failure = ended(&result, &format!("{}: {}", step.name, step.detail));
        return Err(failure.hint(
            "a cluster sends the login that it has, and one that is refused is worse than none: public images cannot be \
             pulled either; --unchecked takes it nevertheless",
        ));
    }
    let printer = context.printer;
    printer.note(&format!(
        "{host} takes the token of {}; {}",
        login.user,
        result.expires.words(Timestamp::now())
    ));
    if result.may_more == Some(true) {
        printer.warning("the token may do more than pull, which a cluster does not need");
    }
    for step in result.steps.iter().filter(|step| step.name == "without it" && image.is_some()) {
        printer.note(&step.detail);
    }
    Ok(result)
}

/// A failure of a check, with the exit code of its class.
fn ended(result: &CheckResult, message: &str) -> Failure {
    use railhead_operate::prove::Verdict;
    let exit = match result.verdict {
        Verdict::Denied => Exit::Denied,
        Verdict::Unreachable => Exit::Unavailable,
        Verdict::Proven | Verdict::Failed | Verdict::Taken | Verdict::Interrupted => Exit::Failed,
    };
    Failure::new(exit, message)
}

/// An image that is pulled has to be of the registry that the login is for.
fn same_host(image: Option<&ImageName>, host: &str) -> Result<()> {
    match image {
        Some(image) if image.host != host => {
            let message = format!("{image} is not an image of {host}");
            Err(Failure::new(Exit::Usage, message).hint("a login is for one host, with its port"))
        }
        _ => Ok(()),
    }
}
