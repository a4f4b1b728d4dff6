//! `railhead pull-secret verify`

use std::path::PathBuf;

use clap::Args;
use railhead_client::hops::Route;
use railhead_operate::prove::Step;
use railhead_operate::pull_secret::{Check, CheckResult, ImageName};
use railhead_operate::{Evidence, Kind, Secrets};
use serde::Serialize;

use super::file::Found;
use super::{ended, way};
use crate::commands::Context;
use crate::commands::operator::{block_on, keep, site_of};
use crate::failure::Result;

/// Pull with a Secret as a kubelet does, and say when its token ends
///
/// Takes the entries of the Secret that match the image by a kubelet's rules, and pulls the manifest and a blob with them. The
/// file may be encrypted by sops. With --file - the Secret comes from standard input, as in `kubectl -n team get secret
/// registry-pull -o yaml | railhead pull-secret verify git.example.com/team/app --file -`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The image, as it stands in a pod
    #[arg(value_name = "HOST/OWNER/IMAGE[:TAG][@DIGEST]")]
    image: ImageName,
    /// The file with the Secret; without it, the site file's
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The Secret, if the file has several
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Pull by this way
    #[arg(long, value_name = "NAME=URL[,connect=ADDRESS:PORT][,ca=FILE]")]
    route: Option<Route>,
}

/// A check for programs.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    result: &'a CheckResult,
    /// Whether a kubelet could pull.
    ok: bool,
    /// Where the evidence is.
    evidence: PathBuf,
}

impl Verify {
    /// Runs it.
    pub fn run(self, context: &Context) -> Result<()> {
        let own = context.site()?;
        let host = &self.image.host;
        let site = site_of(context, host)?;
        let found = Found::read(context, self.file.as_deref(), &own.cluster, self.name.as_deref())?;
        let route = way(context, self.route.as_ref(), &site, host)?;
        let printer = context.printer;
        let mut shown = Ok(());
        let mut watch = |step: &Step| {
            if !printer.is_json() && shown.is_ok() {
                shown = printer.raw(&format!("{step}\n"));
            }
        };
        let check = Check {
            host,
            image: Some(&self.image),
            secret: Some(&found.manifest),
            login: None,
            route: &route,
            site: &site,
        };
        let result = block_on(check.run(&mut watch))??;
        shown?;
        let failed = result.failed();
        let ok = failed.is_none();
        // A Secret that cannot be read has no secrets that could be told.
        let entries = found.manifest.entries().unwrap_or_default();
        let logins = entries.iter().filter_map(|entry| entry.login.as_ref());
        let secrets = Secrets::new(logins.map(|login| (login.user.as_str(), &login.secret)));
        let evidence = keep(&site, &Evidence::new(Kind::PullSecretCheck, host, ok, &result)?, &secrets)?;
        let words = if ok { "pulls" } else { "does not pull" };
        let name = found.manifest.name();
        let shown = Shown { result: &result, ok, evidence: evidence.clone() };
        printer.data(&shown, || {
            format!("the Secret {name} {words} {}\nevidence: {}\n", self.image, evidence.display())
        })?;
        let Some(step) = failed else { return Ok(()) };
        let message = format!("the Secret '{name}' does not pull {}: {}", self.image, step.detail);
        let failure = ended(&result, &message);
        Err(match step.name.as_str() {
            "entry" => failure.hint("the server of an entry is written as in the image's name, with its port; \
                                     `railhead pull-secret create` makes a right one"),
            "route" => failure.hint(format!("`railhead doctor {host}` says why, and who has to act")),
            "login" => failure.hint(
                "`railhead pull-secret rotate` puts a new token in; until then public images cannot be pulled with it either",
            ),
            _ => failure.hint("give the account the right to read there, or use another account's token"),
        })
    }
}
