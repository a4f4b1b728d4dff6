//! Users: owners that can log in.

use secrecy::{ExposeSecret, SecretString};

use crate::owners::{bump_generation, changed, insert, name_key, owner_columns};
use crate::sql::{Row, Sql, Value, params};
use crate::{Catalog, Owner, OwnerId, OwnerKind, Result, Timestamp};

/// An owner that can log in.
#[derive(Clone, Debug)]
pub struct User {
    /// What it is as an owner.
    pub owner: Owner,
    /// The password's hash as a PHC string. Absent: there is no password, only tokens.
    pub password_hash: Option<SecretString>,
    /// Whether the user administers the whole registry.
    pub admin: bool,
    /// Whether the user and all its tokens are shut out.
    pub disabled: bool,
}

impl User {
    fn read(mut row: Row) -> Result<Self> {
        Ok(Self {
            owner: Owner::read(&mut row)?,
            password_hash: row.take::<Option<String>>()?.map(SecretString::from),
            admin: row.take()?,
            disabled: row.take()?,
        })
    }
}

macro_rules! select_user {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            owner_columns!(),
            ", a.password_hash, a.admin, a.disabled FROM owner AS o JOIN account AS a ON a.owner = o.id WHERE ",
            $condition
        )
    };
}

fn exposed(hash: Option<&SecretString>) -> Value {
    hash.map(ExposeSecret::expose_secret).into()
}

fn update(sql: &mut dyn Sql, statement: &'static str, user: OwnerId, value: Value) -> Result<()> {
    changed(sql.execute(statement, &[user.into(), value])?, || format!("user {user}"))?;
    bump_generation(sql)
}

impl Catalog {
    /// Makes a user. [`crate::Error::AlreadyExists`] when the name is taken in any case.
    pub async fn create_user(
        &self,
        name: &str,
        password_hash: Option<SecretString>,
        admin: bool,
        now: Timestamp,
    ) -> Result<Owner> {
        let name = name.to_owned();
        self.write("create a user", move |sql| {
            let owner = insert(sql, &name, OwnerKind::User, now)?;
            sql.execute(
                "INSERT INTO account (owner, password_hash, admin, disabled) VALUES (?1, ?2, ?3, 0)",
                params![owner.id, exposed(password_hash.as_ref()), admin],
            )?;
            Ok(owner)
        })
        .await
    }

    /// The user of that name, in any case.
    pub async fn user(&self, name: &str) -> Result<Option<User>> {
        let key = name_key(name);
        self.read("look up a user", move |sql| {
            sql.first(select_user!("o.name_key = ?1"), params![&key])?.map(User::read).transpose()
        })
        .await
    }

    /// The user with that id.
    pub async fn user_by_id(&self, id: OwnerId) -> Result<Option<User>> {
        self.read("look up a user", move |sql| {
            sql.first(select_user!("o.id = ?1"), params![id])?.map(User::read).transpose()
        })
        .await
    }

    /// Sets the hash of the password, or takes the password away.
    pub async fn set_password(&self, user: OwnerId, password_hash: Option<SecretString>) -> Result<()> {
        self.write("set a password", move |sql| {
            let hash = exposed(password_hash.as_ref());
            update(sql, "UPDATE account SET password_hash = ?2 WHERE owner = ?1", user, hash)
        })
        .await
    }

    /// Makes a user an administrator of the whole registry, or no longer.
    pub async fn set_admin(&self, user: OwnerId, admin: bool) -> Result<()> {
        self.write("set who administers", move |sql| {
            update(sql, "UPDATE account SET admin = ?2 WHERE owner = ?1", user, admin.into())
        })
        .await
    }

    /// Shuts a user and all its tokens out, or lets them in again.
    pub async fn set_disabled(&self, user: OwnerId, disabled: bool) -> Result<()> {
        self.write("disable or enable a user", move |sql| {
            update(sql, "UPDATE account SET disabled = ?2 WHERE owner = ?1", user, disabled.into())
        })
        .await
    }
}
