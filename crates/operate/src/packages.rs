//! The container packages of an owner on Gitea or Forgejo: what retention has to know of them, and how one goes.
//!
//! A forge knows versions: a tag, or a manifest that was pushed by its digest. It tells when a version was made, and never
//! when it was pulled. What its API deletes is gone; the forge frees the room later, by a cron job of its own.

use std::collections::{BTreeMap, BTreeSet};

use http::header::{AUTHORIZATION, HeaderValue};
use http::{Request, StatusCode};
use railhead_client::{Registry, empty};
use railhead_oci::{Digest, RepositoryName, Tag};
use railhead_retention::{Blob, Manifest, Repository, RepositoryPlan, TagFact};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

/// Versions on one page: the forge gives no more.
const PAGE: usize = 50;
/// The largest list that is read, in bytes.
const LIST_MAX: usize = 16 << 20;

/// Why the packages of a forge cannot be read or deleted.
#[derive(Debug, thiserror::Error)]
pub enum PackagesError {
    /// The forge could not be asked.
    #[error("cannot ask the forge")]
    Client(#[from] railhead_client::Error),
    /// The forge says something else than what was asked for.
    #[error("the forge answers {status} to {asked}")]
    Status {
        /// What was asked.
        asked: String,
        /// What it said.
        status: StatusCode,
    },
    /// An answer that cannot be read.
    #[error("the answer to {asked} cannot be read")]
    Answer {
        /// What was asked.
        asked: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl PackagesError {
    fn answer(asked: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Answer { asked: asked.to_owned(), source: source.into() }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Status { status, .. } if *status == StatusCode::NOT_FOUND => {
                Some("is that the name of a user or an organisation of a Gitea or Forgejo?")
            }
            Self::Status { status, .. } if matches!(status.as_u16(), 401 | 403) => {
                Some("the token needs the scope read:package to plan, and write:package to apply")
            }
            _ => None,
        }
    }
}

/// The packages of a forge.
#[derive(Debug)]
pub struct Packages {
    client: Registry,
    token: SecretString,
}

/// A version as the forge lists it.
#[derive(Clone, Debug, Deserialize)]
struct Listed {
    name: String,
    version: String,
    created_at: jiff::Timestamp,
}

impl Packages {
    /// Over `client`, which logs in with the same token.
    pub fn new(client: Registry, token: SecretString) -> Self {
        Self { client, token }
    }

    /// All container packages of an owner. A forge tells no time of a pull.
    pub async fn of(&self, owner: &str) -> Result<Vec<Repository>, PackagesError> {
        let mut by_name: BTreeMap<RepositoryName, Vec<Listed>> = BTreeMap::new();
        for page in 1.. {
            let path = format!("/api/v1/packages/{}?type=container&limit={PAGE}&page={page}", segment(owner));
            let body = self.ask("GET", &path, StatusCode::OK).await?;
            let versions: Vec<Listed> =
                serde_json::from_slice(&body).map_err(|error| PackagesError::answer(&path, error))?;
            let last = versions.len() < PAGE;
            for version in versions {
                // What is no name of the specification cannot be pulled either.
                if let Ok(name) = format!("{}/{}", owner.to_ascii_lowercase(), version.name).parse() {
                    by_name.entry(name).or_default().push(version);
                }
            }
            if last {
                break;
            }
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
        versions: Vec<Listed>,
    ) -> Result<Repository, PackagesError> {
        let mut manifests: BTreeMap<Digest, Manifest> = BTreeMap::new();
        let mut tags = Vec::new();
        for version in versions {
            let made = version.created_at.as_millisecond();
            let path = format!("/v2/{name}/manifests/{}", version.version);
            let scope = format!("repository:{name}:pull");
            let ask = || Ok((Request::get(&path).header("Accept", "*/*"), empty()));
            let answer = self.client.ask(&scope, ask).await?;
            match answer.status {
                StatusCode::OK => {}
                // It has gone since it was listed.
                StatusCode::NOT_FOUND => continue,
                status => return Err(PackagesError::Status { asked: path, status }),
            }
            let digest = match version.version.parse::<Digest>() {
                Ok(digest) => digest,
                Err(_) => Digest::sha256(&answer.body),
            };
            if let Ok(tag) = version.version.parse::<Tag>() {
                tags.push(TagFact { name: tag, digest, moved_at: made });
            }
            let facts = railhead_oci::Manifest::read(answer.header("content-type"), &answer.body)
                .map_err(|error| PackagesError::answer(&path, error))?;
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
            let (owner, image) = (segment(plan.name.owner()), segment(plan.name.image()));
            let path = format!("/api/v1/packages/{owner}/container/{image}/{}", segment(&version));
            match self.ask("DELETE", &path, StatusCode::NO_CONTENT).await {
                Ok(_) => removed += 1,
                // A manifest that was only ever pushed by tag is no version of its own.
                Err(PackagesError::Status { status: StatusCode::NOT_FOUND, .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(removed)
    }

    async fn ask(&self, method: &str, path: &str, wanted: StatusCode) -> Result<bytes::Bytes, PackagesError> {
        let mut token = HeaderValue::try_from(format!("token {}", self.token.expose_secret()))
            .map_err(|error| PackagesError::answer(path, error))?;
        token.set_sensitive(true);
        let request = Request::builder().method(method).uri(path).header(AUTHORIZATION, token);
        let request = request.body(empty()).map_err(|error| PackagesError::answer(path, error))?;
        let answer = self.client.http().ask(request, LIST_MAX).await?;
        if answer.status != wanted {
            return Err(PackagesError::Status { asked: format!("{method} {path}"), status: answer.status });
        }
        Ok(answer.body)
    }
}

/// `text` as one segment of a path, percent-encoded.
fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// The sizes that a manifest's descriptors say.
fn sizes(manifest: &[u8]) -> BTreeMap<Digest, u64> {
    #[derive(Deserialize)]
    struct Descriptor {
        digest: Digest,
        size: u64,
    }
    #[derive(Deserialize)]
    struct Descriptors {
        config: Option<Descriptor>,
        #[serde(default)]
        layers: Vec<Descriptor>,
    }
    let found: Option<Descriptors> = serde_json::from_slice(manifest).ok();
    let descriptors = found.into_iter().flat_map(|found| found.config.into_iter().chain(found.layers));
    descriptors.map(|one| (one.digest, one.size)).collect()
}
