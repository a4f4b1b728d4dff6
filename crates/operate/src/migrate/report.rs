//! What a move came to: every tag, manifest and blob with its digest, how it got there, and what is not equal.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use railhead_oci::{Digest, RepositoryName, Tag};
use serde::Serialize;

/// How something got to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was there.
    There,
    /// A repository of the target had it.
    Mounted,
    /// It was copied.
    Copied,
    /// A list of referrers under a fallback tag, which has all of the source's and more.
    Extended,
    /// It is not there, or something else is.
    Left,
}

/// A tag.
#[derive(Clone, Debug, Serialize)]
pub struct TagMoved {
    /// Its name.
    pub tag: Tag,
    /// What it names at the source.
    pub digest: Digest,
    /// How it got there.
    pub outcome: Outcome,
    /// Whether the target names the same at the end.
    pub equal: bool,
}

/// A manifest.
#[derive(Clone, Debug, Serialize)]
pub struct ManifestMoved {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub size: u64,
    /// How it got there.
    pub outcome: Outcome,
    /// Whether the target serves the same bytes at the end.
    pub equal: bool,
}

/// A blob.
#[derive(Clone, Debug, Serialize)]
pub struct BlobMoved {
    /// Its digest.
    pub digest: Digest,
    /// Its bytes, where somebody says how many.
    pub size: Option<u64>,
    /// How it got there.
    pub outcome: Outcome,
    /// Whether the target has it at the end, with that many bytes; with the same bytes where they were read.
    pub equal: bool,
}

/// Something that is not equal, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What, as `tag v1`.
    pub what: String,
    /// Why.
    pub why: String,
}

/// Who may pull without a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// Everybody.
    Public,
    /// Nobody.
    Private,
}

/// Who may pull at both ends.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct VisibilityMoved {
    /// At the source.
    pub from: Seen,
    /// At the target, at the end; absent where nothing is there to be pulled.
    pub to: Option<Seen>,
}

/// A repository.
#[derive(Clone, Debug, Serialize)]
pub struct RepositoryMoved {
    /// Its name.
    pub name: RepositoryName,
    /// Its tags.
    pub tags: Vec<TagMoved>,
    /// Its manifests: images, lists, referrers, and what no tag names.
    pub manifests: Vec<ManifestMoved>,
    /// Its blobs.
    pub blobs: Vec<BlobMoved>,
    /// Who may pull.
    pub visibility: Option<VisibilityMoved>,
    /// The Git repository of the target that it was linked with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linked: Option<String>,
    /// What the source lists or names, and does not have.
    pub absent: Vec<String>,
    /// Fallback tags whose lists were made or extended, because the target lists no referrers itself or had more of them.
    pub added: Vec<Tag>,
    /// What is worth knowing.
    pub notes: Vec<String>,
    /// What is not equal.
    pub differences: Vec<Difference>,
}

impl RepositoryMoved {
    pub(super) fn new(name: RepositoryName) -> Self {
        Self {
            name,
            tags: Vec::new(),
            manifests: Vec::new(),
            blobs: Vec::new(),
            visibility: None,
            linked: None,
            absent: Vec::new(),
            added: Vec::new(),
            notes: Vec::new(),
            differences: Vec::new(),
        }
    }

    /// Notes that the list under a fallback tag has more at the target than at the source.
    pub(super) fn extended(&mut self, tag: &Tag) {
        for moved in self.tags.iter_mut().filter(|moved| moved.tag == *tag) {
            moved.outcome = Outcome::Extended;
            for manifest in self.manifests.iter_mut().filter(|manifest| manifest.digest == moved.digest) {
                manifest.outcome = Outcome::Extended;
            }
        }
        self.added.push(tag.clone());
    }

    pub(super) fn differs(&mut self, what: impl Into<String>, why: impl Into<String>) {
        let difference = Difference { what: what.into(), why: why.into() };
        if !self.differences.contains(&difference) {
            self.differences.push(difference);
        }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Both have the same.
    Equal,
    /// Something is not equal.
    Different,
    /// A registry stopped answering.
    BrokenOff,
    /// Somebody stopped it.
    Interrupted,
}

/// Sums over all repositories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Tags, and how many of them are equal.
    pub tags: u64,
    /// See `tags`.
    pub equal_tags: u64,
    /// Manifests, and how many of them are equal.
    pub manifests: u64,
    /// See `manifests`.
    pub equal_manifests: u64,
    /// Blobs, each repository's, and how many of them are equal.
    pub blobs: u64,
    /// See `blobs`.
    pub equal_blobs: u64,
    /// Blobs that were there.
    pub there_blobs: u64,
    /// Blobs that were mounted.
    pub mounted_blobs: u64,
    /// Blobs that were copied.
    pub copied_blobs: u64,
    /// Their bytes.
    pub copied_bytes: u64,
}

/// What a move came to.
#[derive(Clone, Debug, Serialize)]
pub struct Moved {
    /// `HOST[:PORT]` of the source.
    pub from: String,
    /// `HOST[:PORT]` of the target.
    pub to: String,
    /// How it ended.
    pub verdict: Verdict,
    /// When it began.
    pub started: Timestamp,
    /// How long it took.
    pub millis: u64,
    /// Sums.
    pub totals: Totals,
    /// What is worth knowing.
    pub notes: Vec<String>,
    /// Repositories that were looked at, in the order of their names.
    pub repositories: Vec<RepositoryMoved>,
    /// Repositories that were not looked at any more.
    pub left: BTreeSet<RepositoryName>,
    /// Why it ended before its end.
    pub ended: Option<String>,
    #[serde(skip)]
    pub(super) interrupted: bool,
}

impl Moved {
    pub(super) fn new(from: &str, to: &str, started: Timestamp) -> Self {
        Self {
            from: from.to_owned(),
            to: to.to_owned(),
            verdict: Verdict::Equal,
            started,
            millis: 0,
            totals: Totals::default(),
            notes: Vec::new(),
            repositories: Vec::new(),
            left: BTreeSet::new(),
            ended: None,
            interrupted: false,
        }
    }

    /// All that is not equal, each with its repository.
    pub fn differences(&self) -> impl Iterator<Item = (&RepositoryName, &Difference)> {
        self.repositories.iter().flat_map(|one| one.differences.iter().map(move |what| (&one.name, what)))
    }

    /// Sums up and judges.
    pub(super) fn close(&mut self, took: Duration) {
        self.millis = took.as_millis() as u64;
        for repository in &self.repositories {
            self.totals.add(repository);
        }
        let Totals { tags, equal_tags, manifests, equal_manifests, blobs, equal_blobs, .. } = self.totals;
        let is_equal = (tags, manifests, blobs) == (equal_tags, equal_manifests, equal_blobs);
        self.verdict = if self.interrupted {
            Verdict::Interrupted
        } else if self.ended.is_some() {
            Verdict::BrokenOff
        } else if is_equal && self.differences().next().is_none() {
            Verdict::Equal
        } else {
            Verdict::Different
        };
    }
}

impl Totals {
    fn add(&mut self, repository: &RepositoryMoved) {
        let count = |equal: &mut dyn Iterator<Item = bool>| {
            equal.fold((0, 0), |(all, same), equal| (all + 1, same + u64::from(equal)))
        };
        let tags = count(&mut repository.tags.iter().map(|tag| tag.equal));
        let manifests = count(&mut repository.manifests.iter().map(|manifest| manifest.equal));
        let blobs = count(&mut repository.blobs.iter().map(|blob| blob.equal));
        (self.tags, self.equal_tags) = (self.tags + tags.0, self.equal_tags + tags.1);
        (self.manifests, self.equal_manifests) =
            (self.manifests + manifests.0, self.equal_manifests + manifests.1);
        (self.blobs, self.equal_blobs) = (self.blobs + blobs.0, self.equal_blobs + blobs.1);
        for blob in &repository.blobs {
            match blob.outcome {
                Outcome::There => self.there_blobs += 1,
                Outcome::Mounted => self.mounted_blobs += 1,
                Outcome::Copied => {
                    self.copied_blobs += 1;
                    self.copied_bytes += blob.size.unwrap_or_default();
                }
                Outcome::Extended | Outcome::Left => {}
            }
        }
    }
}
