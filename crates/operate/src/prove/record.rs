//! What a proof writes down: it is printed, kept as evidence, and read again by the handoff.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;
use railhead_oci::{Digest, RepositoryName, Tag};
use serde::{Deserialize, Serialize};

use super::nodes::NodePull;
use crate::image::Source;
use crate::site::Visibility;

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// Not as it should be.
    Failed,
    /// Something to know, neither right nor wrong.
    Fact,
    /// It was not tried; the detail says why.
    NotTried,
}

impl Outcome {
    /// The word for a person.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "FAILED",
            Self::Fact => "fact",
            Self::NotTried => "not tried",
        }
    }
}

/// One step of a proof. The names are in [`super`]'s table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What was done.
    pub name: String,
    /// The route, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub millis: u64,
    /// The digest that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Bytes that went over the line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// What was seen, for a person.
    pub detail: String,
}

/// What a proof came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every step that was tried ended as it should.
    Proven,
    /// A step failed.
    Failed,
    /// The account is refused, or may not do what a proof does.
    Denied,
    /// The registry cannot be reached.
    Unreachable,
    /// The tag names something else, which a proof does not replace.
    Taken,
    /// Somebody ended it.
    Interrupted,
}

/// The certificate that a route shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFacts {
    /// `TLSv1.3`.
    pub version: String,
    /// Whom the certificate names.
    pub names: Vec<String>,
    /// Who signed it.
    pub issuer: String,
    /// Until when it is valid.
    pub not_after: Timestamp,
    /// Whom one has to trust.
    pub trust: TrustNeeded,
}

/// Whom one has to trust to reach a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrustNeeded {
    /// The authorities that systems trust anyway.
    System,
    /// The authority in the route's file.
    File,
    /// Nobody would do: the certificate is wrong.
    Broken,
}

/// How long a hop took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HopTime {
    /// The hop.
    pub hop: String,
    /// How long.
    pub millis: u64,
}

/// A route as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteFacts {
    /// Its name.
    pub name: String,
    /// Its URL.
    pub url: String,
    /// What was connected to in place of the URL's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<String>,
    /// The file with its authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// The address that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The certificate; none over `http`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsFacts>,
    /// Where clients are sent for a token; none of a registry that asks for Basic, or for nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
    /// Times of the hops that were taken.
    pub hops: Vec<HopTime>,
}

/// A blob or a manifest that was pushed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What it is.
    pub what: String,
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub bytes: u64,
}

/// What the registry can do beyond push and pull; none where it was not seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Features {
    /// It lists what refers to a manifest.
    pub referrers: Option<bool>,
    /// It deletes manifests.
    pub delete: Option<bool>,
}

/// A proof, from the first hop to the clean-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// `HOST[:PORT]` as images are named.
    pub host: String,
    /// The repository.
    pub repository: RepositoryName,
    /// The tag.
    pub tag: Tag,
    /// What the tag names; none when nothing was pushed.
    pub digest: Option<Digest>,
    /// Where the image was from.
    pub source: Source,
    /// What it runs on.
    pub platforms: Vec<String>,
    /// What was pushed.
    pub contents: Vec<Item>,
    /// The account; none without one.
    pub account: Option<String>,
    /// Whether everybody was meant to be able to pull.
    pub expected: Option<Visibility>,
    /// Whether everybody can.
    pub visibility: Option<Visibility>,
    /// The routes; the first was pushed to.
    pub routes: Vec<RouteFacts>,
    /// Name and version of the server, as far as it says.
    pub server: Option<String>,
    /// What it can do.
    pub features: Features,
    /// What the nodes of a cluster came to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodePull>,
    /// Versions of the programs that repeated it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub programs: BTreeMap<String, String>,
    /// Every step, in order.
    pub steps: Vec<Step>,
    /// The image was left where it is.
    pub kept: bool,
    /// What remains though it should not, as `HOST/OWNER/IMAGE:TAG`, `…@DIGEST`, or `pod NAMESPACE/NAME` in a cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
    /// When it began.
    pub started: Timestamp,
    /// How long all of it took.
    pub millis: u64,
    /// What it came to.
    pub verdict: Verdict,
}

impl Proof {
    /// The steps that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.outcome == Outcome::Failed)
    }

    /// `HOST/OWNER/IMAGE:TAG`.
    pub fn image(&self) -> String {
        format!("{}/{}:{}", self.host, self.repository, self.tag)
    }
}

impl fmt::Display for Step {
    /// One line: outcome, name, route, time, and what was seen.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.route {
            Some(route) => format!("{} ({route})", self.name),
            None => self.name.clone(),
        };
        write!(f, "{:<9}  {name:<28}  {:>6} ms  {}", self.outcome.word(), self.millis, self.detail)
    }
}
