//! Retention: what the rules let go is moved to the trash, and brought back when somebody asks in time.
//!
//! Order: [`Retention::plan`] → a person looks at it → [`Retention::apply`] with its hash, which plans once more, refuses
//! when the world has moved, and moves repository by repository → [`Retention::undo`], until the trash ends.
//!
//! A clock that has leapt ahead would make everything look old. So a time that is much later than anything that the
//! registry has seen is not believed, unless the asker says that it is right.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use railhead_catalog::{
    Loss, LostManifest, ManifestContents, OwnerId, RepositoryContents, RepositoryFilter, Timestamp,
    TrashEntry, Trashed, Undone, Untrash,
};
use railhead_oci::{Digest, Reference, RepositoryName};
use railhead_registry::Registry;
use railhead_retention::{
    Blob, DAY, Forecast, InUse, Manifest, Plan, Push, Question, Repository, Rules, TagFact, forecast,
};
use tokio::sync::Mutex;

/// Repositories that are read in one step.
const PAGE: u32 = 200;

/// How long a registry may see nothing before its clock is doubted.
const SILENCE: i64 = 7 * DAY;

/// Why retention does nothing.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// The clock cannot be believed.
    #[error("it is {now} by the clock, and the last thing that this registry has seen was at {seen}")]
    Clock {
        /// The time.
        now: Timestamp,
        /// When something was pushed, pulled or done last.
        seen: Timestamp,
    },
    /// The plan is not the one that was looked at.
    #[error("the world has moved: the plan is {found} by now, and not {asked}")]
    Moved {
        /// The hash that was asked for.
        asked: String,
        /// The hash of the plan as it is now.
        found: String,
    },
    /// Nothing of that name is in the trash.
    #[error("there is nothing of {0} in the trash")]
    NotInTrash(String),
    /// The catalog failed, or says that it cannot be done.
    #[error(transparent)]
    Registry(#[from] railhead_registry::Error),
    /// The same, when it was asked directly.
    #[error(transparent)]
    Catalog(#[from] railhead_catalog::Error),
}

/// What to plan for.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The rules.
    pub rules: Rules,
    /// References that something runs with.
    pub in_use: Vec<String>,
    /// Only this owner, or this repository.
    pub only: Option<String>,
    /// Whether verdicts of what is kept are wanted too.
    pub all: bool,
    /// Whether the clock is right, however late it seems.
    pub clock_is_right: bool,
}

/// What an application has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The plan's hash.
    pub plan: String,
    /// Tags that are in the trash now.
    pub tags: u64,
    /// Manifests that are in the trash now.
    pub manifests: u64,
    /// Until when they can be brought back.
    pub until: Timestamp,
    /// Repositories that were changed in the last moment and lost nothing, and what had changed.
    pub moved: Vec<(RepositoryName, String)>,
}

/// What was brought back, by repository.
pub type Recovered = BTreeMap<RepositoryName, Undone>;

/// What all runs of this process have done, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionTotals {
    /// Plans that were applied.
    pub runs: u64,
    /// Tags that went to the trash.
    pub tags: u64,
    /// Manifests that went to the trash.
    pub manifests: u64,
    /// Manifests that were brought back.
    pub recovered: u64,
}

/// Retention of one registry.
#[derive(Debug)]
pub struct Retention {
    registry: Registry,
    /// Held by the run under way.
    turn: Mutex<()>,
    runs: AtomicU64,
    tags: AtomicU64,
    manifests: AtomicU64,
    recovered: AtomicU64,
}

impl Retention {
    /// Retention of this registry.
    pub fn new(registry: Registry) -> Self {
        let zero = AtomicU64::default;
        Self {
            registry,
            turn: Mutex::default(),
            runs: zero(),
            tags: zero(),
            manifests: zero(),
            recovered: zero(),
        }
    }

    /// What has been done so far.
    pub fn totals(&self) -> RetentionTotals {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        RetentionTotals {
            runs: read(&self.runs),
            tags: read(&self.tags),
            manifests: read(&self.manifests),
            recovered: read(&self.recovered),
        }
    }

    /// Plans; changes nothing.
    pub async fn plan(&self, wish: &Wish, now: Timestamp) -> Result<Plan, RetentionError> {
        Ok(self.look(wish, now).await?.1)
    }

    /// Moves to the trash what the plan of that hash loses; refuses when the plan would be another one by now.
    pub async fn apply(
        &self,
        wish: &Wish,
        hash: &str,
        account: Option<OwnerId>,
        now: Timestamp,
    ) -> Result<Applied, RetentionError> {
        let _turn = self.turn.lock().await;
        let (contents, plan) = self.look(wish, now).await?;
        if plan.hash != hash {
            return Err(RetentionError::Moved { asked: hash.to_owned(), found: plan.hash });
        }
        self.carry_out(&contents, &plan, wish, account, now).await
    }

    /// Plans, and applies what was planned: for the timer.
    pub async fn run(&self, wish: &Wish, now: Timestamp) -> Result<Option<(Applied, Plan)>, RetentionError> {
        let _turn = self.turn.lock().await;
        let (contents, plan) = self.look(wish, now).await?;
        if plan.is_empty() {
            return Ok(None);
        }
        Ok(Some((self.carry_out(&contents, &plan, wish, None, now).await?, plan)))
    }

    async fn look(
        &self,
        wish: &Wish,
        now: Timestamp,
    ) -> Result<(Vec<RepositoryContents>, Plan), RetentionError> {
        if let Some(seen) = self.registry.catalog().last_seen().await?
            && !wish.clock_is_right
            && now.0.saturating_sub(seen.0) > SILENCE
        {
            return Err(RetentionError::Clock { now, seen });
        }
        let contents = self.contents().await?;
        let in_use = InUse::of(wish.in_use.iter().map(String::as_str)).0;
        let only = wish.only.as_deref();
        let question = Question { rules: &wish.rules, in_use: &in_use, now: now.0, only, all: wish.all };
        let repositories: Vec<_> = contents.iter().map(facts).collect();
        let plan = railhead_retention::plan(&repositories, &question);
        Ok((contents, plan))
    }

    async fn contents(&self) -> Result<Vec<RepositoryContents>, RetentionError> {
        let catalog = self.registry.catalog();
        let (mut all, mut after) = (Vec::new(), None::<RepositoryName>);
        loop {
            let page = catalog
                .repositories(RepositoryFilter::default(), after.as_ref().map(RepositoryName::as_str), PAGE)
                .await?;
            let full = page.len() == PAGE as usize;
            for repository in &page {
                all.push(catalog.repository_contents(repository.id, &repository.name).await?);
            }
            match page.last() {
                Some(last) if full => after = Some(last.name.clone()),
                _ => return Ok(all),
            }
        }
    }

    async fn carry_out(
        &self,
        contents: &[RepositoryContents],
        plan: &Plan,
        wish: &Wish,
        account: Option<OwnerId>,
        now: Timestamp,
    ) -> Result<Applied, RetentionError> {
        let until = now.plus_millis(i64::from(wish.rules.trash_days()).saturating_mul(DAY));
        let mut applied =
            Applied { plan: plan.hash.clone(), tags: 0, manifests: 0, until, moved: Vec::new() };
        if plan.is_empty() {
            return Ok(applied);
        }
        // A trash that lasts no time still lasts until the run has ended.
        let run = self.registry.catalog().begin_trash(&plan.hash, account, now, until).await?;
        for lost in &plan.repositories {
            let Some(found) = contents.iter().find(|one| one.name == lost.name) else { continue };
            let loss = loss(found, lost);
            let (tags, manifests) = (loss.tags.len() as u64, loss.manifests.len() as u64);
            if tags + manifests == 0 {
                continue;
            }
            match self.registry.trash(run, (found.id, &found.name), loss, account, until, now).await? {
                Trashed::Done { .. } => {
                    applied.tags += tags;
                    applied.manifests += manifests;
                }
                Trashed::Moved(what) => applied.moved.push((found.name.clone(), what)),
            }
        }
        self.runs.fetch_add(1, Ordering::Relaxed);
        self.tags.fetch_add(applied.tags, Ordering::Relaxed);
        self.manifests.fetch_add(applied.manifests, Ordering::Relaxed);
        Ok(applied)
    }

    /// Brings back all that the run of a plan took.
    pub async fn undo_plan(&self, hash: &str, now: Timestamp) -> Result<Recovered, RetentionError> {
        let runs = self.registry.catalog().trash_runs(now).await?;
        let mut recovered = Recovered::new();
        for run in runs.iter().filter(|run| run.plan == hash) {
            let entries = self.registry.catalog().trash_entries(Some(run.id), now).await?;
            let repositories: BTreeMap<_, _> =
                entries.into_iter().map(|entry| (entry.name, entry.repository)).collect();
            for (name, id) in repositories {
                let undone = self.registry.untrash(run.id, (id, &name), Untrash::All, now).await?;
                let all = recovered.entry(name).or_default();
                all.tags.extend(undone.tags);
                all.manifests.extend(undone.manifests);
                all.taken.extend(undone.taken);
            }
        }
        if recovered.is_empty() {
            return Err(RetentionError::NotInTrash(format!("plan {hash}")));
        }
        Ok(self.recovered(recovered))
    }

    /// Brings back one reference, with what belongs to it, from the last run that took it.
    pub async fn undo_reference(
        &self,
        name: &RepositoryName,
        reference: &Reference,
        now: Timestamp,
    ) -> Result<Recovered, RetentionError> {
        let entries = self.registry.catalog().trash_entries(None, now).await?;
        let meant = |entry: &&TrashEntry| {
            entry.name == *name
                && match reference {
                    Reference::Tag(tag) => entry.tag.as_ref() == Some(tag),
                    Reference::Digest(digest) => entry.digest == *digest,
                }
        };
        let entry = entries.iter().filter(meant).max_by_key(|entry| entry.run);
        let entry = entry.ok_or_else(|| RetentionError::NotInTrash(format!("{name} {reference}")))?;
        let what = match reference {
            Reference::Tag(tag) => Untrash::Tag(tag.clone()),
            Reference::Digest(digest) => Untrash::Manifest(*digest),
        };
        let undone = self.registry.untrash(entry.run, (entry.repository, name), what, now).await?;
        Ok(self.recovered(Recovered::from([(name.clone(), undone)])))
    }

    fn recovered(&self, recovered: Recovered) -> Recovered {
        let manifests: usize = recovered.values().map(|undone| undone.manifests.len()).sum();
        self.recovered.fetch_add(manifests as u64, Ordering::Relaxed);
        recovered
    }

    /// Looks ahead: what each owner will hold, with and without the rules.
    pub async fn forecast(
        &self,
        wish: &Wish,
        days: u32,
        past_days: u32,
        free: Option<u64>,
        now: Timestamp,
    ) -> Result<Forecast, RetentionError> {
        // Without rules nothing has to be read to know that they free nothing.
        let contents = if wish.rules.is_empty() { Vec::new() } else { self.contents().await? };
        let repositories: Vec<_> = contents.iter().map(facts).collect();
        let in_use = InUse::of(wish.in_use.iter().map(String::as_str)).0;
        let mut held: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for share in self.owners().await? {
            let only = Some(share.0.as_str());
            let question = Question { rules: &wish.rules, in_use: &in_use, now: now.0, only, all: false };
            let freed = railhead_retention::plan(&repositories, &question).freed_bytes;
            held.insert(share.0.clone(), (share.1, freed));
        }
        let pushes = self.registry.catalog().new_bytes(Timestamp(i64::MIN)).await?.into_iter();
        let pushes: Vec<_> = pushes
            .map(|one| Push { owner: one.owner.to_lowercase(), at: one.at.0, bytes: one.bytes })
            .collect();
        Ok(forecast(&held, &pushes, now.0, days, past_days, free))
    }

    /// Each owner in lower case, as names of repositories have it, and what it holds.
    async fn owners(&self) -> Result<Vec<(String, u64)>, RetentionError> {
        let (mut all, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.registry.catalog().owner_shares(after.as_deref(), PAGE).await?;
            let full = page.len() == PAGE as usize;
            after = page.last().map(|share| share.owner.name.clone());
            all.extend(
                page.into_iter().map(|share| (share.owner.name.to_lowercase(), share.owner.used_bytes)),
            );
            if !full {
                return Ok(all);
            }
        }
    }
}

/// A repository as the rules see it.
fn facts(contents: &RepositoryContents) -> Repository {
    let tag = |tag: &railhead_catalog::TagRecord| TagFact {
        name: tag.name.clone(),
        digest: tag.digest,
        moved_at: tag.moved_at.0,
    };
    Repository {
        name: contents.name.clone(),
        tags: contents.tags.iter().map(tag).collect(),
        manifests: contents.manifests.iter().map(manifest).collect(),
    }
}

fn manifest(contents: &ManifestContents) -> Manifest {
    let manifest = &contents.manifest;
    // The catalog writes this JSON itself; what cannot be read expires nothing.
    let annotations = contents.annotations.as_deref().and_then(|text| serde_json::from_str(text).ok());
    Manifest {
        digest: manifest.digest,
        size: manifest.size,
        subject: manifest.subject,
        annotations: annotations.unwrap_or_default(),
        pushed_at: manifest.pushed_at.0,
        pulled_at: manifest.pulled_at.map(|at| at.0),
        untagged_at: contents.untagged_at.map(|at| at.0),
        children: contents.children.clone(),
        blobs: contents.blobs.iter().map(|(digest, size)| Blob { digest: *digest, size: *size }).collect(),
    }
}

/// What the plan takes of a repository, as it was when the plan was made.
fn loss(found: &RepositoryContents, lost: &railhead_retention::RepositoryPlan) -> Loss {
    let goes = |digest: &Digest| lost.manifests.iter().any(|one| one.lost && one.digest == *digest);
    let manifests = found.manifests.iter().map(|contents| &contents.manifest).filter(|one| goes(&one.digest));
    let goes = |name: &str| lost.tags.iter().any(|one| one.lost && one.tag == name);
    let tags = found.tags.iter().filter(|tag| goes(tag.name.as_str()));
    Loss {
        tags: tags.map(|tag| (tag.name.clone(), tag.digest)).collect(),
        manifests: manifests
            .map(|one| LostManifest {
                digest: one.digest,
                pushed_at: one.pushed_at,
                pulled_at: one.pulled_at,
            })
            .collect(),
    }
}
