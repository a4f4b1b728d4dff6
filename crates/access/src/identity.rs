//! Who is asking.

use std::sync::Arc;

use railhead_catalog::{OwnerId, Timestamp, TokenId};
use railhead_forge::{Login, Person};
use railhead_oci::{RepositoryName, Scope};

use crate::{Action, Denial, TokenScope};

/// Who is asking, and how that was proven. Made by [`crate::Access`] alone, so holding one proves a login.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Another one for each identity of the process: decisions are remembered by it.
    pub(crate) serial: u64,
    pub(crate) principal: Principal,
    pub(crate) token: Option<UsedToken>,
    /// What a bearer token grants, when one proved it.
    pub(crate) bearer: Option<Vec<Scope>>,
    /// From when on it proves nothing.
    pub(crate) expires: Option<Timestamp>,
    /// The generation of the facts that it was made from.
    pub(crate) generation: u64,
    /// A mark of the password that proved it.
    pub(crate) password_mark: Option<String>,
    /// What proved it to the forge, when that has the accounts.
    pub(crate) forge: Option<ForgeLogin>,
    /// What a workload may do.
    pub(crate) grants: Option<Arc<[TokenScope]>>,
    /// Why nobody knows who it is, when it came with a login that the forge could not be asked about. It counts as nobody.
    pub(crate) unverified: Option<Arc<str>>,
}

/// A login that the forge took.
#[derive(Clone, Debug)]
pub(crate) struct ForgeLogin {
    /// What was shown.
    pub shown: Arc<Login>,
    /// Whose it is.
    pub person: Person,
}

/// Somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Nobody is logged in.
    Anonymous,
    /// The person on the machine itself, who came in by the control socket or the command line.
    Operator,
    /// An account of the catalog.
    Account(Account),
    /// A job or a service account, by the rules that fit it and its subject.
    Workload(Arc<str>),
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its row.
    pub id: OwnerId,
    /// Its name as it was written.
    pub name: Arc<str>,
    /// Whether it may do everything.
    pub admin: bool,
}

/// The Railhead token that proved an identity, directly or by a bearer token asked with it.
#[derive(Clone, Debug)]
pub(crate) struct UsedToken {
    pub id: TokenId,
    pub name: Arc<str>,
    pub scopes: Arc<[TokenScope]>,
}

impl Identity {
    /// Somebody without anything but a number and a principal.
    pub(crate) const fn of(serial: u64, principal: Principal, generation: u64) -> Self {
        Self {
            serial,
            principal,
            token: None,
            bearer: None,
            expires: None,
            generation,
            password_mark: None,
            forge: None,
            grants: None,
            unverified: None,
        }
    }

    /// Refuses one that came with a login of which nobody knows whose it is, as the forge could not be asked.
    pub fn verified(&self) -> Result<(), Denial> {
        self.unverified.as_ref().map_or(Ok(()), |why| Err(Denial::unavailable(why)))
    }

    /// Who it is.
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The account, when one is logged in.
    pub const fn account(&self) -> Option<&Account> {
        match &self.principal {
            Principal::Account(account) => Some(account),
            Principal::Anonymous | Principal::Operator | Principal::Workload(_) => None,
        }
    }

    /// The account's row, as the catalog wants it.
    pub fn account_id(&self) -> Option<OwnerId> {
        self.account().map(|account| account.id)
    }

    /// A name for logs: the account's, `anonymous` or `operator`.
    pub fn name(&self) -> &str {
        match &self.principal {
            Principal::Anonymous => "anonymous",
            Principal::Operator => "operator",
            Principal::Account(account) => &account.name,
            Principal::Workload(name) => name,
        }
    }

    /// Whether nobody is logged in.
    pub fn is_anonymous(&self) -> bool {
        self.principal == Principal::Anonymous
    }

    /// Whether it came with a bearer token, which is for repositories only.
    pub const fn is_bearer(&self) -> bool {
        self.bearer.is_some()
    }

    /// The Railhead token that proved it.
    pub fn token_id(&self) -> Option<TokenId> {
        self.token.as_ref().map(|token| token.id)
    }

    /// That token's name.
    pub fn token_name(&self) -> Option<&str> {
        self.token.as_ref().map(|token| &*token.name)
    }

    /// Whether its token's scopes cover the act; true without a token.
    pub(crate) fn scopes_cover(&self, action: Action, repository: &RepositoryName) -> bool {
        self.token
            .as_ref()
            .is_none_or(|token| token.scopes.iter().any(|scope| scope.covers(action, repository)))
    }

    /// Whether nothing narrows what the account may do.
    pub(crate) fn is_whole(&self) -> bool {
        self.bearer.is_none()
            && self.grants.is_none()
            && self.token.as_ref().is_none_or(|token| token.scopes.iter().any(TokenScope::is_everything))
    }

    /// Whether its bearer token grants the act; true without a bearer token.
    pub(crate) fn bearer_grants(&self, action: Action, repository: &RepositoryName) -> bool {
        self.bearer.as_ref().is_none_or(|grants| {
            grants.iter().any(|grant| match grant {
                Scope::Repository { name, actions } => {
                    name == repository && actions.iter().any(|granted| Action::from(granted).implies(action))
                }
                Scope::Catalog => false,
            })
        })
    }

    /// Whether it may list repositories, which a bearer token has to be asked for.
    pub fn may_list(&self) -> bool {
        !self.is_anonymous() && self.bearer.as_ref().is_none_or(|grants| grants.contains(&Scope::Catalog))
    }
}
