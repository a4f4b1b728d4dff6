//! Reads what there is, repository by repository, and makes a plan of it.

use std::collections::{BTreeMap, HashSet};

use railhead_catalog::{
    Loss, LostManifest, ManifestContents, RepositoryContents, RepositoryFilter, RepositoryId, Timestamp,
};
use railhead_oci::{Digest, RepositoryName};
use railhead_retention::{
    Blob, FreedByOwner, InUse, Manifest, Plan, Planner, Question, Repository, RepositoryPlan, TagFact,
};

use super::{Retention, RetentionError, Wish};

/// Repositories that are listed in one step.
const PAGE: u32 = 200;
/// Blobs that are asked for in one step.
const BLOBS: usize = 500;

/// What was seen.
pub(super) struct Look {
    pub(super) plan: Plan,
    /// What the plan takes of each repository.
    pub(super) lost: Vec<Lost>,
    /// What the plan frees, by owner.
    pub(super) freed: FreedByOwner,
}

/// What is taken of a repository, as it was when it was judged.
pub(super) struct Lost {
    pub(super) id: RepositoryId,
    pub(super) name: RepositoryName,
    pub(super) loss: Loss,
}

impl Retention {
    /// Plans, whatever time it is.
    pub(super) async fn look(&self, wish: &Wish, now: Timestamp) -> Result<Look, RetentionError> {
        let catalog = self.registry.catalog();
        let in_use = InUse::of(wish.in_use.iter().map(String::as_str)).0;
        let only = wish.only.as_deref();
        let question = Question { rules: &wish.rules, in_use: &in_use, now: now.0, only, all: wish.all };
        let mut planner = Planner::new(&question);
        let (mut lost, mut after) = (Vec::new(), None::<RepositoryName>);
        let filter = RepositoryFilter { prefix: wish.only.clone(), ..RepositoryFilter::default() };
        loop {
            let after_name = after.as_ref().map(RepositoryName::as_str);
            let page = catalog.repositories(filter.clone(), after_name, PAGE).await?;
            let mut passed = Vec::new();
            for repository in &page {
                if planner.looks_at(&repository.name) {
                    let contents = catalog.repository_contents(repository.id, &repository.name).await?;
                    let plan = planner.add(&facts(&contents));
                    lost.extend(
                        plan.map(|plan| loss(contents, plan)).filter(|one| one.loss != Loss::default()),
                    );
                } else if planner.concerns(&repository.name) {
                    passed.push(repository.id);
                }
            }
            if !passed.is_empty() {
                planner.pass(catalog.count_tags(passed).await?);
            }
            match page.last() {
                Some(end) if page.len() == PAGE as usize => after = Some(end.name.clone()),
                _ => break,
            }
        }
        // Of the other repositories nothing has to be read: the catalog knows who needs a blob.
        let let_go: Vec<Digest> = planner.let_go().copied().collect();
        let mut needs = BTreeMap::new();
        for some in let_go.chunks(BLOBS) {
            needs.extend(catalog.blob_needs(some.to_vec()).await?);
        }
        let (plan, freed) = planner.finish(|digest| needs.get(digest).copied().unwrap_or_default());
        Ok(Look { plan, lost, freed })
    }
}

/// A repository as the rules see it.
fn facts(contents: &RepositoryContents) -> Repository {
    let tag = |tag: &railhead_catalog::TagRecord| TagFact {
        name: tag.name.clone(),
        digest: tag.digest,
        moved_at: tag.moved_at.0,
    };
    Repository {
        name: contents.name.clone(),
        tags: contents.tags.iter().map(tag).collect(),
        manifests: contents.manifests.iter().map(manifest).collect(),
    }
}

fn manifest(contents: &ManifestContents) -> Manifest {
    let manifest = &contents.manifest;
    // The catalog writes this JSON itself; what cannot be read expires nothing.
    let annotations = contents.annotations.as_deref().and_then(|text| serde_json::from_str(text).ok());
    Manifest {
        digest: manifest.digest,
        size: manifest.size,
        subject: manifest.subject,
        annotations: annotations.unwrap_or_default(),
        pushed_at: manifest.pushed_at.0,
        pulled_at: manifest.pulled_at.map(|at| at.0),
        untagged_at: contents.untagged_at.map(|at| at.0),
        children: contents.children.clone(),
        blobs: contents.blobs.iter().map(|(digest, size)| Blob { digest: *digest, size: *size }).collect(),
    }
}

/// What the plan takes of a repository, as it was when the plan was made.
fn loss(found: RepositoryContents, plan: &RepositoryPlan) -> Lost {
    let manifests: HashSet<&Digest> =
        plan.manifests.iter().filter(|one| one.lost).map(|one| &one.digest).collect();
    let tags: HashSet<&str> = plan.tags.iter().filter(|one| one.lost).map(|one| one.tag.as_str()).collect();
    let seen = |one: &ManifestContents| LostManifest {
        digest: one.manifest.digest,
        pushed_at: one.manifest.pushed_at,
        pulled_at: one.manifest.pulled_at,
    };
    let gone = found.manifests.iter().filter(|one| manifests.contains(&one.manifest.digest));
    let manifests = gone.map(seen).collect();
    let tags = found.tags.into_iter().filter(|tag| tags.contains(tag.name.as_str()));
    let loss = Loss { tags: tags.map(|tag| (tag.name, tag.digest)).collect(), manifests };
    Lost { id: found.id, name: found.name, loss }
}
