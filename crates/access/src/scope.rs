//! What a token is limited to: `pull`, `push:team`, `push:team/app*`, `admin`.
//!
//! A scope never adds to what the account may do: it says which part of it the token may use. What everybody may do
//! (pull from a public repository) needs no scope.
//!
//! Text form: an action, and behind a colon what it is over. One segment without `*` is an owner and means all its
//! repositories; everything else is a [`Pattern`] over whole names, in which `*` stays within a segment and `**` does not.

use std::fmt;
use std::str::FromStr;

use railhead_oci::{Pattern, RepositoryName};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Action;

/// What a scope is over.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Over {
    /// Every repository, and for `admin` the server itself.
    All,
    /// Every repository of this owner, in lower case.
    Owner(String),
    /// The repositories whose whole name fits.
    Pattern(Pattern),
}

/// One thing a token may do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenScope {
    /// The strongest action; see [`Action::implies`].
    pub action: Action,
    /// Where.
    pub over: Over,
}

impl TokenScope {
    /// Everything that the account may do.
    pub const fn everything() -> Self {
        Self { action: Action::Admin, over: Over::All }
    }

    /// Whether it covers `action` on `repository`.
    pub fn covers(&self, action: Action, repository: &RepositoryName) -> bool {
        self.action.implies(action)
            && match &self.over {
                Over::All => true,
                Over::Owner(owner) => owner == repository.owner(),
                Over::Pattern(pattern) => pattern.matches(repository.as_str()),
            }
    }

    /// Whether it covers whatever the account may do, the administration of the server included.
    pub fn is_everything(&self) -> bool {
        self.action == Action::Admin && self.over == Over::All
    }
}

/// A text is not a scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a scope: write pull, push, delete or admin, alone or as in push:team or push:team/app*"
)]
pub struct TokenScopeError(String);

impl FromStr for TokenScope {
    type Err = TokenScopeError;

    fn from_str(text: &str) -> Result<Self, TokenScopeError> {
        let wrong = || TokenScopeError(text.chars().take(255).collect());
        let (action, over) = match text.split_once(':') {
            None => (text, None),
            Some((action, over)) => (action, Some(over)),
        };
        let action = action.parse().map_err(|_| wrong())?;
        let over = match over {
            None => Over::All,
            Some(over) if !is_over(over) => return Err(wrong()),
            Some(over) if over.contains(['/', '*']) => Over::Pattern(over.parse().map_err(|_| wrong())?),
            Some(owner) => Over::Owner(owner.to_owned()),
        };
        Ok(Self { action, over })
    }
}

/// Only what can match a name: anything else would be a scope that silently allows nothing.
fn is_over(text: &str) -> bool {
    let character =
        |byte: u8| !byte.is_ascii_uppercase() && (byte.is_ascii_alphanumeric() || b"._-/*".contains(&byte));
    text.bytes().all(character) && text.split('/').all(|segment| !segment.is_empty())
}

impl fmt::Display for TokenScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.action.word())?;
        match &self.over {
            Over::All => Ok(()),
            Over::Owner(owner) => write!(f, ":{owner}"),
            Over::Pattern(pattern) => write!(f, ":{pattern}"),
        }
    }
}

impl Serialize for TokenScope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TokenScope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn covers(scope: &str, action: Action, repository: &str) -> bool {
        scope.parse::<TokenScope>().unwrap().covers(action, &repository.parse().unwrap())
    }

    #[test]
    fn a_scope_covers_its_target_and_what_its_action_implies() {
        for (scope, action, repository, expected) in [
            ("pull", Action::Pull, "a/b", true),
            ("pull", Action::Push, "a/b", false),
            ("push", Action::Pull, "a/b", true),
            ("push", Action::Delete, "a/b", false),
            ("delete", Action::Pull, "a/b", true),
            ("delete", Action::Push, "a/b", false),
            ("admin", Action::Delete, "a/b", true),
            ("push:team", Action::Push, "team/app/x", true),
            ("push:team", Action::Push, "team2/app", false),
            ("push:team/app", Action::Push, "team/app", true),
            ("push:team/app", Action::Push, "team/app2", false),
            ("push:team/app*", Action::Pull, "team/app2", true),
            ("push:team/app*", Action::Pull, "team/app2/x", false),
            ("push:team/app**", Action::Pull, "team/app2/x", true),
            ("push:team/app*", Action::Push, "team2/app", false),
            ("pull:*/base", Action::Pull, "team/base", true),
            ("pull:team**", Action::Pull, "team2/base", true),
            ("pull:*", Action::Pull, "team2/base", true),
        ] {
            assert_eq!(covers(scope, action, repository), expected, "{scope} {action} {repository}");
        }
    }

    #[test]
    fn what_can_match_no_name_is_no_scope() {
        for wrong in [
            "",
            "read",
            "pull:",
            ":team",
            "pull:Team",
            "pull:team/",
            "pull:/a",
            "pull:a b",
            "PULL",
            "pull:a//b",
            "pull:é",
            "pull: a",
            "*",
            "pull:a***",
        ] {
            assert!(wrong.parse::<TokenScope>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_scope_reads_back_as_it_was_written(text in "(pull|push|delete|admin)(:[a-z0-9._-]{1,9}\\*{0,2}(/\\*{0,2}[a-z0-9._-]{1,9}){0,3})?") {
            let scope: TokenScope = text.parse().unwrap();
            prop_assert_eq!(scope.to_string(), text);
            let json = serde_json::to_string(&scope).unwrap();
            prop_assert_eq!(serde_json::from_str::<TokenScope>(&json).unwrap(), scope);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text: String) {
            let _ = text.parse::<TokenScope>();
        }
    }
}
