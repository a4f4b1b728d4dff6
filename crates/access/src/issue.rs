//! Bearer tokens for those who logged in, and for nobody.
//!
//! A bearer token grants of what was asked for what is allowed now; it never fails for what it cannot grant, since
//! clients ask for more than they need (docker's login asks for nothing, its push for `pull,push`). Each use is
//! judged by the rules again, so it grants no longer than the account's own rights last.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use railhead_catalog::Timestamp;
use secrecy::SecretString;

use crate::action::Actions;
use crate::bearer::{self, Claims};
use crate::identity::Grant;
use crate::{Access, Action, Denial, Error, Identity, Principal, Reason, Result};

/// Scopes that one request can ask for; further ones are not granted. No client asks for more than a few.
pub const GRANTS_MAX: usize = 64;

/// A bearer token.
#[derive(Clone, Debug)]
pub struct IssuedBearer {
    /// The token itself.
    pub token: SecretString,
    /// How long it is good: whole seconds.
    pub expires_in: Duration,
    /// When it was made.
    pub issued_at: Timestamp,
    /// What it grants.
    pub granted: Vec<Grant>,
}

impl Grant {
    /// Reads a scope of docker's token specification: `repository:team/app:pull,push`. `*` is every action. `None`
    /// for another type, a wrong name, or when no action is known: there is nothing to grant then.
    pub fn from_scope(scope: &str) -> Option<Self> {
        let rest = scope.strip_prefix("repository:")?;
        // From the right: docker allows a host with a port in front of the name, which is no name here.
        let (name, words) = rest.rsplit_once(':')?;
        let actions = words.split(',').fold(Actions::default(), |actions, word| match word {
            "*" => Action::ALL.into_iter().collect(),
            word => word.parse().map_or(actions, |action| actions.with(action)),
        });
        let repository = name.parse().ok()?;
        (!actions.is_empty()).then_some(Self { repository, actions })
    }
}

impl Access {
    /// A bearer token for `who` with as much of `wanted` as is allowed now.
    ///
    /// A bearer token cannot be exchanged for another, or its end would mean nothing.
    pub async fn issue(&self, who: &Identity, wanted: &[Grant]) -> Result<IssuedBearer> {
        if who.is_bearer() || *who.principal() == Principal::Operator {
            let message = "ask for a bearer token with a password or a Railhead token";
            return Err(Denial::new(Reason::Credentials, message).into());
        }
        let granted = self.granted(who, wanted).await?;
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
            sub: who.account().map(|account| account.name.to_string()).unwrap_or_default(),
            jti: BASE64.encode(id),
            iat: issued,
            nbf: issued,
            exp: end,
            access: granted.iter().map(access).collect(),
            uid: who.account_id().map(|id| id.0),
            tid: who.token_id().map(|id| id.0),
            pwm: who.password_mark.clone(),
        };
        let token = self.0.key.sign(&claims).map_err(|error| Error::Invalid(error.to_string()))?;
        Ok(IssuedBearer {
            token: token.into(),
            expires_in: Duration::from_secs(u64::try_from(end - issued).unwrap_or_default()),
            issued_at: now,
            granted,
        })
    }

    async fn granted(&self, who: &Identity, wanted: &[Grant]) -> Result<Vec<Grant>> {
        let mut granted: Vec<Grant> = Vec::new();
        for want in wanted.iter().take(GRANTS_MAX) {
            let mut allowed = Actions::default();
            for action in want.actions.iter() {
                if self.decide(who, action, &want.repository).await?.is_allowed() {
                    allowed = allowed.with(action);
                }
            }
            if allowed.is_empty() {
                continue;
            }
            // Clients repeat a repository, once for each action.
            match granted.iter_mut().find(|grant| grant.repository == want.repository) {
                Some(grant) => grant.actions = grant.actions.iter().chain(allowed.iter()).collect(),
                None => granted.push(Grant { repository: want.repository.clone(), actions: allowed }),
            }
        }
        Ok(granted)
    }
}

fn access(grant: &Grant) -> bearer::Access {
    bearer::Access {
        kind: "repository".to_owned(),
        name: grant.repository.to_string(),
        actions: grant.actions.iter().collect(),
    }
}
