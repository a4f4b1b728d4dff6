//! Bearer tokens for those who logged in, and for nobody.
//!
//! A bearer token grants of what was asked for what is allowed now; it never fails for what it cannot grant, since
//! clients ask for more than they need (docker's login asks for nothing, its push for `pull,push`). Each use is
//! judged by the rules again, so it grants no longer than the account's own rights last.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use railhead_catalog::Timestamp;
use railhead_oci::{Actions, Scope};

use crate::bearer::{Claims, Workload};
use crate::{Access, Decision, Denial, Error, Identity, Principal, Reason, Result};

/// Scopes that one request can ask for; further ones are not granted. No client asks for more than a few.
pub const SCOPES_MAX: usize = 64;

/// A bearer token.
#[derive(Clone)]
pub struct IssuedBearer {
    /// The token itself, to be given to the client only.
    pub token: String,
    /// How long it is good, in seconds.
    pub expires_in: u64,
    /// When it was made.
    pub issued_at: Timestamp,
    /// What it grants.
    pub granted: Vec<Scope>,
}

impl fmt::Debug for IssuedBearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedBearer")
            .field("expires_in", &self.expires_in)
            .field("granted", &self.granted)
            .finish_non_exhaustive()
    }
}

impl Access {
    /// A bearer token for `who` with as much of `wanted` as is allowed now.
    ///
    /// A bearer token cannot be exchanged for another, or its end would mean nothing.
    pub async fn issue(&self, who: &Identity, wanted: &[Scope]) -> Result<IssuedBearer> {
        if who.is_bearer() || *who.principal() == Principal::Operator {
            let message = "ask for a bearer token with a password or a Railhead token";
            return Err(Denial::new(Reason::Credentials, message).into());
        }
        let granted = self.granted(who, wanted).await?;
        if let Some(why) = &who.unverified
            && (wanted.is_empty() || granted != wanted)
        {
            return Err(Denial::unavailable(why).into());
        }
        let now = self.now();
        let issued = now.0.div_euclid(1000);
        let life = i64::try_from(self.0.settings.bearer_life.as_secs()).unwrap_or(i64::MAX);
        let end = issued.saturating_add(life);
        let end = who.expires.map_or(end, |expires| end.min(expires.0.div_euclid(1000)));
        let mut id = [0; 12];
        getrandom::fill(&mut id).map_err(Error::Random)?;
        let service = &self.0.settings.service;
        let claims = Claims {
            iss: service.clone(),
            aud: service.clone(),
            sub: if who.is_anonymous() { String::new() } else { who.name().to_owned() },
            jti: BASE64.encode(id),
            iat: issued,
            nbf: issued,
            exp: end,
            access: granted.iter().map(Into::into).collect(),
            uid: who.account_id().map(|id| id.0),
            tid: who.token_id().map(|id| id.0),
            pwm: who.password_mark.clone(),
            frg: who.forge.as_ref().map(|login| self.0.seal.close(&login.shown)).transpose()?,
            wrk: workload(who),
        };
        let token = self.0.key.sign(&claims).map_err(|error| Error::Invalid(error.to_string()))?;
        Ok(IssuedBearer {
            token,
            expires_in: u64::try_from(end - issued).unwrap_or_default(),
            issued_at: now,
            granted,
        })
    }

    async fn granted(&self, who: &Identity, wanted: &[Scope]) -> Result<Vec<Scope>> {
        let mut granted = Vec::new();
        for scope in wanted.iter().take(SCOPES_MAX) {
            match scope {
                Scope::Repository { name, actions } => {
                    let mut allowed = Actions::NONE;
                    for action in actions.iter() {
                        match self.decide(who, action.into(), name).await? {
                            Decision::Allowed => allowed = allowed.with(action),
                            // "Not now" must not look like "never".
                            Decision::Denied(denial) if denial.is_unavailable() => return Err(denial.into()),
                            Decision::Denied(_) => {}
                        }
                    }
                    if !allowed.is_empty() {
                        granted.push(Scope::Repository { name: name.clone(), actions: allowed });
                    }
                }
                Scope::Catalog if who.may_list() => granted.push(Scope::Catalog),
                Scope::Catalog => {}
            }
        }
        Ok(granted)
    }
}

/// The workload that somebody is.
fn workload(who: &Identity) -> Option<Workload> {
    let grants = who.grants.as_ref()?;
    Some(Workload { name: who.name().to_owned(), grants: grants.to_vec() })
}
