//! Repositories.

use railhead_oci::{Digest, RepositoryName};
use serde::{Deserialize, Serialize};

use crate::collection::forget_unlinked;
use crate::owners::{bump_generation, changed};
use crate::sql::{FromValue, Row, Sql, Value, params};
use crate::usage::Ledger;
use crate::{Catalog, Error, ForgottenObject, OwnerId, RepositoryId, Result, Timestamp};

/// Who may pull.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Those who were given the right.
    #[default]
    Private,
    /// Everybody, without logging in.
    Public,
}

/// A repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Its id.
    pub id: RepositoryId,
    /// Whose it is.
    pub owner: OwnerId,
    /// Its whole name.
    pub name: RepositoryName,
    /// Who may pull.
    pub visibility: Visibility,
    /// Bytes of its blobs and manifests. Blobs that other repositories have too are counted in each.
    pub bytes: u64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Which repositories to list; all given conditions hold.
#[derive(Clone, Debug, Default)]
pub struct RepositoryFilter {
    /// Only this owner's.
    pub owner: Option<OwnerId>,
    /// Only those whose whole name begins so.
    pub prefix: Option<String>,
    /// Only these.
    pub visibility: Option<Visibility>,
}

const BY_NAME: &str = "SELECT id, owner, name, visibility, bytes, created_at FROM repository WHERE name = ?1";

impl Repository {
    fn read(row: &mut Row) -> Result<Self> {
        Ok(Self {
            id: row.take()?,
            owner: row.take()?,
            name: row.take()?,
            visibility: row.take()?,
            bytes: row.take()?,
            created_at: row.take()?,
        })
    }

    fn by_name(sql: &mut dyn Sql, name: &RepositoryName) -> Result<Option<Self>> {
        sql.first(BY_NAME, params![name])?.map(|mut row| Self::read(&mut row)).transpose()
    }
}

impl Visibility {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Public => "public",
        }
    }
}

impl FromValue for Visibility {
    fn from_value(value: Value) -> Result<Self> {
        match String::from_value(value)?.as_str() {
            "private" => Ok(Self::Private),
            "public" => Ok(Self::Public),
            _ => Err(Error::Corrupt("a repository has an unknown visibility".to_owned())),
        }
    }
}

impl Catalog {
    /// The repository of that name.
    pub async fn repository(&self, name: &RepositoryName) -> Result<Option<Repository>> {
        let name = name.clone();
        self.read("look up a repository", move |sql| Repository::by_name(sql, &name)).await
    }

    /// The repository of that name; it is made, private, when missing. [`Error::NotFound`] when its owner does not
    /// exist.
    pub async fn ensure_repository(&self, name: &RepositoryName, now: Timestamp) -> Result<Repository> {
        self.ensure(name, true, now).await
    }

    /// The same, for a repository whose visibility follows a forge until somebody sets it.
    pub async fn ensure_following(&self, name: &RepositoryName, now: Timestamp) -> Result<Repository> {
        self.ensure(name, false, now).await
    }

    async fn ensure(&self, name: &RepositoryName, decided: bool, now: Timestamp) -> Result<Repository> {
        if let Some(found) = self.repository(name).await? {
            return Ok(found);
        }
        let name = name.clone();
        self.write("create a repository", move |sql| {
            let statement = "SELECT id FROM owner WHERE name_key = ?1 /*postgres: FOR KEY SHARE*/";
            let Some(mut row) = sql.first(statement, params![name.owner()])? else {
                return Err(Error::NotFound(format!("owner '{}'", name.owner())));
            };
            let made = sql.execute(
                "INSERT INTO repository (owner, name, visibility, created_at, decided) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (name) DO NOTHING",
                params![row.take::<OwnerId>()?, &name, Visibility::default().name(), now, decided],
            )?;
            if made == 1 {
                bump_generation(sql)?;
            }
            Repository::by_name(sql, &name)?.ok_or_else(|| Error::NotFound(format!("repository '{name}'")))
        })
        .await
    }

    /// Up to `limit` repositories behind the whole name `after`, in the bytewise order of whole names.
    /// One that has nothing, and of which nobody has decided anything, is left out: a push that was refused leaves
    /// such a one.
    pub async fn repositories(
        &self,
        filter: RepositoryFilter,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Repository>> {
        const OF_ALL: &str = "SELECT id, owner, name, visibility, bytes, created_at FROM repository
            WHERE name > ?1 AND name >= ?2 AND name < ?3 AND visibility >= ?4 AND visibility <= ?5
            AND (bytes > 0 OR visibility <> 'private') ORDER BY name LIMIT ?6";
        const OF_OWNER: &str = "SELECT id, owner, name, visibility, bytes, created_at FROM repository
            WHERE name > ?1 AND name >= ?2 AND name < ?3 AND visibility >= ?4 AND visibility <= ?5 AND owner = ?7
            AND (bytes > 0 OR visibility <> 'private') ORDER BY name LIMIT ?6";
        let after = after.unwrap_or_default().to_owned();
        let prefix = filter.prefix.unwrap_or_default();
        // Names are ASCII without DEL: this is behind all that begin with the prefix.
        let end = format!("{prefix}\u{7f}");
        let (low, high) = filter.visibility.map_or(("", "\u{7f}"), |one| (one.name(), one.name()));
        self.read("list the repositories", move |sql| {
            let mut rows = match filter.owner {
                None => sql.query(OF_ALL, params![&after, &prefix, &end, low, high, limit])?,
                Some(owner) => {
                    sql.query(OF_OWNER, params![&after, &prefix, &end, low, high, limit, owner])?
                }
            };
            rows.iter_mut().map(Repository::read).collect()
        })
        .await
    }

    /// Sets who may pull.
    pub async fn set_visibility(&self, repository: RepositoryId, visibility: Visibility) -> Result<()> {
        self.write("set a repository's visibility", move |sql| {
            let statement = "UPDATE repository SET visibility = ?2, decided = 1 WHERE id = ?1";
            let rows = sql.execute(statement, params![repository, visibility.name()])?;
            changed(rows, || format!("repository {repository}"))?;
            bump_generation(sql)
        })
        .await
    }

    /// Deletes a repository with its manifests, tags and uploads. The answer is the objects that no repository refers
    /// to any more. They are forgotten: the caller removes them. Its uploads' staged bytes are found by
    /// [`Catalog::upload_ids`].
    pub async fn delete_repository(
        &self,
        repository: RepositoryId,
        now: Timestamp,
    ) -> Result<Vec<ForgottenObject>> {
        self.write("delete a repository", move |sql| delete(sql, repository, now)).await
    }
}

fn delete(sql: &mut dyn Sql, repository: RepositoryId, now: Timestamp) -> Result<Vec<ForgottenObject>> {
    let mut ledger = Ledger::lock(sql, repository)?;
    let rows = sql.query(
        "SELECT b.digest FROM repository_blob AS l JOIN blob AS b ON b.digest = l.digest
         WHERE l.repository = ?1 ORDER BY b.digest /*postgres: FOR UPDATE OF b*/",
        params![repository],
    )?;
    let digests = rows.into_iter().map(|mut row| row.take()).collect::<Result<Vec<Digest>>>()?;

    let reserved = "SELECT CAST(COALESCE(SUM(reserved), 0) AS BIGINT) FROM upload WHERE repository = ?1";
    ledger.release(number(sql, reserved, params![repository])?)?;
    sql.execute("DELETE FROM upload WHERE repository = ?1", params![repository])?;

    let manifests = "SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM manifest WHERE repository = ?1";
    ledger.unuse(number(sql, manifests, params![repository])?)?;

    ledger.remove_blobs(sql, &digests)?;
    ledger.store(sql)?;

    // Tags first: they refer to manifests. The rest goes with the repository.
    sql.execute("DELETE FROM tag WHERE repository = ?1", params![repository])?;
    sql.execute("DELETE FROM repository WHERE id = ?1", params![repository])?;
    let forgotten = forget_unlinked(sql, &digests, now)?;
    bump_generation(sql)?;
    Ok(forgotten)
}

fn number(sql: &mut dyn Sql, statement: &'static str, parameters: &[Value]) -> Result<u64> {
    sql.first(statement, parameters)?.map_or(Ok(0), |mut row| row.take())
}
