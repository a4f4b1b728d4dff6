//! Content on its way, piece by piece, from wherever it comes.

use async_trait::async_trait;
use bytes::Bytes;

use crate::Result;

/// Gives content piece by piece; `None` behind the last.
#[async_trait]
pub trait Pieces: Send {
    /// The next piece, never an empty one.
    async fn next(&mut self) -> Result<Option<Bytes>>;
}

/// Content in memory.
#[derive(Debug)]
pub struct Whole(Option<Bytes>);

impl Whole {
    /// All of it.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self(Some(bytes.into()).filter(|bytes: &Bytes| !bytes.is_empty()))
    }
}

#[async_trait]
impl Pieces for Whole {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        Ok(self.0.take())
    }
}

#[async_trait]
impl Pieces for railhead_blobs::Reader {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        Ok(Self::next(self).await.transpose()?)
    }
}

/// All of it, which may have `limit` bytes; `None` when it has more.
pub(crate) async fn collect(pieces: &mut dyn Pieces, limit: usize) -> Result<Option<Vec<u8>>> {
    let mut all = Vec::new();
    while let Some(piece) = pieces.next().await? {
        if all.len() + piece.len() > limit {
            return Ok(None);
        }
        all.extend_from_slice(&piece);
    }
    Ok(Some(all))
}
