//! What can go wrong: a [`Denial`] is an answer, every other [`Error`] is a failure or a wrong request.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

/// The answer of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller may not have it.
    #[error(transparent)]
    Denied(#[from] Box<Denial>),
    /// The catalog refused or failed; `NotFound` and `AlreadyExists` of it are the caller's to act on.
    #[error(transparent)]
    Catalog(#[from] railhead_catalog::Error),
    /// A name, scope or time span is not one. The message says what is wrong with it.
    #[error("{0}")]
    Invalid(String),
    /// The system has no random numbers.
    #[error("the system gives no random numbers")]
    Random(#[source] getrandom::Error),
    /// A password could not be hashed, for want of memory or because a stored hash is damaged.
    #[error("a password could not be hashed: {0}")]
    Password(String),
    /// What the catalog keeps for this crate is not what this crate writes.
    #[error("the catalog is damaged: {0}")]
    Corrupt(String),
}

impl Error {
    /// The denial, when it is one.
    pub fn denial(&self) -> Option<&Denial> {
        match self {
            Self::Denied(denial) => Some(denial),
            _ => None,
        }
    }
}

impl From<Denial> for Error {
    fn from(denial: Denial) -> Self {
        Self::Denied(Box::new(denial))
    }
}

/// Why the caller may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nobody is logged in, and this needs an account. The answer is the same whether the repository exists or not.
    Unauthenticated,
    /// The credentials are wrong, expired or revoked, or their account is disabled.
    Credentials,
    /// Too many wrong passwords, or too many at once.
    TooMany {
        /// When to try again.
        retry_after: Duration,
    },
    /// Who knows whether this is allowed, a forge or an issuer of tokens, cannot be asked now.
    Unavailable {
        /// When to try again.
        retry_after: Duration,
    },
    /// The bearer token lacks a scope that its account can get: a challenge with the precise scope helps.
    NeedsScope,
    /// The account may, but its token was made for less.
    TokenScope,
    /// The account's role does not allow it.
    Role,
    /// The owner does not exist, so nothing can be pushed below it.
    Owner,
    /// The account must not know whether the repository exists: answer as for a missing one.
    Visibility,
}

impl Reason {
    /// A short word for logs, metrics and the detail of an answer.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::Credentials => "credentials",
            Self::TooMany { .. } => "too-many",
            Self::Unavailable { .. } => "unavailable",
            Self::NeedsScope => "needs-scope",
            Self::TokenScope => "token-scope",
            Self::Role => "role",
            Self::Owner => "owner",
            Self::Visibility => "visibility",
        }
    }
}

/// A refusal. It never holds a secret, and nothing that the caller may not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Why.
    pub reason: Reason,
    /// The same for a person, with what to do about it.
    pub message: String,
    /// The same for a program; goes into the `detail` of the error body.
    pub detail: Value,
}

impl Denial {
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), detail: json!({ "reason": reason.word() }) }
    }

    #[must_use]
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        if let Value::Object(detail) = &mut self.detail {
            detail.insert(key.to_owned(), value.into());
        }
        self
    }

    /// The one answer to credentials that are not right, whatever is wrong with them.
    pub(crate) fn credentials() -> Self {
        Self::new(Reason::Credentials, "the name, password or token is not right")
    }

    /// That the forge cannot be asked, and why.
    pub(crate) fn unavailable(why: &str) -> Self {
        Self::later(format!("{why}; what is not public has to wait until the forge answers again"))
    }

    /// That something which this rests on cannot be asked.
    pub(crate) fn later(message: String) -> Self {
        Self::new(Reason::Unavailable { retry_after: railhead_forge::RETRY }, message)
    }

    /// Whether it may be otherwise in a moment.
    pub(crate) const fn is_unavailable(&self) -> bool {
        matches!(self.reason, Reason::Unavailable { .. })
    }

    pub(crate) fn busy() -> Self {
        let retry_after = Duration::from_secs(1);
        Self::new(Reason::TooMany { retry_after }, "too many logins at once; try again in 1 s")
            .with("retry_after", 1)
    }

    pub(crate) fn too_many(retry_after: Duration) -> Self {
        // Rounded up, so that a client that waits as told is not refused again.
        let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
        Self::new(
            Reason::TooMany { retry_after: Duration::from_secs(seconds.max(1)) },
            format!("too many failed logins; try again in {} s", seconds.max(1)),
        )
        .with("retry_after", seconds.max(1))
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Denial {}
