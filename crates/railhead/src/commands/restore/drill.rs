//! `railhead restore --drill`: a restore that is tried before it is needed.
//!
//! Order: restore to scratch, start a registry on it on loopback, pull manifests and blobs by digest with a registry's client,
//! compare every byte, keep evidence. Nothing of it stays but the evidence. A backup without a single image shows nothing, and
//! a drill of it says so: it is no success.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};

use railhead_access::Access;
use railhead_backup::{Only, Progress, Restored, Snapshot, Vault};
use railhead_catalog::{Catalog, RepositoryFilter, RepositoryId};
use railhead_client::{Credentials, Http, Origin, Registry};
use railhead_oci::{Digest, Manifest, RepositoryName, Tag};
use railhead_operate::{Evidence, Kind};
use railhead_server::{AccessLog, Listeners, LogFormat, Server};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::into;
use crate::commands::Context;
use crate::commands::backup::{Watch, lost_lines, size, tell_of_evidence};
use crate::config::{Config, Values};
use crate::failure::{Exit, Failure, Result};
use crate::printer::fields;
use crate::site::Site;

/// How long an answer of the restored registry may take.
const TIMEOUT: Duration = Duration::from_mins(1);
/// Repositories and tags that are listed in one step.
const PAGE: u32 = 1000;
/// The account that pulls; it is only in the scratch copy.
const PULLER: &str = "railhead-drill";

/// How many tags are pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// So many, spread over all repositories.
    Some(usize),
    /// All.
    All,
}

impl FromStr for Sample {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            number => match number.parse() {
                Ok(count) if count > 0 => Ok(Self::Some(count)),
                _ => Err("write a number of tags, at least 1, or all".to_owned()),
            },
        }
    }
}

/// A drill.
pub struct Drill<'a> {
    pub vault: &'a Vault,
    pub snapshot: &'a Snapshot,
    pub only: Only,
    pub sample: Sample,
    pub scratch: Option<PathBuf>,
}

/// What a drill came to; the content of its evidence.
#[derive(Debug, Serialize)]
struct Drilled {
    /// Where the backup is.
    place: String,
    /// When it was made.
    backup_time: jiff::Timestamp,
    /// What it shows.
    outcome: Outcome,
    /// What the restore came to.
    restored: Restored,
    /// What was pulled.
    pulled: Pulled,
    /// How long all of it took.
    millis: u64,
}

/// What a drill shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    /// The backup would bring back what was tried.
    Passed,
    /// It would not.
    Failed,
    /// There is no image in it.
    NothingToPull,
}

impl Outcome {
    fn of(restored: &Restored, pulled: &Pulled) -> Self {
        if !restored.lost.is_empty() || !pulled.failed.is_empty() {
            Self::Failed
        } else if pulled.manifests == 0 {
            Self::NothingToPull
        } else {
            Self::Passed
        }
    }
}

/// What was pulled.
#[derive(Debug, Default, Serialize)]
struct Pulled {
    /// Tags there are.
    of_tags: u64,
    /// Tags that were pulled.
    tags: u64,
    /// Manifests that were pulled by digest alone, as no tag that was pulled leads to them.
    untagged: u64,
    /// Manifests there are.
    of_manifests: u64,
    /// Manifests that were pulled, each once; children of indexes among them.
    manifests: u64,
    /// Blobs, each once.
    blobs: u64,
    /// Bytes of them all.
    bytes: u64,
    /// What could not be pulled, and why.
    failed: Vec<String>,
    /// How long it took.
    millis: u64,
}

impl Drill<'_> {
    pub async fn run(self, context: &Context) -> Result<()> {
        let from = Instant::now();
        let scratch = self.scratch.clone().unwrap_or_else(std::env::temp_dir);
        let home =
            tempfile::Builder::new().prefix("railhead-drill-").tempdir_in(&scratch).map_err(|error| {
                Failure::new(
                    Exit::Failed,
                    format!("cannot make a scratch directory in {}", scratch.display()),
                )
                .because(&error)
            })?;
        let config = scratch_config(home.path())?;
        let watch = Watch::new(context.printer, "restored");
        let tell = |progress: &Progress| watch.tell(progress);
        let restored = into(&config, self.vault, self.snapshot, self.only.clone(), &tell).await?;
        let pulled = serve_and_pull(&config, self.sample).await?;
        let drilled = Drilled {
            place: self.vault.place(),
            backup_time: self.snapshot.time,
            outcome: Outcome::of(&restored, &pulled),
            restored,
            pulled,
            millis: from.elapsed().as_millis() as u64,
        };
        let ok = drilled.outcome == Outcome::Passed;
        let evidence = Evidence::new(Kind::Drill, self.snapshot.source.name(), ok, &drilled)?;
        tell_of_evidence(context, &evidence)?;
        context.printer.data(&drilled, || shown(&drilled))?;
        end(&drilled)
    }
}

fn end(drilled: &Drilled) -> Result<()> {
    match drilled.outcome {
        Outcome::Passed => Ok(()),
        Outcome::Failed => {
            let lost = drilled.restored.lost.len() + drilled.pulled.failed.len();
            let message = format!("the drill found {lost} things that this backup would not bring back");
            Err(Failure::new(Exit::Failed, message)
                .hint("`railhead backup verify` names the damaged files; make a new backup as long as the registry is there"))
        }
        Outcome::NothingToPull => Err(Failure::new(
            Exit::NotFound,
            "there is no image in this backup, so the drill has shown nothing",
        )
        .hint("is it the backup of the right registry? `railhead backup list` shows what each backup has")),
    }
}

/// The configuration of the scratch copy: the defaults, in a directory of its own.
fn scratch_config(home: &std::path::Path) -> Result<Config> {
    let mut layers = crate::config::Layers::default();
    layers.flags.push(("data", vec![home.join("data").display().to_string()]));
    let config = Config::of(&Values::read(&layers)?)?;
    std::fs::create_dir(&config.data)
        .map_err(|error| Failure::new(Exit::Failed, "cannot make the scratch directory").because(&error))?;
    Ok(config)
}

async fn serve_and_pull(config: &Config, sample: Sample) -> Result<Pulled> {
    let failed = |what: &'static str| {
        move |error: &(dyn std::error::Error + 'static)| Failure::new(Exit::Failed, what).because(error)
    };
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .map_err(|error| failed("cannot listen on loopback")(&error))?;
    let address = listener.local_addr().map_err(|error| failed("cannot listen on loopback")(&error))?;
    let site = Site::open(config).await?;
    let credentials = puller(&site.access).await?;
    let (log, writer) = AccessLog::start(LogFormat::Json, std::io::sink())
        .map_err(|error| failed("cannot start the log of the scratch registry")(&error))?;
    let settings = railhead_server::Settings {
        hosts: railhead_server::Hosts::default(),
        shutdown: Duration::ZERO,
        upload_life: Duration::from_hours(1),
        // A drill is over before a round would begin.
        scrub: railhead_upkeep::scrub::Settings { round: Duration::ZERO, ..Default::default() },
        sweep: false,
        collect_every: None,
        rules: railhead_retention::Rules::default(),
        retain_every: None,
        retain_look: Duration::from_hours(1),
    };
    let server = Server::new(site.access.clone(), site.registry.clone(), settings, log);
    let (stop, stopped) = watch::channel(false);
    let listeners = Listeners { tcp: vec![listener], certificates: None, control: None };
    let serving = tokio::spawn(async move { server.run(listeners, stopped).await });
    let origin: Origin = format!("http://{address}")
        .parse()
        .map_err(|error| failed("cannot reach the scratch registry")(&error))?;
    let client = Registry::new(Http::new(origin, None, TIMEOUT), Some(credentials));
    let pulled = pull(&site, &client, sample).await;
    stop.send_replace(true);
    // It has nothing left to do; how it ends changes nothing.
    let _ = serving.await;
    drop(writer);
    site.close().await?;
    pulled
}

/// An account that may pull everything of the scratch copy.
async fn puller(access: &Access) -> Result<Credentials> {
    let failed = |error: railhead_access::Error| {
        Failure::new(Exit::Failed, "cannot make an account in the scratch registry").because(&error)
    };
    let by = access.operator_actor();
    access.create_user(&by, PULLER, None, true).await.map_err(failed)?;
    let scope = "pull".parse().map_err(|_| Failure::new(Exit::Failed, "the scope pull is unknown"))?;
    let (_, secret) = access.create_token(&by, PULLER, "drill", &[scope], None).await.map_err(failed)?;
    Ok(Credentials { user: PULLER.to_owned(), secret })
}

async fn pull(site: &Site, client: &Registry, sample: Sample) -> Result<Pulled> {
    let from = Instant::now();
    let there = There::read(site.registry.catalog())
        .await
        .map_err(|error| Failure::new(Exit::Failed, "cannot list what was restored").because(&error))?;
    let mut pull =
        Pull { client, pulled: Pulled::default(), manifests: BTreeSet::new(), blobs: BTreeSet::new() };
    pull.pulled.of_tags = there.tags.values().map(|tags| tags.len() as u64).sum();
    pull.pulled.of_manifests = there.manifests.values().map(|all| all.len() as u64).sum();
    let chosen = choose(&there.tags, sample);
    let left = match sample {
        Sample::All => usize::MAX,
        Sample::Some(most) => most - chosen.len(),
    };
    for (repository, tag, digest) in chosen {
        pull.pulled.tags += 1;
        if let Err(what) = pull.image(repository, digest).await {
            pull.pulled.failed.push(format!("{repository}:{tag}: {what}"));
        }
    }
    let all = there.manifests.iter().flat_map(|(name, all)| all.iter().map(move |digest| (name, digest)));
    for (repository, digest) in all {
        if pull.pulled.untagged == left as u64 {
            break;
        }
        if pull.has(repository, digest) {
            continue;
        }
        pull.pulled.untagged += 1;
        if let Err(what) = pull.image(repository, digest).await {
            pull.pulled.failed.push(format!("{repository}@{digest}: {what}"));
        }
    }
    let mut pulled = pull.pulled;
    pulled.manifests = pull.manifests.len() as u64;
    pulled.blobs = pull.blobs.len() as u64;
    pulled.millis = from.elapsed().as_millis() as u64;
    Ok(pulled)
}

type Tags = BTreeMap<RepositoryName, Vec<(Tag, Digest)>>;

/// What was restored.
#[derive(Default)]
struct There {
    tags: Tags,
    manifests: BTreeMap<RepositoryName, Vec<Digest>>,
}

impl There {
    async fn read(catalog: &Catalog) -> railhead_catalog::Result<Self> {
        let (mut there, mut after) = (Self::default(), None::<String>);
        loop {
            let page = catalog.repositories(RepositoryFilter::default(), after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(there) };
            after = Some(last.name.to_string());
            for repository in page {
                let tags = tags(catalog, repository.id).await?;
                there.manifests.insert(repository.name.clone(), manifests(catalog, repository.id).await?);
                there.tags.insert(repository.name, tags);
            }
        }
    }
}

async fn tags(catalog: &Catalog, repository: RepositoryId) -> railhead_catalog::Result<Vec<(Tag, Digest)>> {
    let (mut tags, mut behind) = (Vec::new(), None::<String>);
    loop {
        let page = catalog.tags(repository, behind.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(tags) };
        behind = Some(last.name.to_string());
        tags.extend(page.into_iter().map(|tag| (tag.name, tag.digest)));
    }
}

async fn manifests(catalog: &Catalog, repository: RepositoryId) -> railhead_catalog::Result<Vec<Digest>> {
    let mut all: Vec<Digest> = Vec::new();
    loop {
        let page = catalog.manifests(repository, all.last(), PAGE).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page.into_iter().map(|manifest| manifest.digest));
    }
}

/// The tags that are pulled: one of each repository first, then another of each, from the end on.
fn choose(tags: &Tags, sample: Sample) -> Vec<(&RepositoryName, &Tag, &Digest)> {
    let most = match sample {
        Sample::All => usize::MAX,
        Sample::Some(most) => most,
    };
    let rounds = tags.values().map(Vec::len).max().unwrap_or(0);
    let round = |round: usize| {
        tags.iter().filter_map(move |(repository, tags)| {
            let (tag, digest) = tags.iter().rev().nth(round)?;
            Some((repository, tag, digest))
        })
    };
    (0..rounds).flat_map(round).take(most).collect()
}

/// A pull of many images.
struct Pull<'a> {
    client: &'a Registry,
    pulled: Pulled,
    /// Manifests that came with everything below them.
    manifests: BTreeSet<(RepositoryName, Digest)>,
    /// Blobs that came.
    blobs: BTreeSet<Digest>,
}

impl Pull<'_> {
    fn has(&self, repository: &RepositoryName, digest: &Digest) -> bool {
        self.manifests.contains(&(repository.clone(), *digest))
    }

    /// Pulls an image with everything below it; the client compares each digest.
    async fn image(&mut self, repository: &RepositoryName, digest: &Digest) -> Result<(), String> {
        let client = self.client;
        let mut waiting = vec![*digest];
        let mut seen = BTreeSet::new();
        while let Some(digest) = waiting.pop() {
            if self.has(repository, &digest) || !seen.insert(digest) {
                continue;
            }
            let answer =
                client.manifest(repository, &digest.to_string()).await.map_err(|error| error.to_string())?;
            let Some(answer) = answer else { return Err(format!("manifest {digest} is not served")) };
            self.pulled.bytes += answer.body.len() as u64;
            let manifest = Manifest::read(answer.header("content-type"), &answer.body)
                .map_err(|error| format!("manifest {digest}: {error}"))?;
            for blob in manifest.blobs {
                self.blob(repository, blob).await?;
            }
            for child in manifest.children {
                // A build cache lists blobs; a sparse index lists what is not there, as it did before the backup.
                let there = client.head_manifest(repository, &child.to_string()).await;
                if there.map_err(|error| error.to_string())?.is_some() {
                    waiting.push(child);
                } else if client.has_blob(repository, &child).await.map_err(|error| error.to_string())? {
                    self.blob(repository, child).await?;
                }
            }
        }
        self.manifests.extend(seen.into_iter().map(|digest| (repository.clone(), digest)));
        Ok(())
    }

    async fn blob(&mut self, repository: &RepositoryName, digest: Digest) -> Result<(), String> {
        if !self.blobs.contains(&digest) {
            let read = self.client.read_blob(repository, &digest, |_| ()).await;
            self.pulled.bytes += read.map_err(|error| error.to_string())?;
            self.blobs.insert(digest);
        }
        Ok(())
    }
}

fn shown(drilled: &Drilled) -> String {
    let Drilled { restored, pulled, .. } = drilled;
    let mut rows = super::rows(restored);
    rows.push((
        "pulled",
        format!(
            "{} of {} tags, {} untagged: {} of {} manifests, {} blobs, {} in {:.1} s",
            pulled.tags,
            pulled.of_tags,
            pulled.untagged,
            pulled.manifests,
            pulled.of_manifests,
            pulled.blobs,
            size(pulled.bytes),
            pulled.millis as f64 / 1000.0
        ),
    ));
    rows.push(("drill took", format!("{:.1} s", drilled.millis as f64 / 1000.0)));
    let mut text = fields(&rows) + &lost_lines(&restored.lost);
    for failed in &pulled.failed {
        text.extend(["not pulled: ", failed, "\n"]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_spread_over_the_repositories() {
        let digest = Digest::sha256(b"x");
        let tags = |names: &[&str]| names.iter().map(|name| (name.parse().unwrap(), digest)).collect();
        let all: Tags = [
            ("a/a".parse().unwrap(), tags(&["1", "2", "3"])),
            ("a/b".parse().unwrap(), tags(&["4"])),
            ("b/c".parse().unwrap(), tags(&[])),
        ]
        .into();
        let chosen = |sample| -> Vec<String> {
            choose(&all, sample)
                .into_iter()
                .map(|(repository, tag, _)| format!("{repository}:{tag}"))
                .collect()
        };
        assert_eq!(chosen(Sample::Some(3)), ["a/a:3", "a/b:4", "a/a:2"]);
        assert_eq!(chosen(Sample::All).len(), 4);
        assert_eq!("all".parse(), Ok(Sample::All));
        assert!("0".parse::<Sample>().is_err());
    }

    #[test]
    fn a_drill_that_pulled_nothing_is_no_success() {
        let mut restored = Restored { owners: 3, repositories: 1, ..Restored::default() };
        let mut pulled = Pulled::default();
        assert_eq!(Outcome::of(&restored, &pulled), Outcome::NothingToPull);
        pulled.failed.push("team/app@sha256:…: it is not served".to_owned());
        assert_eq!(Outcome::of(&restored, &pulled), Outcome::Failed);
        pulled = Pulled { manifests: 1, untagged: 1, ..Pulled::default() };
        assert_eq!(Outcome::of(&restored, &pulled), Outcome::Passed);
        restored.lost.push(railhead_backup::Lost::Blob {
            digest: Digest::sha256(b"x"),
            file: None,
            what: "missing".to_owned(),
        });
        assert_eq!(Outcome::of(&restored, &pulled), Outcome::Failed);
    }
}
