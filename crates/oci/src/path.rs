//! The paths below `/v2/` as one closed list (spec, *Endpoints*).
//!
//! Read from the right: only the last segments say what a path is, so the name of a repository may be of any depth
//! and may itself have segments such as `blobs` or `manifests`. Methods and queries are the server's matter.

use std::borrow::Cow;

use crate::query::percent_decode;
use crate::{Digest, DigestError, ErrorCode, NameError, Reference, ReferenceError, RepositoryName, TagError};

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum V2Path {
    /// `/v2/`
    Base,
    /// `/v2/_catalog`
    Catalog,
    /// `/v2/<name>/blobs/<digest>`
    Blob {
        /// The repository.
        name: RepositoryName,
        /// The blob.
        digest: Digest,
    },
    /// `/v2/<name>/manifests/<tag-or-digest>`
    Manifest {
        /// The repository.
        name: RepositoryName,
        /// The manifest.
        reference: Reference,
    },
    /// `/v2/<name>/blobs/uploads`, with or without a slash at the end
    Uploads {
        /// The repository.
        name: RepositoryName,
    },
    /// `/v2/<name>/blobs/uploads/<id>`
    Upload {
        /// The repository.
        name: RepositoryName,
        /// One segment of the registry's own making, as the client wrote it; not checked here.
        id: String,
    },
    /// `/v2/<name>/tags/list`
    Tags {
        /// The repository.
        name: RepositoryName,
    },
    /// `/v2/<name>/referrers/<digest>`
    Referrers {
        /// The repository.
        name: RepositoryName,
        /// The subject.
        digest: Digest,
    },
}

/// Why a path names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// No endpoint has this form.
    #[error("there is no such endpoint below /v2/")]
    Endpoint,
    /// The endpoint is right, the name is not.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The digest is not one.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// The tag is not one.
    #[error(transparent)]
    Tag(#[from] TagError),
}

impl PathError {
    /// The code to answer with.
    ///
    /// A tag that cannot be names no manifest: clients expect `MANIFEST_UNKNOWN` when they read it. A push of it is
    /// [`ErrorCode::TagInvalid`]; see [`Self::push_code`].
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Endpoint => ErrorCode::Unsupported,
            Self::Name(_) => ErrorCode::NameInvalid,
            Self::Digest(_) => ErrorCode::DigestInvalid,
            Self::Tag(_) => ErrorCode::ManifestUnknown,
        }
    }

    /// The code to answer a `PUT` with.
    pub const fn push_code(&self) -> ErrorCode {
        match self {
            Self::Tag(_) => ErrorCode::TagInvalid,
            other => other.code(),
        }
    }
}

impl From<ReferenceError> for PathError {
    fn from(error: ReferenceError) -> Self {
        match error {
            ReferenceError::Digest(error) => Self::Digest(error),
            ReferenceError::Tag(error) => Self::Tag(error),
        }
    }
}

impl V2Path {
    /// Reads a path as it stands in the request line, without its query.
    pub fn parse(path: &str) -> Result<Self, PathError> {
        let rest = path.strip_prefix("/v2").ok_or(PathError::Endpoint)?;
        let rest = match rest.strip_prefix('/') {
            None if rest.is_empty() => return Ok(Self::Base),
            None => return Err(PathError::Endpoint),
            Some("") => return Ok(Self::Base),
            Some("_catalog") => return Ok(Self::Catalog),
            Some(rest) => rest,
        };
        if let Some(name) = rest.strip_suffix("/blobs/uploads/") {
            return Ok(Self::Uploads { name: repository(name)? });
        }
        let (head, last) = rest.rsplit_once('/').ok_or(PathError::Endpoint)?;
        let (name, collection) = head.rsplit_once('/').ok_or(PathError::Endpoint)?;
        // The name is judged first: a wrong name with a wrong digest is a wrong name.
        match (collection, last) {
            (_, "") => Err(PathError::Endpoint),
            ("manifests", last) => {
                Ok(Self::Manifest { name: repository(name)?, reference: decoded(last, TagError)?.parse()? })
            }
            ("blobs", "uploads") => Ok(Self::Uploads { name: repository(name)? }),
            ("blobs", last) => {
                Ok(Self::Blob { name: repository(name)?, digest: decoded(last, DigestError::Form)?.parse()? })
            }
            ("uploads", id) => {
                let name = name.strip_suffix("/blobs").ok_or(PathError::Endpoint)?;
                Ok(Self::Upload { name: repository(name)?, id: id.to_owned() })
            }
            ("tags", "list") => Ok(Self::Tags { name: repository(name)? }),
            ("referrers", last) => Ok(Self::Referrers {
                name: repository(name)?,
                digest: decoded(last, DigestError::Form)?.parse()?,
            }),
            _ => Err(PathError::Endpoint),
        }
    }
}

fn repository(text: &str) -> Result<RepositoryName, PathError> {
    Ok(decoded(text, NameError::Segment)?.parse()?)
}

/// Undoes percent-encoding. An encoded slash is refused: what lies between client and registry may read it either
/// way, and two readings of one name are a hole in the rights on it.
fn decoded<E: Into<PathError>>(text: &str, error: E) -> Result<Cow<'_, str>, PathError> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let slashes = |text: &str| text.bytes().filter(|byte| *byte == b'/').count();
    match percent_decode(text, false) {
        Some(plain) if slashes(&plain) == slashes(text) => Ok(plain),
        _ => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn name(text: &str) -> RepositoryName {
        text.parse().unwrap()
    }

    #[test]
    fn every_endpoint_is_known() {
        let digest = Digest::sha256(b"");
        for (path, expected) in [
            ("/v2".to_owned(), V2Path::Base),
            ("/v2/".into(), V2Path::Base),
            ("/v2/_catalog".into(), V2Path::Catalog),
            (format!("/v2/a/b/blobs/sha256:{HEX}"), V2Path::Blob { name: name("a/b"), digest }),
            (format!("/v2/a/b/blobs/sha256%3A{HEX}"), V2Path::Blob { name: name("a/b"), digest }),
            (format!("/v2/a/b/blobs/sha256%3a{HEX}"), V2Path::Blob { name: name("a/b"), digest }),
            (
                "/v2/a/b/manifests/v1.0".into(),
                V2Path::Manifest { name: name("a/b"), reference: "v1.0".parse().unwrap() },
            ),
            (
                format!("/v2/a/b/manifests/sha256:{HEX}"),
                V2Path::Manifest { name: name("a/b"), reference: Reference::Digest(digest) },
            ),
            ("/v2/a/b/blobs/uploads".into(), V2Path::Uploads { name: name("a/b") }),
            ("/v2/a/b/blobs/uploads/".into(), V2Path::Uploads { name: name("a/b") }),
            ("/v2/a/b/blobs/uploads/x-1".into(), V2Path::Upload { name: name("a/b"), id: "x-1".into() }),
            ("/v2/a/b/tags/list".into(), V2Path::Tags { name: name("a/b") }),
            (format!("/v2/a/b/referrers/sha256:{HEX}"), V2Path::Referrers { name: name("a/b"), digest }),
        ] {
            assert_eq!(V2Path::parse(&path), Ok(expected), "{path}");
        }
    }

    #[test]
    fn names_may_look_like_endpoints_and_have_any_depth() {
        let digest = Digest::sha256(b"");
        for (path, expected) in [
            ("/v2/a/tags/list/tags/list".to_owned(), V2Path::Tags { name: name("a/tags/list") }),
            ("/v2/a/manifests/tags/list".into(), V2Path::Tags { name: name("a/manifests") }),
            (
                "/v2/a/blobs/uploads/manifests/uploads".into(),
                V2Path::Manifest { name: name("a/blobs/uploads"), reference: "uploads".parse().unwrap() },
            ),
            ("/v2/a/manifests/blobs/uploads/".into(), V2Path::Uploads { name: name("a/manifests") }),
            (
                format!("/v2/a/blobs/uploads/blobs/sha256:{HEX}"),
                V2Path::Blob { name: name("a/blobs/uploads"), digest },
            ),
            (
                "/v2/blobs/uploads/blobs/uploads/1".into(),
                V2Path::Upload { name: name("blobs/uploads"), id: "1".into() },
            ),
            ("/v2/a/b/c/d/e/f/tags/list".into(), V2Path::Tags { name: name("a/b/c/d/e/f") }),
            ("/v2/a%2Db/c/tags/list".into(), V2Path::Tags { name: name("a-b/c") }),
        ] {
            assert_eq!(V2Path::parse(&path), Ok(expected), "{path}");
        }
    }

    #[test]
    fn what_is_wrong_has_its_code() {
        for (path, code) in [
            ("", ErrorCode::Unsupported),
            ("/v1/", ErrorCode::Unsupported),
            ("/v2x", ErrorCode::Unsupported),
            ("/v2//", ErrorCode::Unsupported),
            ("/v2/a", ErrorCode::Unsupported),
            ("/v2/a/b", ErrorCode::Unsupported),
            ("/v2/a/b/tags", ErrorCode::Unsupported),
            ("/v2/a/b/tags/list/", ErrorCode::Unsupported),
            ("/v2/a/b/uploads/1", ErrorCode::Unsupported),
            ("/v2/a/b/manifests/", ErrorCode::Unsupported),
            ("/v2/manifests/latest", ErrorCode::Unsupported),
            ("/v2/alpine/manifests/latest", ErrorCode::NameInvalid),
            ("/v2/A/b/manifests/latest", ErrorCode::NameInvalid),
            ("/v2/a//manifests/latest", ErrorCode::NameInvalid),
            ("/v2/a/../manifests/latest", ErrorCode::NameInvalid),
            ("/v2/a%2Fb/manifests/latest", ErrorCode::NameInvalid),
            ("/v2/a/b%/manifests/latest", ErrorCode::NameInvalid),
            ("/v2/a/b/blobs/sha256:baddigeststring", ErrorCode::DigestInvalid),
            ("/v2/a/b/blobs/latest", ErrorCode::DigestInvalid),
            ("/v2/a/b/manifests/sha256:baddigeststring", ErrorCode::DigestInvalid),
            ("/v2/a/b/referrers/latest", ErrorCode::DigestInvalid),
            ("/v2/a/b/manifests/.INVALID_MANIFEST_NAME", ErrorCode::ManifestUnknown),
            ("/v2/a/b/manifests/a%2Fb", ErrorCode::ManifestUnknown),
        ] {
            assert_eq!(V2Path::parse(path).unwrap_err().code(), code, "{path}");
        }
        assert_eq!(V2Path::parse("/v2/a/b/manifests/.x").unwrap_err().push_code(), ErrorCode::TagInvalid);
    }

    proptest! {
        #[test]
        fn no_path_makes_the_parser_panic(path in "(/v2)?[/%a-z0-9:._-]{0,80}(/(blobs|uploads|manifests|tags|list|referrers)/?){0,4}.{0,20}") {
            let _ = V2Path::parse(&path);
        }

        #[test]
        fn a_name_of_endpoint_words_is_found_again(words in prop::collection::vec("blobs|uploads|manifests|tags|list|referrers|a", 2..8)) {
            let text = words.join("/");
            let parsed = V2Path::parse(&format!("/v2/{text}/tags/list"));
            prop_assert_eq!(parsed, Ok(V2Path::Tags { name: text.parse().unwrap() }));
            let parsed = V2Path::parse(&format!("/v2/{text}/blobs/uploads/7"));
            prop_assert_eq!(parsed, Ok(V2Path::Upload { name: text.parse().unwrap(), id: "7".into() }));
        }
    }
}
