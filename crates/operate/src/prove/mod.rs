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
//! | `anonymous push` | nobody may push without a login |
//! | `readonly-token` | who may not push cannot |
//! | `docker login`, … | programs can do it too |
//! | `node pull` | every node of the cluster can pull, and only with a pull secret what is private |
//! | `keep`, `clean-up` | the image stays because it is wanted, and nothing else does |
//!
//! Invariants: a credential goes only where the certificate is trusted and the realm is no weaker than the route; what was
//! there before is there afterwards, and what was made is removed, also when a step fails or somebody interrupts; a step that
//! could not be tried says why, and never counts as shown.

pub(crate) mod access;
pub(crate) mod bench;
mod cleanup;
mod made;
mod nodes;
mod plan;
mod pull;
mod push;
mod record;
mod referrer;
pub(crate) mod walk;
mod with;

use std::pin::pin;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use railhead_doctor::Software;

use self::bench::{Bench, Record, Seen, Trouble};
use self::cleanup::Cleaned;
use self::push::Before;
use self::walk::{Hindrance, Walked};
use crate::image::Source;
use crate::secrets::Secrets;
use crate::site::Visibility;

pub use nodes::{Cause, NodePull, Nodes};
pub use plan::{Plan, Target, TargetError};
pub use record::{Features, HopTime, Item, Outcome, Proof, RouteFacts, Step, TlsFacts, TrustNeeded, Verdict};
pub use with::Program;

/// How long an interrupted proof waits for the answer to a request that makes something.
const LAST_ANSWER: Duration = Duration::from_secs(5);

/// The secrets of a plan.
pub fn secrets_of(plan: &Plan) -> Secrets {
    Secrets::new(plan.account.iter().chain(&plan.readonly).map(|one| (one.user.as_str(), &one.secret)))
}

/// Proves what `plan` says, and tells `watch` of every step as it ends. What goes wrong with the registry is in the
/// proof; an error is what is wrong here, as a file of certificates that cannot be read.
///
/// Each call of `stop` ends when somebody wants the proof to end: after the first one it cleans up, after the second it does not.
pub async fn prove(
    plan: &Plan,
    mut stop: impl AsyncFnMut(),
    watch: &mut dyn FnMut(&Step),
) -> Result<Proof, railhead_client::Error> {
    let (since, started) = (Instant::now(), Timestamp::now());
    let mut record = Record { steps: Vec::new(), class: None, secrets: secrets_of(plan), watch };
    let mut found = Found::default();
    let walked = tokio::select! {
        biased;
        () = stop() => None,
        walked = walk::walk(&plan.host, &plan.repository, &plan.routes) => Some(walked?),
    };
    let is_stopped = walked.is_none();
    let walked = walked.unwrap_or_default();
    note_routes(&mut record, &walked);
    match walked.first().map(|first| &first.obstacle) {
        None if is_stopped => interrupted(&mut record, plan),
        Some(None) => on_usable_routes(plan, &walked, &mut stop, &mut record, &mut found).await?,
        _ => record.skip_rest(steps(plan), "the first route cannot be used"),
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
        nodes: found.nodes,
        programs: found.programs.into_iter().collect(),
        kept: found.is_kept,
        left: found.left,
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
    is_kept: bool,
    visibility: Option<Visibility>,
    features: Features,
    programs: Vec<(String, String)>,
    nodes: Vec<NodePull>,
    left: Vec<String>,
}

/// What is tried on usable routes, apart from the clean-up.
fn steps(plan: &Plan) -> impl Iterator<Item = &'static str> {
    let own = [
        "login",
        "wrong-token",
        "tag",
        "push blobs",
        "push manifest",
        "head",
        "pull tag",
        "pull digest",
        "tags",
        "referrer",
        "anonymous pull",
        "anonymous push",
        "readonly-token",
    ];
    let programs = plan.with.iter().map(|program| program.word());
    own.into_iter().chain(programs).chain(plan.nodes.iter().map(|_| nodes::NAME))
}

fn interrupted(record: &mut Record<'_>, plan: &Plan) {
    record.note("interrupted", None, 0, Err(Trouble::of("somebody ended the proof", Verdict::Interrupted)));
    record.skip_rest(steps(plan), "the proof was interrupted");
}

async fn on_usable_routes(
    plan: &Plan,
    walked: &[Walked],
    stop: &mut impl AsyncFnMut(),
    record: &mut Record<'_>,
    found: &mut Found,
) -> Result<(), railhead_client::Error> {
    let usable = plan.routes.iter().zip(walked).filter(|(_, walked)| walked.obstacle.is_none());
    let software: Option<Software> = walked.iter().find_map(|walked| walked.software);
    let bench = Bench::new(plan, &usable.map(|(route, _)| route).collect::<Vec<_>>(), software)?;
    let is_stopped = {
        let mut course = pin!(run(&bench, record, found));
        tokio::select! {
            biased;
            () = stop() => {
                // What is being made at this moment has to be known before it can be removed.
                let whole = async {
                    tokio::select! {
                        biased;
                        _ = bench.whole.lock() => {}
                        () = &mut course => {}
                    }
                };
                // A registry that does not answer is not waited for.
                let _ = tokio::time::timeout(LAST_ANSWER, whole).await;
                true
            }
            () = &mut course => false,
        }
    };
    if is_stopped {
        interrupted(record, plan);
    }
    record.skip_rest(steps(plan), "an earlier step failed");
    let mut cleaned = Cleaned::default();
    let was_stopped = tokio::select! {
        biased;
        () = stop() => true,
        () = clean_up(&bench, record, found, &mut cleaned) => false,
    };
    if was_stopped {
        record.note("clean-up", None, 0, Err(bench.left_alone(&cleaned)));
    }
    found.left = cleaned.left;
    found.left.append(&mut cleaned.in_cluster);
    found.features.delete = cleaned.can_delete;
    Ok(())
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
                let class = match obstacle.kind {
                    Hindrance::Unreachable => Verdict::Unreachable,
                    _ => Verdict::Failed,
                };
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

async fn run(bench: &Bench<'_>, record: &mut Record<'_>, found: &mut Found) {
    if !record.step("login", None, bench.login()).await {
        return;
    }
    record.step("wrong-token", None, bench.wrong_token()).await;
    let mut before = Before::default();
    if !record.step("tag", None, bench.before(&mut before)).await {
        return;
    }
    found.is_pushed = push(bench, record, &before).await;
    if found.is_pushed {
        look(bench, record, found).await;
    }
}

async fn push(bench: &Bench<'_>, record: &mut Record<'_>, before: &Before) -> bool {
    if !record.step("push blobs", None, bench.push_blobs()).await {
        return false;
    }
    for manifest in &bench.plan.image.manifests {
        if !record.step("push manifest", None, bench.push_manifest(manifest, before)).await {
            return false;
        }
    }
    true
}

async fn look(bench: &Bench<'_>, record: &mut Record<'_>, found: &mut Found) {
    record.step("head", None, bench.heads()).await;
    for end in &bench.ends {
        let route = Some(end.route.name.as_str()).filter(|_| bench.ends.len() > 1);
        record.step("pull tag", route, bench.pull_tag(end)).await;
        record.step("pull digest", route, bench.pull_digest(end)).await;
    }
    record.step("tags", None, bench.tags()).await;
    if let Source::Made { id } = &bench.plan.image.source {
        record.step("referrer", None, bench.referrer(id, &mut found.features.referrers)).await;
    } else {
        record.skip(&["referrer"], "a team's own image gets nothing attached");
    }
    record.step("anonymous pull", None, bench.anonymous(&mut found.visibility)).await;
    record.step("anonymous push", None, bench.anonymous_push()).await;
    record.step("readonly-token", None, bench.readonly_token()).await;
    for program in &bench.plan.with {
        bench.repeat(record, *program, &mut found.programs).await;
    }
    if let Some(nodes) = &bench.plan.nodes {
        found.nodes = bench.node_pulls(nodes, found.visibility, record).await;
    }
}

async fn clean_up(bench: &Bench<'_>, record: &mut Record<'_>, found: &mut Found, cleaned: &mut Cleaned) {
    let plan = bench.plan;
    found.is_kept = plan.keep && found.is_pushed && record.class.is_none();
    if found.is_kept {
        let kept = format!("{}/{}:{} stays there", plan.host, plan.repository, plan.tag);
        record.note("keep", None, 0, Ok(Seen::ok(kept)));
    } else if plan.keep {
        record.skip(&["keep"], "only an image that is proven stays there");
    }
    let lot = bench.made.to_remove(found.is_kept);
    // Known before anything is tried, since somebody may end this too.
    cleaned.left = bench.names(&lot);
    if let Some(nodes) = &plan.nodes {
        // First, since pods that run hold the image.
        record
            .step("clean-up", Some("cluster"), bench.remove_from_cluster(nodes, &mut cleaned.in_cluster))
            .await;
    }
    record.step("clean-up", None, bench.clean_up(&lot, cleaned)).await;
}
