//! The facts of a handoff, and how they are kept in the page.
//!
//! They stand in an HTML comment as JSON, so that the page can be read by people and checked by a program, and is one file.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use railhead_client::hops::Route;
use railhead_doctor::Owners;
use railhead_oci::{Digest, RepositoryName, Tag};
use serde::{Deserialize, Serialize};

use crate::evidence::SCHEMA;
use crate::image::Source;
use crate::prove::{Features, Proof, RouteFacts, TrustNeeded, Verdict};
use crate::site::{Forge, Site, Visibility};

const BEGIN: &str = "<!-- railhead-handoff ";
const END: &str = " -->";
/// The largest file of certificates that a page takes in, in bytes.
const CERTIFICATES_MAX: u64 = 64 << 10;

/// What a pull secret is called when the site does not say.
pub const PULL_SECRET: &str = "registry-pull";

/// Why there is no handoff.
#[derive(Debug, thiserror::Error)]
pub enum HandoffError {
    /// The last proof failed.
    #[error("the last proof of {host}, {}, failed", file.display())]
    NotProven {
        /// The host.
        host: String,
        /// The evidence.
        file: PathBuf,
    },
    /// No image was left to hand over.
    #[error("no proof of {what} left its image there")]
    NothingKept {
        /// The host or the repository.
        what: String,
    },
    /// The evidence is not a proof.
    #[error("{} is not the evidence of a proof", file.display())]
    Shape {
        /// The evidence.
        file: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// Evidence cannot be read.
    #[error(transparent)]
    Evidence(#[from] crate::evidence::EvidenceError),
    /// The page has no facts.
    #[error(
        "the page has no facts: it was not written by `railhead handoff`, or its last comment was removed"
    )]
    NoFacts,
    /// The facts cannot be read.
    #[error("the facts of the page cannot be read")]
    Facts(#[source] serde_json::Error),
    /// The page is of a later release.
    #[error("the page has the schema {0}; this release reads up to {SCHEMA}")]
    Schema(u32),
    /// A file cannot be read.
    #[error("cannot read {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// How the registry is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// The URL.
    pub url: String,
    /// Where the connection really went, if not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<String>,
    /// Whom one has to trust; none over `http`.
    pub trust: Option<TrustNeeded>,
    /// Who signed the certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Until when the certificate was valid when the page was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
    /// The authority's certificates in PEM, where the system's do not do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
}

/// The pull secret that a private image needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullSecret {
    /// What it is called.
    pub name: String,
    /// Where it belongs, if the site says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Everything that a page says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The version of the shape.
    pub schema: u32,
    /// The version of Railhead that wrote the page.
    #[serde(default)]
    pub by: String,
    /// When the page was written.
    pub written: Timestamp,
    /// When it was proven.
    pub proven: Timestamp,
    /// What the site is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// `HOST[:PORT]`.
    pub host: String,
    /// What answers there, with its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The kind of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forge: Option<Forge>,
    /// How images are named.
    pub naming: String,
    /// The repository of the proof.
    pub repository: RepositoryName,
    /// Its tag.
    pub tag: Tag,
    /// What the tag names.
    pub digest: Digest,
    /// What it runs on.
    pub platforms: Vec<String>,
    /// Where it is from, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Whether everybody may pull; none where it is not known.
    pub visibility: Option<Visibility>,
    /// How the registry is reached.
    pub way: Way,
    /// What the registry can do.
    pub features: Features,
    /// The pull secret; none where none is needed.
    pub pull_secret: Option<PullSecret>,
    /// Where the images come from.
    pub provenance: Vec<String>,
    /// What is known not to work.
    pub limits: Vec<String>,
    /// Whom to ask.
    pub owners: Owners,
}

impl Facts {
    /// The facts of a proof that left its image, at a site.
    pub fn new(site: &Site, proof: &Proof, file: &Path) -> Result<Self, HandoffError> {
        let nothing = || HandoffError::NothingKept { what: format!("{}/{}", proof.host, proof.repository) };
        if proof.verdict != Verdict::Proven {
            return Err(HandoffError::NotProven { host: proof.host.clone(), file: file.to_owned() });
        }
        let digest = proof.digest.filter(|_| proof.kept).ok_or_else(nothing)?;
        Ok(Self {
            schema: SCHEMA,
            by: env!("CARGO_PKG_VERSION").to_owned(),
            written: Timestamp::now(),
            proven: proof.started,
            site: site.name.clone(),
            host: proof.host.clone(),
            server: proof.server.clone(),
            forge: site.forge.or_else(|| forge_of(proof.server.as_deref()?)),
            naming: naming(site, &proof.host, &proof.repository),
            repository: proof.repository.clone(),
            tag: proof.tag.clone(),
            digest,
            platforms: proof.platforms.clone(),
            origin: Some(origin(&proof.source)),
            visibility: proof.visibility,
            way: way(proof.routes.first().ok_or_else(nothing)?)?,
            features: proof.features.clone(),
            pull_secret: pull_secret(site, proof.visibility),
            provenance: site.provenance.clone(),
            limits: site.limits.clone(),
            owners: site.owners.clone(),
        })
    }

    /// `HOST/OWNER/IMAGE:TAG`.
    pub fn image(&self) -> String {
        format!("{}/{}:{}", self.host, self.repository, self.tag)
    }

    /// `HOST/OWNER/IMAGE@DIGEST`.
    pub fn pinned(&self) -> String {
        format!("{}/{}@{}", self.host, self.repository, self.digest)
    }

    /// The route to the registry, without a file of its authority.
    pub fn route(&self) -> Result<Route, railhead_client::Error> {
        let mut route = Route::new("page", self.way.url.parse()?);
        route.connect.clone_from(&self.way.connect);
        Ok(route)
    }

    /// The comment that keeps the facts in a page.
    pub fn comment(&self) -> Result<String, HandoffError> {
        let json = serde_json::to_string(self).map_err(HandoffError::Facts)?;
        // Nothing in the text may end the comment.
        Ok(format!("{BEGIN}{}{END}", json.replace('>', "\\u003e")))
    }

    /// The facts in a page.
    pub fn of_page(page: &str) -> Result<Self, HandoffError> {
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let (_, rest) = page.rsplit_once(BEGIN).ok_or(HandoffError::NoFacts)?;
        let (json, _) = rest.split_once(END).ok_or(HandoffError::NoFacts)?;
        let Version { schema } = serde_json::from_str(json).map_err(HandoffError::Facts)?;
        if schema > SCHEMA {
            return Err(HandoffError::Schema(schema));
        }
        serde_json::from_str(json).map_err(HandoffError::Facts)
    }
}

/// How images are named, as the site says, or as the owner's others are.
pub(super) fn naming(site: &Site, host: &str, repository: &RepositoryName) -> String {
    let owner = site.owner.as_deref().unwrap_or_else(|| repository.owner());
    site.naming.clone().unwrap_or_else(|| format!("{host}/{owner}/IMAGE:TAG"))
}

/// The pull secret that is needed, unless everybody may pull.
pub(super) fn pull_secret(site: &Site, visibility: Option<Visibility>) -> Option<PullSecret> {
    (visibility != Some(Visibility::Public)).then(|| PullSecret {
        name: site.cluster.pull_secret.clone().unwrap_or_else(|| PULL_SECRET.to_owned()),
        namespace: site.cluster.namespace.clone(),
    })
}

/// A directory of the person who proved it is nobody's business.
fn origin(source: &Source) -> String {
    match source {
        Source::Made { id } => format!("made by `railhead prove` for the proof, with the id {id}"),
        Source::File { path } => {
            format!("the file {}", path.file_name().unwrap_or_default().to_string_lossy())
        }
        Source::Program { program, name } => format!("the image {name} of {program}"),
    }
}

fn forge_of(server: &str) -> Option<Forge> {
    let server = server.to_ascii_lowercase();
    Forge::ALL.into_iter().find(|forge| server.starts_with(forge.word()))
}

fn way(route: &RouteFacts) -> Result<Way, HandoffError> {
    let tls = route.tls.as_ref();
    let file = route.ca.as_deref().filter(|_| tls.is_some_and(|tls| tls.trust == TrustNeeded::File));
    Ok(Way {
        url: route.url.clone(),
        connect: route.connect.clone(),
        trust: tls.map(|tls| tls.trust),
        issuer: tls.map(|tls| tls.issuer.clone()),
        not_after: tls.map(|tls| tls.not_after),
        authority: file.map(authority).transpose()?,
    })
}

/// The certificates of a file, and nothing else of it: a bundle may hold a key.
fn authority(file: &Path) -> Result<String, HandoffError> {
    let failed = |source| HandoffError::Read { file: file.to_owned(), source };
    let size = fs::metadata(file).map_err(failed)?.len();
    if size > CERTIFICATES_MAX {
        let what = format!("it has {size} bytes; a page takes {CERTIFICATES_MAX}");
        return Err(failed(std::io::Error::new(std::io::ErrorKind::InvalidData, what)));
    }
    let (mut certificates, mut inside) = (String::new(), false);
    for line in fs::read_to_string(file).map_err(failed)?.lines() {
        inside |= line.trim() == "-----BEGIN CERTIFICATE-----";
        if inside {
            certificates.push_str(line.trim());
            certificates.push('\n');
        }
        inside &= line.trim() != "-----END CERTIFICATE-----";
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handoff::testing::facts;

    #[test]
    fn facts_come_out_of_a_page_as_they_went_in() {
        let mut facts = facts();
        facts.limits = vec!["nothing --> ends the comment".to_owned()];
        let page = format!("# x\n{}\n", facts.comment().unwrap());
        assert_eq!(page.matches("-->").count(), 1);
        assert_eq!(Facts::of_page(&page).unwrap(), facts);
        assert!(matches!(Facts::of_page("# x"), Err(HandoffError::NoFacts)));
        let later = page.replace("\"schema\":1", "\"schema\":9");
        assert!(matches!(Facts::of_page(&later), Err(HandoffError::Schema(9))));
    }

    #[test]
    fn a_key_in_the_file_of_an_authority_does_not_get_into_the_page() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let certificate = "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n";
        let key = "-----BEGIN PRIVATE KEY-----\nBB\n-----END PRIVATE KEY-----\n";
        fs::write(file.path(), format!("{key}{certificate}{key}")).unwrap();
        assert_eq!(authority(file.path()).unwrap(), certificate);
    }
}
