//! Users.

use railhead_catalog::Owner;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::{Actor, valid_name};
use crate::password::{LONGEST, SHORTEST};
use crate::{Access, Error, Principal, Result};

impl Access {
    /// Creates a user. Without a password it logs in with tokens only.
    pub async fn create_user(
        &self,
        by: &Actor,
        name: &str,
        password: Option<SecretString>,
        admin: bool,
    ) -> Result<Owner> {
        self.accounts_are_here()?;
        self.require_admin(&by.who).await?;
        valid_name(name)?;
        let hash = self.hashed(password).await?;
        let (catalog, now, wanted) = (self.0.catalog.clone(), self.now(), name.to_owned());
        let owner = self.change(async move { catalog.create_user(&wanted, hash, admin, now).await }).await?;
        self.wrote(by, "user.create", name, Some(json!({ "admin": admin }))).await?;
        Ok(owner)
    }

    /// Sets or removes a password. Users set their own, administrators everybody's. Bearer tokens that were asked
    /// with the old one end at once; Railhead tokens stay.
    pub async fn set_password(&self, by: &Actor, name: &str, password: Option<SecretString>) -> Result<()> {
        self.accounts_are_here()?;
        let user = self.user_named_for(by, name).await?;
        let hash = self.hashed(password).await?;
        let catalog = self.0.catalog.clone();
        self.change(async move { catalog.set_password(user, hash).await }).await?;
        self.wrote(by, "user.password", name, None).await
    }

    /// Disables or enables a user: its passwords, tokens and bearer tokens count no more from now on.
    pub async fn set_disabled(&self, by: &Actor, name: &str, disabled: bool) -> Result<()> {
        self.require_admin(&by.who).await?;
        let user = self.user_named(name).await?.owner.id;
        if disabled && by.who.account_id() == Some(user) {
            return Err(Error::Invalid(
                "you cannot disable yourself; let another administrator do it".to_owned(),
            ));
        }
        let catalog = self.0.catalog.clone();
        self.change(async move { catalog.set_disabled(user, disabled).await }).await?;
        self.wrote(by, if disabled { "user.disable" } else { "user.enable" }, name, None).await
    }

    /// Makes a user an administrator, or no longer one.
    pub async fn set_admin(&self, by: &Actor, name: &str, admin: bool) -> Result<()> {
        self.accounts_are_here()?;
        self.require_admin(&by.who).await?;
        let user = self.user_named(name).await?.owner.id;
        if !admin && by.who.account_id() == Some(user) {
            let message = "you cannot take your own administration away; let another administrator do it";
            return Err(Error::Invalid(message.to_owned()));
        }
        let catalog = self.0.catalog.clone();
        self.change(async move { catalog.set_admin(user, admin).await }).await?;
        self.wrote(by, "user.admin", name, Some(json!({ "admin": admin }))).await
    }

    /// The row of user `name`, when the actor is that user, not narrowed, or an administrator. The answer to others
    /// does not tell whether it exists.
    pub(super) async fn user_named_for(&self, by: &Actor, name: &str) -> Result<railhead_catalog::OwnerId> {
        let who = self.whole(&by.who).await?;
        if let Principal::Account(account) = who.principal()
            && account.name.to_ascii_lowercase() == name.to_ascii_lowercase()
        {
            return Ok(account.id);
        }
        self.require_admin(&who).await?;
        Ok(self.user_named(name).await?.owner.id)
    }

    async fn hashed(&self, password: Option<SecretString>) -> Result<Option<SecretString>> {
        let Some(password) = password else { return Ok(None) };
        let text = password.expose_secret();
        if text.chars().count() < SHORTEST || text.len() > LONGEST {
            return Err(Error::Invalid(format!(
                "a password has {SHORTEST} characters at least and {LONGEST} bytes at most"
            )));
        }
        // It would be taken for one at the login, and never match.
        if crate::is_token(text) {
            return Err(Error::Invalid("a token cannot be a password".to_owned()));
        }
        Ok(Some(self.0.passwords.hash(password).await?))
    }
}
