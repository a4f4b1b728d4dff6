//! Names that owners of the forge had before.
//!
//! Invariant: a name is an owner's or a former one, never both; whoever gets a name ends it as a former one.

use crate::owners::{bump_generation, name_key};
use crate::sql::{Row, Sql, params};
use crate::{Catalog, OwnerId, Result, Timestamp};

/// A name that an owner had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormerName {
    /// The name, in lower case.
    pub name: String,
    /// Who had it.
    pub owner: OwnerId,
    /// What it is called now, as it is written.
    pub now: String,
    /// Its number on the forge.
    pub forge_id: Option<i64>,
    /// Since when.
    pub renamed_at: Timestamp,
}

fn read(mut row: Row) -> Result<FormerName> {
    Ok(FormerName {
        name: row.take()?,
        owner: row.take()?,
        now: row.take()?,
        forge_id: row.take()?,
        renamed_at: row.take()?,
    })
}

impl Catalog {
    /// All former names of owners, in their order. Nobody renames so often that they were many.
    pub async fn former_names(&self) -> Result<Vec<FormerName>> {
        self.read("list former names", |sql| {
            let statement = "SELECT n.name_key, o.id, o.name, f.forge_id, n.renamed_at FROM former_name AS n
                JOIN owner AS o ON o.id = n.owner LEFT JOIN forge_owner AS f ON f.owner = o.id ORDER BY n.name_key";
            sql.query(statement, &[])?.into_iter().map(read).collect()
        })
        .await
    }

    /// Ends a former name: somebody else has it on the forge, or its time is over.
    pub async fn end_former_name(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.write("end a former name", move |sql| {
            end(sql, &name_key(&name))?;
            bump_generation(sql)
        })
        .await
    }
}

/// Ends `key` as a former name.
pub(crate) fn end(sql: &mut dyn Sql, key: &str) -> Result<()> {
    sql.execute("DELETE FROM former_name WHERE name_key = ?1", params![key])?;
    Ok(())
}

/// Notes that `owner` was called `key` until now.
pub(crate) fn note(sql: &mut dyn Sql, key: &str, owner: OwnerId, now: Timestamp) -> Result<()> {
    sql.execute(
        "INSERT INTO former_name (name_key, owner, renamed_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (name_key) DO UPDATE SET owner = excluded.owner, renamed_at = excluded.renamed_at",
        params![key, owner, now],
    )?;
    Ok(())
}
