//! What a repository has, as far as retention has to know.

use std::collections::BTreeMap;

use railhead_oci::{Digest, RepositoryName, Tag};

use crate::Millis;

/// A repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Its name.
    pub name: RepositoryName,
    /// Its tags.
    pub tags: Vec<TagFact>,
    /// Its manifests.
    pub manifests: Vec<Manifest>,
}

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagFact {
    /// Its name.
    pub name: Tag,
    /// The manifest that it names.
    pub digest: Digest,
    /// Since when it names that.
    pub moved_at: Millis,
}

/// A manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// The manifest that it is about.
    pub subject: Option<Digest>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// When it was last pushed.
    pub pushed_at: Millis,
    /// When it was last pulled; unknown where the registry does not tell.
    pub pulled_at: Option<Millis>,
    /// When the last tag left it.
    pub untagged_at: Option<Millis>,
    /// Manifests that it lists.
    pub children: Vec<Digest>,
    /// Blobs that it needs, each once.
    pub blobs: Vec<Blob>,
}

/// A blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

impl Manifest {
    /// When it was last pushed or pulled.
    pub(crate) fn last_used(&self) -> Millis {
        self.pushed_at.max(self.pulled_at.unwrap_or(self.pushed_at))
    }
}
