//! Gets a sound copy of a damaged blob. It comes in as a push does: hashed on its way, synced, and bound to the digest in
//! one transaction; so a kill at any moment leaves an upload that expires, and a source that lies changes nothing.

use std::sync::atomic::Ordering;

use railhead_catalog::Timestamp;
use railhead_oci::{Digest, RepositoryName};
use railhead_registry::{Error, Result};

use super::{Content, Scrubber, Source};

/// What came of one source.
enum Tried {
    Healed,
    Absent,
    /// It failed, or gave something else.
    Failed(String),
}

impl Scrubber {
    /// Heals a blob from the first source that has it; the source's name, or `None` when none does.
    pub(super) async fn heal(&self, digest: &Digest) -> Result<Option<String>> {
        if self.settings.sources.is_empty() {
            return Ok(None);
        }
        let _one = self.healing.lock().await;
        let catalog = self.registry.catalog();
        // Another one may just have healed it.
        let Some(blob) = catalog.blob(digest).await?.filter(|blob| blob.damaged) else { return Ok(None) };
        let repositories = catalog.blob_repositories(digest).await?;
        for source in &self.settings.sources {
            let names = if source.is_by_repository() { repositories.len() } else { 1 };
            for repository in repositories.iter().take(names) {
                match self.heal_from(source.as_ref(), repository, digest, blob.size).await? {
                    Tried::Healed => {
                        let from = source.name();
                        self.counters.healed.fetch_add(1, Ordering::Relaxed);
                        tracing::info!(%digest, size = blob.size, from, "a damaged blob is healed");
                        return Ok(Some(from));
                    }
                    Tried::Absent => {}
                    Tried::Failed(error) => tracing::warn!(
                        %digest, %repository, from = source.name(), error,
                        "a damaged blob could not be healed from there"
                    ),
                }
            }
        }
        Ok(None)
    }

    async fn heal_from(
        &self,
        source: &dyn Source,
        repository: &RepositoryName,
        digest: &Digest,
        size: u64,
    ) -> Result<Tried> {
        let content = match source.open(repository, digest, size).await {
            Ok(Some(content)) => content,
            Ok(None) => return Ok(Tried::Absent),
            Err(error) => return Ok(Tried::Failed(chain(error.as_ref()))),
        };
        match self.take_in(content, repository, digest, size).await {
            Ok(tried) => Ok(tried),
            // The repository or the blob is gone: there is nothing left to heal here.
            Err(Error::BlobUnknown(_) | Error::UploadUnknown | Error::RepositoryUnknown) => Ok(Tried::Absent),
            Err(error @ Error::DigestMismatch { .. }) => Ok(Tried::Failed(error.to_string())),
            Err(error) => Err(error),
        }
    }

    async fn take_in(
        &self,
        mut content: Box<dyn Content>,
        repository: &RepositoryName,
        digest: &Digest,
        size: u64,
    ) -> Result<Tried> {
        let mut session = self.registry.begin_healing(repository, digest, Timestamp::now()).await?;
        let failed = loop {
            match content.next().await {
                Ok(Some(piece)) if session.offset() + piece.len() as u64 > size => {
                    break format!("more than the {size} bytes of the blob came");
                }
                Ok(Some(piece)) => {
                    if let Err(error) = session.write(piece).await {
                        session.abandon().await?;
                        return Err(error);
                    }
                }
                Ok(None) if session.offset() < size => {
                    break format!("only {} of {size} bytes came", session.offset());
                }
                Ok(None) => {
                    session.finish(digest, Timestamp::now()).await?;
                    return Ok(Tried::Healed);
                }
                Err(error) => break chain(error.as_ref()),
            }
        };
        session.abandon().await?;
        Ok(Tried::Failed(failed))
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
