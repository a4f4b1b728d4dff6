//! The name of an image, as it stands in a pod.

use std::fmt;
use std::str::FromStr;

use railhead_oci::{Digest, Reference, RepositoryName};

use crate::prove::{Target, TargetError};

/// What a kubelet pulls when no tag is given.
const LATEST: &str = "latest";

/// `HOST[:PORT]/OWNER/IMAGE[:TAG][@DIGEST]`, as it stands in a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageName {
    /// `HOST[:PORT]`.
    pub host: String,
    /// The repository.
    pub repository: RepositoryName,
    /// What is pulled of it.
    pub reference: Reference,
}

impl FromStr for ImageName {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, digest.parse::<Digest>().ok()),
            None => (text, None),
        };
        // What is behind an '@' and no digest is refused as a part of the name.
        let target: Target = if digest.is_some() { name } else { text }.parse()?;
        let reference = match (digest, target.tag) {
            (Some(digest), _) => Reference::Digest(digest),
            (None, Some(tag)) => Reference::Tag(tag),
            (None, None) => LATEST.parse().map_err(|_| TargetError::no_tag(text))?,
        };
        Ok(Self { host: target.host, repository: target.repository, reference })
    }
}

impl ImageName {
    /// What a kubelet compares with the entries: neither tag nor digest.
    pub(super) fn place(&self) -> String {
        format!("{}/{}", self.host, self.repository)
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joint = if matches!(self.reference, Reference::Digest(_)) { '@' } else { ':' };
        write!(f, "{}/{}{joint}{}", self.host, self.repository, self.reference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_named_as_in_a_pod() {
        let digest = Digest::sha256(b"x");
        for (text, shown) in [
            ("git.example.com/team/app", "git.example.com/team/app:latest".to_owned()),
            ("git.example.com:8443/a/b/c:v1", "git.example.com:8443/a/b/c:v1".to_owned()),
            (&format!("git.example.com/a/b:v1@{digest}"), format!("git.example.com/a/b@{digest}")),
        ] {
            let name: ImageName = text.parse().unwrap();
            assert_eq!(name.to_string(), shown);
        }
        for wrong in ["team/app", "https://git.example.com/a/b", "git.example.com/a/b@sha256:00", "x"] {
            assert!(wrong.parse::<ImageName>().is_err(), "{wrong}");
        }
    }
}
