//! Repositories.
use crate::*;
use railhead_oci::RepositoryName;
use serde::{Deserialize, Serialize};
/// Who may pull.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    #[default]
    Private,
    Public,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    pub id: RepositoryId,
    pub owner: OwnerId,
    pub name: RepositoryName,
    pub visibility: Visibility,
    pub created_at: Timestamp,
    /// Bytes of the blobs linked here and of the manifests.
    pub bytes: u64,
}
/// Which repositories to list.
#[derive(Clone, Debug, Default)]
pub struct RepositoryFilter {
    pub owner: Option<OwnerId>,
    pub prefix: Option<String>,
    pub visibility: Option<Visibility>,
}
impl Catalog {
    pub async fn repository(&self, name: &RepositoryName) -> Result<Option<Repository>> {
        todo!()
    }
    /// Creates it, private, when missing. NotFound when the owner does not exist.
    pub async fn ensure_repository(&self, name: &RepositoryName, now: Timestamp) -> Result<Repository> {
        todo!()
    }
    pub async fn repositories(
        &self,
        filter: RepositoryFilter,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Repository>> {
        todo!()
    }
    pub async fn set_visibility(&self, repository: RepositoryId, visibility: Visibility) -> Result<()> {
        todo!()
    }
    /// Returns keys of objects that no repository refers to any more; the caller removes them.
    pub async fn delete_repository(&self, repository: RepositoryId) -> Result<Vec<String>> {
        todo!()
    }
}
