//! Brings the schema up to date, in one transaction.
//!
//! A migration that was released is never changed; a new one gets the next number, in both folders.

use super::{Dialect, Sql, params};
use crate::{Error, Result};

/// The scripts in order; the first makes version 1.
const SQLITE: &[&str] = &[
    include_str!("../../migrations/sqlite/0001_catalog.sql"),
    include_str!("../../migrations/sqlite/0002_collection.sql"),
];
const POSTGRES: &[&str] = &[
    include_str!("../../migrations/postgres/0001_catalog.sql"),
    include_str!("../../migrations/postgres/0002_collection.sql"),
];
const _: () = assert!(SQLITE.len() == POSTGRES.len(), "each migration is there for both databases");

/// Any number that others do not use: replicas that start together take turns.
const LOCK: &str = "BEGIN; SELECT pg_advisory_xact_lock(7245106288427)";

pub(super) fn run(sql: &mut dyn Sql) -> Result<()> {
    migrate(sql).map_err(|error| error.during("bring its schema up to date"))
}

fn migrate(sql: &mut dyn Sql) -> Result<()> {
    let dialect = sql.dialect();
    sql.batch(dialect.pick("BEGIN IMMEDIATE", LOCK))?;
    let done = apply(sql, if dialect == Dialect::Sqlite { SQLITE } else { POSTGRES });
    if done.is_ok() {
        sql.batch("COMMIT")?;
    } else {
        // The first error is the one that matters; when this fails too, the connection is given up anyway.
        let _ = sql.batch("ROLLBACK");
    }
    done
}

fn apply(sql: &mut dyn Sql, scripts: &[&str]) -> Result<()> {
    sql.batch("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT PRIMARY KEY)")?;
    let found = match sql.first("SELECT MAX(version) FROM schema_version", &[])? {
        Some(mut row) => row.take::<Option<i64>>()?.unwrap_or(0),
        None => 0,
    };
    let known = scripts.len() as i64;
    if found > known {
        return Err(Error::SchemaTooNew { found, known });
    }
    for (version, script) in (1_i64..).zip(scripts) {
        if version > found {
            sql.batch(script)?;
            sql.execute("INSERT INTO schema_version (version) VALUES (?1)", params![version])?;
        }
    }
    Ok(())
}
