use crate::Result;
use secrecy::SecretString;
use std::path::PathBuf;
use std::sync::Arc;

/// Where the catalog is.
#[derive(Clone, Debug)]
pub enum Location {
    /// A SQLite file; it is made when missing, and only its owner can read it.
    Sqlite(PathBuf),
    /// The URL of a Postgres database. It may hold a password.
    Postgres(SecretString),
}

/// The catalog. Cloning shares it.
#[derive(Clone)]
pub struct Catalog(Arc<()>);

impl Catalog {
    /// Opens the catalog and brings its schema up to date.
    pub async fn open(location: Location) -> Result<Self> {
        todo!()
    }
    /// Waits until all that was asked is done, and closes the database. Later calls fail with [`Error::Closed`].
    pub async fn close(&self) -> Result<()> {
        todo!()
    }
    /// Whether this process is the only writer, so that answers may be remembered.
    pub fn is_exclusive(&self) -> bool {
        todo!()
    }
    /// Asks the database for a sign of life.
    pub async fn ping(&self) -> Result<()> {
        todo!()
    }
}
