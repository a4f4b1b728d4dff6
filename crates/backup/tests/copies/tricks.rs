//! Places of backups that do not do what they should.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use railhead_backup::target::{Directory, Item, Sink, Target};
use railhead_backup::{Error, Pieces, Result};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trick {
    /// The last byte of a file is not written, and nobody says so.
    Short,
    /// The first byte of a file becomes another, and nobody says so.
    Wrong,
    /// A file is taken, and is not there.
    Forgotten,
    /// No more than so many files can be written.
    FullAfter(usize),
    /// No more than so many files can be read.
    LostAfter(usize),
}

/// A directory with a trick.
#[derive(Debug)]
pub struct Tricky {
    inner: Directory,
    trick: Trick,
    /// Only for files whose name begins so.
    prefix: &'static str,
    count: Arc<AtomicUsize>,
}

impl Tricky {
    pub fn new(inner: Directory, trick: Trick, prefix: &'static str) -> Self {
        Self { inner, trick, prefix, count: Arc::default() }
    }

    fn count(&self, name: &str) -> usize {
        if name.starts_with(self.prefix) { self.count.fetch_add(1, Ordering::Relaxed) + 1 } else { 0 }
    }
}

struct TrickySink {
    inner: Box<dyn Sink>,
    trick: Trick,
    held: Vec<u8>,
}

#[async_trait]
impl Sink for TrickySink {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.held.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<()> {
        match self.trick {
            Trick::Short => drop(self.held.pop()),
            Trick::Wrong => self.held[0] ^= 1,
            Trick::Forgotten => return Ok(()),
            Trick::FullAfter(_) | Trick::LostAfter(_) => {}
        }
        self.inner.write(self.held.into()).await?;
        self.inner.finish().await
    }
}

#[async_trait]
impl Target for Tricky {
    fn place(&self) -> String {
        self.inner.place()
    }

    async fn list(&self, directory: &str) -> Result<Vec<Item>> {
        self.inner.list(directory).await
    }

    async fn directories(&self, directory: &str) -> Result<Vec<String>> {
        self.inner.directories(directory).await
    }

    async fn size(&self, name: &str) -> Result<Option<u64>> {
        self.inner.size(name).await
    }

    async fn read(&self, name: &str) -> Result<Box<dyn Pieces>> {
        if matches!(self.trick, Trick::LostAfter(most) if self.count(name) > most) {
            return Err(Error::Target { act: format!("read {name}"), source: "the cable was pulled".into() });
        }
        self.inner.read(name).await
    }

    async fn create(&self, name: &str) -> Result<Box<dyn Sink>> {
        if matches!(self.trick, Trick::FullAfter(most) if self.count(name) > most) {
            return Err(Error::Full { act: format!("write {name}"), source: "no space left".into() });
        }
        let inner = self.inner.create(name).await?;
        if name.starts_with(self.prefix)
            && matches!(self.trick, Trick::Short | Trick::Wrong | Trick::Forgotten)
        {
            return Ok(Box::new(TrickySink { inner, trick: self.trick, held: Vec::new() }));
        }
        Ok(inner)
    }

    async fn remove(&self, name: &str) -> Result<()> {
        self.inner.remove(name).await
    }

    async fn clear(&self, directory: &str) -> Result<()> {
        self.inner.clear(directory).await
    }
}
