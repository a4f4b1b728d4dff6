//! Repositories.

use railhead_access::Action;
use railhead_api::{
    Deleted, Manifest, Manifests, Repositories, Repository, RepositoryDetail, Visibility, VisibilityChange,
};
use railhead_catalog::{ManifestSummary, Repository as Row, RepositoryFilter, Visibility as Stored};
use railhead_oci::{Digest, Reference, RepositoryName};
use serde_json::json;

use super::{Answer, Api, Call, Result, fault::Fault, ok, time};

/// Tags that a repository is shown with.
const LATEST: usize = 10;

impl Api {
    pub(super) async fn repositories(&self, call: &Call<'_>) -> Result<Answer> {
        let owner = match call.parameter("owner")? {
            None => None,
            Some(name) => match self.registry.catalog().owner(&name).await? {
                Some(owner) => Some(owner.id),
                None => return Err(Fault::not_found(format!("there is no user or organisation '{name}'"))),
            },
        };
        let filter = RepositoryFilter { owner, ..Default::default() };
        let after = call.parameter("after")?;
        let page = self.registry.repositories(filter, after.as_deref(), call.limit()?).await?;
        let next = page.repositories.last().filter(|_| page.more).map(|last| last.name.to_string());
        let mut repositories = Vec::new();
        for row in page.repositories {
            if self.access.decide(&call.who, Action::Pull, &row.name).await?.is_allowed() {
                repositories.push(repository(&row)?);
            }
        }
        ok(&Repositories { repositories, next })
    }

    pub(super) async fn repository(&self, call: &Call<'_>, name: &str) -> Result<Answer> {
        let row = self.row(call, Action::Pull, name).await?;
        let tags = self.all_tags(row.id).await?;
        let count = tags.len() as u64;
        let mut latest = tags;
        latest
            .sort_by(|left, right| right.updated.cmp(&left.updated).then_with(|| left.name.cmp(&right.name)));
        latest.truncate(LATEST);
        let newest = latest.first().and_then(|tag| tag.name.parse().ok()).map(Reference::Tag);
        let source = match newest {
            Some(newest) => self.source(&row.name, newest).await,
            None => None,
        };
        ok(&RepositoryDetail { repository: repository(&row)?, tags: count, latest, source })
    }

    pub(super) async fn delete_repository(&self, call: &Call<'_>, name: &str) -> Result<Answer> {
        let row = self.row(call, Action::Admin, name).await?;
        let deleted = self.registry.delete_repository(&row.name, self.access.now()).await;
        // Also after an error: part of it may be done, and who may pull rests on what there is.
        self.access.changed();
        let objects = deleted?;
        self.wrote(call, "repository.delete", row.name.as_str(), Some(json!({ "objects": objects }))).await?;
        ok(&Deleted { deleted: row.name.to_string() })
    }

    pub(super) async fn set_visibility(&self, call: &Call<'_>, name: &str) -> Result<Answer> {
        let VisibilityChange { visibility } = call.read()?;
        let mut row = self.row(call, Action::Admin, name).await?;
        let stored = match visibility {
            Visibility::Public => Stored::Public,
            Visibility::Private => Stored::Private,
        };
        let changed = self.registry.set_visibility(&row.name, stored).await;
        self.access.changed();
        changed?;
        let detail = json!({ "visibility": visibility });
        self.wrote(call, "repository.visibility", row.name.as_str(), Some(detail)).await?;
        row.visibility = stored;
        ok(&repository(&row)?)
    }

    /// All manifests, also those that no tag names, so that they can be found by who copies them.
    pub(super) async fn manifests(&self, call: &Call<'_>, name: &str) -> Result<Answer> {
        let row = self.row(call, Action::Pull, name).await?;
        let limit = call.limit()?;
        let after = call.parameter("after")?.map(|after| after.parse::<Digest>()).transpose();
        let after = after.map_err(|error| Fault::invalid(format!("'after' is no digest: {error}")))?;
        let catalog = self.registry.catalog();
        let mut found = catalog.manifests(row.id, after.as_ref(), limit.saturating_add(1)).await?;
        let more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let next = found.last().filter(|_| more).map(|last| last.digest.to_string());
        ok(&Manifests { manifests: found.into_iter().map(manifest).collect::<Result<_>>()?, next })
    }

    /// The repository's row as it is now, for who may do `action` there.
    pub(super) async fn row(&self, call: &Call<'_>, action: Action, name: &str) -> Result<Row> {
        let parsed: RepositoryName =
            name.parse().map_err(|error| Fault::invalid(format!("'{name}' is not a repository: {error}")))?;
        self.access.require(&call.actor(), action, &parsed).await?;
        // Not from what the registry remembers: its size changes with every push.
        self.registry.catalog().repository(&parsed).await?.ok_or_else(|| Fault::no_repository(name))
    }
}

fn manifest(found: ManifestSummary) -> Result<Manifest> {
    Ok(Manifest {
        digest: found.digest.to_string(),
        media_type: found.media_type,
        size: found.size,
        subject: found.subject.map(|subject| subject.to_string()),
        pushed: time(found.pushed_at)?,
    })
}

fn repository(row: &Row) -> Result<Repository> {
    Ok(Repository {
        name: row.name.to_string(),
        visibility: match row.visibility {
            Stored::Public => Visibility::Public,
            Stored::Private => Visibility::Private,
        },
        bytes: row.bytes,
        created: time(row.created_at)?,
    })
}
