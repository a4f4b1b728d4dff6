//! What may go, and why: rules and an inventory become a plan. No I/O and no clock; the caller says what time it is.
//!
//! Order: [`Rules::check`] once → [`plan`] with the repositories as they are → the caller shows the plan, and applies it
//! when somebody names its hash.
//!
//! Invariants, each of which a property test tries:
//! - What a kept reference needs is kept: children of kept indexes, referrers of kept subjects, fallback tags of both.
//! - Nothing that was pushed within [`SETTLE`] goes, whatever the rules say.
//! - The order of the input does not matter, and a plan made again after the first was applied loses nothing.
//! - Where rules contradict each other, or would empty a repository, nothing of that repository goes.

mod closure;
mod fallback;
mod grow;
mod in_use;
mod inventory;
mod judge;
mod plan;
mod rules;
mod version;

pub use grow::{Forecast, Holding, Outlook, OwnerForecast, forecast};
pub use in_use::{InUse, workloads};
pub use inventory::{Blob, Manifest, Repository, TagFact};
pub use plan::{
    FreedByOwner, ManifestVerdict, Plan, Planner, Question, Refusal, RepositoryPlan, TagVerdict, plan,
};
pub use rules::{DEFAULT_TRASH_DAYS, Prefer, Rule, RuleError, Rules};
pub use version::Version;

/// A time in Unix milliseconds.
pub type Millis = i64;

/// A day in milliseconds.
pub const DAY: Millis = 24 * 3_600_000;

/// What was pushed less long ago is not touched: a push may be under way that counts on it.
pub const SETTLE: Millis = DAY;

/// What was asked for less long ago is not touched, for the same reason.
pub const SETTLE_PULL: Millis = 3_600_000;
