//! From the text of an `Authorization` header to an [`Identity`].
//!
//! Three ways in: a password (Basic), a Railhead token (Basic with the account's name or `token`, or Bearer), and a
//! bearer token that [`Access::issue`] made. Each reads its facts after it knows the generation, see
//! [`crate::generation`].

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use railhead_catalog::{OwnerId, Timestamp, Token, TokenId, User};
use railhead_forge::Login;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::audit::{Act, Outcome};
use crate::identity::{Account, UsedToken};
use crate::uses::NOTE_EVERY;
use crate::{Access, Denial, Error, Identity, Principal, Reason, Result, TokenScope, secret};

/// The user name that goes with a token when the client wants one and its holder does not know the account's.
const ANY_NAME: &str = "token";

/// What a header says.
enum Credentials {
    Basic { name: String, secret: SecretString },
    Bearer(SecretString),
}

impl Access {
    /// Who `authorization` was lately found to be. Costs about as much as one look-up; `None` means that
    /// [`Access::authenticate`] has to find out.
    pub fn remembered(&self, authorization: &str) -> Option<Arc<Identity>> {
        let now = self.now();
        self.0.remembered.identity(authorization, self.0.generation.fresh(now)?, now)
    }

    /// Finds out who is asking. Without a header it is nobody; a wrong one is [`Reason::Credentials`], too many
    /// wrong passwords are [`Reason::TooMany`].
    pub async fn authenticate(&self, authorization: Option<&str>, from: IpAddr) -> Result<Arc<Identity>> {
        let Some(header) = authorization else { return Ok(self.anonymous()) };
        if let Some(identity) = self.remembered(header) {
            return Ok(identity);
        }
        let credentials = parse(header).ok_or_else(Denial::credentials)?;
        if let (Credentials::Basic { secret, .. }, Some(workloads)) =
            (&credentials, &self.0.settings.workloads)
            && railhead_workload::is_token(secret.expose_secret())
        {
            return Box::pin(self.by_workload(workloads, header, secret, from)).await;
        }
        if let Some(forge) = &self.0.settings.forge {
            return match credentials {
                Credentials::Bearer(token) if !token.expose_secret().starts_with(secret::PREFIX) => {
                    self.by_bearer(header, &token).await
                }
                Credentials::Bearer(secret) => {
                    Box::pin(self.by_forge(forge, header, Login::new(String::new(), secret), from)).await
                }
                Credentials::Basic { name, secret } => {
                    Box::pin(self.by_forge(forge, header, Login::new(name, secret), from)).await
                }
            };
        }
        match credentials {
            Credentials::Basic { name, secret } if secret::is_token(secret.expose_secret()) => {
                self.by_token(header, &secret, Some(&name), from).await
            }
            Credentials::Basic { name, secret } => self.by_password(header, &name, secret, from).await,
            Credentials::Bearer(secret) if secret.expose_secret().starts_with(secret::PREFIX) => {
                self.by_token(header, &secret, None, from).await
            }
            Credentials::Bearer(token) => self.by_bearer(header, &token).await,
        }
    }

    async fn by_token(
        &self,
        header: &str,
        secret: &SecretString,
        name: Option<&str>,
        from: IpAddr,
    ) -> Result<Arc<Identity>> {
        if !secret::is_token(secret.expose_secret()) {
            return Err(Denial::credentials().into());
        }
        let (shared, now) = (&self.0, self.now());
        let generation = shared.generation.current(&shared.catalog, now).await?;
        let found = shared.catalog.token_by_hash(&secret::hash_of(secret)).await?;
        let (token, holder) = found.ok_or_else(Denial::credentials)?;
        alive(&token, now)?;
        if holder.disabled {
            return Err(disabled().into());
        }
        let names_holder =
            |name: &str| matches!(name, "" | ANY_NAME) || name.to_lowercase() == holder.name.to_lowercase();
        if !name.is_none_or(names_holder) {
            return Err(Denial::new(
                Reason::Credentials,
                "the token belongs to another account; log in with that account's name, or with 'token'",
            )
            .into());
        }
        shared.uses.note(token.id, from, now);
        let principal = account(holder.id, &holder.name, holder.admin);
        let identity = Arc::new(Identity {
            expires: token.expires_at,
            token: Some(used(&token)?),
            ..Identity::of(shared.next_serial(), principal, generation)
        });
        // Asked again after a minute, which notes its use.
        self.keep(header, &identity, now.plus_millis(NOTE_EVERY));
        Ok(identity)
    }

    async fn by_password(
        &self,
        header: &str,
        name: &str,
        password: SecretString,
        from: IpAddr,
    ) -> Result<Arc<Identity>> {
        let shared = &self.0;
        self.not_throttled(name, from)?;
        let turn = shared.passwords.turn().await?;
        // While this waited, the same header may have been found right, or another one wrong once too often.
        if let Some(identity) = self.remembered(header) {
            return Ok(identity);
        }
        self.not_throttled(name, from)?;
        let generation = shared.generation.current(&shared.catalog, self.now()).await?;
        let user = shared.catalog.user(name).await?;
        let stored = user.as_ref().and_then(|user| user.password_hash.clone());
        let (right, turn) = shared.passwords.verify(turn, password, stored).await?;
        let Some(user) = user.as_ref().filter(|_| right) else {
            self.wrong_password(name, user.as_ref(), from);
            // Given up only now, so that guesses sent at once cannot all pass before the first is counted.
            drop(turn);
            return Err(Denial::credentials().into());
        };
        if user.disabled {
            return Err(disabled().into());
        }
        shared.throttle.succeeded(name);
        let principal = account(user.owner.id, &user.owner.name, user.admin);
        let identity = Arc::new(Identity {
            password_mark: user.password_hash.as_ref().map(mark),
            ..Identity::of(shared.next_serial(), principal, generation)
        });
        self.keep(header, &identity, Timestamp(i64::MAX));
        Ok(identity)
    }

    pub(crate) fn not_throttled(&self, name: &str, from: IpAddr) -> Result<(), Denial> {
        self.0.throttle.wait(name, from, self.now()).map_or(Ok(()), |wait| Err(Denial::too_many(wait)))
    }

    pub(crate) fn wrong_password(&self, name: &str, user: Option<&User>, from: IpAddr) {
        let now = self.now();
        self.0.throttle.failed(name, from, now);
        // Only a known name is written: people type passwords into the field for the name.
        let target = user.map_or("", |user| &user.owner.name);
        self.0.audit.note(
            &Act {
                who: &self.0.anonymous,
                from: Some(from),
                action: "login",
                target,
                outcome: Outcome::Denied,
                detail: Some(json!({ "known": user.is_some() })),
            },
            now,
        );
    }

    async fn by_bearer(&self, header: &str, token: &SecretString) -> Result<Arc<Identity>> {
        let (shared, now) = (&self.0, self.now());
        let claims = shared.key.verify(token.expose_secret(), &shared.settings.service, now);
        let claims = claims.ok_or_else(|| {
            Denial::new(Reason::Credentials, "the bearer token is expired or not of this registry")
        })?;
        let generation = shared.generation.current(&shared.catalog, now).await?;
        let expires = Timestamp(claims.exp.saturating_mul(1000));
        let mut identity = Identity {
            bearer: Some(claims.access.iter().filter_map(crate::bearer::Access::scope).collect()),
            expires: Some(expires),
            password_mark: claims.pwm,
            ..Identity::of(shared.next_serial(), Principal::Anonymous, generation)
        };
        if let Some(workload) = claims.wrk {
            identity.principal = Principal::Workload(workload.name.into());
            identity.grants = Some(workload.grants.into());
            let identity = Arc::new(identity);
            self.keep(header, &identity, expires);
            return Ok(identity);
        }
        if let Some(forge) = &shared.settings.forge {
            let asked = self.bearer_of_forge(forge, &mut identity, claims.uid, claims.frg.as_deref());
            let until = Box::pin(asked).await?;
            let identity = Arc::new(identity);
            self.keep(header, &identity, until);
            return Ok(identity);
        }
        if claims.frg.is_some() {
            return Err(Denial::new(
                Reason::Credentials,
                "accounts are no longer those of a forge; log in again",
            )
            .into());
        }
        if let Some(id) = claims.uid {
            let used = claims.tid.map(TokenId);
            (identity.principal, identity.token) =
                self.alive(OwnerId(id), used, identity.password_mark.as_deref()).await?;
        }
        let identity = Arc::new(identity);
        self.keep(header, &identity, expires);
        Ok(identity)
    }

    /// The account and token behind an identity, as they are now; a denial when they no longer count.
    pub(crate) async fn alive(
        &self,
        id: OwnerId,
        token: Option<TokenId>,
        password_mark: Option<&str>,
    ) -> Result<(Principal, Option<UsedToken>)> {
        let catalog = &self.0.catalog;
        let user = catalog.user_by_id(id).await?.ok_or_else(Denial::credentials)?;
        if user.disabled {
            return Err(disabled().into());
        }
        if password_mark.is_some() && password_mark != user.password_hash.as_ref().map(mark).as_deref() {
            return Err(Denial::new(Reason::Credentials, "the password was changed; log in again").into());
        }
        let token = match token {
            None => None,
            Some(token) => {
                let token = catalog.token(token).await?.ok_or_else(Denial::credentials)?;
                alive(&token, self.now())?;
                Some(used(&token)?)
            }
        };
        Ok((account(user.owner.id, &user.owner.name, user.admin), token))
    }

    pub(crate) fn keep(&self, header: &str, identity: &Arc<Identity>, until: Timestamp) {
        let until = identity.expires.map_or(until, |expires| expires.min(until));
        self.0.remembered.keep_identity(header, identity, until);
    }
}

fn parse(header: &str) -> Option<Credentials> {
    let (scheme, rest) = header.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Credentials::Bearer(rest.into()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(rest).ok()?).ok()?;
    let (name, secret) = text.split_once(':')?;
    Some(Credentials::Basic { name: name.to_owned(), secret: secret.into() })
}

pub(crate) fn account(id: OwnerId, name: &str, admin: bool) -> Principal {
    Principal::Account(Account { id, name: name.into(), admin })
}

pub(crate) fn disabled() -> Denial {
    Denial::new(Reason::Credentials, "the account is disabled; ask an administrator")
}

/// Says to the holder of a token why it no longer counts.
fn alive(token: &Token, now: Timestamp) -> Result<(), Denial> {
    if token.revoked_at.is_some() {
        return Err(Denial::new(Reason::Credentials, "the token was revoked; create another"));
    }
    match token.expires_at {
        Some(end) if end <= now => {
            Err(Denial::new(Reason::Credentials, format!("the token expired at {end}; create another")))
        }
        _ => Ok(()),
    }
}

pub(crate) fn scopes(token: &Token) -> Result<Vec<TokenScope>> {
    serde_json::from_str(&token.scopes)
        .map_err(|error| Error::Corrupt(format!("the scopes of token {}: {error}", token.id)))
}

fn used(token: &Token) -> Result<UsedToken> {
    Ok(UsedToken { id: token.id, name: token.name.as_str().into(), scopes: scopes(token)?.into() })
}

/// Changes when the password does, and says nothing about it: the stored hash has a random salt.
fn mark(password_hash: &SecretString) -> String {
    let digest = Sha256::new()
        .chain_update("railhead password mark\0")
        .chain_update(password_hash.expose_secret())
        .finalize();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&digest[..9])
}
