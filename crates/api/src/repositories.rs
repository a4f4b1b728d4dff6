//! Repositories and tags.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Who may pull without being asked who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Everybody.
    Public,
    /// Who has a grant.
    Private,
}

impl Visibility {
    /// The word in commands and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
        }
    }
}

impl fmt::Display for Visibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Visibility {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Public, Self::Private]
            .into_iter()
            .find(|visibility| visibility.name() == text)
            .ok_or_else(|| "a visibility is public or private".to_owned())
    }
}

/// A repository in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// `owner/image`.
    pub name: String,
    /// Who may pull.
    pub visibility: Visibility,
    /// Bytes of its manifests and layers, each counted once.
    pub bytes: u64,
    /// When something was first pushed.
    pub created: Timestamp,
}

/// `GET /repositories?owner=&after=&limit=`, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repositories {
    /// This page.
    pub repositories: Vec<Repository>,
    /// What to give as `after` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// `GET /repositories/{name}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryDetail {
    /// What the list says.
    #[serde(flatten)]
    pub repository: Repository,
    /// How many tags it has.
    pub tags: u64,
    /// The tags that were moved last, the newest first; at most ten.
    pub latest: Vec<Tag>,
    /// Where the image of the newest of them says that it was built from: its `org.opencontainers.image.source`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// `PUT /repositories/{name}/-/visibility`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VisibilityChange {
    /// The visibility to have.
    pub visibility: Visibility,
}

/// A tag in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// The tag.
    pub name: String,
    /// What it points at.
    pub digest: String,
    /// When it was last moved.
    pub updated: Timestamp,
}

/// `GET /repositories/{name}/-/tags?after=&limit=`, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tags {
    /// This page.
    pub tags: Vec<Tag>,
    /// What to give as `after` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A manifest in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its digest.
    pub digest: String,
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub size: u64,
    /// What it is about, if that is another manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When it was pushed last.
    pub pushed: Timestamp,
}

/// `GET /repositories/{name}/-/manifests?after=&limit=`, by digest, also those that no tag names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifests {
    /// This page.
    pub manifests: Vec<Manifest>,
    /// What to give as `after` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The answer to a `DELETE` that worked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {
    /// What is gone, by its name.
    pub deleted: String,
}
