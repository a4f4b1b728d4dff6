//! Retention: what the rules let go is moved to the trash, and brought back when somebody asks in time.
//!
//! Order: [`Retention::plan`] → a person looks at it → [`Retention::apply`] with its hash, which plans once more, refuses
//! when the world has moved, and moves repository by repository → [`Retention::undo_plan`], until the trash ends. A timer
//! (`timer`) does the same without the person.
//!
//! Repositories are read one after the other (`look`), and only those that a rule speaks of; what is kept is not kept in
//! memory.
//!
//! A clock that has leapt ahead would make everything look old. So a time that is much later than anything that the
//! registry has seen is not believed, unless the asker says that it is right.

mod ahead;
mod look;
mod timer;
mod undo;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use railhead_catalog::{OwnerId, Timestamp, Trashed, Undone};
use railhead_oci::RepositoryName;
use railhead_registry::Registry;
use railhead_retention::{DAY, Plan, Rules};
use tokio::sync::Mutex;

use self::look::{Look, Lost};
use crate::clock::Clock;

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
    /// The time that the trash ends by.
    trash: Mutex<Clock>,
    /// Whether somebody was told that the trash waits for a clock that can be believed.
    told: AtomicBool,
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
            trash: Mutex::new(Clock::new("the end of the trash", std::time::Duration::ZERO)),
            told: AtomicBool::default(),
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
        Ok(self.look_now(wish, now).await?.plan)
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
        let Look { plan, lost, .. } = self.look_now(wish, now).await?;
        if plan.hash != hash {
            return Err(RetentionError::Moved { asked: hash.to_owned(), found: plan.hash });
        }
        self.carry_out(lost, &plan, wish, account, now).await
    }

    /// Plans, and applies what was planned: for the timer. The plan is given in any case, for what it refuses.
    pub async fn run(&self, wish: &Wish, now: Timestamp) -> Result<(Option<Applied>, Plan), RetentionError> {
        let _turn = self.turn.lock().await;
        let Look { plan, lost, .. } = self.look_now(wish, now).await?;
        let applied =
            if plan.is_empty() { None } else { Some(self.carry_out(lost, &plan, wish, None, now).await?) };
        Ok((applied, plan))
    }

    /// Looks, if the clock can be believed.
    async fn look_now(&self, wish: &Wish, now: Timestamp) -> Result<Look, RetentionError> {
        if !wish.clock_is_right
            && let Some(seen) = self.doubtful(now).await?
        {
            return Err(RetentionError::Clock { now, seen });
        }
        self.look(wish, now).await
    }

    /// The last thing that the registry has seen, when that is so long ago that the clock cannot be believed.
    async fn doubtful(&self, now: Timestamp) -> Result<Option<Timestamp>, RetentionError> {
        let seen = self.registry.catalog().last_seen().await?;
        Ok(seen.filter(|seen| now.0.saturating_sub(seen.0) > SILENCE))
    }

    async fn carry_out(
        &self,
        lost: Vec<Lost>,
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
        for Lost { id, name, loss } in lost {
            let (tags, manifests) = (loss.tags.len() as u64, loss.manifests.len() as u64);
            match self.registry.trash(run, (id, &name), loss, account, until, now).await? {
                Trashed::Done { .. } => {
                    applied.tags += tags;
                    applied.manifests += manifests;
                }
                Trashed::Moved(what) => applied.moved.push((name, what)),
            }
        }
        self.runs.fetch_add(1, Ordering::Relaxed);
        self.tags.fetch_add(applied.tags, Ordering::Relaxed);
        self.manifests.fetch_add(applied.manifests, Ordering::Relaxed);
        Ok(applied)
    }
}
