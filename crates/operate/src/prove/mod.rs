//! Proves that a registry does what a team needs of it, with an own client: nothing is taken on trust.
//!
//! | step | what it shows |
//! | --- | --- |
//! | `route` | the route leads to a registry, with a certificate that is trusted |
//! | `login` | the account is known |
//! | `wrong-token` | a wrong one is not |
//! | `tag` | the tag is free |
//! | `push blobs`, `push manifest` | the image can be pushed |
//! | `head`, `pull tag`, `pull digest`, `tags` | it is there as it was pushed, on every route |
//! | `referrer` | signatures and SBOMs can be attached |
//! | `anonymous pull` | who may pull is who is meant to |
//! | `readonly-token` | who may not push cannot |
//! | `docker login`, … | programs can do it too |
//! | `clean-up` | nothing remains |
//!
//! Invariants: a credential goes only where the certificate is trusted and the realm is no weaker than the route; what was
//! there before is there afterwards; a step that could not be tried says why, and never counts as shown.

pub(crate) mod access;
pub(crate) mod bench;
mod cleanup;
mod plan;
mod pull;
mod push;
mod record;
mod referrer;
pub(crate) mod walk;
mod with;

use std::time::Instant;

use jiff::Timestamp;
use railhead_oci::{Digest, Tag};

use self::bench::{Bench, Record, Seen, Trouble};
use self::push::Before;
use self::referrer::Referred;
use self::walk::Walked;
use crate::image::Source;
use crate::secrets::Secrets;

pub use plan::{Plan, Target, TargetError};
pub use record::{Features, HopTime, Item, Outcome, Proof, RouteFacts, Step, TlsFacts, TrustNeeded, Verdict};
pub use with::Program;

/// The secrets of a plan.
pub fn secrets_of(plan: &Plan) -> Secrets {
    Secrets::new(plan.account.iter().chain(&plan.readonly).map(|one| (one.user.as_str(), &one.secret)))
}

/// Proves what `plan` says, and tells `watch` of every step as it ends. What goes wrong with the registry is in the
/// proof; an error is what is wrong here, as a file of certificates that cannot be read.
pub async fn prove(plan: &Plan, watch: &mut dyn FnMut(&Step)) -> Result<Proof, railhead_client::Error> {
    let (since, started) = (Instant::now(), Timestamp::now());
    let mut record = Record { steps: Vec::new(), class: None, secrets: secrets_of(plan), watch };
    let mut found = Found::default();
    let walked = walk::walk(&plan.host, &plan.repository, &plan.routes).await?;
    note_routes(&mut record, &walked);
    if walked.first().is_some_and(|first| first.obstacle.is_none()) {
        let usable = plan.routes.iter().zip(&walked).filter(|(_, walked)| walked.obstacle.is_none());
        let bench = Bench::new(plan, &usable.map(|(route, _)| route).collect::<Vec<_>>())?;
        run(&bench, &mut record, &mut found).await;
    }
    let server = walked.iter().find_map(|walked| walked.server.clone());
    Ok(Proof {
        host: plan.host.clone(),
        repository: plan.repository.clone(),
        tag: plan.tag.clone(),
        digest: plan.image.root().filter(|_| found.is_pushed).map(|root| root.digest),
        source: plan.image.source.clone(),
        platforms: plan.image.platforms(),
        contents: contents(plan),
        account: plan.account.as_ref().map(|account| account.user.clone()),
        expected: plan.expected,
        visibility: found.visibility,
        routes: walked.into_iter().map(|walked| walked.facts).collect(),
        server,
        features: found.features,
        kept: plan.keep && found.is_pushed,
        started,
        millis: since.elapsed().as_millis() as u64,
        verdict: record.class.unwrap_or(Verdict::Proven),
        steps: record.steps,
    })
}

/// What the steps found beside their own outcome.
#[derive(Default)]
struct Found {
    is_pushed: bool,
    visibility: Option<crate::site::Visibility>,
    features: Features,
}

fn note_routes(record: &mut Record<'_>, walked: &[Walked]) {
    for one in walked {
        let facts = &one.facts;
        let checked = match &one.obstacle {
            None => {
                let tls = facts.tls.as_ref().map_or_else(String::new, |tls| {
                    format!(", {}, certificate until {:.10}", tls.version, tls.not_after.to_string())
                });
                let address = facts.address.as_deref().unwrap_or("no address");
                Ok(Seen::ok(format!("{} at {address}{tls}", facts.url)))
            }
            Some(obstacle) => {
                let class = if obstacle.is_unreachable { Verdict::Unreachable } else { Verdict::Failed };
                Err(Trouble::of(obstacle.what.clone(), class))
            }
        };
        record.note("route", Some(&facts.name), one.millis, checked);
    }
}

fn contents(plan: &Plan) -> Vec<Item> {
    let blobs = plan.image.blobs.iter();
    let blobs = blobs.map(|blob| Item { what: blob.what.clone(), digest: blob.digest, bytes: blob.size });
    let manifests = plan.image.manifests.iter().map(|manifest| Item {
        what: manifest
            .platform
            .as_ref()
            .map_or_else(|| "the index".to_owned(), |on| format!("the manifest for {on}")),
        digest: manifest.digest,
        bytes: manifest.bytes.len() as u64,
    });
    blobs.chain(manifests).collect()
}

/// Behind the push, and in vain without it.
const AFTER_PUSH: &[&str] =
    &["head", "pull tag", "pull digest", "tags", "referrer", "anonymous pull", "readonly-token"];

async fn run(bench: &Bench<'_>, record: &mut Record<'_>, found: &mut Found) {
    if !record.step("login", None, bench.login()).await {
        return;
    }
    record.step("wrong-token", None, bench.wrong_token()).await;
    let mut before = Before::default();
    if !record.step("tag", None, bench.before(&mut before)).await {
        return;
    }
    let mut made = Made::default();
    found.is_pushed = push(bench, record, &before, &mut made).await;
    if found.is_pushed {
        look(bench, record, found, &mut made).await;
    } else {
        record.skip(AFTER_PUSH, "the push failed");
    }
    clean_up(bench, record, found, &made).await;
}

/// What has to be removed in the end.
#[derive(Default)]
struct Made {
    /// Tags, and whatever they name.
    tags: Vec<Tag>,
    /// Parents before children.
    manifests: Vec<Digest>,
    /// Those that only show something, and never stay.
    passing: Vec<Digest>,
    passing_tags: Vec<Tag>,
}

async fn push(bench: &Bench<'_>, record: &mut Record<'_>, before: &Before, made: &mut Made) -> bool {
    if !record.step("push blobs", None, bench.push_blobs()).await {
        return false;
    }
    for manifest in &bench.plan.image.manifests {
        if !record.step("push manifest", None, bench.push_manifest(manifest)).await {
            return false;
        }
        if !before.manifests.contains(&manifest.digest) {
            made.manifests.insert(0, manifest.digest);
        }
    }
    if !before.tag {
        made.tags.push(bench.plan.tag.clone());
    }
    true
}

async fn look(bench: &Bench<'_>, record: &mut Record<'_>, found: &mut Found, made: &mut Made) {
    record.step("head", None, bench.heads()).await;
    for end in &bench.ends {
        let route = Some(end.route.name.as_str()).filter(|_| bench.ends.len() > 1);
        record.step("pull tag", route, bench.pull_tag(end)).await;
        record.step("pull digest", route, bench.pull_digest(end)).await;
    }
    record.step("tags", None, bench.tags()).await;
    if let Source::Made { id } = &bench.plan.image.source {
        let mut referred = Referred::default();
        record.step("referrer", None, bench.referrer(id, &mut referred)).await;
        made.passing.extend(referred.digest);
        found.features.referrers = referred.is_listed;
    } else {
        record.skip(&["referrer"], "a team's own image gets nothing attached");
    }
    let since = Instant::now();
    let anonymous = bench.anonymous().await;
    found.visibility = anonymous.as_ref().ok().map(|(visibility, _)| *visibility);
    let checked = anonymous.and_then(|(_, seen)| match seen.outcome {
        Outcome::Failed => Err(Trouble::new(seen.detail)),
        _ => Ok(seen),
    });
    record.note("anonymous pull", None, since.elapsed().as_millis() as u64, checked);
    record.step("readonly-token", None, bench.readonly_token()).await;
    for program in &bench.plan.with {
        if let Some(tag) = bench.repeat(record, *program).await {
            let pushed = bench.main().manifest(&bench.plan.repository, tag.as_str()).await;
            let digest = pushed.ok().flatten().map(|answer| Digest::sha256(&answer.body));
            let own = bench.plan.image.manifests.iter().map(|manifest| manifest.digest);
            made.passing.extend(digest.filter(|digest| own.into_iter().all(|own| own != *digest)));
            made.passing_tags.push(tag);
        }
    }
}

async fn clean_up(bench: &Bench<'_>, record: &mut Record<'_>, found: &mut Found, made: &Made) {
    let (mut tags, mut manifests) = (made.passing_tags.clone(), made.passing.clone());
    if bench.plan.keep {
        let kept = format!("{}/{}:{} is kept", bench.plan.host, bench.plan.repository, bench.plan.tag);
        record.note("keep", None, 0, Ok(Seen::ok(kept)));
    } else {
        tags.extend(made.tags.iter().cloned());
        manifests.extend(&made.manifests);
    }
    if tags.is_empty() && manifests.is_empty() {
        record.skip(&["clean-up"], "nothing was made that could be removed");
        return;
    }
    let mut can_delete = None;
    record.step("clean-up", None, bench.clean_up(&tags, &manifests, &mut can_delete)).await;
    found.features.delete = can_delete;
}
