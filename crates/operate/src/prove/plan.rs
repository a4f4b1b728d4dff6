//! What is to be proven.

use std::fmt;
use std::str::FromStr;

use railhead_client::hops::Route;
use railhead_client::{Credentials, Origin};
use railhead_oci::{RepositoryName, Tag};

use super::nodes::Nodes;
use super::with::Program;
use crate::image::Image;
use crate::site::Visibility;

/// `HOST[:PORT]/OWNER/IMAGE[:TAG]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `HOST[:PORT]`.
    pub host: String,
    /// The repository.
    pub repository: RepositoryName,
    /// The tag, if one was given.
    pub tag: Option<Tag>,
}

/// A text does not name an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' does not name an image: {why}; write it as HOST/OWNER/IMAGE or HOST/OWNER/IMAGE:TAG")]
pub struct TargetError {
    text: String,
    why: String,
}

impl TargetError {
    pub(crate) fn no_tag(text: &str) -> Self {
        Self { text: text.to_owned(), why: "there is no tag".to_owned() }
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let wrong = |why: &str| TargetError { text: text.to_owned(), why: why.to_owned() };
        if text.contains("://") {
            return Err(wrong("an image's name has no scheme"));
        }
        if text.contains('@') {
            return Err(wrong("a digest cannot be pushed to"));
        }
        let (host, rest) = text.split_once('/').ok_or_else(|| wrong("there is no repository"))?;
        let origin: Result<Origin, _> = format!("https://{host}").parse();
        if origin.is_err() || !(host.contains(['.', ':']) || host == "localhost") {
            // docker takes such a word for an owner on its own hub.
            return Err(wrong(&format!("'{host}' is not a host")));
        }
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) => {
                (name, Some(tag.parse().map_err(|error: railhead_oci::TagError| wrong(&error.to_string()))?))
            }
            None => (rest, None),
        };
        let repository = name.parse().map_err(|error: railhead_oci::NameError| wrong(&error.to_string()))?;
        Ok(Self { host: host.to_ascii_lowercase(), repository, tag })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)?;
        match &self.tag {
            Some(tag) => write!(f, ":{tag}"),
            None => Ok(()),
        }
    }
}

/// What is to be proven, and how.
#[derive(Debug)]
pub struct Plan {
    /// `HOST[:PORT]`.
    pub host: String,
    /// The repository.
    pub repository: RepositoryName,
    /// The tag.
    pub tag: Tag,
    /// The routes, at least one; the first is pushed to, all are pulled from.
    pub routes: Vec<Route>,
    /// Who logs in.
    pub account: Option<Credentials>,
    /// An account that may not push.
    pub readonly: Option<Credentials>,
    /// Whether everybody is meant to be able to pull.
    pub expected: Option<Visibility>,
    /// What is pushed.
    pub image: Image,
    /// Whether it stays there.
    pub keep: bool,
    /// Whether a tag may be moved that names something else.
    pub replace: bool,
    /// Programs that repeat it.
    pub with: Vec<Program>,
    /// The cluster whose nodes pull.
    pub nodes: Option<Nodes>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_as_images_are_named() {
        for text in [
            "git.example.com/coulomb/state-hub",
            "git.example.com:8443/a/b/c:v1",
            "localhost/a/b",
            "[::1]:5000/a/b",
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        for (text, why) in [
            ("https://git.example.com/a/b", "no scheme"),
            ("git.example.com", "no repository"),
            ("coulomb/state-hub", "not a host"),
            ("git.example.com/a", "owner"),
            ("git.example.com/A/b", "lower"),
            ("git.example.com/a/b:-x", "a tag is"),
            ("git.example.com/a/b@sha256:00", "digest"),
        ] {
            let error = text.parse::<Target>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
