//! Where the bytes are: what owners and repositories use alone and with others, and whether the sums are right.
//!
//! All of this reads every link of what it is asked of; it is for people, and not for the way of a request.

use railhead_oci::RepositoryName;

use crate::owners::{Owner, owner_columns};
use crate::sql::{Row, Sql, params};
use crate::{Catalog, Error, OwnerId, Result};

/// What an owner uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerShare {
    /// The owner, with what it uses and may use.
    pub owner: Owner,
    /// How many repositories it has that have something.
    pub repositories: u64,
    /// Bytes of blobs that other owners have too: they stay in the store when this owner's go.
    pub shared_bytes: u64,
}

/// What a repository uses. All numbers are bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryShare {
    /// Its name.
    pub name: RepositoryName,
    /// Its blobs and manifests.
    pub bytes: u64,
    /// Those of its blobs that other repositories have too.
    pub shared_bytes: u64,
    /// Those of its blobs that no manifest needs and that wait for collection.
    pub waiting_bytes: u64,
}

/// A sum that is not what a recount gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discrepancy {
    /// What the sum is of: `used`, `reserved` or `shares` of an owner, `bytes` of a repository.
    pub sum: &'static str,
    /// The owner or the repository.
    pub of: String,
    /// What the catalog says.
    pub stored: u64,
    /// What a recount gives.
    pub counted: u64,
}

impl Catalog {
    /// Up to `limit` owners behind the name `after`, in any case, ordered by their names in lower case.
    pub async fn owner_shares(&self, after: Option<&str>, limit: u32) -> Result<Vec<OwnerShare>> {
        let after = crate::owners::name_key(after.unwrap_or_default());
        self.read("add up what owners use", move |sql| {
            const STATEMENT: &str = concat!(
                "SELECT ",
                owner_columns!(),
                ", (SELECT COUNT(*) FROM repository AS r WHERE r.owner = o.id AND r.bytes > 0),
                 (SELECT CAST(COALESCE(SUM(b.size), 0) AS BIGINT) FROM owner_blob AS ob
                  JOIN blob AS b ON b.digest = ob.digest WHERE ob.owner = o.id AND EXISTS
                  (SELECT 1 FROM repository_blob AS l JOIN repository AS r ON r.id = l.repository
                   WHERE l.digest = ob.digest AND r.owner <> ob.owner))
                 FROM owner AS o WHERE o.name_key > ?1 ORDER BY o.name_key LIMIT ?2"
            );
            let share = |mut row: Row| {
                let owner = Owner::read(&mut row)?;
                Ok(OwnerShare { owner, repositories: row.take()?, shared_bytes: row.take()? })
            };
            sql.query(STATEMENT, params![&after, limit])?.into_iter().map(share).collect()
        })
        .await
    }

    /// Up to `limit` of an owner's repositories that have something, behind the whole name `after`.
    pub async fn repository_shares(
        &self,
        owner: OwnerId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<RepositoryShare>> {
        let after = after.unwrap_or_default().to_owned();
        self.read("add up what repositories use", move |sql| {
            let rows = sql.query(
                "SELECT r.name, r.bytes,
                 (SELECT CAST(COALESCE(SUM(b.size), 0) AS BIGINT) FROM repository_blob AS l
                  JOIN blob AS b ON b.digest = l.digest WHERE l.repository = r.id AND EXISTS
                  (SELECT 1 FROM repository_blob AS x WHERE x.digest = l.digest AND x.repository <> l.repository)),
                 (SELECT CAST(COALESCE(SUM(b.size), 0) AS BIGINT) FROM repository_blob AS l
                  JOIN blob AS b ON b.digest = l.digest WHERE l.repository = r.id AND l.due_at IS NOT NULL)
                 FROM repository AS r WHERE r.owner = ?1 AND r.name > ?2 AND r.bytes > 0 ORDER BY r.name LIMIT ?3",
                params![owner, &after, limit],
            )?;
            let share = |mut row: Row| {
                Ok(RepositoryShare {
                    name: row.take()?,
                    bytes: row.take()?,
                    shared_bytes: row.take()?,
                    waiting_bytes: row.take()?,
                })
            };
            rows.into_iter().map(share).collect()
        })
        .await
    }

    /// Compares an owner's sums, and those of its repositories, with what a recount gives.
    pub async fn discrepancies(&self, owner: OwnerId) -> Result<Vec<Discrepancy>> {
        self.read("recount what an owner uses", move |sql| differences(sql, owner)).await
    }

    /// Sets an owner's sums, and those of its repositories, to what a recount gives; the answer is what was wrong.
    /// Pushes of the owner wait meanwhile.
    pub async fn settle_usage(&self, owner: OwnerId) -> Result<Vec<Discrepancy>> {
        self.write("settle what an owner uses", move |sql| {
            let lock = "SELECT id FROM owner WHERE id = ?1 /*postgres: FOR NO KEY UPDATE*/";
            if !sql.any(lock, params![owner])? {
                return Err(Error::NotFound(format!("owner {owner}")));
            }
            let wrong = differences(sql, owner)?;
            if !wrong.is_empty() {
                settle(sql, owner)?;
            }
            Ok(wrong)
        })
        .await
    }
}

/// The distinct blobs in the owner's repositories, and the manifests.
macro_rules! used_sum {
    () => {
        "(SELECT CAST(COALESCE((SELECT SUM(size) FROM blob WHERE digest IN (SELECT l.digest
            FROM repository_blob AS l JOIN repository AS r ON r.id = l.repository WHERE r.owner = ?1)), 0)
          + COALESCE((SELECT SUM(m.size) FROM manifest AS m JOIN repository AS r ON r.id = m.repository
            WHERE r.owner = ?1), 0) AS BIGINT))"
    };
}

/// What unfinished uploads have reserved.
macro_rules! reserved_sum {
    () => {
        "(SELECT CAST(COALESCE(SUM(u.reserved), 0) AS BIGINT) FROM upload AS u
          JOIN repository AS r ON r.id = u.repository WHERE r.owner = ?1)"
    };
}
pub(crate) use {reserved_sum, used_sum};

/// The blobs and manifests of one repository, which is `repository`.
macro_rules! bytes_sum {
    () => {
        "(SELECT CAST(COALESCE((SELECT SUM(b.size) FROM repository_blob AS l
            JOIN blob AS b ON b.digest = l.digest WHERE l.repository = repository.id), 0)
          + COALESCE((SELECT SUM(m.size) FROM manifest AS m WHERE m.repository = repository.id), 0) AS BIGINT))"
    };
}

/// Each statement sees one moment, and compares within it.
fn differences(sql: &mut dyn Sql, owner: OwnerId) -> Result<Vec<Discrepancy>> {
    const OWNER: &str = concat!(
        "SELECT name, used_bytes, ",
        used_sum!(),
        ", reserved_bytes, ",
        reserved_sum!(),
        " FROM owner WHERE id = ?1"
    );
    const REPOSITORIES: &str =
        concat!("SELECT name, bytes, ", bytes_sum!(), " FROM repository WHERE owner = ?1");
    const SHARES: &str = "SELECT
        (SELECT CAST(COALESCE(SUM(repositories), 0) AS BIGINT) FROM owner_blob WHERE owner = ?1),
        (SELECT COUNT(*) FROM repository_blob AS l JOIN repository AS r ON r.id = l.repository WHERE r.owner = ?1)";
    let mut all = Vec::new();
    let row = sql.first(OWNER, params![owner])?;
    let mut row = row.ok_or_else(|| Error::NotFound(format!("owner {owner}")))?;
    let name: String = row.take()?;
    for sum in ["used", "reserved"] {
        all.push(Discrepancy { sum, of: name.clone(), stored: row.take()?, counted: row.take()? });
    }
    for mut row in sql.query(REPOSITORIES, params![owner])? {
        all.push(Discrepancy { sum: "bytes", of: row.take()?, stored: row.take()?, counted: row.take()? });
    }
    for mut row in sql.query(SHARES, params![owner])? {
        all.push(Discrepancy { sum: "shares", of: name.clone(), stored: row.take()?, counted: row.take()? });
    }
    all.retain(|one| one.stored != one.counted);
    Ok(all)
}

fn settle(sql: &mut dyn Sql, owner: OwnerId) -> Result<()> {
    const OWNER: &str = concat!(
        "UPDATE owner SET used_bytes = ",
        used_sum!(),
        ", reserved_bytes = ",
        reserved_sum!(),
        " WHERE id = ?1"
    );
    const REPOSITORIES: &str = concat!("UPDATE repository SET bytes = ", bytes_sum!(), " WHERE owner = ?1");
    sql.execute(OWNER, params![owner])?;
    sql.execute(REPOSITORIES, params![owner])?;
    sql.execute("DELETE FROM owner_blob WHERE owner = ?1", params![owner])?;
    sql.execute(
        "INSERT INTO owner_blob (owner, digest, repositories)
         SELECT r.owner, l.digest, COUNT(*) FROM repository_blob AS l JOIN repository AS r ON r.id = l.repository
         WHERE r.owner = ?1 GROUP BY r.owner, l.digest",
        params![owner],
    )?;
    Ok(())
}
