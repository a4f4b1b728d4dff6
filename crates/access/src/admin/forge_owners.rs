//! What the forge still has of the owners here, and what the operator decides about those that it has no more.

use railhead_catalog::{Owner, OwnerKind};
use serde_json::json;

use super::Actor;
use crate::{Access, Denial, Error, Result};

/// What the forge says of an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnForge {
    /// It is there.
    There,
    /// It has this name there now; here it gets it when it is next used.
    Renamed(String),
    /// Another user or organisation has its name there.
    Taken,
    /// It is not there, as far as an administrator of the forge can see.
    Gone,
    /// Nobody in particular is shown it: it is gone, or private. An operator's token would tell.
    Hidden,
    /// It is from before the forge, and nobody has used it since.
    Unseen,
}

impl Access {
    /// What the forge says of an owner; `None` without a forge. Administrators only.
    pub async fn on_forge(&self, by: &Actor, owner: &Owner) -> Result<Option<OnForge>> {
        self.require_admin(&by.who).await?;
        let Some(forge) = self.forge() else { return Ok(None) };
        let Some(number) = self.0.catalog.forge_id(owner.id).await? else { return Ok(Some(OnForge::Unseen)) };
        let unavailable = |error: railhead_forge::Unavailable| Denial::unavailable(&error.to_string());
        let facts = forge.owner(None, &owner.name).await.map_err(unavailable)?.value;
        if let Some(facts) = facts {
            return Ok(Some(if facts.id == number { OnForge::There } else { OnForge::Taken }));
        }
        let renamed = forge.renamed(None, &owner.name).await.map_err(unavailable)?.value;
        Ok(Some(match renamed.filter(|facts| facts.id == number) {
            Some(facts) => OnForge::Renamed(facts.login),
            None if forge.has_operator_token() => OnForge::Gone,
            None => OnForge::Hidden,
        }))
    }

    /// Gives all that an owner has to the user or organisation that has its name on the forge now. Administrators only.
    pub async fn adopt_owner(&self, by: &Actor, name: &str) -> Result<Owner> {
        self.require_admin(&by.who).await?;
        let Some(forge) = self.forge() else {
            return Err(Error::Invalid(
                "accounts are not those of a forge: there is nobody to adopt it".to_owned(),
            ));
        };
        let owner = self.owner_named(name).await?;
        // The operator has just made that user or organisation, maybe.
        forge.forget();
        let unavailable = |error: railhead_forge::Unavailable| Denial::unavailable(&error.to_string());
        let facts = forge.owner(None, &owner.name).await.map_err(unavailable)?.value;
        let Some(facts) = facts else {
            return Err(Error::Invalid(format!(
                "{} shows no user or organisation '{}': make one of that name there first, public or with forge.token_file set",
                forge.kind(),
                owner.name
            )));
        };
        let organisation = forge.is_organisation(None, &facts.login).await.map_err(unavailable)?;
        let kind = if organisation { OwnerKind::Organisation } else { OwnerKind::User };
        let (catalog, id, login) = (self.0.catalog.clone(), owner.id, facts.login.clone());
        self.change(async move { catalog.adopt_owner(id, facts.id, &login, kind).await }).await?;
        self.wrote(by, "owner.adopt", name, Some(json!({ "forge_id": facts.id }))).await?;
        Ok(Owner { name: facts.login, kind, ..owner })
    }
}
