//! When a token ends, as far as anybody says.
//!
//! The short token that a registry gives at a login has an end too. It is not the one that is meant here.

use jiff::{Timestamp, ToSpan as _};
use railhead_api::{Route, Token};
use railhead_client::{Admin, Credentials, Error, Http};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use crate::prove::bench::Seen;
use crate::site::Forge;

/// What a token of Railhead begins with.
const OWN: &str = "rh_";
/// A token that ends sooner is worth a word.
const SOON_DAYS: i64 = 14;

/// When a token ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "known", rename_all = "lowercase")]
pub enum Expiry {
    /// Then.
    At {
        /// When.
        at: Timestamp,
    },
    /// Not before somebody revokes it.
    Never {
        /// Who says so.
        why: String,
    },
    /// Nobody says.
    Unknown {
        /// Why not.
        why: String,
    },
}

impl Expiry {
    /// For a person, one line.
    pub fn words(&self, now: Timestamp) -> String {
        match self {
            Self::At { at } => {
                let soon = now.checked_add((24 * SOON_DAYS).hours()).is_ok_and(|soon| soon > *at);
                let more = if soon { "; rotate it before that" } else { "" };
                format!("the token ends at {at:.0}{more}")
            }
            Self::Never { why } => format!("the token does not end before it is revoked: {why}"),
            Self::Unknown { why } => format!("when the token ends cannot be known: {why}"),
        }
    }

    /// Whether it is known.
    pub fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown { .. })
    }
}

/// What is known of a token.
pub(super) struct Known {
    pub(super) expires: Expiry,
    pub(super) may_more: Option<bool>,
}

impl Known {
    fn of(expires: Expiry) -> Self {
        Self { expires, may_more: None }
    }

    pub(super) fn seen(&self) -> Seen {
        let now = Timestamp::now();
        let mut words = self.expires.words(now);
        if self.may_more == Some(true) {
            words += "; it may do more than pull, which a cluster does not need";
        }
        match &self.expires {
            Expiry::At { at } if *at > now => Seen::ok(words),
            _ => Seen::fact(words),
        }
    }
}

/// Asks who can know.
pub(super) async fn find(http: &Http, forge: Option<Forge>, login: &Credentials) -> Known {
    let unknown = |why: &str| Known::of(Expiry::Unknown { why: why.to_owned() });
    match forge {
        Some(Forge::Railhead) => of_railhead(http, login).await,
        _ if login.secret.expose_secret().starts_with(OWN) => of_railhead(http, login).await,
        Some(Forge::Gitea) => {
            Known::of(Expiry::Never { why: "Gitea's access tokens have no end".to_owned() })
        }
        Some(Forge::Forgejo) => unknown("Forgejo does not tell a registry's client"),
        Some(Forge::Distribution) => {
            unknown("the registry knows passwords only; whoever keeps them knows their end")
        }
        Some(Forge::None) | None => unknown("the registry does not say"),
    }
}

/// Railhead tells a token what it is.
async fn of_railhead(http: &Http, login: &Credentials) -> Known {
    let unknown = |why: String| Known::of(Expiry::Unknown { why });
    if !login.secret.expose_secret().starts_with(OWN) {
        return Known::of(Expiry::Never { why: "it is a password".to_owned() });
    }
    let admin = Admin::new(http.clone(), Some(login.secret.clone()));
    let route = Route::TokenCurrent;
    let body = match admin.ask(route.method(), &route.path(), None).await {
        Ok(body) => body,
        Err(Error::Refused(detail)) => return unknown(format!("the admin API says: {}", detail.message)),
        Err(_) => {
            return unknown(
                "the admin API cannot be reached this way; `railhead token list` shows it".to_owned(),
            );
        }
    };
    let Ok(token) = serde_json::from_slice::<Token>(&body) else {
        return unknown("the admin API answers something else".to_owned());
    };
    let only_pulls = |scope: &String| scope == "pull" || scope.starts_with("pull:");
    let never = || Expiry::Never { why: "it was made without an end".to_owned() };
    Known {
        expires: token.expires.map_or_else(never, |at| Expiry::At { at }),
        may_more: Some(!token.scopes.iter().all(only_pulls)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_that_is_near_is_worth_a_word() {
        let now: Timestamp = "2026-07-01T00:00:00Z".parse().unwrap();
        for (at, more) in [("2026-07-14T00:00:00Z", true), ("2026-07-16T00:00:00Z", false)] {
            let words = Expiry::At { at: at.parse().unwrap() }.words(now);
            assert!(words.contains(at), "{words}");
            assert_eq!(words.contains("rotate"), more, "{words}");
        }
    }
}
