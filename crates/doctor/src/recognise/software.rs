//! Forges and registries.

use std::fmt;
use std::str::FromStr;

use railhead_client::hops::{Answered, Walk};
use serde::Serialize;

use super::face::is_forge;
use crate::url::Url;

/// What is behind a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "these are names of programs")]
pub enum Software {
    Gitea,
    Forgejo,
    Railhead,
    Distribution,
    Harbor,
    /// A registry that is none of these.
    Registry,
}

impl Software {
    /// As its maker writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gitea => "Gitea",
            Self::Forgejo => "Forgejo",
            Self::Railhead => "Railhead",
            Self::Distribution => "distribution",
            Self::Harbor => "Harbor",
            Self::Registry => "a registry",
        }
    }

    /// Whether it is a forge with a registry of its own.
    pub const fn is_forge(self) -> bool {
        matches!(self, Self::Gitea | Self::Forgejo)
    }

    /// Whether two walks that show `self` and `other` show the same program, as far as they tell.
    pub(crate) fn may_be(self, other: Self) -> bool {
        self == other
            || (self.is_forge() && other.is_forge())
            || self == Self::Registry
            || other == Self::Registry
    }
}

/// A text is not the name of a forge or registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoftwareError(String);

impl fmt::Display for SoftwareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is no forge; there are gitea, forgejo, railhead, distribution, harbor", self.0)
    }
}

impl std::error::Error for SoftwareError {}

impl FromStr for Software {
    type Err = SoftwareError;

    fn from_str(text: &str) -> Result<Self, SoftwareError> {
        match text {
            "gitea" => Ok(Self::Gitea),
            "forgejo" => Ok(Self::Forgejo),
            "railhead" => Ok(Self::Railhead),
            "distribution" => Ok(Self::Distribution),
            "harbor" => Ok(Self::Harbor),
            _ => Err(SoftwareError(text.to_owned())),
        }
    }
}

/// What is behind a walk, and its version.
pub(super) fn of(walk: &Walk) -> (Option<Software>, Option<String>) {
    let version = walk.behind.version.as_ref().and_then(version);
    let bearer = walk.challenge.seen().and_then(|challenged| challenged.scheme("bearer"));
    let service = bearer.and_then(|challenge| challenge.parameter("service")).unwrap_or_default();
    let realm = bearer.and_then(|challenge| challenge.parameter("realm")).and_then(Url::parse);
    let realm = realm.as_ref().map_or("", Url::bare_path);
    let says = |words: &str| walk.behind.root.as_ref().is_some_and(|root| root.body.contains(words));
    if says("This is Railhead") || service == "railhead" {
        return (Some(Software::Railhead), None);
    }
    if service == "harbor-registry" || realm == "/service/token" {
        return (Some(Software::Harbor), None);
    }
    let answers = [walk.registry.seen(), walk.behind.root.as_ref(), walk.behind.nowhere.as_ref()];
    let forge = (service == "container_registry" && realm.ends_with("/v2/token"))
        || version.is_some()
        || answers.into_iter().flatten().any(is_forge);
    if forge {
        let forgejo = version.as_deref().is_some_and(is_forgejo) || says("Forgejo") || says("forgejo");
        return (Some(if forgejo { Software::Forgejo } else { Software::Gitea }), version);
    }
    (registry(walk), None)
}

/// Distribution says which version of the protocol it speaks even where it has nothing.
fn registry(walk: &Walk) -> Option<Software> {
    let answer = walk.registry.seen()?;
    if !super::is_registry(answer) {
        return None;
    }
    let marked = |answer: &Answered| answer.header("docker-distribution-api-version").is_some();
    let basic = walk.challenge.seen().is_some_and(|challenged| challenged.scheme("basic").is_some());
    let empty_root = walk.behind.root.as_ref().is_some_and(|root| root.status == 200 && root.body.is_empty());
    let is_distribution = marked(answer) && (basic || answer.status == 200) && empty_root;
    Some(if is_distribution { Software::Distribution } else { Software::Registry })
}

/// `{"version": "1.25.4"}`
fn version(answer: &Answered) -> Option<String> {
    if answer.status != 200 {
        return None;
    }
    let body: serde_json::Value = serde_json::from_str(&answer.body).ok()?;
    Some(body.get("version")?.as_str()?.to_owned())
}

/// Forgejo 7 and later write the version of Gitea whose interface they have behind their own; before, they had a
/// fourth number.
fn is_forgejo(version: &str) -> bool {
    version.contains("+gitea-") || version.contains("forgejo")
}
