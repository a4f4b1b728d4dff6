//! SQLite: one thread writes, two read.
//!
//! The writer takes all operations that wait and runs them in one transaction, each in a savepoint of its own, so
//! that one sync of the disk serves them all; it answers after the commit. While it syncs, the next ones gather.
//!
//! Order of locks: none. Only the writer begins transactions that write, and readers see the last commit (WAL).

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql, params_from_iter};

use super::jobs::{Queue, Serving};
use super::{Dialect, EngineError, Failure, Job, Mode, Row, Schema, Sql, Value};
use crate::{Error, Result};

const ENGINE: &str = "SQLite";
/// How many operations share one transaction at most, so that the first does not wait long for the last.
const GROUP: usize = 128;
const READERS: usize = 2;
/// How long to wait for another process that holds the file, as a backup does.
const BUSY: Duration = Duration::from_secs(10);
/// More than the catalog has statements.
const STATEMENTS: usize = 128;

/// The queues of the threads.
pub(crate) struct Sqlite {
    writes: Arc<Queue>,
    reads: Arc<Queue>,
}

impl Sqlite {
    /// Opens the file, looks after its schema and starts the threads.
    pub(crate) fn open(path: &Path, schema: Schema) -> Result<(Self, Vec<JoinHandle<()>>)> {
        if schema == Schema::Keep && !path.exists() {
            let source = FileError(path.to_owned(), std::io::ErrorKind::NotFound.into());
            let error = Error::from(EngineError::new(ENGINE, Failure::Other, source));
            return Err(error.during("open its file"));
        }
        let writer = connect(path).map_err(|error| error.during("open its file"))?;
        let mut writer = Link { connection: writer, durable: true };
        super::migrate::run(&mut writer, schema)?;
        let mut threads = Vec::new();
        let queues = Self { writes: Arc::new(Queue::new()), reads: Arc::new(Queue::new()) };
        // A reader that could not be opened must not leave the other threads waiting forever.
        let started = queues.start(path, writer, &mut threads);
        if let Err(error) = started {
            queues.close();
            return Err(error);
        }
        Ok((queues, threads))
    }

    fn start(&self, path: &Path, writer: Link, threads: &mut Vec<JoinHandle<()>>) -> Result<()> {
        let queue = Arc::clone(&self.writes);
        threads.push(super::spawn("catalog-write", move || write(writer, &queue))?);
        for _ in 0..READERS {
            let reader = connect(path).map_err(|error| error.during("open its file"))?;
            reader.pragma_update(None, "query_only", true).map_err(failed)?;
            let queue = Arc::clone(&self.reads);
            let reader = Link { connection: reader, durable: true };
            threads.push(super::spawn("catalog-read", move || read(reader, &queue))?);
        }
        Ok(())
    }

    pub(crate) fn submit(&self, job: Box<dyn Job>) {
        match job.mode() {
            Mode::Read => self.reads.push(job),
            Mode::Durable | Mode::Volatile => self.writes.push(job),
        }
    }

    pub(crate) fn close(&self) {
        self.reads.close();
        self.writes.close();
    }
}

fn connect(path: &Path) -> Result<Connection> {
    // SQLite gives its -wal and -shm files the mode of the database.
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .and_then(|file| file.set_permissions(Permissions::from_mode(0o600)))
        .map_err(|error| EngineError::new(ENGINE, Failure::Other, FileError(path.to_owned(), error)))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // The cache is in KiB: small, as the system's page cache has the file as well.
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
             PRAGMA cache_size = -1024; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;
             PRAGMA journal_size_limit = 16777216; PRAGMA trusted_schema = OFF;",
        )
        .map_err(failed)?;
    Ok(connection)
}

#[derive(Debug, thiserror::Error)]
#[error("cannot open {}", .0.display())]
struct FileError(PathBuf, #[source] std::io::Error);

fn failed(error: rusqlite::Error) -> EngineError {
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Failure::Full,
        _ => Failure::Other,
    };
    EngineError::new(ENGINE, kind, error)
}

/// A connection of one thread.
struct Link {
    connection: Connection,
    /// Whether a commit syncs the disk.
    durable: bool,
}

impl Link {
    fn control(&mut self, statement: &'static str) -> Result<(), EngineError> {
        self.execute(statement, &[]).map(drop)
    }

    /// Must be called between transactions.
    fn set_durable(&mut self, durable: bool) -> Result<(), EngineError> {
        if self.durable != durable {
            // With NORMAL a commit is in the log but not synced; the next FULL commit syncs the whole log.
            self.batch(if durable { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" })?;
            self.durable = durable;
        }
        Ok(())
    }

    /// Runs a job in the open transaction, and undoes what it did when it fails.
    fn run_in_savepoint(&mut self, job: &mut dyn Job) -> Result<(), EngineError> {
        self.control("SAVEPOINT job")?;
        if job.run(self).is_err() {
            self.control("ROLLBACK TO job")?;
        }
        self.control("RELEASE job")
    }

    fn run_group(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), EngineError> {
        self.set_durable(jobs.iter().any(|job| job.mode() == Mode::Durable))?;
        self.control("BEGIN IMMEDIATE")?;
        for job in jobs {
            self.run_in_savepoint(job.as_mut())?;
        }
        self.control("COMMIT")
    }

    fn commit(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        let Err(error) = self.run_group(&mut jobs) else {
            jobs.into_iter().for_each(Job::answer);
            return;
        };
        // SQLite has undone the transaction by itself after some errors, as of a full disk.
        if !self.connection.is_autocommit()
            && let Err(error) = self.control("ROLLBACK")
        {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the catalog could not undo a transaction"
            );
        }
        if jobs.len() > 1 {
            // One of them may be at fault: nothing was done, so let each have its own transaction.
            for job in jobs {
                self.commit(vec![job]);
            }
        } else {
            for job in jobs {
                // What the job itself failed with tells more than that the transaction was gone.
                if job.error().is_some() { job.answer() } else { job.fail(error.clone().into()) }
            }
        }
    }
}

fn write(mut link: Link, queue: &Queue) {
    let _serving = Serving(queue);
    while let Some(jobs) = queue.take(GROUP) {
        link.commit(jobs);
    }
}

fn read(mut link: Link, queue: &Queue) {
    let _serving = Serving(queue);
    while let Some(jobs) = queue.take(1) {
        for mut job in jobs {
            if job.is_abandoned() {
                continue;
            }
            // The result, good or bad, is in the job; there is nothing to undo.
            let _ = job.run(&mut link);
            job.answer();
        }
    }
}

impl Sql for Link {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn query(&mut self, sql: &'static str, parameters: &[Value]) -> Result<Vec<Row>, EngineError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(parameters)).map_err(failed)?;
        let mut answer = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let values = (0..columns).map(|column| row.get_ref(column).map_err(failed).and_then(from_sqlite));
            answer.push(Row::new(values.collect::<Result<_, _>>()?));
        }
        Ok(answer)
    }

    fn execute(&mut self, sql: &'static str, parameters: &[Value]) -> Result<u64, EngineError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let changed = statement.execute(params_from_iter(parameters)).map_err(failed)?;
        Ok(changed as u64)
    }

    fn batch(&mut self, script: &str) -> Result<(), EngineError> {
        self.connection.execute_batch(script).map_err(failed)
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn from_sqlite(value: ValueRef<'_>) -> Result<Value, EngineError> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(error) => return Err(EngineError::new(ENGINE, Failure::Other, error)),
        },
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
        ValueRef::Real(_) => {
            return Err(EngineError::new(ENGINE, Failure::Other, "a column holds a fraction"));
        }
    })
}
