//! The reading side: [`Reader`], a stream of [`Bytes`] made to be the body of an answer.

use std::future::poll_fn;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::Result;
use crate::files::{FileReader, FileRegion};
use crate::s3::S3Reader;

/// Gives a range of an object, or of a staged one, piece by piece.
///
/// It holds at most one buffer, and none between two polls; the pieces handed out hold one each until dropped.
#[derive(Debug)]
pub struct Reader(pub(crate) Source);

#[derive(Debug)]
pub(crate) enum Source {
    /// All of it, at once.
    Whole(Bytes),
    Files(FileReader),
    S3(S3Reader),
}

impl Reader {
    pub(crate) const fn whole(bytes: Bytes) -> Self {
        Self(Source::Whole(bytes))
    }

    /// The next piece, never an empty one; `None` behind the last. After an error there is nothing more to come.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        match &mut self.0 {
            Source::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Source::Whole(bytes) => Poll::Ready(Some(Ok(std::mem::take(bytes)))),
            Source::Files(reader) => reader.poll_next(cx),
            Source::S3(reader) => reader.poll_next(cx),
        }
    }

    /// Instead of the next piece, the place of up to `most` bytes in a file; they count as handed out. `None` where
    /// there is no file, or where reading it would wait for the disk.
    pub fn take_region(&mut self, most: u64) -> Option<FileRegion> {
        match &mut self.0 {
            Source::Files(reader) => reader.take_region(most),
            _ => None,
        }
    }

    /// How many bytes are still to come.
    pub fn remaining(&self) -> u64 {
        match &self.0 {
            Source::Whole(bytes) => bytes.len() as u64,
            Source::Files(reader) => reader.remaining(),
            Source::S3(reader) => reader.remaining(),
        }
    }

    /// As [`poll_next`](Self::poll_next), for a caller that can wait.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// All the bytes in one piece. For content whose size the caller has bounded.
    pub async fn collect(mut self) -> Result<Bytes> {
        let Some(first) = self.next().await.transpose()? else { return Ok(Bytes::new()) };
        if self.remaining() == 0 {
            return Ok(first);
        }
        let mut all = Vec::with_capacity(first.len() + self.remaining() as usize);
        all.extend_from_slice(&first);
        while let Some(piece) = self.next().await.transpose()? {
            all.extend_from_slice(&piece);
        }
        Ok(all.into())
    }
}
