//! Owners: users and organisations, who owns the first segment of a repository's name and pays for its bytes.
//!
//! Invariant: names are unique whatever their case, and each in lower case is the first segment of a valid name.

use railhead_oci::{NameError, RepositoryName};
use serde::{Deserialize, Serialize};

use crate::sql::{FromValue, Row, Sql, Value, params};
use crate::{Catalog, Error, OwnerId, Result, Timestamp};

/// A limit of bytes. Where it is an `Option`, absent means the server's default.
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
    /// A person or a program that can log in; see [`crate::User`].
    User,
    /// A group of users; see [`crate::Member`].
    Organisation,
}

/// The first segment of a repository's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its id.
    pub id: OwnerId,
    /// As it was written when it was made. The wire has it in lower case.
    pub name: String,
    /// A user or an organisation.
    pub kind: OwnerKind,
    /// Bytes that all its blobs and manifests may use.
    pub quota: Option<Limit>,
    /// Bytes that one blob may have.
    pub layer_limit: Option<Limit>,
    /// Bytes that its blobs, each counted once, and its manifests use.
    pub used_bytes: u64,
    /// Bytes that its unfinished uploads have reserved.
    pub reserved_bytes: u64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The columns of an [`Owner`], from `owner AS o`, in the order in which [`Owner::read`] takes them.
macro_rules! owner_columns {
    () => {
        "o.id, o.name, o.kind, o.quota, o.layer_limit, o.used_bytes, o.reserved_bytes, o.created_at"
    };
}
pub(crate) use owner_columns;

impl Owner {
    pub(crate) fn read(row: &mut Row) -> Result<Self> {
        Ok(Self {
            id: row.take()?,
            name: row.take()?,
            kind: row.take()?,
            quota: row.take()?,
            layer_limit: row.take()?,
            used_bytes: row.take()?,
            reserved_bytes: row.take()?,
            created_at: row.take()?,
        })
    }
}

impl FromValue for Limit {
    fn from_value(value: Value) -> Result<Self> {
        if value == Value::Int(-1) { Ok(Self::None) } else { u64::from_value(value).map(Self::Bytes) }
    }
}

impl From<Limit> for Value {
    fn from(limit: Limit) -> Self {
        match limit {
            Limit::None => (-1_i64).into(),
            Limit::Bytes(bytes) => bytes.into(),
        }
    }
}

impl OwnerKind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Organisation => "organisation",
        }
    }
}

impl FromValue for OwnerKind {
    fn from_value(value: Value) -> Result<Self> {
        match String::from_value(value)?.as_str() {
            "user" => Ok(Self::User),
            "organisation" => Ok(Self::Organisation),
            _ => Err(Error::Corrupt("an owner is neither a user nor an organisation".to_owned())),
        }
    }
}

/// What names are compared by.
pub(crate) fn name_key(name: &str) -> String {
    name.to_ascii_lowercase()
}

pub(crate) fn check_name(name: &str) -> Result<()> {
    let invalid = |source| Error::InvalidName { name: name.to_owned(), source };
    if name.contains('/') {
        return Err(invalid(NameError::Segment));
    }
    format!("{}/image", name_key(name)).parse::<RepositoryName>().map(drop).map_err(invalid)
}

/// Makes an owner; [`Error::AlreadyExists`] when the name is taken in any case.
pub(crate) fn insert(sql: &mut dyn Sql, name: &str, kind: OwnerKind, now: Timestamp) -> Result<Owner> {
    check_name(name)?;
    let row = sql.first(
        concat!(
            "INSERT INTO owner AS o (name_key, name, kind, created_at) VALUES (?1, ?2, ?3, ?4) ",
            "ON CONFLICT (name_key) DO NOTHING RETURNING ",
            "id, name, kind, quota, layer_limit, used_bytes, reserved_bytes, created_at"
        ),
        params![name_key(name), name, kind.name(), now],
    )?;
    let mut row = row.ok_or_else(|| Error::AlreadyExists(format!("an owner '{name}'")))?;
    crate::former_names::end(sql, &name_key(name))?;
    bump_generation(sql)?;
    Owner::read(&mut row)
}

/// Tells other processes that who may do what has changed. Part of the transaction that changes it.
pub(crate) fn bump_generation(sql: &mut dyn Sql) -> Result<()> {
    sql.execute("UPDATE generation SET value = value + 1", &[])?;
    Ok(())
}

/// [`Error::NotFound`] when a statement changed no row.
pub(crate) fn changed(rows: u64, what: impl FnOnce() -> String) -> Result<()> {
    if rows == 0 { Err(Error::NotFound(what())) } else { Ok(()) }
}

impl Catalog {
    /// Makes an organisation without members. [`Error::AlreadyExists`] when the name is taken in any case.
    pub async fn create_organisation(&self, name: &str, now: Timestamp) -> Result<Owner> {
        let name = name.to_owned();
        self.write("create an organisation", move |sql| insert(sql, &name, OwnerKind::Organisation, now))
            .await
    }

    /// The owner of that name, in any case.
    pub async fn owner(&self, name: &str) -> Result<Option<Owner>> {
        let key = name_key(name);
        self.read("look up an owner", move |sql| {
            let statement = concat!("SELECT ", owner_columns!(), " FROM owner AS o WHERE o.name_key = ?1");
            sql.first(statement, params![&key])?.map(|mut row| Owner::read(&mut row)).transpose()
        })
        .await
    }

    /// The owner with that id.
    pub async fn owner_by_id(&self, id: OwnerId) -> Result<Option<Owner>> {
        self.read("look up an owner", move |sql| {
            let statement = concat!("SELECT ", owner_columns!(), " FROM owner AS o WHERE o.id = ?1");
            sql.first(statement, params![id])?.map(|mut row| Owner::read(&mut row)).transpose()
        })
        .await
    }

    /// Up to `limit` owners behind the name `after`, in any case, ordered by their names in lower case.
    pub async fn owners(&self, after: Option<&str>, limit: u32) -> Result<Vec<Owner>> {
        let after = name_key(after.unwrap_or_default());
        self.read("list the owners", move |sql| {
            let statement = concat!(
                "SELECT ",
                owner_columns!(),
                " FROM owner AS o WHERE o.name_key > ?1 ORDER BY o.name_key LIMIT ?2"
            );
            sql.query(statement, params![&after, limit])?.iter_mut().map(Owner::read).collect()
        })
        .await
    }

    /// Sets both limits; `None` is the server's default. What is already stored stays, even above the quota.
    pub async fn set_limits(
        &self,
        owner: OwnerId,
        quota: Option<Limit>,
        layer_limit: Option<Limit>,
    ) -> Result<()> {
        self.write("set an owner's limits", move |sql| {
            let statement = "UPDATE owner SET quota = ?2, layer_limit = ?3 WHERE id = ?1";
            changed(sql.execute(statement, params![owner, quota, layer_limit])?, || {
                format!("owner {owner}")
            })?;
            bump_generation(sql)
        })
        .await
    }

    /// Deletes an owner, with its tokens and memberships. [`Error::OwnerInUse`] while it has repositories.
    pub async fn delete_owner(&self, owner: OwnerId) -> Result<()> {
        self.write("delete an owner", move |sql| {
            let statement = "SELECT name FROM owner WHERE id = ?1 /*postgres: FOR UPDATE*/";
            let Some(mut row) = sql.first(statement, params![owner])? else {
                return Err(Error::NotFound(format!("owner {owner}")));
            };
            if sql.any("SELECT 1 FROM repository WHERE owner = ?1 LIMIT 1", params![owner])? {
                return Err(Error::OwnerInUse(row.take()?));
            }
            sql.execute("DELETE FROM owner WHERE id = ?1", params![owner])?;
            bump_generation(sql)
        })
        .await
    }

    /// Tells other processes to forget what they remember, when something has changed that is not in the catalog.
    pub async fn begin_generation(&self) -> Result<()> {
        self.write("begin a generation", bump_generation).await
    }

    /// A number that grows with every change of accounts, members, tokens and repositories' visibility, by whatever
    /// process: answers remembered under a smaller number are to be asked again.
    pub async fn generation(&self) -> Result<i64> {
        self.read("read the generation", |sql| match sql.first("SELECT value FROM generation", &[])? {
            Some(mut row) => row.take(),
            None => Err(Error::Corrupt("the generation is gone".to_owned())),
        })
        .await
    }
}
