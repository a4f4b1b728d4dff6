//! What the operator can set.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use railhead_catalog::{Limit, Owner, Timestamp};
use railhead_forge::Forge;
use railhead_workload::Workloads;
use secrecy::SecretString;

use crate::TokenScope;

/// How access works. `Settings::default()` is what a server without configuration does.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Issuer and audience of bearer tokens, and `service` of challenges.
    pub service: String,
    /// How long a bearer token is good. It also ends with the token or password that it was asked with.
    pub bearer_life: Duration,
    /// On a database that others write too: how long a verdict may outlive a change made elsewhere.
    pub remember: Duration,
    /// Slowing of failed logins.
    pub throttle: Throttling,
    /// Limits of owners that have none of their own.
    pub limits: Limits,
    /// Work of one password hash.
    pub password_cost: PasswordCost,
    /// Where the time comes from.
    pub clock: Clock,
    /// The forge whose accounts these are; without one, accounts are in the catalog.
    pub forge: Option<Forge>,
    /// What signs the messages of the forge; without it none counts.
    pub webhook: Option<SecretString>,
    /// Tokens of jobs and service accounts that count as logins.
    pub workloads: Option<Workloads<TokenScope>>,
    /// For so long a repository can be pulled under the name that its owner had before it was renamed on the forge.
    pub former_names: Duration,
    /// What is done when an owner of the forge was renamed, and its repositories with it.
    pub renamed: Renamed,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            service: "railhead".to_owned(),
            bearer_life: Duration::from_mins(5),
            remember: Duration::from_secs(5),
            throttle: Throttling::default(),
            limits: Limits { quota: Limit::None, layer: Limit::None },
            password_cost: PasswordCost::default(),
            clock: Clock::system(),
            forge: None,
            webhook: None,
            workloads: None,
            former_names: Duration::from_hours(30 * 24),
            renamed: Renamed::default(),
        }
    }
}

/// When failed logins are slowed. The n-th failure from the limit on locks for `first_delay` times 2^n.
#[derive(Clone, Copy, Debug)]
pub struct Throttling {
    /// Wrong passwords for one account before it is locked.
    pub account_failures: u32,
    /// Wrong passwords from one address before it is locked. Higher: an office has one address.
    pub address_failures: u32,
    /// The first lock.
    pub first_delay: Duration,
    /// The longest lock. Failures are forgotten when nothing failed for so long after the lock.
    pub longest_delay: Duration,
    /// Accounts and addresses remembered at once.
    pub capacity: usize,
}

impl Default for Throttling {
    fn default() -> Self {
        Self {
            account_failures: 5,
            address_failures: 20,
            first_delay: Duration::from_secs(1),
            longest_delay: Duration::from_mins(15),
            capacity: 20_000,
        }
    }
}

/// The work of one Argon2id hash. The default is OWASP's: 19 MiB, two passes.
#[derive(Clone, Copy, Debug)]
pub struct PasswordCost {
    /// Memory in KiB, at least 8.
    pub memory_kib: u32,
    /// Passes over it, at least 1.
    pub passes: u32,
}

impl Default for PasswordCost {
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2 }
    }
}

/// The limits of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of all its bytes.
    pub quota: Limit,
    /// Of one blob.
    pub layer: Limit,
}

impl Limits {
    /// What holds for `owner` when these are the server's.
    #[must_use]
    pub fn of(self, owner: &Owner) -> Self {
        Self { quota: owner.quota.unwrap_or(self.quota), layer: owner.layer_limit.unwrap_or(self.layer) }
    }
}

/// What is done after a renaming.
#[derive(Clone, Default)]
pub struct Renamed(Option<Arc<dyn Fn() + Send + Sync>>);

impl Renamed {
    /// To do this.
    pub fn call(act: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(act)))
    }

    pub(crate) fn happened(&self) {
        if let Some(act) = &self.0 {
            act();
        }
    }
}

impl fmt::Debug for Renamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renamed")
    }
}

/// Where the time comes from.
#[derive(Clone)]
pub struct Clock(Option<Arc<dyn Fn() -> Timestamp + Send + Sync>>);

impl Clock {
    /// The system's clock.
    pub const fn system() -> Self {
        Self(None)
    }

    /// A clock of a test.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(now)))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.0.as_ref().map_or_else(Timestamp::now, |now| now())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Clock(test)" } else { "Clock(system)" })
    }
}

/// Milliseconds of a span, as timestamps count.
pub(crate) fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
