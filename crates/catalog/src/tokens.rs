//! Tokens of users.
use crate::*;
/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub id: TokenId,
    pub user: OwnerId,
    pub name: String,
    /// JSON, as it was given.
    pub scopes: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub used_at: Option<Timestamp>,
    pub used_from: Option<String>,
}
/// The user behind a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenHolder {
    pub id: OwnerId,
    pub name: String,
    pub admin: bool,
    pub disabled: bool,
}
/// A token to be made.
#[derive(Clone)]
pub struct NewToken {
    pub user: OwnerId,
    pub name: String,
    pub secret_hash: [u8; 32],
    pub scopes: String,
    pub expires_at: Option<Timestamp>,
}
/// One use of a token.
#[derive(Clone, Debug)]
pub struct TokenUse {
    pub token: TokenId,
    pub at: Timestamp,
    pub address: String,
}
impl Catalog {
    pub async fn create_token(&self, new: NewToken, now: Timestamp) -> Result<Token> {
        todo!()
    }
    /// Also finds expired and revoked tokens, and those of disabled users: the caller judges.
    pub async fn token_by_hash(&self, secret_hash: &[u8; 32]) -> Result<Option<(Token, TokenHolder)>> {
        todo!()
    }
    pub async fn token(&self, id: TokenId) -> Result<Option<Token>> {
        todo!()
    }
    pub async fn tokens(
        &self,
        user: Option<OwnerId>,
        after: Option<TokenId>,
        limit: u32,
    ) -> Result<Vec<Token>> {
        todo!()
    }
    pub async fn revoke_token(&self, id: TokenId, now: Timestamp) -> Result<()> {
        todo!()
    }
    /// volatile
    pub async fn touch_tokens(&self, uses: Vec<TokenUse>) -> Result<()> {
        todo!()
    }
}
