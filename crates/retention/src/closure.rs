//! What belongs to a manifest: the manifests that it lists, and those that are about it.

use std::collections::{BTreeMap, BTreeSet};

use railhead_oci::Digest;

use crate::{Manifest, Repository, fallback};

/// The manifests of a repository, and what belongs to what.
pub(crate) struct Family<'a> {
    by_digest: BTreeMap<Digest, &'a Manifest>,
    /// Subjects and the manifests about them, by field or by fallback tag.
    about: BTreeMap<Digest, Vec<Digest>>,
    /// Manifests that another one lists.
    listed: BTreeSet<Digest>,
}

impl<'a> Family<'a> {
    pub(crate) fn of(repository: &'a Repository) -> Self {
        let by_digest: BTreeMap<_, _> = repository.manifests.iter().map(|one| (one.digest, one)).collect();
        let mut about: BTreeMap<Digest, Vec<Digest>> = BTreeMap::new();
        for manifest in by_digest.values() {
            if let Some(subject) = manifest.subject {
                about.entry(subject).or_default().push(manifest.digest);
            }
        }
        for tag in &repository.tags {
            if let Some(subject) = fallback::subject(&tag.name) {
                about.entry(subject).or_default().push(tag.digest);
            }
        }
        let listed = by_digest.values().flat_map(|one| one.children.iter().copied()).collect();
        Self { by_digest, about, listed }
    }

    pub(crate) fn get(&self, digest: &Digest) -> Option<&'a Manifest> {
        self.by_digest.get(digest).copied()
    }

    /// Whether another manifest lists it, or it is about one that is there: then it follows that one.
    pub(crate) fn follows(&self, manifest: &Manifest) -> bool {
        self.listed.contains(&manifest.digest)
            || manifest.subject.is_some_and(|subject| self.by_digest.contains_key(&subject))
    }

    /// Everything that belongs to these, themselves included. Each is there with the one that it came by.
    pub(crate) fn closure(
        &self,
        roots: impl IntoIterator<Item = Digest>,
    ) -> BTreeMap<Digest, Option<Digest>> {
        let mut found: BTreeMap<Digest, Option<Digest>> = BTreeMap::new();
        let mut waiting: Vec<_> = roots.into_iter().map(|root| (root, None)).collect();
        waiting.reverse();
        while let Some((digest, from)) = waiting.pop() {
            let Some(manifest) = self.get(&digest) else { continue };
            if found.contains_key(&digest) {
                continue;
            }
            found.insert(digest, from);
            let about = self.about.get(&digest).into_iter().flatten();
            waiting.extend(manifest.children.iter().chain(about).map(|next| (*next, Some(digest))));
        }
        found
    }
}
