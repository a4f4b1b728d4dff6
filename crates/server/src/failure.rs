//! Errors become status codes, here and nowhere else.
//!
//! A 4xx explains itself to the client; a 5xx says only that it is the server's matter, and the log has the rest.

use std::borrow::Cow;

use http::header::{ALLOW, HeaderName, RANGE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use railhead_oci::{Digest, ErrorBody, ErrorCode, ErrorEntry, PathError, QueryError};
use railhead_registry::Error as RegistryError;
use serde_json::{Value, json};

/// What is answered instead of what was asked for.
#[derive(Debug)]
pub(crate) struct Failure(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    entries: Vec<ErrorEntry>,
    headers: Vec<(HeaderName, HeaderValue)>,
    note: Cow<'static, str>,
    client_gone: bool,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> Self {
        let message = message.into();
        let note = Cow::Owned(message.clone());
        let entries = vec![ErrorEntry { message, ..code.into() }];
        Self(Box::new(Inner { status, entries, headers: Vec::new(), note, client_gone: false }))
    }

    pub(crate) fn detail(mut self, detail: Value) -> Self {
        if let Some(entry) = self.0.entries.first_mut() {
            entry.detail = Some(detail);
        }
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        // Values are made here or were parsed; one that cannot stand in a header is left out rather than mangled.
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers.push((name, value));
        }
        self
    }

    pub(crate) fn note(mut self, note: impl Into<Cow<'static, str>>) -> Self {
        self.0.note = note.into();
        self
    }

    /// The client vanished while its body was received: nobody will read the answer.
    pub(crate) fn client_gone() -> Self {
        let mut failure = Self::new(
            StatusCode::BAD_REQUEST,
            ErrorCode::BlobUploadInvalid,
            "the connection ended before the body did",
        );
        failure.0.client_gone = true;
        failure.0.note = Cow::Borrowed("");
        failure
    }

    pub(crate) fn no_such_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, ErrorCode::Unsupported, "there is nothing at this path")
            .detail(json!({ "hint": "the registry's own interface is below /v2/" }))
    }

    /// A Railhead, maybe this one, takes this server for a forge. Answered at once, or it would ask itself until all its
    /// questions are used up.
    pub(crate) fn no_forge() -> Self {
        Self::new(
            StatusCode::LOOP_DETECTED,
            ErrorCode::Unsupported,
            "this is Railhead, not the forge: forge.url has to be where the forge itself listens",
        )
    }

    /// The path names nothing that can be.
    pub(crate) fn path(error: PathError, pushing: bool) -> Self {
        let code = if pushing { error.push_code() } else { error.code() };
        let status = match code {
            ErrorCode::NameInvalid | ErrorCode::DigestInvalid | ErrorCode::TagInvalid => {
                StatusCode::BAD_REQUEST
            }
            _ => StatusCode::NOT_FOUND,
        };
        Self::new(status, code, error.to_string())
    }

    pub(crate) fn method(allowed: &'static str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            ErrorCode::Unsupported,
            "this path does not take this method",
        )
        .header(ALLOW, allowed)
    }

    pub(crate) fn bad_request(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(crate) fn unauthorized(challenge: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, message)
            .header(WWW_AUTHENTICATE, challenge)
    }

    pub(crate) fn too_many(retry_after_seconds: u64, message: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyRequests, message)
            .header(RETRY_AFTER, &retry_after_seconds.to_string())
    }

    /// Something that this rests on does not answer; it will later.
    pub(crate) fn unavailable(retry_after_seconds: u64, message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, message)
            .header(RETRY_AFTER, &retry_after_seconds.to_string())
    }

    /// Something is wrong here. The client learns that; the log learns what.
    pub(crate) fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = chain(error), "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            ErrorCode::Unknown,
            "the registry failed; its log says why",
        )
        .note("failed")
    }

    /// Why, for the operator.
    pub(crate) fn reason(&self) -> &str {
        &self.0.note
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Puts another challenge in place of the one that is there.
    pub(crate) fn rechallenge(mut self, challenge: &str) -> Self {
        self.0.headers.retain(|(name, _)| name != WWW_AUTHENTICATE);
        self.header(WWW_AUTHENTICATE, challenge)
    }

    pub(crate) fn is_client_gone(&self) -> bool {
        self.0.client_gone
    }

    pub(crate) fn into_parts(self) -> Parts {
        let Inner { status, entries, headers, note, .. } = *self.0;
        Parts { status, body: ErrorBody { errors: entries }.to_json(), headers, note }
    }
}

/// A failure taken apart into an answer.
pub(crate) struct Parts {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) note: Cow<'static, str>,
}

/// An error with all its sources, for the log.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        Self::bad_request(ErrorCode::Unsupported, error.to_string())
    }
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        use RegistryError as E;
        let text = error.to_string();
        let not_found = |code| Self::new(StatusCode::NOT_FOUND, code, text.clone());
        match &error {
            E::RepositoryUnknown | E::OwnerUnknown => not_found(ErrorCode::NameUnknown),
            E::BlobUnknown(digest) => not_found(ErrorCode::BlobUnknown).detail(json!({ "digest": digest })),
            E::BlobDamaged(digest) => {
                not_found(ErrorCode::BlobUnknown).detail(json!({ "digest": digest, "damaged": true }))
            }
            E::BlobInUse { blob, manifest } => {
                Self::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Denied, text)
                    .detail(json!({ "digest": blob, "manifest": manifest }))
            }
            E::ManifestUnknown(reference) => {
                not_found(ErrorCode::ManifestUnknown).detail(json!({ "reference": reference }))
            }
            E::ManifestInvalid(_) => Self::bad_request(ErrorCode::ManifestInvalid, text),
            E::ManifestTooLarge { limit, .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::SizeInvalid, text)
                    .detail(json!({ "limit_bytes": limit }))
            }
            E::MissingReferences(digests) => missing(digests),
            E::TagFrozen { tag, digest } => Self::new(StatusCode::FORBIDDEN, ErrorCode::Denied, text)
                .detail(json!({ "reason": "tag", "tag": tag, "digest": digest })),
            E::UploadUnknown => not_found(ErrorCode::BlobUploadUnknown),
            E::UploadBusy => Self::new(StatusCode::CONFLICT, ErrorCode::BlobUploadInvalid, text),
            E::UploadOffset { offset } => {
                Self::new(StatusCode::RANGE_NOT_SATISFIABLE, ErrorCode::RangeInvalid, text)
                    .header(RANGE, &railhead_oci::upload_range(*offset))
                    .detail(json!({ "offset": offset }))
            }
            E::DigestMismatch { expected, found } => Self::bad_request(ErrorCode::DigestInvalid, text)
                .detail(json!({ "expected": expected, "found": found })),
            E::LayerTooLarge { limit } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::SizeInvalid, text)
                    .detail(json!({ "reason": "layer limit", "limit_bytes": limit }))
            }
            E::Quota(exceeded) => Self::new(StatusCode::FORBIDDEN, ErrorCode::Denied, text).detail(json!({
                "reason": "quota",
                "limit_bytes": exceeded.limit,
                "used_bytes": exceeded.used,
                "reserved_bytes": exceeded.reserved,
                "wanted_bytes": exceeded.wanted,
            })),
            E::Full(_) => {
                tracing::error!(error = chain(&error), "the storage is full");
                Self::new(StatusCode::INSUFFICIENT_STORAGE, ErrorCode::Unknown, text)
                    .detail(json!({ "hint": "pulls go on; the operator has to make room" }))
            }
            E::Catalog(_) | E::Store(_) | E::Random(_) => Self::internal(&error),
        }
    }
}

/// One entry a digest, as far as an error body should go.
fn missing(digests: &[Digest]) -> Failure {
    const LISTED: usize = 100;
    let mut failure = Failure::new(
        StatusCode::NOT_FOUND,
        ErrorCode::ManifestBlobUnknown,
        "the manifest refers to content that the repository does not have",
    );
    failure.0.entries = digests
        .iter()
        .take(LISTED)
        .map(|digest| ErrorEntry {
            message: format!("the repository does not have {digest}"),
            detail: Some(json!({ "digest": digest })),
            ..ErrorCode::ManifestBlobUnknown.into()
        })
        .collect();
    failure
}
