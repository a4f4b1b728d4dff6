//! Who belongs to an organisation.

use serde::{Deserialize, Serialize};

use crate::owners::{bump_generation, changed};
use crate::sql::{FromValue, Value, params};
use crate::{Catalog, Error, OwnerId, Result};

/// What a member may do in an organisation, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Pull.
    Reader,
    /// Pull and push.
    Writer,
    /// Everything, members too.
    Owner,
}

/// A member of an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The user.
    pub user: OwnerId,
    /// The user's name.
    pub name: String,
    /// What the user may do there.
    pub role: Role,
}

/// An organisation that a user belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The organisation.
    pub organisation: OwnerId,
    /// The organisation's name.
    pub name: String,
    /// What the user may do there.
    pub role: Role,
}

impl Role {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Writer => "writer",
            Self::Owner => "owner",
        }
    }
}

impl FromValue for Role {
    fn from_value(value: Value) -> Result<Self> {
        match String::from_value(value)?.as_str() {
            "reader" => Ok(Self::Reader),
            "writer" => Ok(Self::Writer),
            "owner" => Ok(Self::Owner),
            _ => Err(Error::Corrupt("a member has an unknown role".to_owned())),
        }
    }
}

impl Catalog {
    /// Gives a user a role in an organisation, or with `None` ends the membership. [`Error::NotFound`] when there is
    /// no such organisation, user or membership.
    pub async fn set_member(&self, organisation: OwnerId, user: OwnerId, role: Option<Role>) -> Result<()> {
        self.write("set a member", move |sql| {
            let Some(role) = role else {
                let statement = "DELETE FROM member WHERE organisation = ?1 AND account = ?2";
                let rows = sql.execute(statement, params![organisation, user])?;
                changed(rows, || format!("member {user} in organisation {organisation}"))?;
                return bump_generation(sql);
            };
            let statement =
                "SELECT 1 FROM owner WHERE id = ?1 AND kind = 'organisation' /*postgres: FOR KEY SHARE*/";
            if !sql.any(statement, params![organisation])? {
                return Err(Error::NotFound(format!("organisation {organisation}")));
            }
            let statement = "SELECT 1 FROM account WHERE owner = ?1 /*postgres: FOR KEY SHARE*/";
            if !sql.any(statement, params![user])? {
                return Err(Error::NotFound(format!("user {user}")));
            }
            sql.execute(
                "INSERT INTO member (organisation, account, role) VALUES (?1, ?2, ?3)
                 ON CONFLICT (organisation, account) DO UPDATE SET role = excluded.role",
                params![organisation, user, role.name()],
            )?;
            bump_generation(sql)
        })
        .await
    }

    /// Up to `limit` members of an organisation with an id above `after`, ordered by id.
    pub async fn members(
        &self,
        organisation: OwnerId,
        after: Option<OwnerId>,
        limit: u32,
    ) -> Result<Vec<Member>> {
        let after = after.unwrap_or(OwnerId(0));
        self.read("list the members of an organisation", move |sql| {
            let rows = sql.query(
                "SELECT m.account, o.name, m.role FROM member AS m JOIN owner AS o ON o.id = m.account
                 WHERE m.organisation = ?1 AND m.account > ?2 ORDER BY m.account LIMIT ?3",
                params![organisation, after, limit],
            )?;
            let member = |mut row: crate::sql::Row| {
                Ok(Member { user: row.take()?, name: row.take()?, role: row.take()? })
            };
            rows.into_iter().map(member).collect()
        })
        .await
    }

    /// All organisations that a user belongs to, as a decision needs them all.
    pub async fn memberships(&self, user: OwnerId) -> Result<Vec<Membership>> {
        self.read("list a user's organisations", move |sql| {
            let rows = sql.query(
                "SELECT m.organisation, o.name, m.role FROM member AS m JOIN owner AS o ON o.id = m.organisation
                 WHERE m.account = ?1 ORDER BY m.organisation",
                params![user],
            )?;
            let membership = |mut row: crate::sql::Row| {
                Ok(Membership { organisation: row.take()?, name: row.take()?, role: row.take()? })
            };
            rows.into_iter().map(membership).collect()
        })
        .await
    }
}
