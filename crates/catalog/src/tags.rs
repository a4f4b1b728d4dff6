//! Tags.
use crate::*;
use railhead_oci::{Digest, Tag};
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagRecord {
    pub name: Tag,
    pub digest: Digest,
    pub created_at: Timestamp,
    pub moved_at: Timestamp,
}
/// One page of names of tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagsPage {
    /// A JSON array of strings, in bytewise order.
    pub names: String,
    /// The last name on the page.
    pub last: Option<Tag>,
    /// Whether there are names behind it.
    pub more: bool,
}
/// What a tag named before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagHistory {
    pub tag: Tag,
    pub digest: Digest,
    pub replaced_at: Timestamp,
    pub account: Option<OwnerId>,
}
impl Catalog {
    /// `after` need not be an existing tag, nor a valid one.
    pub async fn tags_json(
        &self,
        repository: RepositoryId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<TagsPage> {
        todo!()
    }
    pub async fn tag(&self, repository: RepositoryId, tag: &Tag) -> Result<Option<TagRecord>> {
        todo!()
    }
    pub async fn tags(
        &self,
        repository: RepositoryId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<TagRecord>> {
        todo!()
    }
    /// Returns what it named; `None` when it was not there.
    pub async fn delete_tag(
        &self,
        repository: RepositoryId,
        tag: &Tag,
        account: Option<OwnerId>,
        now: Timestamp,
    ) -> Result<Option<Digest>> {
        todo!()
    }
    /// Newest first.
    pub async fn tag_history(
        &self,
        repository: RepositoryId,
        tag: &Tag,
        limit: u32,
    ) -> Result<Vec<TagHistory>> {
        todo!()
    }
}
