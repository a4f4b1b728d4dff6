//! Reading with the hash checked on the way.
//!
//! One piece is held back: the last one is handed out only when the whole content hashed right, so a client never
//! gets all bytes of something wrong.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use railhead_blobs::{ObjectKey, Reader};
use railhead_oci::{Digest, Hasher, RepositoryName};

use crate::{Error, Registry, Result};

type Report = Pin<Box<dyn Future<Output = Error> + Send>>;

/// A reader that hashes what it hands out.
pub struct VerifiedReader {
    registry: Registry,
    repository: RepositoryName,
    expected: Digest,
    key: ObjectKey,
    reader: Reader,
    /// None once the content is checked.
    hasher: Option<Hasher>,
    held: Option<Bytes>,
    total: u64,
    report: Option<Report>,
}

impl std::fmt::Debug for VerifiedReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifiedReader").field("expected", &self.expected).finish_non_exhaustive()
    }
}

impl VerifiedReader {
    pub(crate) fn new(
        registry: Registry,
        repository: RepositoryName,
        expected: Digest,
        key: ObjectKey,
        reader: Reader,
    ) -> Self {
        let total = reader.remaining();
        let hasher = Some(Hasher::new(expected.algorithm()));
        Self { registry, repository, expected, key, reader, hasher, held: None, total, report: None }
    }

    pub(crate) fn remaining(&self) -> u64 {
        self.reader.remaining() + self.held.as_ref().map_or(0, |held| held.len() as u64)
    }

    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        loop {
            if let Some(report) = &mut self.report {
                let error = ready!(report.as_mut().poll(cx));
                self.report = None;
                return Poll::Ready(Some(Err(error)));
            }
            if self.hasher.is_none() {
                return Poll::Ready(self.held.take().map(Ok));
            }
            match ready!(self.reader.poll_next(cx)) {
                Some(Ok(piece)) => {
                    if let Some(hasher) = &mut self.hasher {
                        hasher.update(&piece);
                    }
                    if let Some(earlier) = self.held.replace(piece) {
                        return Poll::Ready(Some(Ok(earlier)));
                    }
                }
                Some(Err(error)) => {
                    self.held = None;
                    return Poll::Ready(Some(Err(error.into())));
                }
                None => self.check(),
            }
        }
    }

    /// All pieces are read: hand out the last one, or report.
    fn check(&mut self) {
        let Some(found) = self.hasher.take().map(Hasher::finish) else { return };
        if found == self.expected {
            return;
        }
        self.held = None;
        let (registry, repository) = (self.registry.clone(), self.repository.clone());
        let (expected, key, total) = (self.expected, self.key, self.total);
        self.report = Some(Box::pin(async move {
            let found = format!("content of {found}");
            registry.report_damage(&repository, &expected, &key, total, &found).await
        }));
    }
}
