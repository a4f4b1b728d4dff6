//! Organisations, their members, and the limits of owners.

use railhead_catalog::{Limit, Member, Owner, OwnerId, Role};
use serde_json::json;

use super::{Actor, valid_name};
use crate::{Access, Denial, Principal, Reason, Result};

impl Access {
    /// Creates an organisation without members. Administrators only.
    pub async fn create_organisation(&self, by: &Actor, name: &str) -> Result<Owner> {
        self.accounts_are_here()?;
        self.require_admin(&by.who).await?;
        valid_name(name)?;
        let (catalog, now, wanted) = (self.0.catalog.clone(), self.now(), name.to_owned());
        let owner = self.change(async move { catalog.create_organisation(&wanted, now).await }).await?;
        self.wrote(by, "org.create", name, None).await?;
        Ok(owner)
    }

    /// Gives a user a role in an organisation, or with `None` takes it away. For its owners and administrators.
    pub async fn set_member(
        &self,
        by: &Actor,
        organisation: &str,
        user: &str,
        role: Option<Role>,
    ) -> Result<()> {
        self.accounts_are_here()?;
        let organisation_id = self.organisation_for(by, organisation, Role::Owner).await?.id;
        let user_id = self.user_named(user).await?.owner.id;
        let catalog = self.0.catalog.clone();
        self.change(async move { catalog.set_member(organisation_id, user_id, role).await }).await?;
        self.wrote(by, "org.member", organisation, Some(json!({ "user": user, "role": role }))).await
    }

    /// The members of an organisation in the catalog's order, from behind `after` on; for themselves and
    /// administrators.
    pub async fn members(
        &self,
        by: &Actor,
        organisation: &str,
        after: Option<OwnerId>,
        limit: u32,
    ) -> Result<Vec<Member>> {
        let organisation = self.organisation_for(by, organisation, Role::Reader).await?.id;
        Ok(self.0.catalog.members(organisation, after, limit).await?)
    }

    /// Every user and organisation, in order of names. Administrators only.
    pub async fn owners(&self, by: &Actor, after: Option<&str>, limit: u32) -> Result<Vec<Owner>> {
        self.require_admin(&by.who).await?;
        Ok(self.0.catalog.owners(after, limit).await?)
    }

    /// Sets the limits of an owner; `None` is the server's default. Administrators only.
    pub async fn set_limits(
        &self,
        by: &Actor,
        name: &str,
        quota: Option<Limit>,
        layer: Option<Limit>,
    ) -> Result<()> {
        self.require_admin(&by.who).await?;
        let owner = self.owner_named(name).await?.id;
        let catalog = self.0.catalog.clone();
        self.change(async move { catalog.set_limits(owner, quota, layer).await }).await?;
        self.wrote(by, "owner.limits", name, Some(json!({ "quota": quota, "layer": layer }))).await
    }

    /// Deletes a user or organisation that has no repositories. Administrators only.
    pub async fn delete_owner(&self, by: &Actor, name: &str) -> Result<()> {
        self.require_admin(&by.who).await?;
        let owner = self.owner_named(name).await?.id;
        let catalog = self.0.catalog.clone();
        self.change(async move { catalog.delete_owner(owner).await }).await?;
        self.wrote(by, "owner.delete", name, None).await
    }

    async fn organisation_for(&self, by: &Actor, name: &str, least: Role) -> Result<Owner> {
        let who = self.whole(&by.who).await?;
        if let Principal::Account(account) = who.principal()
            && !account.admin
        {
            let organisation = self.0.catalog.owner(name).await?;
            let role = match &organisation {
                Some(organisation) => self.role(account, organisation.id).await?,
                None => None,
            };
            // The same for a missing organisation and for one of others.
            if role.is_none_or(|role| role < least) {
                let message =
                    format!("this needs to be an owner of organisation '{name}', or an administrator");
                return Err(Denial::new(Reason::Role, message).into());
            }
        }
        self.organisation_named(name).await
    }
}
