//! Tokens of users. The catalog has only the hash of a token's secret.

use std::fmt;

use crate::owners::{bump_generation, changed};
use crate::sql::{Row, params};
use crate::{Catalog, Error, OwnerId, Result, Timestamp, TokenId};

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// Whose it is.
    pub user: OwnerId,
    /// What its user calls it.
    pub name: String,
    /// What it may do, as JSON that the catalog does not read.
    pub scopes: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it counts no more.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used; see [`Catalog::touch_tokens`].
    pub used_at: Option<Timestamp>,
    /// The address it was last used from.
    pub used_from: Option<String>,
}

/// The user behind a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenHolder {
    /// The user.
    pub id: OwnerId,
    /// The user's name as written.
    pub name: String,
    /// Whether the user administers the whole registry.
    pub admin: bool,
    /// Whether the user is shut out.
    pub disabled: bool,
}

/// A token to be made.
#[derive(Clone)]
pub struct NewToken {
    /// Whose it is.
    pub user: OwnerId,
    /// What its user calls it.
    pub name: String,
    /// SHA-256 of its secret, which is random and so needs no slow hash.
    pub secret_hash: [u8; 32],
    /// What it may do, as JSON.
    pub scopes: String,
    /// From when on it counts no more.
    pub expires_at: Option<Timestamp>,
}

impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewToken").field("user", &self.user).field("name", &self.name).finish_non_exhaustive()
    }
}

/// One use of a token.
#[derive(Clone, Debug)]
pub struct TokenUse {
    /// The token.
    pub token: TokenId,
    /// When.
    pub at: Timestamp,
    /// From where.
    pub address: String,
}

/// The columns of a [`Token`], from `token AS t`, in the order in which [`Token::read`] takes them.
macro_rules! token_columns {
    () => {
        "t.id, t.account, t.name, t.scopes, t.created_at, t.expires_at, t.revoked_at, t.used_at, t.used_from"
    };
}

impl Token {
    fn read(row: &mut Row) -> Result<Self> {
        Ok(Self {
            id: row.take()?,
            user: row.take()?,
            name: row.take()?,
            scopes: row.take()?,
            created_at: row.take()?,
            expires_at: row.take()?,
            revoked_at: row.take()?,
            used_at: row.take()?,
            used_from: row.take()?,
        })
    }
}

/// The statement behind [`Catalog::token_by_hash`].
pub(crate) const BY_HASH: &str = concat!(
    "SELECT ",
    token_columns!(),
    ", o.id, o.name, a.admin, a.disabled FROM token AS t JOIN account AS a ON a.owner = t.account
     JOIN owner AS o ON o.id = t.account WHERE t.secret_hash = ?1"
);

impl Catalog {
    /// Makes a token. [`Error::NotFound`] when there is no such user; [`Error::AlreadyExists`] when the secret is
    /// not new.
    pub async fn create_token(&self, new: NewToken, now: Timestamp) -> Result<Token> {
        self.write("create a token", move |sql| {
            let statement = "SELECT 1 FROM account WHERE owner = ?1 /*postgres: FOR KEY SHARE*/";
            if !sql.any(statement, params![new.user])? {
                return Err(Error::NotFound(format!("user {}", new.user)));
            }
            let row = sql.first(
                "INSERT INTO token (account, name, secret_hash, scopes, created_at, expires_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (secret_hash) DO NOTHING
                 RETURNING id, account, name, scopes, created_at, expires_at, revoked_at, used_at, used_from",
                params![new.user, &new.name, &new.secret_hash[..], &new.scopes, now, new.expires_at],
            )?;
            let mut row = row.ok_or_else(|| Error::AlreadyExists("a token with this secret".to_owned()))?;
            bump_generation(sql)?;
            Token::read(&mut row)
        })
        .await
    }

    /// The token with that hash, and its user. Expired and revoked tokens are found too, and those of disabled
    /// users: the caller judges.
    pub async fn token_by_hash(&self, secret_hash: &[u8; 32]) -> Result<Option<(Token, TokenHolder)>> {
        let hash = *secret_hash;
        self.read("look up a token", move |sql| {
            let Some(mut row) = sql.first(BY_HASH, params![&hash[..]])? else { return Ok(None) };
            let token = Token::read(&mut row)?;
            let holder =
                TokenHolder { id: row.take()?, name: row.take()?, admin: row.take()?, disabled: row.take()? };
            Ok(Some((token, holder)))
        })
        .await
    }

    /// The token with that id.
    pub async fn token(&self, id: TokenId) -> Result<Option<Token>> {
        self.read("look up a token", move |sql| {
            let statement = concat!("SELECT ", token_columns!(), " FROM token AS t WHERE t.id = ?1");
            sql.first(statement, params![id])?.map(|mut row| Token::read(&mut row)).transpose()
        })
        .await
    }

    /// Up to `limit` tokens of one user or of all with an id above `after`, ordered by id.
    pub async fn tokens(
        &self,
        user: Option<OwnerId>,
        after: Option<TokenId>,
        limit: u32,
    ) -> Result<Vec<Token>> {
        const OF_ALL: &str =
            concat!("SELECT ", token_columns!(), " FROM token AS t WHERE t.id > ?1 ORDER BY t.id LIMIT ?2");
        const OF_USER: &str = concat!(
            "SELECT ",
            token_columns!(),
            " FROM token AS t WHERE t.id > ?1 AND t.account = ?3 ORDER BY t.id LIMIT ?2"
        );
        let after = after.unwrap_or(TokenId(0));
        self.read("list the tokens", move |sql| {
            let mut rows = match user {
                Some(user) => sql.query(OF_USER, params![after, limit, user])?,
                None => sql.query(OF_ALL, params![after, limit])?,
            };
            rows.iter_mut().map(Token::read).collect()
        })
        .await
    }

    /// Revokes a token. Again does nothing: the first time stays.
    pub async fn revoke_token(&self, id: TokenId, now: Timestamp) -> Result<()> {
        self.write("revoke a token", move |sql| {
            let statement = "UPDATE token SET revoked_at = COALESCE(revoked_at, ?2) WHERE id = ?1";
            changed(sql.execute(statement, params![id, now])?, || format!("token {id}"))?;
            bump_generation(sql)
        })
        .await
    }

    /// Notes when and from where tokens were used. Volatile; a use older than the one noted changes nothing.
    pub async fn touch_tokens(&self, uses: Vec<TokenUse>) -> Result<()> {
        self.write_volatile("note the use of tokens", move |sql| {
            for one in &uses {
                sql.execute(
                    "UPDATE token SET used_at = ?2, used_from = ?3
                     WHERE id = ?1 AND (used_at IS NULL OR used_at <= ?2)",
                    params![one.token, one.at, &one.address],
                )?;
            }
            Ok(())
        })
        .await
    }
}
