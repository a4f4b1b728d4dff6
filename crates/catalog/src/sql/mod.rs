//! One tiny interface to both databases.
//!
//! An operation is a synchronous closure over `&mut dyn Sql`; the catalog sends it to a thread that owns a
//! connection, which runs it in a transaction. The closure may run again when the transaction has to be repeated.
//!
//! Statements are written once, in the SQL that both databases share, with three conventions:
//! - `?1` is the first parameter; Postgres gets `$1`.
//! - A comment that begins with `postgres:` is opened for Postgres: `/*postgres: FOR UPDATE*/`. SQLite has one
//!   writer and needs no row locks.
//! - `json_each(?1)` unfolds a JSON array of texts; its column is `value`.
//! - A parameter whose type nothing else tells is written as `CAST(?1 AS TEXT)`.

mod jobs;
mod migrate;
mod postgres;
mod sqlite;
#[cfg(test)]
mod tests;
mod value;

use std::error::Error as StdError;
use std::sync::Arc;

pub(crate) use jobs::{Job, Mode, task};
pub(crate) use migrate::Schema;
pub(crate) use postgres::Postgres;
pub(crate) use sqlite::Sqlite;
pub(crate) use value::{FromValue, Row, Value, digest_list, text_list};

use crate::Result;

/// Which database runs a statement, for the few that cannot be written once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// The statement for this database.
    pub(crate) const fn pick(self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self {
            Self::Sqlite => sqlite,
            Self::Postgres => postgres,
        }
    }
}

/// A connection, inside a transaction when the operation writes.
pub(crate) trait Sql {
    /// Which database it is.
    fn dialect(&self) -> Dialect;
    /// All rows that a statement gives. The statement is prepared once a connection.
    fn query(&mut self, sql: &'static str, parameters: &[Value]) -> Result<Vec<Row>, EngineError>;
    /// Runs a statement; the answer is the number of rows it changed.
    fn execute(&mut self, sql: &'static str, parameters: &[Value]) -> Result<u64, EngineError>;
    /// Runs several statements without parameters.
    fn batch(&mut self, script: &str) -> Result<(), EngineError>;
}

impl dyn Sql + '_ {
    /// The first row, if any.
    pub(crate) fn first(
        &mut self,
        sql: &'static str,
        parameters: &[Value],
    ) -> Result<Option<Row>, EngineError> {
        Ok(self.query(sql, parameters)?.into_iter().next())
    }

    /// Whether there is a row.
    pub(crate) fn any(&mut self, sql: &'static str, parameters: &[Value]) -> Result<bool, EngineError> {
        Ok(!self.query(sql, parameters)?.is_empty())
    }
}

/// The parameters of a statement, in order.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::sql::Value::from($value)),*] };
}
pub(crate) use params;

/// What a database said when it failed. Its source is the database's own error.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{engine} failed")]
pub struct EngineError {
    engine: &'static str,
    kind: Failure,
    #[source]
    source: Arc<dyn StdError + Send + Sync>,
}

/// What may be done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Another transaction was in the way: run this one again.
    Repeat,
    /// The connection is gone, and nothing was committed.
    Lost,
    /// No space is left.
    Full,
    Other,
}

impl EngineError {
    pub(crate) fn new(
        engine: &'static str,
        kind: Failure,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self { engine, kind, source: Arc::from(source.into()) }
    }

    pub(crate) const fn kind(&self) -> Failure {
        self.kind
    }

    pub(crate) fn is_full(&self) -> bool {
        self.kind == Failure::Full
    }
}

/// Starts a thread.
pub(crate) fn spawn(
    name: &'static str,
    work: impl FnOnce() + Send + 'static,
) -> Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|error| EngineError::new("the system", Failure::Other, error).into())
        .map_err(|error: crate::Error| error.during("start a thread"))
}
