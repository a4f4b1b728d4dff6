//! Holds: while one is in force, no object that the catalog has forgotten is removed from the store.
//!
//! For who copies the store by what the catalog says, as a backup does: take the hold, then read the catalog; every
//! object that was named stays until the hold is released or expires. A hold that nobody releases ends by itself.

use crate::sql::{Sql, params};
use crate::{Catalog, Result, Timestamp};

/// A reason for objects to stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Who holds them.
    pub name: String,
    /// When the hold ends by itself.
    pub expires_at: Timestamp,
}

/// Whether a hold is in force. To be asked after the catalog has forgotten an object, in another transaction: a hold
/// taken before that is then seen, and one taken later belongs to a reader who does not know the object.
pub(crate) fn in_force(sql: &mut dyn Sql, now: Timestamp) -> Result<bool> {
    Ok(sql.any("SELECT 1 FROM hold WHERE expires_at > ?1 LIMIT 1", params![now])?)
}

impl Catalog {
    /// Takes the hold of that name, or moves the end of the one that is there.
    pub async fn hold(&self, name: &str, until: Timestamp) -> Result<()> {
        let name = name.to_owned();
        self.write("take a hold", move |sql| {
            sql.execute(
                "INSERT INTO hold (name, expires_at) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET expires_at = excluded.expires_at",
                params![&name, until],
            )?;
            Ok(())
        })
        .await
    }

    /// Releases the hold of that name; `false` when there is none.
    pub async fn release(&self, name: &str) -> Result<bool> {
        let name = name.to_owned();
        self.write("release a hold", move |sql| {
            Ok(sql.execute("DELETE FROM hold WHERE name = ?1", params![&name])? == 1)
        })
        .await
    }

    /// The holds in force, by name.
    pub async fn holds(&self, now: Timestamp) -> Result<Vec<Hold>> {
        self.read("list the holds", move |sql| {
            let statement = "SELECT name, expires_at FROM hold WHERE expires_at > ?1 ORDER BY name";
            let hold = |mut row: crate::sql::Row| Ok(Hold { name: row.take()?, expires_at: row.take()? });
            sql.query(statement, params![now])?.into_iter().map(hold).collect()
        })
        .await
    }

    /// Whether a hold is in force.
    pub async fn is_held(&self, now: Timestamp) -> Result<bool> {
        self.read("look for holds", move |sql| in_force(sql, now)).await
    }

    /// Drops the holds that have ended by themselves, and gives their names.
    pub async fn drop_expired_holds(&self, now: Timestamp) -> Result<Vec<String>> {
        let expired = "SELECT 1 FROM hold WHERE expires_at <= ?1 LIMIT 1";
        if !self.read("look for holds", move |sql| Ok(sql.any(expired, params![now])?)).await? {
            return Ok(Vec::new());
        }
        self.write("drop expired holds", move |sql| {
            let statement = "DELETE FROM hold WHERE expires_at <= ?1 RETURNING name";
            sql.query(statement, params![now])?.into_iter().map(|mut row| row.take()).collect()
        })
        .await
    }
}
