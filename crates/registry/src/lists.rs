//! Lists: tags, repositories, referrers. Ordered first, cut into pages second, whole names compared.

use std::sync::Arc;

use railhead_catalog::{Referrer, Repository, RepositoryFilter, TagsPage};
use railhead_oci::{Digest, RepositoryName};

use crate::remembered::PageKey;
use crate::{Error, Registry, Result};

/// A page of tags.
pub type TagPage = TagsPage;

/// A page of repositories.
#[derive(Clone, Debug)]
pub struct RepositoryPage {
    /// In the order of their names.
    pub repositories: Vec<Repository>,
    /// Whether there are more behind the last.
    pub more: bool,
}

/// A page of referrers.
#[derive(Clone, Debug)]
pub struct ReferrerPage {
    /// In the order of their digests.
    pub referrers: Vec<Referrer>,
    /// Whether there are more behind the last.
    pub more: bool,
}

impl Registry {
    /// The first `limit` tags of a repository behind `after`.
    pub async fn tags(&self, name: &RepositoryName, after: Option<&str>, limit: u32) -> Result<Arc<TagPage>> {
        let key = PageKey { limit, after: after.map(str::to_owned) };
        if let Some(page) = self.0.remembered.tag_page(name, &key) {
            return Ok(page);
        }
        let epoch = self.0.remembered.epoch(name);
        let repository = self.repository(name).await?;
        let page = Arc::new(self.0.catalog.tags_json(repository.id, after, limit).await?);
        self.0.remembered.keep_tag_page(epoch, name, key, &page);
        Ok(page)
    }

    /// The manifests of a repository whose `subject` is this digest. A repository or subject that does not exist has
    /// none.
    pub async fn referrers(
        &self,
        name: &RepositoryName,
        subject: &Digest,
        artifact_type: Option<&str>,
        after: Option<&Digest>,
        limit: u32,
    ) -> Result<ReferrerPage> {
        let repository = match self.repository(name).await {
            Err(Error::RepositoryUnknown) => return Ok(ReferrerPage { referrers: Vec::new(), more: false }),
            other => other?,
        };
        let ask = limit.saturating_add(1);
        let found = self.0.catalog.referrers(repository.id, subject, artifact_type, after, ask).await?;
        let (referrers, more) = page(found, limit);
        Ok(ReferrerPage { referrers, more })
    }

    /// The first `limit` repositories behind `after`.
    pub async fn repositories(
        &self,
        filter: RepositoryFilter,
        after: Option<&str>,
        limit: u32,
    ) -> Result<RepositoryPage> {
        let found = self.0.catalog.repositories(filter, after, limit.saturating_add(1)).await?;
        let (repositories, more) = page(found, limit);
        Ok(RepositoryPage { repositories, more })
    }
}

/// Cuts a list that was asked for one item more than wanted.
fn page<T>(mut items: Vec<T>, limit: u32) -> (Vec<T>, bool) {
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    (items, more)
}
