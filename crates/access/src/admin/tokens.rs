//! Tokens of users.

use std::time::Duration;

use railhead_catalog::{NewToken, OwnerId, Timestamp, Token, TokenId};
use secrecy::SecretString;
use serde_json::json;

use super::Actor;
use crate::settings::millis;
use crate::{Access, Error, Principal, Result, TokenScope, authenticate, secret};

/// Longest name of a token, in characters.
const NAME_MAX: usize = 100;
/// Scopes of one token: each request looks through them.
const SCOPES_MAX: usize = 100;

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// Its row.
    pub id: TokenId,
    /// Whose it is.
    pub user: OwnerId,
    /// What its maker called it.
    pub name: String,
    /// What it is limited to.
    pub scopes: Vec<TokenScope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was ended.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub used_at: Option<Timestamp>,
    /// From which address.
    pub used_from: Option<String>,
}

impl TryFrom<Token> for TokenInfo {
    type Error = Error;

    fn try_from(token: Token) -> Result<Self> {
        Ok(Self {
            scopes: authenticate::scopes(&token)?,
            id: token.id,
            user: token.user,
            name: token.name,
            created_at: token.created_at,
            expires_at: token.expires_at,
            revoked_at: token.revoked_at,
            used_at: token.used_at,
            used_from: token.used_from,
        })
    }
}

impl Access {
    /// Creates a token and returns its secret, which cannot be had again. Users make their own, administrators
    /// everybody's.
    pub async fn create_token(
        &self,
        by: &Actor,
        user: &str,
        name: &str,
        scopes: &[TokenScope],
        life: Option<Duration>,
    ) -> Result<(TokenInfo, SecretString)> {
        self.accounts_are_here()?;
        let user_id = self.user_named_for(by, user).await?;
        valid(name, scopes)?;
        let now = self.now();
        let secret = secret::generate()?;
        let new = NewToken {
            user: user_id,
            name: name.to_owned(),
            secret_hash: secret::hash_of(&secret),
            scopes: json!(scopes).to_string(),
            expires_at: life.map(|life| now.plus_millis(millis(life))),
        };
        let catalog = self.0.catalog.clone();
        let token = self.change(async move { catalog.create_token(new, now).await }).await?;
        let detail = json!({ "id": token.id, "name": name, "scopes": scopes, "expires": token.expires_at });
        self.wrote(by, "token.create", user, Some(detail)).await?;
        Ok((token.try_into()?, secret))
    }

    /// The tokens of `user`, or for administrators with `None` everybody's; in order of their ids.
    pub async fn tokens(
        &self,
        by: &Actor,
        user: Option<&str>,
        after: Option<TokenId>,
        limit: u32,
    ) -> Result<Vec<TokenInfo>> {
        let user = if let Some(user) = user {
            Some(self.user_named_for(by, user).await?)
        } else {
            self.require_admin(&by.who).await?;
            None
        };
        let tokens = self.0.catalog.tokens(user, after, limit).await?;
        tokens.into_iter().map(TokenInfo::try_from).collect()
    }

    /// The token that `by` shows: any token may know what it is, so that whoever keeps one knows when it ends.
    pub async fn current_token(&self, by: &Actor) -> Result<TokenInfo> {
        let missing = || railhead_catalog::Error::NotFound("the token of this login".to_owned());
        let id = by.who.token_id().ok_or_else(missing)?;
        self.0.catalog.token(id).await?.ok_or_else(missing)?.try_into()
    }

    /// Ends a token, and the bearer tokens asked with it. Users end their own, administrators everybody's; and any
    /// token may end itself, so that whoever finds a leaked one can.
    pub async fn revoke_token(&self, by: &Actor, id: TokenId) -> Result<()> {
        let itself = by.who.token_id() == Some(id) && !by.who.is_bearer();
        let token = self.0.catalog.token(id).await?;
        if !itself {
            let who = self.whole(&by.who).await?;
            let own = |account: &crate::Account| token.as_ref().is_some_and(|token| token.user == account.id);
            // The same answer for a missing token and for one of others.
            if !matches!(who.principal(), Principal::Account(account) if own(account)) {
                self.require_admin(&who).await?;
            }
        }
        let missing = || railhead_catalog::Error::NotFound(format!("token {id}"));
        let token = token.ok_or_else(missing)?;
        let (catalog, now) = (self.0.catalog.clone(), self.now());
        self.change(async move { catalog.revoke_token(id, now).await }).await?;
        self.wrote(by, "token.revoke", &id.to_string(), Some(json!({ "name": token.name }))).await
    }
}

fn valid(name: &str, scopes: &[TokenScope]) -> Result<()> {
    let length = name.chars().count();
    if length == 0 || length > NAME_MAX || name.chars().any(char::is_control) {
        return Err(Error::Invalid(format!("a token's name has 1 to {NAME_MAX} printable characters")));
    }
    if secret::is_token(name) {
        return Err(Error::Invalid("a token's secret cannot be its name".to_owned()));
    }
    if scopes.is_empty() || scopes.len() > SCOPES_MAX {
        return Err(Error::Invalid(format!(
            "a token has 1 to {SCOPES_MAX} scopes, such as pull or push:team/app*"
        )));
    }
    Ok(())
}
