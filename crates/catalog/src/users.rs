//! Users: owners that can log in.
use crate::*;
use secrecy::SecretString;
/// An owner that can log in.
#[derive(Clone, Debug)]
pub struct User {
    pub owner: Owner,
    /// Absent: this user logs in with tokens only.
    pub password_hash: Option<SecretString>,
    pub admin: bool,
    pub disabled: bool,
}
impl Catalog {
    pub async fn create_user(
        &self,
        name: &str,
        password_hash: Option<SecretString>,
        admin: bool,
        now: Timestamp,
    ) -> Result<Owner> {
        todo!()
    }
    pub async fn user(&self, name: &str) -> Result<Option<User>> {
        todo!()
    }
    pub async fn user_by_id(&self, id: OwnerId) -> Result<Option<User>> {
        todo!()
    }
    pub async fn set_password(&self, user: OwnerId, password_hash: Option<SecretString>) -> Result<()> {
        todo!()
    }
    pub async fn set_admin(&self, user: OwnerId, admin: bool) -> Result<()> {
        todo!()
    }
    pub async fn set_disabled(&self, user: OwnerId, disabled: bool) -> Result<()> {
        todo!()
    }
}
