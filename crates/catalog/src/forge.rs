//! Owners that are a forge's users and organisations: which is which, and what was decided of their repositories.
//!
//! An owner is known by the number that the forge gives it. Its row is made when it is first needed. A row of the same name
//! without a number, from the time before the forge, is taken over; one with another number only when it has no repository.

use railhead_oci::RepositoryName;

use crate::former_names;
use crate::owners::{bump_generation, check_name, insert, name_key};
use crate::sql::{Row, Sql, params};
use crate::{Catalog, Error, OwnerId, OwnerKind, RepositoryId, Result, Timestamp, Visibility};

/// What the catalog knows of a repository's name when a forge decides who may what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForgeFacts {
    /// The owner's row.
    pub owner: Option<OwnerId>,
    /// The owner's number on the forge.
    pub forge_id: Option<i64>,
    /// The repository.
    pub repository: Option<ForgeRepository>,
}

/// A repository, for a forge that decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgeRepository {
    /// Its id.
    pub id: RepositoryId,
    /// Who may pull, if somebody decided that.
    pub decided: Option<Visibility>,
    /// Whether everybody could pull when the forge was last asked.
    pub was_public: bool,
}

/// The row of an owner of the forge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrored {
    /// Its id.
    pub owner: OwnerId,
    /// Whether it is shut out here.
    pub disabled: bool,
    /// Its former name in lower case, when it has just been renamed. Its repositories were renamed with it.
    pub renamed_from: Option<String>,
}

const FACTS: &str = "SELECT o.id, f.forge_id, r.id, r.visibility, r.decided, r.was_public
    FROM owner AS o LEFT JOIN forge_owner AS f ON f.owner = o.id LEFT JOIN repository AS r ON r.name = ?2
    WHERE o.name_key = ?1";

fn facts(mut row: Row) -> Result<ForgeFacts> {
    let (owner, forge_id) = (row.take()?, row.take()?);
    let (id, visibility): (Option<RepositoryId>, Option<Visibility>) = (row.take()?, row.take()?);
    let (decided, was_public): (Option<bool>, Option<bool>) = (row.take()?, row.take()?);
    let repository = id.map(|id| ForgeRepository {
        id,
        decided: visibility.filter(|_| decided == Some(true)),
        was_public: was_public == Some(true),
    });
    Ok(ForgeFacts { owner: Some(owner), forge_id, repository })
}

impl Catalog {
    /// What is known of this name, whether or not there is such a repository.
    pub async fn forge_facts(&self, name: &RepositoryName) -> Result<ForgeFacts> {
        let name = name.clone();
        self.read("look up a repository of the forge", move |sql| {
            sql.first(FACTS, params![name.owner(), &name])?.map_or_else(|| Ok(ForgeFacts::default()), facts)
        })
        .await
    }

    /// The owner that is this user or organisation of the forge, made or renamed if need be.
    /// [`Error::AlreadyExists`] when its name belongs to another one, which has repositories.
    pub async fn mirror_owner(
        &self,
        forge_id: i64,
        name: &str,
        kind: OwnerKind,
        now: Timestamp,
    ) -> Result<Mirrored> {
        let key = name.to_owned();
        let found =
            self.read("look up an owner of the forge", move |sql| mirrored(sql, forge_id, &key)).await?;
        if let Some(found) = found {
            return Ok(found);
        }
        let name = name.to_owned();
        self.write("note an owner of the forge", move |sql| {
            if let Some(found) = mirrored(sql, forge_id, &name)? {
                return Ok(found);
            }
            let renamed_from = note(sql, forge_id, &name, kind, now)?;
            let found = mirrored(sql, forge_id, &name)?;
            let found = found.ok_or_else(|| Error::NotFound(format!("owner '{name}'")))?;
            Ok(Mirrored { renamed_from, ..found })
        })
        .await
    }

    /// Renames the owner of this number, with its repositories, when it has another name here; gives that one, in lower case.
    /// [`Error::AlreadyExists`] when somebody else has the new name here.
    pub async fn rename_mirrored(&self, forge_id: i64, name: &str, now: Timestamp) -> Result<Option<String>> {
        let name = name.to_owned();
        self.write("rename an owner of the forge", move |sql| {
            let Some((owner, from)) = by_number(sql, forge_id)? else { return Ok(None) };
            if from == name_key(&name) {
                return Ok(None);
            }
            rename(sql, owner, &from, &name, now)?;
            Ok(Some(from))
        })
        .await
    }

    /// The number that the forge gives an owner, when it is one of it.
    pub async fn forge_id(&self, owner: OwnerId) -> Result<Option<i64>> {
        self.read("look up an owner's number", move |sql| {
            let row = sql.first("SELECT forge_id FROM forge_owner WHERE owner = ?1", params![owner])?;
            row.map(|mut row| row.take()).transpose()
        })
        .await
    }

    /// Makes an owner, with all that it has, another user or organisation of the forge, which has the same name there.
    /// [`Error::AlreadyExists`] when that one is here already.
    pub async fn adopt_owner(
        &self,
        owner: OwnerId,
        forge_id: i64,
        name: &str,
        kind: OwnerKind,
    ) -> Result<()> {
        let name = name.to_owned();
        self.write("give an owner to another of the forge", move |sql| {
            if let Some((other, is)) = by_number(sql, forge_id)?
                && other != owner
            {
                return Err(Error::AlreadyExists(format!("that owner of the forge, as '{is}'")));
            }
            let statement = "UPDATE owner SET name = ?2, kind = ?4 WHERE id = ?1 AND name_key = ?3";
            let rows = sql.execute(statement, params![owner, &name, name_key(&name), kind.name()])?;
            crate::owners::changed(rows, || format!("owner '{name}'"))?;
            if kind == OwnerKind::User {
                account(sql, owner)?;
            } else {
                sql.execute("DELETE FROM account WHERE owner = ?1", params![owner])?;
            }
            sql.execute("DELETE FROM forge_owner WHERE owner = ?1", params![owner])?;
            number(sql, owner, forge_id)?;
            bump_generation(sql)
        })
        .await
    }

    /// Notes whether everybody may pull from a repository, for the time when the forge cannot be asked.
    pub async fn note_public(&self, repository: RepositoryId, public: bool) -> Result<()> {
        self.write("note who may pull", move |sql| {
            sql.execute("UPDATE repository SET was_public = ?2 WHERE id = ?1", params![repository, public])?;
            Ok(())
        })
        .await
    }
}

/// The row of that number under that very name.
fn mirrored(sql: &mut dyn Sql, forge_id: i64, name: &str) -> Result<Option<Mirrored>> {
    let statement =
        "SELECT o.id, COALESCE(a.disabled, 0) FROM forge_owner AS f JOIN owner AS o ON o.id = f.owner
        LEFT JOIN account AS a ON a.owner = o.id WHERE f.forge_id = ?1 AND o.name = ?2";
    let row = sql.first(statement, params![forge_id, name])?;
    row.map(|mut row| Ok(Mirrored { owner: row.take()?, disabled: row.take()?, renamed_from: None }))
        .transpose()
}

/// The row of that number, and its name in lower case.
fn by_number(sql: &mut dyn Sql, forge_id: i64) -> Result<Option<(OwnerId, String)>> {
    let statement = "SELECT o.id, o.name_key FROM forge_owner AS f JOIN owner AS o ON o.id = f.owner WHERE f.forge_id = ?1";
    let row = sql.first(statement, params![forge_id])?;
    row.map(|mut row| Ok((row.take()?, row.take()?))).transpose()
}

fn note(
    sql: &mut dyn Sql,
    forge_id: i64,
    name: &str,
    kind: OwnerKind,
    now: Timestamp,
) -> Result<Option<String>> {
    if let Some((owner, from)) = by_number(sql, forge_id)? {
        rename(sql, owner, &from, name, now)?;
        return Ok((from != name_key(name)).then_some(from));
    }
    let by_name =
        "SELECT o.id, o.kind, f.forge_id FROM owner AS o LEFT JOIN forge_owner AS f ON f.owner = o.id
        WHERE o.name_key = ?1";
    let owner = match sql.first(by_name, params![name_key(name)])? {
        None => insert(sql, name, kind, now)?.id,
        Some(mut row) => {
            let (id, is, number): (OwnerId, OwnerKind, Option<i64>) = (row.take()?, row.take()?, row.take()?);
            if is == kind && number.is_none() {
                sql.execute("UPDATE owner SET name = ?2 WHERE id = ?1", params![id, name])?;
                id
            } else if sql.any("SELECT 1 FROM repository WHERE owner = ?1 LIMIT 1", params![id])? {
                return Err(Error::AlreadyExists(format!("another owner '{name}'")));
            } else {
                // It left nothing behind.
                sql.execute("DELETE FROM owner WHERE id = ?1", params![id])?;
                insert(sql, name, kind, now)?.id
            }
        }
    };
    if kind == OwnerKind::User {
        account(sql, owner)?;
    }
    number(sql, owner, forge_id)?;
    Ok(None)
}

/// Makes an account of a user, which has none when it was made for something else.
fn account(sql: &mut dyn Sql, owner: OwnerId) -> Result<()> {
    sql.execute(
        "INSERT INTO account (owner, password_hash, admin, disabled) VALUES (?1, NULL, 0, 0)
         ON CONFLICT (owner) DO NOTHING",
        params![owner],
    )?;
    Ok(())
}

fn number(sql: &mut dyn Sql, owner: OwnerId, forge_id: i64) -> Result<()> {
    sql.execute("INSERT INTO forge_owner (owner, forge_id) VALUES (?1, ?2)", params![owner, forge_id])?;
    Ok(())
}

/// Gives an owner the name that it has on the forge now, and its repositories theirs.
fn rename(sql: &mut dyn Sql, owner: OwnerId, from: &str, to: &str, now: Timestamp) -> Result<()> {
    check_name(to)?;
    let key = name_key(to);
    if key != from {
        if sql.any("SELECT 1 FROM owner WHERE name_key = ?1", params![&key])? {
            return Err(Error::AlreadyExists(format!("another owner '{to}'")));
        }
        sql.execute(
            "UPDATE repository SET name = CAST(?2 AS TEXT) || SUBSTR(name, LENGTH(CAST(?3 AS TEXT)) + 1) WHERE owner = ?1",
            params![owner, &key, from],
        )?;
        former_names::end(sql, &key)?;
        former_names::note(sql, from, owner, now)?;
    }
    sql.execute("UPDATE owner SET name = ?2, name_key = ?3 WHERE id = ?1", params![owner, to, &key])?;
    bump_generation(sql)
}
