//! Tags.

use railhead_access::Action;
use railhead_api::{Deleted, Tag, Tags};
use railhead_catalog::{RepositoryId, TagRecord};
use serde_json::json;

use super::{Answer, Api, Call, PAGE, Result, fault::Fault, ok, time};

impl Api {
    pub(super) async fn tags(&self, call: &Call<'_>, name: &str) -> Result<Answer> {
        let row = self.row(call, Action::Pull, name).await?;
        let limit = call.limit()?;
        let after = call.parameter("after")?;
        let mut records =
            self.registry.catalog().tags(row.id, after.as_deref(), limit.saturating_add(1)).await?;
        let more = records.len() > limit as usize;
        records.truncate(limit as usize);
        let next = records.last().filter(|_| more).map(|last| last.name.to_string());
        ok(&Tags { tags: records.iter().map(tag).collect::<Result<_>>()?, next })
    }

    pub(super) async fn delete_tag(&self, call: &Call<'_>, name: &str, tag: &str) -> Result<Answer> {
        let row = self.row(call, Action::Delete, name).await?;
        let missing = || Fault::not_found(format!("there is no tag '{tag}' in {name}"));
        let parsed = tag.parse().map_err(|_| missing())?;
        let now = self.access.now();
        let digest = match self.registry.delete_tag(&row.name, &parsed, call.who.account_id(), now).await {
            Err(railhead_registry::Error::ManifestUnknown(_)) => return Err(missing()),
            other => other?,
        };
        let target = format!("{}:{parsed}", row.name);
        self.wrote(call, "tag.delete", &target, Some(json!({ "digest": digest }))).await?;
        ok(&Deleted { deleted: target })
    }

    pub(super) async fn all_tags(&self, repository: RepositoryId) -> Result<Vec<Tag>> {
        let mut tags = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.registry.catalog().tags(repository, after.as_deref(), PAGE).await?;
            after = page.last().map(|last| last.name.to_string());
            let full = page.len() == PAGE as usize;
            for record in &page {
                tags.push(tag(record)?);
            }
            if !full {
                return Ok(tags);
            }
        }
    }
}

fn tag(record: &TagRecord) -> Result<Tag> {
    Ok(Tag {
        name: record.name.to_string(),
        digest: record.digest.to_string(),
        updated: time(record.moved_at)?,
    })
}
