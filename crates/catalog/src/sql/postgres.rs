//! Postgres: a few threads, each with a connection of its own.
//!
//! Transactions run at READ COMMITTED. What must not change between two statements of an operation is locked by its
//! row: the owner's row before anything that changes what the owner uses, then blobs. A transaction that still was
//! in another's way is repeated, and one whose connection was lost before COMMIT was sent is run on a new one.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use postgres::config::SslMode;
use postgres::error::SqlState;
use postgres::types::private::BytesMut;
use postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, Config, NoTls, Statement};
use secrecy::{ExposeSecret as _, SecretString};

use super::jobs::{Queue, Serving};
use super::{Dialect, EngineError, Failure, Job, Mode, Row, Schema, Sql, Value};
use crate::{Error, Result};

const ENGINE: &str = "Postgres";
const CONNECTIONS: usize = 4;
/// How often a transaction is repeated that was in another's way, or whose connection was lost.
const ATTEMPTS: u32 = 10;
const CONNECT: Duration = Duration::from_secs(10);

/// The queue of the threads.
pub(crate) struct Postgres {
    queue: Arc<Queue>,
}

impl Postgres {
    /// Connects, looks after the schema and starts the threads.
    pub(crate) fn open(url: &SecretString, schema: Schema) -> Result<(Self, Vec<JoinHandle<()>>)> {
        let config = configure(url).map_err(|error| Error::from(error).during("read its URL"))?;
        let mut first = Link::new(config.clone());
        first.connect().map_err(|error| Error::from(error).during("connect"))?;
        super::migrate::run(&mut first, schema)?;
        let queue = Arc::new(Queue::new());
        let mut threads = Vec::new();
        let links = std::iter::once(first).chain((1..CONNECTIONS).map(|_| Link::new(config.clone())));
        for link in links {
            let serving = Arc::clone(&queue);
            match super::spawn("catalog-postgres", move || serve(link, &serving)) {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    queue.close();
                    return Err(error);
                }
            }
        }
        Ok((Self { queue }, threads))
    }

    pub(crate) fn submit(&self, job: Box<dyn Job>) {
        self.queue.push(job);
    }

    pub(crate) fn close(&self) {
        self.queue.close();
    }
}

fn configure(url: &SecretString) -> Result<Config, EngineError> {
    // The parser's error names the option it stumbled on and never its value.
    let mut config: Config = url.expose_secret().parse().map_err(failed)?;
    if config.get_ssl_mode() == SslMode::Require {
        let reason = "TLS to Postgres is not supported yet: use a unix socket, or sslmode=disable inside a trusted network";
        return Err(EngineError::new(ENGINE, Failure::Other, reason));
    }
    config.connect_timeout(CONNECT);
    if config.get_application_name().is_none() {
        config.application_name("railhead");
    }
    Ok(config)
}

fn failed(error: postgres::Error) -> EngineError {
    let kind = match error.code() {
        Some(code) if *code == SqlState::T_R_SERIALIZATION_FAILURE => Failure::Repeat,
        Some(code) if *code == SqlState::T_R_DEADLOCK_DETECTED => Failure::Repeat,
        Some(code) if *code == SqlState::DISK_FULL => Failure::Full,
        // The server shuts down, or somebody ended this connection.
        Some(code) if code.code().starts_with("57P") => Failure::Lost,
        None if error.is_closed() || is_io(&error) => Failure::Lost,
        _ => Failure::Other,
    };
    EngineError::new(ENGINE, kind, error)
}

fn is_io(error: &postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

/// A connection of one thread, with its statements.
struct Link {
    config: Config,
    session: Option<Session>,
}

struct Session {
    client: Client,
    /// By the text of the statement, before its translation.
    statements: HashMap<&'static str, Statement>,
}

impl Link {
    const fn new(config: Config) -> Self {
        Self { config, session: None }
    }

    fn connect(&mut self) -> Result<(), EngineError> {
        if self.session.as_ref().is_none_or(|session| session.client.is_closed()) {
            let client = self.config.connect(NoTls).map_err(failed)?;
            self.session = Some(Session { client, statements: HashMap::new() });
        }
        Ok(())
    }

    fn session(&mut self) -> Result<&mut Session, EngineError> {
        self.session.as_mut().ok_or_else(|| EngineError::new(ENGINE, Failure::Lost, "there is no connection"))
    }

    fn prepared(&mut self, sql: &'static str) -> Result<(&mut Client, Statement), EngineError> {
        let session = self.session()?;
        let statement = if let Some(statement) = session.statements.get(sql) {
            statement.clone()
        } else {
            let statement = session.client.prepare(&translate(sql)).map_err(failed)?;
            session.statements.insert(sql, statement.clone());
            statement
        };
        Ok((&mut session.client, statement))
    }

    /// One attempt. `Ok`: the job has its result, good or bad.
    fn attempt(&mut self, job: &mut dyn Job) -> Result<(), Attempt> {
        self.connect().map_err(Attempt::Again)?;
        match job.mode() {
            Mode::Read => {}
            Mode::Durable => self.batch("BEGIN").map_err(Attempt::Again)?,
            Mode::Volatile => {
                self.batch("BEGIN; SET LOCAL synchronous_commit = off").map_err(Attempt::Again)?;
            }
        }
        if job.run(self).is_ok() {
            if job.mode() == Mode::Read {
                return Ok(());
            }
            // Once COMMIT was sent it may have happened: only the errors that say otherwise allow another attempt.
            return self.batch("COMMIT").map_err(|error| match error.kind() {
                Failure::Repeat => Attempt::Again(error),
                _ => Attempt::Failed(error),
            });
        }
        let again = job
            .error()
            .and_then(Error::engine)
            .filter(|e| matches!(e.kind(), Failure::Repeat | Failure::Lost))
            .cloned();
        if job.mode() != Mode::Read && self.batch("ROLLBACK").is_err() {
            // The server undoes the transaction of a connection that ends.
            self.session = None;
        }
        again.map_or(Ok(()), |error| Err(Attempt::Again(error)))
    }

    fn complete(&mut self, mut job: Box<dyn Job>) {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.attempt(job.as_mut()) {
                Ok(()) => return job.answer(),
                Err(Attempt::Again(error)) => {
                    if error.kind() == Failure::Lost {
                        self.session = None;
                    }
                    if attempts == ATTEMPTS || error.kind() == Failure::Other {
                        return job.fail(error.into());
                    }
                    // Longer each time, so that a server that restarts is there again: 2.5 s in all.
                    std::thread::sleep(Duration::from_millis(5) * 2_u32.pow(attempts.min(9)) / 2);
                }
                Err(Attempt::Failed(error)) => {
                    self.session = None;
                    return job.fail(error.into());
                }
            }
        }
    }
}

/// Why an attempt came to nothing.
enum Attempt {
    /// Nothing was done.
    Again(EngineError),
    /// Nobody knows whether it was done.
    Failed(EngineError),
}

fn serve(mut link: Link, queue: &Queue) {
    let _serving = Serving(queue);
    while let Some(jobs) = queue.take(1) {
        for job in jobs {
            if job.mode() == Mode::Read && job.is_abandoned() {
                continue;
            }
            link.complete(job);
        }
    }
}

impl Sql for Link {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn query(&mut self, sql: &'static str, parameters: &[Value]) -> Result<Vec<Row>, EngineError> {
        let (client, statement) = self.prepared(sql)?;
        let rows = client.query(&statement, &borrowed(parameters)).map_err(failed)?;
        rows.iter()
            .map(|row| {
                let values = (0..row.len()).map(|column| row.try_get(column).map_err(failed));
                values.collect::<Result<_, _>>().map(Row::new)
            })
            .collect()
    }

    fn execute(&mut self, sql: &'static str, parameters: &[Value]) -> Result<u64, EngineError> {
        let (client, statement) = self.prepared(sql)?;
        client.execute(&statement, &borrowed(parameters)).map_err(failed)
    }

    fn batch(&mut self, script: &str) -> Result<(), EngineError> {
        self.session()?.client.batch_execute(script).map_err(failed)
    }
}

fn borrowed(parameters: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    parameters.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// A statement as Postgres wants it; see the conventions in [`super`].
fn translate(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut open = false;
    let mut rest = sql;
    while let Some(letter) = rest.chars().next() {
        if let Some(behind) = rest.strip_prefix("/*postgres:") {
            open = true;
            rest = behind;
        } else if let Some(behind) = rest.strip_prefix("*/").filter(|_| open) {
            open = false;
            rest = behind;
        } else if let Some(behind) = rest.strip_prefix("json_each(") {
            text.push_str("jsonb_array_elements_text(");
            rest = behind;
        } else {
            text.push(if letter == '?' { '$' } else { letter });
            rest = &rest[letter.len_utf8()..];
        }
    }
    text
}

impl ToSql for Value {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(number) => number.to_sql_checked(kind, out),
            Self::Text(text) => {
                if *kind == Type::JSONB {
                    out.extend_from_slice(&[1]); // the version of the format, which is text
                }
                out.extend_from_slice(text.as_bytes());
                Ok(IsNull::No)
            }
            Self::Blob(bytes) => bytes.to_sql_checked(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true // each kind of value checks for itself
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(match *kind {
            Type::INT8 => Self::Int(i64::from_sql(kind, raw)?),
            Type::INT4 => Self::Int(i32::from_sql(kind, raw)?.into()),
            Type::BOOL => Self::Int(bool::from_sql(kind, raw)?.into()),
            Type::BYTEA => Self::Blob(Vec::from_sql(kind, raw)?),
            _ => Self::Text(String::from_sql(kind, raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(kind: &Type) -> bool {
        let known = matches!(*kind, Type::INT8 | Type::INT4 | Type::BOOL | Type::BYTEA);
        known || <String as FromSql>::accepts(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::translate;

    #[test]
    fn a_statement_is_translated() {
        let sql = "SELECT a FROM b /* why */ WHERE c = ?1 AND d = ?12 /*postgres: FOR UPDATE*/";
        assert_eq!(translate(sql), "SELECT a FROM b /* why */ WHERE c = $1 AND d = $12  FOR UPDATE");
        assert_eq!(
            translate("SELECT value FROM json_each(?1)"),
            "SELECT value FROM jsonb_array_elements_text($1)"
        );
    }
}
