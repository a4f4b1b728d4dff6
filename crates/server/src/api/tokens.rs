//! Tokens.

use std::collections::HashMap;
use std::time::Duration;

use http::StatusCode;
use railhead_access::{TokenInfo, TokenScope};
use railhead_api::{Deleted, Token, TokenCreate, TokenCreated, Tokens};
use railhead_catalog::{OwnerId, TokenId};
use secrecy::ExposeSecret as _;

use super::{Answer, Api, Call, PAGE, Result, fault::Fault, ok, time, time_if};

impl Api {
    pub(super) async fn tokens(&self, call: &Call<'_>) -> Result<Answer> {
        let user = call.parameter("user")?;
        let mut names = HashMap::new();
        let mut tokens = Vec::new();
        let mut after = None;
        loop {
            let page = self.access.tokens(&call.actor(), user.as_deref(), after, PAGE).await?;
            after = page.last().map(|token| token.id);
            let full = page.len() == PAGE as usize;
            for info in page {
                let name = self.name_of(info.user, &mut names).await?;
                tokens.push(token(info, name)?);
            }
            if !full {
                return ok(&Tokens { tokens });
            }
        }
    }

    pub(super) async fn create_token(&self, call: &Call<'_>) -> Result<Answer> {
        let create: TokenCreate = call.read()?;
        let wrong = |error: railhead_access::TokenScopeError| Fault::invalid(error.to_string());
        let scopes = create.scopes.iter().map(|scope| scope.parse::<TokenScope>().map_err(wrong));
        let scopes = scopes.collect::<Result<Vec<_>>>()?;
        let life = create.expires_seconds.map(Duration::from_secs);
        let (info, secret) =
            self.access.create_token(&call.actor(), &create.user, &create.name, &scopes, life).await?;
        let user = self.name_of(info.user, &mut HashMap::new()).await?;
        let created = TokenCreated { token: token(info, user)?, secret: secret.expose_secret().to_owned() };
        super::json(StatusCode::CREATED, &created)
    }

    pub(super) async fn current_token(&self, call: &Call<'_>) -> Result<Answer> {
        let info = self.access.current_token(&call.actor()).await?;
        let user = self.name_of(info.user, &mut HashMap::new()).await?;
        ok(&token(info, user)?)
    }

    pub(super) async fn revoke_token(&self, call: &Call<'_>, id: &str) -> Result<Answer> {
        let row: i64 = id.parse().map_err(|_| Fault::not_found(format!("there is no token {id}")))?;
        self.access.revoke_token(&call.actor(), TokenId(row)).await?;
        ok(&Deleted { deleted: id.to_owned() })
    }

    async fn name_of(&self, id: OwnerId, names: &mut HashMap<OwnerId, String>) -> Result<String> {
        if let Some(name) = names.get(&id) {
            return Ok(name.clone());
        }
        let owner = self.registry.catalog().owner_by_id(id).await?;
        let name = owner.map_or_else(|| format!("deleted user {id}"), |owner| owner.name);
        names.insert(id, name.clone());
        Ok(name)
    }
}

fn token(info: TokenInfo, user: String) -> Result<Token> {
    Ok(Token {
        id: info.id.to_string(),
        name: info.name,
        user,
        scopes: info.scopes.iter().map(ToString::to_string).collect(),
        created: time(info.created_at)?,
        expires: time_if(info.expires_at)?,
        revoked: time_if(info.revoked_at)?,
        last_used: time_if(info.used_at)?,
    })
}
