//! The container packages of an owner on Gitea or Forgejo: what retention has to know of them, and how one goes.
//!
//! A forge knows versions: a tag, or a manifest that was pushed by its digest. It tells when a version was made, and never
//! when it was pulled. What its API deletes is gone; the forge frees the room later, by a cron job of its own.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use railhead_client::{Descriptors, Error, Registry, Version};
use railhead_oci::{Digest, RepositoryName, Tag};
use railhead_retention::{Blob, Manifest, Repository, RepositoryPlan, TagFact};

/// Why the packages of a forge cannot be read or deleted.
#[derive(Debug, thiserror::Error)]
pub enum PackagesError {
    /// The forge could not be asked, or says something else than what was asked for.
    #[error("cannot ask the forge")]
    Client(#[from] Error),
    /// A manifest that cannot be read.
    #[error("the answer to {asked} cannot be read")]
    Answer {
        /// What was asked.
        asked: String,
        /// Why.
        source: railhead_oci::ManifestError,
    },
}

impl PackagesError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        let Self::Client(Error::Unexpected { status, .. }) = self else { return None };
        match *status {
            StatusCode::NOT_FOUND => Some(
                "is that the name of a user or an organisation of a Gitea or Forgejo? \
                 `git` in [release] of the site file says where its API is",
            ),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Some("the token needs the scope read:package to plan, and write:package to apply")
            }
            _ => None,
        }
    }
}

/// The packages of a forge.
#[derive(Debug)]
pub struct Packages {
    registry: Registry,
}

impl Packages {
    /// Over `client`, which logs in.
    pub fn new(client: Registry) -> Self {
        Self { registry: client }
    }

    /// All container packages of an owner. A forge tells no time of a pull.
    pub async fn of(&self, owner: &str) -> Result<Vec<Repository>, PackagesError> {
        let mut by_name: BTreeMap<RepositoryName, Vec<Version>> = BTreeMap::new();
        for version in self.registry.packages(owner).await? {
            by_name.entry(version.repository.clone()).or_default().push(version);
        }
        let mut repositories = Vec::with_capacity(by_name.len());
        for (name, versions) in by_name {
            repositories.push(self.repository(name, versions).await?);
        }
        Ok(repositories)
    }

    async fn repository(
        &self,
        name: RepositoryName,
        versions: Vec<Version>,
    ) -> Result<Repository, PackagesError> {
        let mut manifests: BTreeMap<Digest, Manifest> = BTreeMap::new();
        let mut tags = Vec::new();
        for version in versions {
            let made = version.created_at.as_millisecond();
            // It may have gone since it was listed.
            let Some(answer) = self.registry.manifest(&name, &version.version).await? else { continue };
            let digest = match version.version.parse::<Digest>() {
                Ok(digest) => digest,
                Err(_) => Digest::sha256(&answer.body),
            };
            if let Ok(tag) = version.version.parse::<Tag>() {
                tags.push(TagFact { name: tag, digest, moved_at: made });
            }
            let read = railhead_oci::Manifest::read(answer.header("content-type"), &answer.body);
            let asked = || format!("GET /v2/{name}/manifests/{}", version.version);
            let facts = read.map_err(|source| PackagesError::Answer { asked: asked(), source })?;
            let sizes = sizes(&answer.body);
            let blob =
                |digest: Digest| Blob { digest, size: sizes.get(&digest).copied().unwrap_or_default() };
            let blobs: BTreeSet<_> = facts.blobs.into_iter().collect();
            let manifest = Manifest {
                digest,
                size: answer.body.len() as u64,
                subject: facts.subject,
                annotations: facts.annotations.into_iter().collect(),
                pushed_at: made,
                pulled_at: None,
                untagged_at: None,
                children: facts.children,
                blobs: blobs.into_iter().map(blob).collect(),
            };
            let known = manifests.entry(digest).or_insert(manifest);
            known.pushed_at = known.pushed_at.max(made);
        }
        Ok(Repository { name, tags, manifests: manifests.into_values().collect() })
    }

    /// Deletes what the plan takes of a repository; gives the number of versions. For good: a forge has no trash.
    pub async fn remove(&self, plan: &RepositoryPlan) -> Result<u64, PackagesError> {
        let tags = plan.tags.iter().filter(|tag| tag.lost).map(|tag| tag.tag.clone());
        let manifests = plan.manifests.iter().filter(|one| one.lost).map(|one| one.digest.to_string());
        let mut removed = 0;
        for version in tags.chain(manifests) {
            // A manifest that was only ever pushed by tag is no version of its own.
            removed += u64::from(self.registry.delete_package(&plan.name, &version).await?);
        }
        Ok(removed)
    }
}

/// The sizes that a manifest's descriptors say.
fn sizes(manifest: &[u8]) -> BTreeMap<Digest, u64> {
    let blobs = Descriptors::read(manifest).blobs();
    blobs.into_iter().filter_map(|blob| Some((blob.digest, blob.size?))).collect()
}
