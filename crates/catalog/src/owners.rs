//! Owners: users and organisations, and who belongs to an organisation.
use crate::*;
use serde::{Deserialize, Serialize};

/// A limit in bytes. Absent (`Option::None`) means the server's default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// There is no limit.
    None,
    /// So many bytes at most.
    Bytes(u64),
}
/// What an owner is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnerKind {
    User,
    Organisation,
}
/// The first segment of a repository's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub id: OwnerId,
    /// As it was written when it was made; the wire has it in lower case.
    pub name: String,
    pub kind: OwnerKind,
    pub quota: Option<Limit>,
    pub layer_limit: Option<Limit>,
    pub used_bytes: u64,
    pub reserved_bytes: u64,
    pub created_at: Timestamp,
}
/// What a member may do in an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Reader,
    Writer,
    Owner,
}
/// A member of an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub user: OwnerId,
    pub name: String,
    pub role: Role,
}
/// An organisation that a user belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    pub organisation: OwnerId,
    pub name: String,
    pub role: Role,
}

impl Catalog {
    pub async fn create_organisation(&self, name: &str, now: Timestamp) -> Result<Owner> {
        todo!()
    }
    /// `name` in any case.
    pub async fn owner(&self, name: &str) -> Result<Option<Owner>> {
        todo!()
    }
    pub async fn owner_by_id(&self, id: OwnerId) -> Result<Option<Owner>> {
        todo!()
    }
    /// ordered by lower-case name; `after` is a name in any case.
    pub async fn owners(&self, after: Option<&str>, limit: u32) -> Result<Vec<Owner>> {
        todo!()
    }
    pub async fn set_limits(
        &self,
        owner: OwnerId,
        quota: Option<Limit>,
        layer_limit: Option<Limit>,
    ) -> Result<()> {
        todo!()
    }
    pub async fn set_member(&self, organisation: OwnerId, user: OwnerId, role: Option<Role>) -> Result<()> {
        todo!()
    }
    pub async fn members(&self, organisation: OwnerId) -> Result<Vec<Member>> {
        todo!()
    }
    pub async fn memberships(&self, user: OwnerId) -> Result<Vec<Membership>> {
        todo!()
    }
    pub async fn delete_owner(&self, owner: OwnerId) -> Result<()> {
        todo!()
    }
    /// Changes with every change of accounts, members, tokens and visibilities, of whatever process.
    pub async fn generation(&self) -> Result<i64> {
        todo!()
    }
}
