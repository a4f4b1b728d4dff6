//! Objects that the catalog has forgotten: they are on their way out of the store.
//!
//! The transaction that takes an object's blob away writes the object down here. Whoever removes it makes sure that
//! nobody holds objects, removes it from the store, and strikes it out. So a kill in between loses nothing: the next
//! run of collection finds the object here.
//!
//! Invariant: an object that is written down here is never named by a blob again; keys are used once.

use crate::sql::{Row, Sql, params};
use crate::{Catalog, Result, Timestamp};

/// After so many milliseconds an object that was given out to be removed, and was not struck out, is given out again.
const AGAIN: i64 = 30_000;

/// An object that no blob has any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgottenObject {
    /// Where the blob store has it.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
}

impl ForgottenObject {
    fn read(mut row: Row) -> Result<Self> {
        Ok(Self { key: row.take()?, size: row.take()? })
    }
}

/// Writes down that no blob has the object any more. Part of the transaction that takes its blob away.
pub(crate) fn forget(sql: &mut dyn Sql, key: &str, size: u64, now: Timestamp) -> Result<()> {
    sql.execute(
        "INSERT INTO forgotten_object (object_key, size, due_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (object_key) DO NOTHING",
        params![key, size, now],
    )?;
    Ok(())
}

impl Catalog {
    /// Up to `limit` objects to remove. No other replica gets them for half a minute.
    pub async fn forgotten_objects(&self, now: Timestamp, limit: u32) -> Result<Vec<ForgottenObject>> {
        let due = "SELECT 1 FROM forgotten_object WHERE due_at <= ?1 LIMIT 1";
        if !self.read("look for forgotten objects", move |sql| Ok(sql.any(due, params![now])?)).await? {
            return Ok(Vec::new());
        }
        self.write_volatile("choose objects to remove", move |sql| {
            let rows = sql.query(
                "UPDATE forgotten_object SET due_at = ?2 WHERE object_key IN
                 (SELECT object_key FROM forgotten_object WHERE due_at <= ?1 ORDER BY due_at LIMIT ?3
                  /*postgres: FOR UPDATE SKIP LOCKED*/)
                 RETURNING object_key, size",
                params![now, now.plus_millis(AGAIN), limit],
            )?;
            rows.into_iter().map(ForgottenObject::read).collect()
        })
        .await
    }

    /// Strikes out objects that the store no longer has.
    pub async fn strike_objects(&self, keys: Vec<String>) -> Result<()> {
        self.write_volatile("strike out removed objects", move |sql| {
            for key in &keys {
                sql.execute("DELETE FROM forgotten_object WHERE object_key = ?1", params![key])?;
            }
            Ok(())
        })
        .await
    }

    /// Whether an object is written down as forgotten: collection removes it, nobody else has to.
    pub async fn is_forgotten(&self, key: &str) -> Result<bool> {
        let key = key.to_owned();
        self.read("look up a forgotten object", move |sql| {
            Ok(sql.any("SELECT 1 FROM forgotten_object WHERE object_key = ?1", params![&key])?)
        })
        .await
    }
}
