//! What others have to do, filed as issues in their repositories on the forge.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use railhead_client::hops::Route;
use railhead_client::{Credentials, Http, Origin, Trust};
use railhead_doctor::{Finding, Layer};
use railhead_operate::{Desk, Filed, FollowUp, Site};

use super::Context;
use super::operator::{account, block_on, path};
use crate::failure::{Exit, Failure, Result};

/// How long the forge may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether findings are filed.
#[derive(Clone, Debug, Args)]
pub struct FileArguments {
    /// File what other owners have to mend as issues in their repositories on the forge, one a finding; the account's token needs the scope write:issue
    #[arg(long, requires = "user")]
    pub file: bool,
}

/// What came of filing.
#[derive(Default)]
pub struct Outcome {
    /// What is filed.
    pub filed: Vec<Filed>,
    /// What is not, with why.
    pub failed: Vec<String>,
}

impl FileArguments {
    /// Files the findings of `command`, if that is wanted.
    pub fn file(
        &self,
        context: &Context,
        site: &Site,
        (host, user): (&str, Option<&str>),
        command: &str,
        findings: &[Finding],
    ) -> Result<Outcome> {
        if !self.file {
            return Ok(Outcome::default());
        }
        let login = login(context, user)?;
        let own = site.owners().of(Layer::Application);
        let follow_ups = FollowUp::of_findings(findings, command, host, own);
        if follow_ups.is_empty() {
            context.printer.note("nothing was filed: no finding is another owner's");
        }
        let (filed, unfiled) = block_on(file_all(context, site, host, &login, &follow_ups))??;
        Ok(Outcome { filed, failed: unfiled })
    }
}

impl Outcome {
    /// Ends with an error where something could not be filed.
    pub fn end(&self) -> Result<()> {
        match self.failed.first() {
            None => Ok(()),
            Some(why) => Err(Failure::new(Exit::Failed, why.clone())
                .hint("what was found is shown all the same; give the command again when that is mended")),
        }
    }
}

/// The issues, for a person.
pub fn shown(filed: &[Filed]) -> String {
    filed.iter().fold(String::new(), |mut text, one| {
        let before = if one.was_there { " (it was open already)" } else { "" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\nfiled in {}{before}: {}\n  {}", one.repository, one.title, one.url);
        text
    })
}

/// The account that files.
pub fn login(context: &Context, user: Option<&str>) -> Result<Credentials> {
    account(context, user)?.ok_or_else(|| {
        Failure::new(Exit::Usage, "nobody says who asks the forge")
            .hint("name the account with --user, and put its token into RAILHEAD_TOKEN")
    })
}

/// The forge of a site: where Git is.
pub fn forge(context: &Context, site: &Site, host: &str) -> Result<Http> {
    let origin: Origin = match &site.release.git {
        Some(origin) => origin.clone(),
        None => format!("https://{host}").parse().map_err(|error| Failure::of(Exit::Usage, &error))?,
    };
    let mut route = Route::new("git", origin);
    route.ca = path(context, context.common.ca.as_ref(), "RAILHEAD_CA");
    let trust = route.is_tls().then(|| Trust::system(route.ca.as_deref())).transpose()?;
    Ok(Http::over(&route, trust, PATIENCE))
}

/// Files all of them: what was filed, and what could not be, with why.
pub async fn file_all(
    context: &Context,
    site: &Site,
    host: &str,
    account: &Credentials,
    follow_ups: &[FollowUp],
) -> Result<(Vec<Filed>, Vec<String>)> {
    let http = forge(context, site, host)?;
    let desk = Desk { http: &http, account, organisation: site.owner.as_deref(), host };
    let (mut filed, mut unfiled) = (Vec::new(), Vec::new());
    for follow_up in follow_ups {
        match desk.file(follow_up).await {
            Ok(one) => filed.push(one),
            Err(why) => unfiled.push(format!("'{}' was not filed: {why}", follow_up.title)),
        }
    }
    Ok((filed, unfiled))
}
