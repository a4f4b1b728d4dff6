//! `railhead migrate`: moves all that a registry serves to another one, and compares.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use railhead_client::hops::Route;
use railhead_client::{Credentials, Patience};
use railhead_oci::RepositoryName;
use railhead_operate::migrate::{
    End, MigrateError, Moved, Plan, Progress, RepositoryMoved, Totals, Verdict, migrate,
};
use railhead_operate::{Evidence, Kind, Secrets, Site};
use secrecy::SecretString;
use serde::Serialize;

use super::Context;
use super::backup::{Watch, size};
use super::operator::{account_of, block_on, keep, path, routes};
use super::remote::{knowing_the_forge, reach};
use super::stop::Stop;
use crate::config::read_secret;
use crate::config::size::parse;
use crate::failure::{Exit, Failure, Result};
use crate::printer::{fields, table};

/// How long an answer may take to begin.
const TIMEOUT: Duration = Duration::from_mins(2);
/// How often a registry that is busy is asked again, and how long it may ask to be waited for.
const TRIES: u32 = 5;
/// See [`TRIES`].
const LONGEST: Duration = Duration::from_mins(15);
/// Differences that a person is shown.
const SHOWN: usize = 50;

/// Move all that a registry serves to another one, and compare digest by digest
#[derive(Debug, Args)]
#[expect(clippy::doc_markdown, reason = "it is the text of --help")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub struct Migrate {
    /// The registry that has the images
    #[arg(long, value_name = "HOST[:PORT]")]
    from: String,
    /// The registry that gets them; the owners have to be there
    #[arg(long, value_name = "HOST[:PORT]")]
    to: String,
    /// Only what these own; without any, all that the account may see
    #[arg(value_name = "OWNER")]
    owners: Vec<String>,
    /// Only this repository; can be repeated
    #[arg(long = "repository", value_name = "OWNER/IMAGE", conflicts_with = "owners")]
    repositories: Vec<RepositoryName>,
    /// Log in to the source as this account
    #[arg(long, value_name = "NAME")]
    from_user: Option<String>,
    /// Read its token from this file [variable: RAILHEAD_FROM_TOKEN]
    #[arg(long, value_name = "FILE")]
    from_token_file: Option<PathBuf>,
    /// A way to the source, as in pod=http://git.example.com,connect=10.0.0.7:3000
    #[arg(long = "from-route", value_name = "NAME=URL[,connect=ADDRESS:PORT][,ca=FILE]")]
    from_routes: Vec<Route>,
    /// Log in to the target as this account
    #[arg(long, value_name = "NAME")]
    to_user: Option<String>,
    /// Read its token from this file [variable: RAILHEAD_TO_TOKEN]
    #[arg(long, value_name = "FILE")]
    to_token_file: Option<PathBuf>,
    /// A way to the target
    #[arg(long = "to-route", value_name = "NAME=URL[,connect=ADDRESS:PORT][,ca=FILE]")]
    to_routes: Vec<Route>,
    /// Move tags of the target that name something else
    #[arg(long)]
    replace: bool,
    /// Copy private repositories also to where everybody sees them
    #[arg(long)]
    widen: bool,
    /// Have the target, a forge, link each with its Git repository of the same name
    #[arg(long)]
    link: bool,
    /// Read every blob of the target in the end, and hash it
    #[arg(long)]
    rehash: bool,
    /// Copy no more than so many bytes a second, as in 20MiB
    #[arg(long, value_name = "SIZE", value_parser = parse)]
    rate: Option<u64>,
    /// Ask each registry no more than so often a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    requests: Option<u32>,
    /// Copy so many blobs at the same time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=32))]
    parallel: u8,
}

/// A move for programs.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    moved: &'a Moved,
    /// Where the evidence is.
    evidence: &'a Path,
}

impl Migrate {
    /// Runs it.
    pub fn run(self, context: &Context) -> Result<()> {
        // On a forge's own host both have the same name, and only their ways differ.
        let (one, other) = (self.from_routes.first(), self.to_routes.first());
        let same_way = one.is_none() || other.is_none() || one == other;
        if self.from == self.to && same_way {
            return Err(Failure::new(Exit::Usage, format!("{} is both the source and the target", self.to)).hint(
                "a registry that is to be renamed keeps its images; to move between two registries of one host, give each its way by --from-route and --to-route",
            ));
        }
        let site = context.site()?;
        let from = Self::login(context, "FROM", self.from_user.as_deref(), self.from_token_file.as_ref())?;
        let to = Self::login(context, "TO", self.to_user.as_deref(), self.to_token_file.as_ref())?;
        let secrets = Secrets::new(from.iter().chain(&to).map(|one| (one.user.as_str(), &one.secret)));
        let plan = Plan {
            from: self.end(context, &site, &self.from, &self.from_routes, from)?,
            to: self.end(context, &site, &self.to, &self.to_routes, to)?,
            owners: self.owners,
            repositories: self.repositories,
            replace: self.replace,
            widen: self.widen,
            link: self.link,
            rehash: self.rehash,
            rate: self.rate,
            parallel: usize::from(self.parallel),
        };
        let watch = Watch::new(context.printer, "moved");
        let moved = block_on(async {
            let mut stop = Stop::listen()?;
            let watch = |progress: &Progress| watch.say(|| told(progress));
            Ok::<_, Failure>(Box::pin(migrate(&plan, async || stop.wanted().await, &watch)).await?)
        })??;
        let ok = moved.verdict == Verdict::Equal;
        let evidence = Evidence::new(Kind::Migration, &moved.to, ok, &moved)?;
        let evidence = keep(&site, &evidence, &secrets)?;
        context.printer.data(&Shown { moved: &moved, evidence: &evidence }, || summary(&moved, &evidence))?;
        end(&moved)
    }

    /// Who logs in at one end: its account, with the token of its file or variable.
    fn login(
        context: &Context,
        end: &str,
        user: Option<&str>,
        file: Option<&PathBuf>,
    ) -> Result<Option<Credentials>> {
        let variable = format!("RAILHEAD_{end}_TOKEN");
        let secret: Option<SecretString> = match path(context, file, &format!("{variable}_FILE")) {
            Some(file) => Some(read_secret(&file)?),
            None => context.layers.variable(&variable).map(Into::into),
        };
        let flag = end.to_ascii_lowercase();
        account_of(
            user,
            secret,
            &format!("{variable}, or name a file with --{flag}-token-file"),
            &format!("--{flag}-user"),
        )
    }

    /// A patient client of one end. The site file's routes are used for the registry whose site it is.
    fn end(
        &self,
        context: &Context,
        site: &Site,
        host: &str,
        flags: &[Route],
        account: Option<Credentials>,
    ) -> Result<End> {
        let own = site.host.as_deref() == Some(host);
        let none = Site::default();
        let routes = routes(context, flags, if own { site } else { &none }, host)?;
        let client = reach(&routes, account, TIMEOUT)?;
        let client =
            knowing_the_forge(context, client, if own { site } else { &none }, host, routes.first())?;
        let client = client.patient(Patience::new(TRIES, LONGEST, self.requests));
        Ok(End { host: host.to_owned(), client })
    }
}

fn told(progress: &Progress) -> String {
    let Progress { repositories, of, blobs, bytes } = progress;
    format!("{repositories} of {of} repositories moved; {blobs} blobs looked at, {} copied", size(*bytes))
}

/// What a person sees: the sums, each repository, and what is not equal.
fn summary(moved: &Moved, evidence: &Path) -> String {
    let Totals { tags, equal_tags, manifests, equal_manifests, blobs, equal_blobs, .. } = moved.totals;
    let Totals { there_blobs, mounted_blobs, copied_blobs, copied_bytes, .. } = moved.totals;
    let verdict = match moved.verdict {
        Verdict::Equal => "equal",
        Verdict::Different => "not equal",
        Verdict::BrokenOff => "broken off",
        Verdict::Interrupted => "interrupted",
    };
    let mut text = fields(&[
        ("moved", format!("{} to {}", moved.from, moved.to)),
        ("verdict", verdict.to_owned()),
        (
            "equal",
            format!(
                "{equal_tags} of {tags} tags, {equal_manifests} of {manifests} manifests, {equal_blobs} of {blobs} blobs"
            ),
        ),
        (
            "blobs",
            format!(
                "{copied_blobs} copied ({}), {mounted_blobs} mounted, {there_blobs} there",
                size(copied_bytes)
            ),
        ),
        ("took", format!("{:.1} s", moved.millis as f64 / 1000.0)),
        ("evidence", evidence.display().to_string()),
    ]);
    let rows: Vec<_> = moved.repositories.iter().map(row).collect();
    let _ =
        write!(text, "\n{}", table(&["REPOSITORY", "TAGS", "MANIFESTS", "BLOBS", "SEEN BY", "EQUAL"], &rows));
    for name in &moved.left {
        let _ = writeln!(text, "not looked at: {name}");
    }
    let differences: Vec<Vec<String>> = moved
        .differences()
        .take(SHOWN)
        .map(|(name, one)| vec![name.to_string(), one.what.clone(), one.why.clone()])
        .collect();
    if !differences.is_empty() {
        let _ = write!(text, "\n{}", table(&["REPOSITORY", "NOT EQUAL", "WHY"], &differences));
    }
    let more = moved.differences().count().saturating_sub(SHOWN);
    if more > 0 {
        let _ = writeln!(text, "and {more} more, in the evidence");
    }
    for note in &moved.notes {
        let _ = writeln!(text, "note: {note}");
    }
    for (repository, note) in
        moved.repositories.iter().flat_map(|one| one.notes.iter().map(move |note| (&one.name, note)))
    {
        let _ = writeln!(text, "note: {repository}: {note}");
    }
    text
}

fn row(repository: &RepositoryMoved) -> Vec<String> {
    let RepositoryMoved { name, tags, manifests, blobs, visibility, differences, .. } = repository;
    let seen = match visibility.map(|seen| seen.to.unwrap_or(seen.from)) {
        Some(railhead_operate::migrate::Seen::Public) => "everybody",
        Some(railhead_operate::migrate::Seen::Private) => "members",
        None => "-",
    };
    vec![
        name.to_string(),
        tags.len().to_string(),
        manifests.len().to_string(),
        blobs.len().to_string(),
        seen.to_owned(),
        if differences.is_empty() { "yes" } else { "no" }.to_owned(),
    ]
}

/// How it ended.
fn end(moved: &Moved) -> Result<()> {
    let count = moved.differences().count();
    let again = "give the same command again: it goes on where it was";
    Err(match moved.verdict {
        Verdict::Equal => return Ok(()),
        Verdict::Different => Failure::new(
            Exit::Failed,
            format!("{} does not have the same as {}: {count} differences", moved.to, moved.from),
        )
        .hint("mend what each of them says, and give the same command again"),
        Verdict::BrokenOff => {
            let why = moved.ended.as_deref().unwrap_or("a registry does not answer any more");
            Failure::new(Exit::Unavailable, format!("the move was broken off: {why}")).hint(again)
        }
        Verdict::Interrupted => Failure::new(Exit::Failed, "the move was interrupted").hint(again),
    })
}

impl From<MigrateError> for Failure {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Client(error) => error.into(),
            MigrateError::Login { .. } => Self::of(Exit::Denied, &error)
                .hint("give the account with --from-user or --to-user and a token that may read there, and write here: for Gitea and Forgejo the scopes read:package and write:package"),
            MigrateError::NoList(_) => {
                Self::of(Exit::NotFound, &error).hint("name those that are meant with --repository")
            }
            MigrateError::Nothing(_) => {
                Self::of(Exit::NotFound, &error).hint("check the names of the owners, and whose token it is")
            }
        }
    }
}
