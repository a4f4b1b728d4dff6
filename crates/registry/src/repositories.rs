//! Repositories as a whole: look up, make on the first push, show, delete.

use std::sync::Arc;

use railhead_catalog::{Error as CatalogError, Repository, Timestamp, Visibility};
use railhead_oci::RepositoryName;

use crate::{Error, Registry, Result};

impl Registry {
    /// The repository of this name.
    pub async fn repository(&self, name: &RepositoryName) -> Result<Arc<Repository>> {
        if let Some(repository) = self.0.remembered.repository(name) {
            return Ok(repository);
        }
        let epoch = self.0.remembered.epoch(name);
        let found = self.0.catalog.repository(name).await?.ok_or(Error::RepositoryUnknown)?;
        let repository = Arc::new(found);
        self.0.remembered.keep_repository(epoch, &repository);
        Ok(repository)
    }

    /// The repository of this name, made now if it is not there. Its owner must exist.
    pub async fn ensure_repository(&self, name: &RepositoryName, now: Timestamp) -> Result<Arc<Repository>> {
        match self.repository(name).await {
            Err(Error::RepositoryUnknown) => {}
            other => return other,
        }
        let made = if self.0.settings.follows_forge {
            self.0.catalog.ensure_following(name, now).await
        } else {
            self.0.catalog.ensure_repository(name, now).await
        };
        match made {
            Ok(repository) => Ok(Arc::new(repository)),
            Err(CatalogError::NotFound(_)) => Err(Error::OwnerUnknown),
            Err(error) => Err(error.into()),
        }
    }

    /// Forgets what is remembered of every name. To be called when an owner was renamed, and its repositories with it.
    pub fn forget_names(&self) {
        self.0.remembered.forget_names();
    }

    /// Says who may pull without being a member.
    pub async fn set_visibility(&self, name: &RepositoryName, visibility: Visibility) -> Result<()> {
        let repository = self.repository(name).await?;
        self.0.catalog.set_visibility(repository.id, visibility).await?;
        self.0.remembered.forget_repository(name);
        Ok(())
    }

    /// Deletes a repository with all it has, and the bytes that no other repository needs. Gives the number of
    /// objects that are not needed any more.
    pub async fn delete_repository(&self, name: &RepositoryName, now: Timestamp) -> Result<usize> {
        let repository = self.repository(name).await?;
        let objects = self.0.catalog.delete_repository(repository.id, now).await?;
        self.0.remembered.forget_repository(name);
        self.remove_now(&objects, now).await;
        Ok(objects.len())
    }
}
