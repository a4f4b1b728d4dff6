//! What the operator sets.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use railhead_client::Http;
use secrecy::SecretString;

/// Which program the forge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Gitea.
    Gitea,
    /// Forgejo.
    Forgejo,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gitea => "Gitea",
            Self::Forgejo => "Forgejo",
        })
    }
}

impl FromStr for Kind {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "gitea" => Ok(Self::Gitea),
            "forgejo" => Ok(Self::Forgejo),
            _ => Err("a forge is gitea or forgejo"),
        }
    }
}

/// How a forge is asked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What it is.
    pub kind: Kind,
    /// Where it is, and whom to trust there.
    pub http: Http,
    /// A token of an administrator of the forge, for what a person's own token may not ask.
    pub token: Option<SecretString>,
    /// How long an answer is used.
    pub cache: Duration,
    /// How long an answer is used when the forge does not give another; counted from the answer.
    pub stale: Duration,
    /// How long one question may take, from the wait for its turn to the last byte.
    pub timeout: Duration,
    /// Where the time comes from, in Unix milliseconds.
    pub now: fn() -> i64,
}

/// The system's clock, in Unix milliseconds.
pub fn system_now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
