//! `railhead handoff`: writes the page that another team needs, or checks one.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use railhead_client::hops::Route;
use railhead_oci::RepositoryName;
use railhead_operate::handoff::{Check, CheckResult, Facts, last, page};
use railhead_operate::prove::{Outcome, Step, Target};
use railhead_operate::{Archive, Evidence, Kind, Secrets, write_whole};
use serde::Serialize;

use super::Context;
use super::operator::{account, block_on, keep, path, site_of, warn_of_plain};
use crate::failure::{Exit, Failure, Result};

/// Write the page that another team needs, from the last proof, or check that it is still true
///
/// The page says how images are named, how to log in, who may pull, what has to be trusted, and whom to ask. It comes from
/// the last `prove --keep` and from the site file. With --check, every fact of a page is tried again.
#[derive(Debug, Args)]
#[expect(clippy::doc_markdown, reason = "it is the text of --help")]
pub struct Handoff {
    /// The registry, or an image of it; without it, the site file's, or the last that was proven
    #[arg(value_name = "HOST[/OWNER/IMAGE]", conflicts_with = "check")]
    subject: Option<Subject>,
    /// Write the page to this file instead of standard output
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    out: Option<PathBuf>,
    /// Replace a file that is no handoff page
    #[arg(long, requires = "out")]
    force: bool,
    /// Check the page in this file
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
    /// Check by this way instead of the page's, as in pod=http://git.example.com,connect=10.0.0.7:3000
    #[arg(long, value_name = "NAME=URL[,connect=ADDRESS:PORT][,ca=FILE]", requires = "check")]
    route: Option<Route>,
    /// Log in as this account, with the token in RAILHEAD_TOKEN; needed where not everybody may pull
    #[arg(long, value_name = "NAME", requires = "check")]
    user: Option<String>,
}

/// A host, or an image of it.
#[derive(Clone, Debug)]
struct Subject {
    host: String,
    repository: Option<RepositoryName>,
}

impl FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.contains('/') {
            return Ok(Self { host: text.to_ascii_lowercase(), repository: None });
        }
        let target: Target =
            text.parse().map_err(|error: railhead_operate::prove::TargetError| error.to_string())?;
        Ok(Self { host: target.host, repository: Some(target.repository) })
    }
}

/// A check for programs.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    result: &'a CheckResult,
    /// Whether all is true.
    ok: bool,
    /// Where the evidence is.
    evidence: PathBuf,
}

impl Handoff {
    /// Runs it.
    pub fn run(self, context: &Context) -> Result<()> {
        match &self.check {
            Some(file) => self.check(context, file),
            None => self.write(context),
        }
    }

    fn write(&self, context: &Context) -> Result<()> {
        let site = context.site()?;
        let host = self.subject.as_ref().map(|subject| subject.host.clone()).or_else(|| site.host.clone());
        let repository = self.subject.as_ref().and_then(|subject| subject.repository.as_ref());
        let (file, proof) = last(&Archive::new(&site.evidence), host.as_deref(), repository)?;
        let site = site_of(context, &proof.host)?;
        let facts = Facts::new(&site, &proof, &file)?;
        let text = page(&facts)?;
        let evidence = Evidence::new(Kind::Handoff, &facts.host, true, &facts)?;
        if let Some(out) = &self.out {
            self.may_replace(out)?;
            write_whole(out, text.as_bytes())?;
            context.printer.note(&format!("the page is in {}", out.display()));
        }
        keep(&site, &evidence, &Secrets::default())?;
        match (&self.out, context.printer.is_json()) {
            (None, false) => context.printer.raw(&text),
            (Some(_), false) => Ok(()),
            (_, true) => context.printer.data(&facts, String::new),
        }
    }

    /// A page may be written again; what somebody else wrote stays.
    fn may_replace(&self, out: &std::path::Path) -> Result<()> {
        let is_page = match std::fs::read_to_string(out) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
            Ok(text) => Facts::of_page(&text).is_ok(),
            Err(_) => false,
        };
        if is_page || self.force {
            return Ok(());
        }
        let message = format!("{} is there, and is no handoff page", out.display());
        Err(Failure::new(Exit::Conflict, message).hint("choose another name, or replace it with --force"))
    }

    fn check(&self, context: &Context, file: &std::path::Path) -> Result<()> {
        let text = std::fs::read_to_string(file).map_err(|error| {
            Failure::new(Exit::NotFound, format!("cannot read the page {}", file.display()))
                .because(&error)
                .hint("`railhead handoff --out FILE` writes one")
        })?;
        let facts = Facts::of_page(&text)?;
        let site = site_of(context, &facts.host)?;
        let account = account(context, self.user.as_deref())?;
        let secrets = Secrets::new(account.iter().map(|one| (one.user.as_str(), &one.secret)));
        let mut route = self.route.clone().map_or_else(|| facts.route(), Ok)?;
        if route.is_tls() && route.ca.is_none() {
            route.ca = path(context, context.common.ca.as_ref(), "RAILHEAD_CA");
        }
        if account.is_some() {
            warn_of_plain(context, std::slice::from_ref(&route));
        }
        let printer = context.printer;
        let mut told = Ok(());
        let mut watch = |fact: &Step| {
            if !printer.is_json() && told.is_ok() {
                told = printer.raw(&format!("{fact}\n"));
            }
        };
        let check = Check { facts: &facts, text: &text, site: &site, route: Some(route), account };
        let result = block_on(check.run(&mut watch))??;
        told?;
        let names =
            |outcome| result.of(outcome).map(|fact| fact.name.as_str()).collect::<Vec<_>>().join(", ");
        let (untrue, untried) = (names(Outcome::Failed), names(Outcome::NotTried));
        let ok = untrue.is_empty();
        let evidence = Evidence::new(Kind::HandoffCheck, &facts.host, ok, &result)?;
        let evidence = keep(&site, &evidence, &secrets)?;
        let shown = Shown { result: &result, ok, evidence: evidence.clone() };
        let words = match (ok, untried.as_str()) {
            (false, _) => "not true any more".to_owned(),
            (true, "") => "true".to_owned(),
            (true, untried) => format!("true, apart from what was not tried ({untried})"),
        };
        printer.data(&shown, || format!("{words}: {}\nevidence: {}\n", facts.image(), evidence.display()))?;
        if ok {
            return Ok(());
        }
        let message = format!("the page {} is not true any more: {untrue}", file.display());
        Err(Failure::new(Exit::Failed, message)
            .hint("mend it, or prove the registry again and write the page anew"))
    }
}
