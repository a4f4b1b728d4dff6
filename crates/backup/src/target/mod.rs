//! Where backups are kept: files by name, in a directory or in a bucket.
//!
//! Invariant: a file is there whole or not at all, and survives a power cut once [`Sink::finish`] has returned. What it is
//! and whether it is still what it was is the business of the caller.

mod bucket;
mod directory;

use std::fmt::Debug;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;

use crate::Result;
use crate::pieces::Pieces;

pub use bucket::Bucket;
pub use directory::Directory;

/// A file, as a listing has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its name below the directory that was listed.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, by the clock of the place.
    pub modified: SystemTime,
}

/// A place of backups. Names are relative paths of letters, digits and `.`, `-`, `_`, with `/` between them.
#[async_trait]
pub trait Target: Debug + Send + Sync {
    /// The place, for people.
    fn place(&self) -> String;
    /// The files directly in a directory, in the order of their names; none when there is no such directory.
    async fn list(&self, directory: &str) -> Result<Vec<Item>>;
    /// The directories directly in a directory, in the order of their names.
    async fn directories(&self, directory: &str) -> Result<Vec<String>>;
    /// The size of a file; `None` when there is none.
    async fn size(&self, name: &str) -> Result<Option<u64>>;
    /// Reads a file. [`crate::Error::Missing`] when there is none.
    async fn read(&self, name: &str) -> Result<Box<dyn Pieces>>;
    /// Begins to write a file; one of that name is replaced at the end.
    async fn create(&self, name: &str) -> Result<Box<dyn Sink>>;
    /// Removes a file. It is no error if there is none.
    async fn remove(&self, name: &str) -> Result<()>;
    /// Removes what was begun in a directory and never finished. Only for one who works there alone.
    async fn clear(&self, directory: &str) -> Result<()>;
}

/// Takes the content of a file. Dropped before its end, it leaves no file of that name.
#[async_trait]
pub trait Sink: Send {
    /// Takes the next bytes.
    async fn write(&mut self, bytes: Bytes) -> Result<()>;
    /// The file is whole.
    async fn finish(self: Box<Self>) -> Result<()>;
}
