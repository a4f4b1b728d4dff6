//! Names of repositories, tags, and references (spec, *Pulling manifests*).
//!
//! Invariant: a [`RepositoryName`] has an owner and an image part, is lower case and at most 255 bytes; so neither
//! it nor a [`Tag`] can name anything outside of a directory it is used in.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Digest, DigestError};

/// Longest name of a repository, in bytes, which is what most clients can handle.
const NAME_MAX: usize = 255;
/// Longest tag, in bytes (spec).
const TAG_MAX: usize = 128;

/// Why a text is not the name of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Longer than 255 bytes.
    #[error("the name is longer than 255 characters")]
    Length,
    /// Only one segment.
    #[error("the name has no owner: write it as owner/image")]
    Owner,
    /// A segment has a character or an order of characters that the specification forbids.
    #[error(
        "each part of a name is lower-case letters and digits, joined by one '.', one or two '_', or any number of '-'"
    )]
    Segment,
}

/// The name of a repository, `<owner>/<image>`; the image part may have slashes.
///
/// Cloning shares the text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryName(Arc<str>);

impl RepositoryName {
    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first segment: a user or an organisation.
    pub fn owner(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(owner, _)| owner)
    }

    /// Everything behind the owner.
    pub fn image(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, image)| image)
    }
}

impl FromStr for RepositoryName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.len() > NAME_MAX {
            return Err(NameError::Length);
        }
        if !text.split('/').all(|segment| is_segment(segment.as_bytes())) {
            return Err(NameError::Segment);
        }
        if !text.contains('/') {
            return Err(NameError::Owner);
        }
        Ok(Self(text.into()))
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_segment(segment: &[u8]) -> bool {
    let word = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let (Some(first), Some(last)) = (segment.first(), segment.last()) else { return false };
    word(first)
        && word(last)
        && segment
            .split(word)
            .all(|joint| matches!(joint, b"" | b"." | b"_" | b"__") || joint.iter().all(|byte| *byte == b'-'))
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text is not a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tag is 1 to 128 letters, digits, '_', '.' or '-', and does not start with '.' or '-'")]
pub struct TagError;

/// A tag; case counts.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(Arc<str>);

impl Tag {
    /// A tag of the crate's own making.
    pub(crate) fn new_unchecked(text: &str) -> Self {
        debug_assert!(text.parse::<Self>().is_ok());
        Self(text.into())
    }

    /// The tag's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = TagError;

    fn from_str(text: &str) -> Result<Self, TagError> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let valid = text.len() <= TAG_MAX
            && text.bytes().next().is_some_and(word)
            && text.bytes().all(|byte| word(byte) || byte == b'.' || byte == b'-');
        if valid { Ok(Self(text.into())) } else { Err(TagError) }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is neither a tag nor a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// It has a colon, so it was meant as a digest.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// It was meant as a tag.
    #[error(transparent)]
    Tag(#[from] TagError),
}

/// A tag or a digest in a repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reference {
    /// A name that can move.
    Tag(Tag),
    /// Content that cannot change.
    Digest(Digest),
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        // A tag has no colon, a digest always has one.
        if text.contains(':') { Ok(Self::Digest(text.parse()?)) } else { Ok(Self::Tag(text.parse()?)) }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => fmt::Display::fmt(tag, f),
            Self::Digest(digest) => fmt::Display::fmt(digest, f),
        }
    }
}

macro_rules! serde_as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
serde_as_text!(RepositoryName, Tag, Reference);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_have_an_owner_and_an_image() {
        let name: RepositoryName = "team/tools/build__er-x".parse().unwrap();
        assert_eq!((name.owner(), name.image()), ("team", "tools/build__er-x"));
        assert_eq!("alpine".parse::<RepositoryName>(), Err(NameError::Owner));
        assert_eq!(format!("a/{}", "b".repeat(254)).parse::<RepositoryName>(), Err(NameError::Length));
        for wrong in [
            "", "/", "a/", "/a", "a//b", "A/b", "a/b.", "a/.b", "a/../b", "a/b___c", "a/b..c", "a/b c",
            "a/b:c", "a/é",
        ] {
            assert_eq!(wrong.parse::<RepositoryName>(), Err(NameError::Segment), "{wrong}");
        }
    }

    #[test]
    fn tags_keep_their_case_and_have_a_limit() {
        assert_ne!("Latest".parse::<Tag>().unwrap(), "latest".parse::<Tag>().unwrap());
        assert!("a".repeat(128).parse::<Tag>().is_ok());
        for wrong in
            [String::new(), "a".repeat(129), ".a".into(), "-a".into(), "a/b".into(), "a b".into(), "ä".into()]
        {
            assert!(wrong.parse::<Tag>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn the_names_of_the_specification_are_names(text in "[a-z0-9]{1,9}((\\.|_|__|-{1,4})[a-z0-9]{1,9}){0,2}(/[a-z0-9]{1,9}((\\.|_|__|-{1,4})[a-z0-9]{1,9}){0,2}){1,3}") {
            prop_assert_eq!(text.parse::<RepositoryName>().unwrap().to_string(), text);
        }

        #[test]
        fn no_text_makes_a_parser_panic_or_escape(text in ".{0,300}") {
            if let Ok(name) = text.parse::<RepositoryName>() {
                prop_assert!(!name.as_str().contains("..") && !name.as_str().starts_with('/'));
            }
            let _ = text.parse::<Reference>();
        }
    }
}
