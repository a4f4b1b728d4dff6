//! The rules, without I/O: who may do what where.
//!
//! | on a repository of …                | anyone | reader | writer | owner | the user itself | admin |
//! | ----------------------------------- | ------ | ------ | ------ | ----- | --------------- | ----- |
//! | pull, public                        | yes    | yes    | yes    | yes   | yes             | yes   |
//! | pull, private                       |        | yes    | yes    | yes   | yes             | yes   |
//! | push                                |        |        | yes    | yes   | yes             | yes   |
//! | delete, admin                       |        |        |        | yes   | yes             | yes   |
//!
//! Order: what everyone may, then the account's role, then its token's scopes, then the grants of a bearer token.
//! A later step only takes away. Delete is the owner's, not the writer's: a pushed tag can be moved back, what was
//! deleted is gone.
//!
//! Invariant: to somebody who may not pull it a private repository and a missing one give the same answer. That a
//! *owner* exists is no secret to accounts, as on a forge; to nobody logged in everything but public is the same.

use railhead_catalog::Visibility;
use railhead_oci::RepositoryName;

use crate::{Action, Denial, Identity, Principal, Reason};

/// May or may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// May.
    Allowed,
    /// May not, and why.
    Denied(Box<Denial>),
}

impl Decision {
    /// Whether it is allowed.
    pub fn is_allowed(&self) -> bool {
        *self == Self::Allowed
    }

    /// Why not, when it is denied.
    pub fn into_denial(self) -> Option<Denial> {
        match self {
            Self::Allowed => None,
            Self::Denied(denial) => Some(*denial),
        }
    }
}

/// What an account is to an owner, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Not a member.
    Stranger,
    Reader,
    Writer,
    /// Owner of the organisation, the user itself, or an administrator.
    Owner,
}

/// What the rules rest on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub owner_exists: bool,
    pub standing: Standing,
    /// Absent when there is no such repository.
    pub visibility: Option<Visibility>,
}

pub(crate) fn judge(who: &Identity, action: Action, repository: &RepositoryName, facts: Facts) -> Decision {
    if everyone_may(action, facts.visibility) || *who.principal() == Principal::Operator {
        return Decision::Allowed;
    }
    let denial = if who.is_anonymous() {
        Denial::new(
            Reason::Unauthenticated,
            "log in to do this; without a login only public repositories can be pulled",
        )
    } else if facts.standing < needed(action) {
        by_role(action, repository, facts)
    } else if action == Action::Push && !facts.owner_exists {
        no_owner(repository)
    } else if !who.scopes_cover(action, repository) {
        Denial::new(
            Reason::TokenScope,
            format!("the token has no scope for this; it needs {action}:{repository}, or a wider one"),
        )
    } else if who.is_bearer() && action == Action::Admin {
        Denial::new(Reason::TokenScope, "a bearer token cannot do this; use a Railhead token or the password")
    } else if !who.bearer_grants(action, repository) {
        Denial::new(
            Reason::NeedsScope,
            format!(
                "the bearer token was not asked for {action} on {repository}; ask for one with that scope"
            ),
        )
    } else {
        return Decision::Allowed;
    };
    Decision::Denied(Box::new(denial.with("action", action.word()).with("repository", repository.as_str())))
}

pub(crate) fn everyone_may(action: Action, visibility: Option<Visibility>) -> bool {
    action == Action::Pull && visibility == Some(Visibility::Public)
}

const fn needed(action: Action) -> Standing {
    match action {
        Action::Pull => Standing::Reader,
        Action::Push => Standing::Writer,
        Action::Delete | Action::Admin => Standing::Owner,
    }
}

fn by_role(action: Action, repository: &RepositoryName, facts: Facts) -> Denial {
    let may_pull = facts.standing >= Standing::Reader || facts.visibility == Some(Visibility::Public);
    // Pushing may create a repository, so its refusal tells nothing about what exists.
    if action != Action::Push && !may_pull {
        return Denial::new(Reason::Visibility, "there is no such repository");
    }
    if !facts.owner_exists {
        return no_owner(repository);
    }
    let role = if action == Action::Push { "writer" } else { "owner" };
    Denial::new(
        Reason::Role,
        format!(
            "{action} on {repository} needs the role {role} in '{}'; ask one of its owners",
            repository.owner()
        ),
    )
}

fn no_owner(repository: &RepositoryName) -> Denial {
    Denial::new(
        Reason::Owner,
        format!(
            "there is no user or organisation '{}'; push below your own name, or let an administrator create it",
            repository.owner()
        ),
    )
}
