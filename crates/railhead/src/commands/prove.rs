//! `railhead prove`: shows that a registry does what a team needs of it.
//!
//! Order: the plan (target, site file, flags, image), the proof, the evidence, how it ended.

use std::path::{Path, PathBuf};

use clap::Args;
use railhead_client::Credentials;
use railhead_client::hops::Route;
use railhead_oci::Tag;
use railhead_operate::image::{Image, from_program, random};
use railhead_operate::prove::{Plan, Program, Proof, Step, Target, Verdict, prove, secrets_of};
use railhead_operate::{Evidence, Kind, Site, Visibility};
use serde::Serialize;

use super::Context;
use super::operator::{account, block_on, keep, path, routes, site_of, warn_of_plain};
use crate::config::read_secret;
use crate::failure::{Exit, Failure, Result};

/// Show that login, push and pull work, and that only those can who may
///
/// Pushes a small image that is made on the spot, pulls it by tag and by digest, compares every byte, tries it without a
/// login and with a wrong token, and removes it again. The account's token comes from RAILHEAD_TOKEN or --token-file.
/// Without --route the routes are those of the site file, or https; the first is pushed to, all are pulled from.
#[derive(Debug, Args)]
pub struct Prove {
    /// The image to push, as in git.example.com/team/app; without a tag, one of its own
    #[arg(value_name = "HOST/OWNER/IMAGE[:TAG]")]
    target: Target,
    /// A way to the registry, as in pod=http://git.example.com,connect=10.0.0.7:3000; repeat it for others
    #[arg(long = "route", value_name = "NAME=URL[,connect=ADDRESS:PORT][,ca=FILE]")]
    routes: Vec<Route>,
    /// Log in as this account
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Read a token that may not push from this file [variable: RAILHEAD_TOKEN_READONLY]
    #[arg(long, value_name = "FILE")]
    readonly_token_file: Option<PathBuf>,
    /// Everybody is meant to be able to pull
    #[arg(long, conflicts_with = "private")]
    public: bool,
    /// Nobody is meant to pull without a login
    #[arg(long)]
    private: bool,
    /// Push this image of docker or podman, or of an archive or OCI layout at this path, instead of a made one
    #[arg(long, value_name = "NAME|PATH")]
    image: Option<String>,
    /// Which image of the archive, if it has several
    #[arg(long, value_name = "NAME", requires = "image")]
    image_name: Option<String>,
    /// Leave the image there, for the handoff
    #[arg(long)]
    keep: bool,
    /// Move the tag if it names something else
    #[arg(long)]
    replace: bool,
    /// Repeat login, push and pull with these programs: docker, podman, skopeo
    #[arg(long, value_name = "PROGRAM", value_delimiter = ',')]
    with: Vec<Program>,
}

/// A proof for programs.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    proof: &'a Proof,
    /// Where the evidence is.
    evidence: PathBuf,
}

impl Prove {
    /// Runs it.
    pub fn run(self, context: &Context) -> Result<()> {
        let site = site_of(context, &self.target.host)?;
        let plan = self.plan(context, &site)?;
        if plan.account.is_some() {
            warn_of_plain(context, &plan.routes);
        }
        let printer = context.printer;
        let mut printed = Ok(());
        let mut watch = |step: &Step| {
            if !printer.is_json() && printed.is_ok() {
                printed = printer.raw(&format!("{step}\n"));
            }
        };
        for note in &plan.image.notes {
            printer.note(note);
        }
        let proof = block_on(prove(&plan, &mut watch))??;
        let ok = proof.verdict == Verdict::Proven;
        let versions = proof.server.iter().map(|server| ("server".to_owned(), server.clone()));
        let evidence = Evidence::new(Kind::Proof, &proof.host, ok, &proof)?.with_versions(versions);
        let evidence = keep(&site, &evidence, &secrets_of(&plan))?;
        printed?;
        printer.data(&Shown { proof: &proof, evidence: evidence.clone() }, || summary(&proof, &evidence))?;
        end(&proof)
    }

    fn plan(&self, context: &Context, site: &Site) -> Result<Plan> {
        let account = account(context, self.user.as_deref())?;
        let expected = match (self.public, self.private) {
            (true, _) => Some(Visibility::Public),
            (_, true) => Some(Visibility::Private),
            _ => site.visibility,
        };
        let (image, tag) = self.image()?;
        Ok(Plan {
            host: self.target.host.clone(),
            repository: self.target.repository.clone(),
            tag,
            routes: routes(context, &self.routes, site, &self.target.host)?,
            readonly: self.readonly(context, account.as_ref())?,
            account,
            expected,
            image,
            keep: self.keep,
            replace: self.replace,
            with: self.with.clone(),
        })
    }

    /// The token that may not push belongs to the same account, unless the registry does not look at names.
    fn readonly(&self, context: &Context, account: Option<&Credentials>) -> Result<Option<Credentials>> {
        let file = path(context, self.readonly_token_file.as_ref(), "RAILHEAD_TOKEN_READONLY_FILE");
        let secret = match (file, context.layers.variable("RAILHEAD_TOKEN_READONLY")) {
            (Some(file), _) => read_secret(&file)?,
            (None, Some(token)) => token.into(),
            (None, None) => return Ok(None),
        };
        let Some(account) = account else {
            return Err(Failure::new(Exit::Usage, "there is a token that may not push, and none that may")
                .hint("name the account with --user, and put its token into RAILHEAD_TOKEN"));
        };
        Ok(Some(Credentials { user: account.user.clone(), secret }))
    }

    fn image(&self) -> Result<(Image, Tag)> {
        let Some(name) = &self.image else {
            let failed = |error: &(dyn std::error::Error + 'static)| {
                Failure::new(Exit::Failed, "cannot make an image").because(error)
            };
            let (id, bytes) = random().map_err(|error| failed(&error))?;
            let image = Image::made(&id, &bytes).map_err(|error| failed(&error))?;
            let own = format!("railhead-proof-{id}").parse().map_err(|error| failed(&error))?;
            return Ok((image, self.target.tag.clone().unwrap_or(own)));
        };
        let Some(tag) = self.target.tag.clone() else {
            let message = format!("nobody says which tag {name} is to get");
            return Err(Failure::new(Exit::Usage, message).hint(format!("write {}:TAG", self.target)));
        };
        let file = Path::new(name);
        let image =
            if file.exists() { Image::at(file, self.image_name.as_deref()) } else { from_program(name) };
        Ok((image?, tag))
    }
}

fn summary(proof: &Proof, evidence: &Path) -> String {
    let digest = proof.digest.map_or_else(String::new, |digest| format!("@{digest}"));
    let verdict = match proof.verdict {
        Verdict::Proven => "proven",
        _ => "not proven",
    };
    let seconds = proof.millis as f64 / 1000.0;
    format!("{verdict}: {}{digest} in {seconds:.1} s\nevidence: {}\n", proof.image(), evidence.display())
}

fn end(proof: &Proof) -> Result<()> {
    let exit = match proof.verdict {
        Verdict::Proven => return Ok(()),
        Verdict::Failed => Exit::Failed,
        Verdict::Denied => Exit::Denied,
        Verdict::Unreachable => Exit::Unavailable,
        Verdict::Taken => Exit::Conflict,
    };
    let failed: Vec<&Step> = proof.failed().collect();
    let Some(first) = failed.first() else { return Ok(()) };
    let more = match failed.len() {
        1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    let route = first.route.as_ref().map_or_else(String::new, |route| format!(" on route {route}"));
    let message = format!("the proof failed at '{}'{route}{more}: {}", first.name, first.detail);
    let failure = Failure::new(exit, message);
    Err(match (first.name.as_str(), proof.verdict) {
        ("route", _) => {
            failure.hint(format!("`railhead doctor {}` says why, and who has to act", proof.host))
        }
        (_, Verdict::Denied) => failure
            .hint("the token needs the right to push there: on Gitea and Forgejo the scope write:package"),
        _ => failure,
    })
}
