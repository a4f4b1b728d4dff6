//! What somebody wants to do with a repository.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One kind of act on a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Read manifests, blobs, tags and referrers.
    Pull,
    /// Upload, mount, put manifests and tags.
    Push,
    /// Remove tags, manifests and blobs.
    Delete,
    /// Change the repository itself: visibility, deletion. No bearer token can grant it.
    Admin,
}

impl Action {
    /// All of them, weakest first.
    pub const ALL: [Self; 4] = [Self::Pull, Self::Push, Self::Delete, Self::Admin];

    /// The word used in scopes.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
            Self::Admin => "admin",
        }
    }

    /// Whether a grant of this action is also one of `other`: push and delete need to read what they change, and
    /// admin is everything.
    pub fn implies(self, other: Self) -> bool {
        self == other || self == Self::Admin || other == Self::Pull
    }
}

/// A word is not an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an action is pull, push, delete or admin")]
pub struct ActionError;

impl FromStr for Action {
    type Err = ActionError;

    fn from_str(text: &str) -> Result<Self, ActionError> {
        Self::ALL.into_iter().find(|action| action.word() == text).ok_or(ActionError)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl From<railhead_oci::Action> for Action {
    fn from(action: railhead_oci::Action) -> Self {
        match action {
            railhead_oci::Action::Pull => Self::Pull,
            railhead_oci::Action::Push => Self::Push,
            railhead_oci::Action::Delete => Self::Delete,
        }
    }
}
