//! Administration: what the admin API and the command line do to accounts, organisations, tokens and visibilities.
//!
//! Each act is a list of: may the actor, is the input right, change (which begins a new generation), audit. Whoever
//! acts must not be narrowed by a token, see [`Access::whole`].

mod accounts;
mod bootstrap;
mod forge_owners;
mod organisations;
mod repositories;
mod tokens;

use std::net::IpAddr;
use std::sync::Arc;

use railhead_catalog::{Owner, OwnerKind, User};
use railhead_oci::RepositoryName;
use serde_json::Value;

pub use bootstrap::Bootstrap;
pub use forge_owners::OnForge;
pub use tokens::TokenInfo;

use crate::audit::{Act, Outcome};
use crate::{Access, Error, Identity, Result};

/// Longest name of an account or organisation; leaves room for the image part of a repository's name.
const NAME_MAX: usize = 64;

/// Names that stand for something else: in URLs, in logs, or as a user name at a login.
const RESERVED: [&str; 12] = [
    "anonymous",
    "api",
    "assets",
    "catalog",
    "healthz",
    "login",
    "metrics",
    "operator",
    "static",
    "token",
    "ui",
    "v2",
];

/// Who acts, and from where.
#[derive(Clone, Debug)]
pub struct Actor {
    /// Who.
    pub who: Arc<Identity>,
    /// The address of the request; absent on the machine itself.
    pub from: Option<IpAddr>,
}

impl Access {
    /// The operator as an actor, for the control socket and the command line.
    pub fn operator_actor(&self) -> Actor {
        Actor { who: self.operator(), from: None }
    }

    async fn wrote(&self, by: &Actor, action: &str, target: &str, detail: Option<Value>) -> Result<()> {
        let act = Act { who: &by.who, from: by.from, action, target, outcome: Outcome::Done, detail };
        self.audit().write(&act, self.now()).await
    }

    /// Refuses to make or change what a forge has.
    pub(crate) fn accounts_are_here(&self) -> Result<()> {
        match &self.0.settings.forge {
            None => Ok(()),
            Some(forge) => Err(Error::Invalid(format!(
                "accounts, organisations and tokens are those of {} at {}: change them there",
                forge.kind(),
                forge.url()
            ))),
        }
    }

    async fn user_named(&self, name: &str) -> Result<User> {
        let found = self.0.catalog.user(name).await?;
        found.ok_or_else(|| railhead_catalog::Error::NotFound(format!("user '{name}'")).into())
    }

    async fn owner_named(&self, name: &str) -> Result<Owner> {
        let found = self.0.catalog.owner(name).await?;
        found
            .ok_or_else(|| railhead_catalog::Error::NotFound(format!("user or organisation '{name}'")).into())
    }

    async fn organisation_named(&self, name: &str) -> Result<Owner> {
        let found = self.0.catalog.owner(name).await?.filter(|owner| owner.kind == OwnerKind::Organisation);
        found.ok_or_else(|| railhead_catalog::Error::NotFound(format!("organisation '{name}'")).into())
    }
}

/// Whether `name` can be an owner's: in lower case it is the first part of a repository's name, and stands for
/// nothing else.
fn valid_name(name: &str) -> Result<()> {
    let lower = name.to_ascii_lowercase();
    let segment = !lower.contains('/') && format!("{lower}/x").parse::<RepositoryName>().is_ok();
    if !segment || name.len() > NAME_MAX {
        return Err(Error::Invalid(format!(
            "'{name}' cannot be a name: use letters and digits, joined by single '.', '_' or '-', \
             at most {NAME_MAX} characters"
        )));
    }
    if RESERVED.contains(&lower.as_str()) {
        return Err(Error::Invalid(format!("the name '{name}' is reserved; choose another")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_segments_in_any_case_and_not_reserved() {
        for good in ["alice", "Alice", "team-1", "a.b", "admin"] {
            assert!(valid_name(good).is_ok(), "{good}");
        }
        for wrong in ["", "a/b", ".", "-a", "a b", "é", "V2", "token", "Operator", &"a".repeat(65)] {
            assert!(valid_name(wrong).is_err(), "{wrong}");
        }
    }
}
