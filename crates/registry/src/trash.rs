//! What retention takes and brings back. Which that is, is decided elsewhere; here it is done, and what was remembered
//! of it is forgotten.

use railhead_catalog::{Loss, OwnerId, RepositoryId, Timestamp, TrashId, Trashed, Undone, Untrash};
use railhead_oci::{Digest, Reference, RepositoryName};

use crate::{Registry, Result};

impl Registry {
    /// Moves what a repository loses to the trash, where it stays until `until`. [`Trashed::Moved`] when something of it
    /// is not as the plan saw it.
    pub async fn trash(
        &self,
        run: TrashId,
        (repository, name): (RepositoryId, &RepositoryName),
        loss: Loss,
        account: Option<OwnerId>,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Trashed> {
        let tags: Vec<_> = loss.tags.iter().map(|(tag, _)| tag.clone()).collect();
        let manifests: Vec<_> = loss.manifests.iter().map(|manifest| manifest.digest).collect();
        let due = until.max(self.condemned_until(now));
        let trashed = self.0.catalog.trash(run, repository, loss, account, due, now).await?;
        if let Trashed::Done { condemned } = &trashed {
            self.0.remembered.changed(name);
            for digest in manifests {
                self.0.remembered.forget_manifest(name, &Reference::Digest(digest));
            }
            for tag in tags {
                self.0.remembered.forget_manifest(name, &Reference::Tag(tag));
            }
            self.forget_links(name, condemned);
        }
        Ok(trashed)
    }

    /// Brings back what a run of retention took.
    pub async fn untrash(
        &self,
        run: TrashId,
        (repository, name): (RepositoryId, &RepositoryName),
        what: Untrash,
        now: Timestamp,
    ) -> Result<Undone> {
        let undone = self.0.catalog.untrash(run, repository, what, now).await?;
        self.0.remembered.changed(name);
        for tag in &undone.tags {
            self.0.remembered.forget_manifest(name, &Reference::Tag(tag.clone()));
        }
        Ok(undone)
    }

    /// Empties the trash before its time: what only it needs goes after the grace. Gives the number of manifests that
    /// cannot be brought back any more.
    pub async fn empty_trash(&self, now: Timestamp) -> Result<u64> {
        let emptied = self.0.catalog.empty_trash(self.condemned_until(now)).await?;
        for (name, digest) in &emptied.links {
            self.forget_links(name, std::slice::from_ref(digest));
        }
        Ok(emptied.manifests)
    }

    /// Notes when manifests were asked for. What is not there any more is passed over.
    pub async fn note_pulls(&self, pulls: Vec<((RepositoryName, Digest), Timestamp)>) -> Result<()> {
        let mut noted = Vec::with_capacity(pulls.len());
        for ((name, digest), at) in pulls {
            match self.repository(&name).await {
                Ok(repository) => noted.push((repository.id, digest, at)),
                Err(crate::Error::RepositoryUnknown) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.0.catalog.touch_manifests(noted).await?)
    }
}
