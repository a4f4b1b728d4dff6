//! What went to the trash comes back: all that a plan took, or one image.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use railhead_catalog::{Timestamp, TrashEntry, Untrash};
use railhead_oci::{Reference, RepositoryName};

use super::{Recovered, Retention, RetentionError};

impl Retention {
    /// Brings back all that the run of a plan took.
    pub async fn undo_plan(&self, hash: &str, now: Timestamp) -> Result<Recovered, RetentionError> {
        let runs = self.registry.catalog().trash_runs(now).await?;
        let mut recovered = Recovered::new();
        for run in runs.iter().filter(|run| run.plan == hash) {
            let entries = self.registry.catalog().trash_entries(Some(run.id), now).await?;
            let repositories: BTreeMap<_, _> =
                entries.into_iter().map(|entry| (entry.name, entry.repository)).collect();
            for (name, id) in repositories {
                let undone = self.registry.untrash(run.id, (id, &name), Untrash::All, now).await?;
                let all = recovered.entry(name).or_default();
                all.tags.extend(undone.tags);
                all.manifests.extend(undone.manifests);
                all.taken.extend(undone.taken);
            }
        }
        if recovered.is_empty() {
            return Err(RetentionError::NotInTrash(format!("plan {hash}")));
        }
        Ok(self.recovered(recovered))
    }

    /// Brings back one reference, with what belongs to it, from the last run that took it.
    pub async fn undo_reference(
        &self,
        name: &RepositoryName,
        reference: &Reference,
        now: Timestamp,
    ) -> Result<Recovered, RetentionError> {
        let entries = self.registry.catalog().trash_entries(None, now).await?;
        let meant = |entry: &&TrashEntry| {
            entry.name == *name
                && match reference {
                    Reference::Tag(tag) => entry.tag.as_ref() == Some(tag),
                    Reference::Digest(digest) => entry.digest == *digest,
                }
        };
        let entry = entries.iter().filter(meant).max_by_key(|entry| entry.run);
        let entry = entry.ok_or_else(|| RetentionError::NotInTrash(format!("{name} {reference}")))?;
        let what = match reference {
            Reference::Tag(tag) => Untrash::Tag(tag.clone()),
            Reference::Digest(digest) => Untrash::Manifest(*digest),
        };
        let undone = self.registry.untrash(entry.run, (entry.repository, name), what, now).await?;
        Ok(self.recovered(Recovered::from([(name.clone(), undone)])))
    }

    fn recovered(&self, recovered: Recovered) -> Recovered {
        let manifests: usize = recovered.values().map(|undone| undone.manifests.len()).sum();
        self.recovered.fetch_add(manifests as u64, Ordering::Relaxed);
        recovered
    }
}
