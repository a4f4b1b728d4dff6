//! Reading an object of a bucket as its bytes arrive.

use std::fmt;
use std::ops::Range;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt};
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};

use super::failed;
use crate::reader::Source;
use crate::{Error, ObjectKey, Reader, Result};

pub(crate) struct S3Reader {
    path: Path,
    bytes: BoxStream<'static, object_store::Result<Bytes>>,
    remaining: u64,
}

impl S3Reader {
    pub(super) async fn open(
        s3: &AmazonS3,
        key: ObjectKey,
        path: Path,
        range: Range<u64>,
        size: u64,
    ) -> Result<Reader> {
        let remaining = range.end - range.start;
        // S3 has no empty range.
        if remaining == 0 {
            check_size(s3, key, &path, size).await?;
            return Ok(Reader::whole(Bytes::new()));
        }
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let got = match s3.get_opts(&path, options).await {
            Ok(got) => got,
            Err(object_store::Error::NotFound { .. }) => return Err(Error::Missing { key }),
            Err(error) => {
                // A range behind the end of a damaged object is refused without saying its size.
                check_size(s3, key, &path, size).await?;
                return Err(failed("read", &path, error));
            }
        };
        let found = got.meta.size;
        if found != size {
            return Err(Error::WrongSize { key, expected: size, found });
        }
        Ok(Reader(Source::S3(Self { path, bytes: got.into_stream(), remaining })))
    }

    pub(crate) const fn remaining(&self) -> u64 {
        self.remaining
    }

    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        if self.remaining == 0 {
            return Poll::Ready(None);
        }
        loop {
            let error = match ready!(self.bytes.poll_next_unpin(cx)) {
                Some(Ok(bytes)) if bytes.is_empty() => continue,
                Some(Ok(bytes)) if bytes.len() as u64 <= self.remaining => {
                    self.remaining -= bytes.len() as u64;
                    return Poll::Ready(Some(Ok(bytes)));
                }
                Some(Ok(_)) | None => Error::Length { left: self.remaining },
                Some(Err(error)) => failed("read", &self.path, error),
            };
            self.remaining = 0;
            return Poll::Ready(Some(Err(error)));
        }
    }
}

async fn check_size(s3: &AmazonS3, key: ObjectKey, path: &Path, size: u64) -> Result<()> {
    match s3.head(path).await {
        Ok(object) if object.size == size => Ok(()),
        Ok(object) => Err(Error::WrongSize { key, expected: size, found: object.size }),
        Err(object_store::Error::NotFound { .. }) => Err(Error::Missing { key }),
        Err(error) => Err(failed("look at", path, error)),
    }
}

impl fmt::Debug for S3Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Reader")
            .field("path", &self.path)
            .field("remaining", &self.remaining)
            .finish_non_exhaustive()
    }
}
