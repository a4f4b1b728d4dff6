//! Scopes: what a token is asked to cover (distribution's token specification, *scope grammar*).
//!
//! `repository:<name>:<actions>`, `repository(<class>):<name>:<actions>` or `registry:catalog:*`. A client may ask
//! for anything; what is not known here is kept out of the grant and never breaks the login.

use std::collections::HashMap;
use std::fmt;

use crate::RepositoryName;

/// What may be done in a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Action {
    /// Read manifests and blobs.
    Pull = 1,
    /// Write manifests and blobs.
    Push = 2,
    /// Delete them.
    Delete = 4,
}

impl Action {
    /// All actions, in the order in which they are written.
    pub const ALL: [Self; 3] = [Self::Pull, Self::Push, Self::Delete];

    /// The action as it stands in a scope.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
        }
    }
}

/// A set of actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Actions(u8);

impl Actions {
    /// No action.
    pub const NONE: Self = Self(0);
    /// Every action.
    pub const ALL: Self = Self(7);

    /// The set with `action` in it.
    #[must_use]
    pub const fn with(self, action: Action) -> Self {
        Self(self.0 | action as u8)
    }

    /// What is in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether `action` is in the set.
    pub const fn contains(self, action: Action) -> bool {
        self.0 & action as u8 != 0
    }

    /// Whether nothing is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The actions in the set, in the order of [`Action::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Action> {
        Action::ALL.into_iter().filter(move |action| self.contains(*action))
    }

    /// Reads `pull,push`; `*` is every action, an unknown one is none.
    pub fn parse(text: &str) -> Self {
        text.split(',').fold(Self::NONE, |actions, word| match word.trim() {
            "*" => Self::ALL,
            word => match Action::ALL.into_iter().find(|action| action.as_str() == word) {
                Some(action) => actions.with(action),
                None => actions,
            },
        })
    }
}

impl From<Action> for Actions {
    fn from(action: Action) -> Self {
        Self::NONE.with(action)
    }
}

impl FromIterator<Action> for Actions {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        actions.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Display for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, action) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            f.write_str(action.as_str())?;
        }
        Ok(())
    }
}

/// One thing that a token covers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Actions in a repository.
    Repository {
        /// The repository.
        name: RepositoryName,
        /// What may be done there; may be empty in a request, never useful then.
        actions: Actions,
    },
    /// Listing the repositories of the registry.
    Catalog,
}

impl Scope {
    /// Reads one scope; none if it is of a kind that is not known here.
    ///
    /// It is read from both ends, for a name may begin with the host and port that the client knows the registry by.
    /// That part is dropped: a token is for this registry, whatever its host was.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "registry:catalog:*" {
            return Some(Self::Catalog);
        }
        let (kind, rest) = text.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        // `repository(plugin)` is a repository of a class that makes no difference here.
        let class = kind.strip_prefix("repository")?;
        let known = class.is_empty() || (class.starts_with('(') && class.ends_with(')'));
        if !known {
            return None;
        }
        let name = match name.split_once('/') {
            Some((host, path)) if host.contains(':') => path,
            _ => name,
        };
        Some(Self::Repository { name: name.parse().ok()?, actions: Actions::parse(actions) })
    }

    /// Reads the `scope` parameters of a token request: repeated, joined by spaces, or both.
    ///
    /// Each repository comes once, with all that was asked for it, in the order of first mention. Asking for nothing
    /// known asks for nothing.
    pub fn parse_all<'a>(values: impl IntoIterator<Item = &'a str>) -> Vec<Self> {
        let mut scopes: Vec<Self> = Vec::new();
        let mut known: HashMap<Option<RepositoryName>, usize> = HashMap::new();
        for scope in values.into_iter().flat_map(str::split_ascii_whitespace).filter_map(Self::parse) {
            let index = *known.entry(scope.name().cloned()).or_insert(scopes.len());
            match (scopes.get_mut(index), scope) {
                (Some(Self::Repository { actions, .. }), Self::Repository { actions: more, .. }) => {
                    *actions = actions.union(more);
                }
                (Some(_), _) => {}
                (None, scope) => scopes.push(scope),
            }
        }
        scopes
    }

    /// The repository, if it is about one.
    pub const fn name(&self) -> Option<&RepositoryName> {
        match self {
            Self::Repository { name, .. } => Some(name),
            Self::Catalog => None,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository { name, actions } => write!(f, "repository:{name}:{actions}"),
            Self::Catalog => f.write_str("registry:catalog:*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(values: &[&str]) -> Vec<String> {
        Scope::parse_all(values.iter().copied()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn known_scopes_are_read() {
        for (text, expected) in [
            ("repository:a/b:pull", "repository:a/b:pull"),
            ("repository:a/b/c/d:push,pull", "repository:a/b/c/d:pull,push"),
            ("repository:a/b:*", "repository:a/b:pull,push,delete"),
            ("repository:a/b:pull,fly", "repository:a/b:pull"),
            ("repository:a/b:", "repository:a/b:"),
            ("repository(plugin):a/b:pull", "repository:a/b:pull"),
            ("repository:localhost:5000/a/b:pull", "repository:a/b:pull"),
            ("registry:catalog:*", "registry:catalog:*"),
        ] {
            assert_eq!(texts(&[text]), [expected], "{text}");
        }
    }

    #[test]
    fn unknown_scopes_are_left_out_and_break_nothing() {
        for text in [
            "",
            "openid",
            "repository",
            "repository:a/b",
            "repository:A/b:pull",
            "repository:alpine:pull",
            "repository:../b:pull",
            "repositoryx:a/b:pull",
            "repository(x:a/b:pull",
            "registry:other:*",
            "registry:catalog:pull",
            "artifact:a/b:pull",
        ] {
            assert_eq!(texts(&[text, "repository:c/d:pull"]), ["repository:c/d:pull"], "{text}");
        }
    }

    #[test]
    fn scopes_may_be_repeated_and_joined() {
        assert_eq!(
            texts(&[
                "repository:a/b:pull repository:c/d:pull",
                "repository:a/b:push",
                "registry:catalog:* registry:catalog:*"
            ]),
            ["repository:a/b:pull,push", "repository:c/d:pull", "registry:catalog:*"],
        );
    }

    proptest! {
        #[test]
        fn a_scope_reads_back(name in "[a-z0-9]{1,8}(/[a-z0-9]{1,8}){1,5}", bits in 0_u8..8) {
            let scope = Scope::Repository { name: name.parse().unwrap(), actions: Actions(bits) };
            prop_assert_eq!(Scope::parse(&scope.to_string()), Some(scope));
        }

        #[test]
        fn no_scope_makes_the_parser_panic(text in "(repository|registry|[:/,*() a-zé0-9]){0,40}") {
            Scope::parse_all([&*text, &*text]);
        }
    }
}
