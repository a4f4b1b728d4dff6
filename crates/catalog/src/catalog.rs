//! The door to the database: opens it, carries operations to its threads, closes it.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use secrecy::SecretString;

use crate::sql::{Job, Mode, Postgres, Schema, Sql, Sqlite, task};
use crate::{Error, Result};

/// Where the catalog is.
#[derive(Clone, Debug)]
pub enum Location {
    /// A SQLite file. It is made when missing; only the account that runs the server can read it.
    Sqlite(PathBuf),
    /// The URL of a Postgres database, which may hold a password.
    Postgres(SecretString),
}

/// The catalog. Cloning shares it. When the last clone is dropped, what was asked is still done.
#[derive(Clone)]
pub struct Catalog(Arc<Inner>);

struct Inner {
    engine: Engine,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

enum Engine {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Engine {
    fn submit(&self, job: Box<dyn Job>) {
        match self {
            Self::Sqlite(sqlite) => sqlite.submit(job),
            Self::Postgres(postgres) => postgres.submit(job),
        }
    }

    fn close(&self) {
        match self {
            Self::Sqlite(sqlite) => sqlite.close(),
            Self::Postgres(postgres) => postgres.close(),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.engine.close();
    }
}

impl Catalog {
    /// Opens the catalog and brings its schema up to date.
    pub async fn open(location: Location) -> Result<Self> {
        Self::open_with(location, Schema::Update).await
    }

    /// Opens a catalog that another process may be serving, to read it: its schema is left as it is, and has to be the one
    /// that this release knows.
    pub async fn open_beside(location: Location) -> Result<Self> {
        Self::open_with(location, Schema::Keep).await
    }

    async fn open_with(location: Location, schema: Schema) -> Result<Self> {
        aside(move || {
            let (engine, threads) = match location {
                Location::Sqlite(path) => {
                    let (sqlite, threads) = Sqlite::open(&path, schema)?;
                    (Engine::Sqlite(sqlite), threads)
                }
                Location::Postgres(url) => {
                    let (postgres, threads) = Postgres::open(&url, schema)?;
                    (Engine::Postgres(postgres), threads)
                }
            };
            Ok(Self(Arc::new(Inner { engine, threads: Mutex::new(threads) })))
        })
        .await?
    }

    /// Waits until all that was asked is done, and closes the database. Later calls fail with [`Error::Closed`].
    pub async fn close(&self) -> Result<()> {
        self.0.engine.close();
        let threads = std::mem::take(&mut *self.0.threads.lock().unwrap_or_else(PoisonError::into_inner));
        aside(move || threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| Error::Closed)))
            .await?
    }

    /// Whether this process is the only writer, so that answers may be remembered. With Postgres other replicas
    /// write too, and [`Catalog::generation`] tells when to forget.
    pub fn is_exclusive(&self) -> bool {
        matches!(self.0.engine, Engine::Sqlite(_))
    }

    /// Asks the database for a sign of life.
    pub async fn ping(&self) -> Result<()> {
        self.read("ask for a sign of life", |sql| Ok(sql.query("SELECT 1", &[]).map(drop)?)).await
    }

    /// Runs an operation that changes nothing. `doing` completes the sentence "the catalog could not …".
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        doing: &'static str,
        operation: impl FnMut(&mut dyn Sql) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.run(doing, Mode::Read, operation).await
    }

    /// Runs an operation as a transaction that is on disk before it is answered.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        doing: &'static str,
        operation: impl FnMut(&mut dyn Sql) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.run(doing, Mode::Durable, operation).await
    }

    /// Runs an operation as a transaction that survives the end of the process, not surely that of the machine.
    pub(crate) async fn write_volatile<T: Send + 'static>(
        &self,
        doing: &'static str,
        operation: impl FnMut(&mut dyn Sql) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.run(doing, Mode::Volatile, operation).await
    }

    async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        mode: Mode,
        operation: impl FnMut(&mut dyn Sql) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (job, answer) = task(doing, mode, operation);
        self.0.engine.submit(job);
        answer.await.unwrap_or(Err(Error::Closed))
    }
}

/// Runs what blocks for long on a thread of its own: the runtime need not have a pool for it.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let (reply, answer) = tokio::sync::oneshot::channel();
    crate::sql::spawn("catalog-open", move || drop(reply.send(work())))?;
    answer.await.map_err(|_| Error::Closed)
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").field("exclusive", &self.is_exclusive()).finish_non_exhaustive()
    }
}
