//! Brings the schema up to date, in one transaction.
//!
//! A migration that was released is never changed; a new one gets the next number, in both folders.

use super::{Dialect, Sql, params};
use crate::{Error, Result};

/// The scripts in order; the first makes version 1.
pub(super) const SQLITE: &[&str] = &[
    include_str!("../../migrations/sqlite/0001_catalog.sql"),
    include_str!("../../migrations/sqlite/0002_collection.sql"),
    include_str!("../../migrations/sqlite/0003_retention.sql"),
    include_str!("../../migrations/sqlite/0004_damage.sql"),
    include_str!("../../migrations/sqlite/0005_forge.sql"),
    include_str!("../../migrations/sqlite/0006_former_names.sql"),
];
const POSTGRES: &[&str] = &[
    include_str!("../../migrations/postgres/0001_catalog.sql"),
    include_str!("../../migrations/postgres/0002_collection.sql"),
    include_str!("../../migrations/postgres/0003_retention.sql"),
    include_str!("../../migrations/postgres/0004_damage.sql"),
    include_str!("../../migrations/postgres/0005_forge.sql"),
    include_str!("../../migrations/postgres/0006_former_names.sql"),
];
const _: () = assert!(SQLITE.len() == POSTGRES.len(), "each migration is there for both databases");

/// Any number that others do not use: replicas that start together take turns.
const LOCK: &str = "BEGIN; SELECT pg_advisory_xact_lock(7245106288427)";

/// What is done about a schema that is older than this release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Schema {
    /// It is brought up to date.
    Update,
    /// It is left alone: the process that serves it may be of an older release.
    Keep,
}

pub(super) fn run(sql: &mut dyn Sql, schema: Schema) -> Result<()> {
    match schema {
        Schema::Update => migrate(sql).map_err(|error| error.during("bring its schema up to date")),
        Schema::Keep => check(sql).map_err(|error| error.during("look at its schema")),
    }
}

fn known(dialect: Dialect) -> i64 {
    (if dialect == Dialect::Sqlite { SQLITE } else { POSTGRES }).len() as i64
}

fn check(sql: &mut dyn Sql) -> Result<()> {
    let known = known(sql.dialect());
    match found(sql)? {
        found if found > known => Err(Error::SchemaTooNew { found, known }),
        found if found < known => Err(Error::SchemaTooOld { found, known }),
        _ => Ok(()),
    }
}

fn found(sql: &mut dyn Sql) -> Result<i64> {
    match sql.first("SELECT MAX(version) FROM schema_version", &[])? {
        Some(mut row) => Ok(row.take::<Option<i64>>()?.unwrap_or(0)),
        None => Ok(0),
    }
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
    let found = found(sql)?;
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
