//! Error codes and the JSON body that carries them (spec, *Error Codes*).
//!
//! Which HTTP status goes with a code is the server's matter, not the wire language's.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $text:literal, $message:literal;)*) => {
        /// What went wrong, in a word that clients know.
        ///
        /// The first fourteen are the specification's; the others are distribution's, whose clients know them too.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $($(#[$doc])* $code),* }

        impl ErrorCode {
            /// All codes, the specification's first.
            pub const ALL: &[Self] = &[$(Self::$code),*];

            /// The code as it stands in a body.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$code => $text),* }
            }

            /// The message to give when there is nothing better to say.
            pub const fn message(self) -> &'static str {
                match self { $(Self::$code => $message),* }
            }
        }
    };
}
codes! {
    /// The repository does not have this blob, or the caller may not know that it does.
    BlobUnknown = "BLOB_UNKNOWN", "blob unknown to registry";
    /// The upload met something that it cannot go on from; the client starts again.
    BlobUploadInvalid = "BLOB_UPLOAD_INVALID", "blob upload invalid";
    /// The upload never was, has ended, or has expired.
    BlobUploadUnknown = "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry";
    /// A digest is malformed, of an unsupported algorithm, or not that of the content.
    DigestInvalid = "DIGEST_INVALID", "provided digest did not match uploaded content";
    /// A manifest refers to a blob or a manifest that its repository does not have.
    ManifestBlobUnknown = "MANIFEST_BLOB_UNKNOWN", "manifest references a manifest or blob unknown to registry";
    /// The bytes are not a manifest, or not of the type that was said.
    ManifestInvalid = "MANIFEST_INVALID", "manifest invalid";
    /// The repository has no manifest of this tag or digest.
    ManifestUnknown = "MANIFEST_UNKNOWN", "manifest unknown to registry";
    /// The name does not follow the grammar.
    NameInvalid = "NAME_INVALID", "invalid repository name";
    /// No such repository, or none that the caller may know of.
    NameUnknown = "NAME_UNKNOWN", "repository name not known to registry";
    /// The content is longer or shorter than was said, or over a limit.
    SizeInvalid = "SIZE_INVALID", "provided length did not match content length";
    /// The caller has to say who it is.
    Unauthorized = "UNAUTHORIZED", "authentication required";
    /// The caller is known and may not do this.
    Denied = "DENIED", "requested access to the resource is denied";
    /// The registry does not do this, or not by this method.
    Unsupported = "UNSUPPORTED", "the operation is unsupported";
    /// The caller asks too often.
    TooManyRequests = "TOOMANYREQUESTS", "too many requests";
    /// A chunk does not start where the upload is, or a range cannot be read.
    RangeInvalid = "RANGE_INVALID", "invalid content range";
    /// The tag does not follow the grammar.
    TagInvalid = "TAG_INVALID", "invalid tag";
    /// The number of results asked for is not a number.
    PaginationNumberInvalid = "PAGINATION_NUMBER_INVALID", "invalid number of results requested";
    /// The registry cannot do this now and will later.
    Unavailable = "UNAVAILABLE", "service unavailable";
    /// The registry failed; the reason is in its log.
    Unknown = "UNKNOWN", "unknown error";
}

impl ErrorCode {
    /// The code that a body means by `text`, if it is one of ours.
    pub fn known(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One error of a body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorEntry {
    /// The code; another registry's may be none of [`ErrorCode`].
    pub code: Cow<'static, str>,
    /// The same for a person; may be empty.
    #[serde(default, deserialize_with = "empty_if_null")]
    pub message: String,
    /// Whatever helps the client to resolve it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<serde_json::Value>,
}

fn empty_if_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Option::<String>::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl ErrorEntry {
    /// The code, if it is one that we know.
    pub fn known(&self) -> Option<ErrorCode> {
        ErrorCode::known(&self.code)
    }
}

impl From<ErrorCode> for ErrorEntry {
    fn from(code: ErrorCode) -> Self {
        Self { code: Cow::Borrowed(code.as_str()), message: code.message().to_owned(), detail: None }
    }
}

/// The body of an answer that says no.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// One or more errors, the one that matters most first.
    pub errors: Vec<ErrorEntry>,
}

impl ErrorBody {
    /// A body of one error. The message is for the person who ran the client.
    pub fn new(code: ErrorCode, message: impl Into<String>, detail: Option<serde_json::Value>) -> Self {
        Self { errors: vec![ErrorEntry { message: message.into(), detail, ..code.into() }] }
    }

    /// The bytes of the body.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::json!({ "errors": self.errors }).to_string().into_bytes()
    }

    /// Reads another registry's body; none where the bytes are something else, such as a proxy's HTML page.
    pub fn parse(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }
}

impl From<ErrorCode> for ErrorBody {
    fn from(code: ErrorCode) -> Self {
        Self { errors: vec![code.into()] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_upper_case_and_known_by_their_text() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::known(code.as_str()), Some(*code));
            assert!(code.as_str().bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{code}");
            assert!(!code.message().is_empty());
        }
    }

    #[test]
    fn a_body_is_the_one_of_the_specification() {
        let body =
            ErrorBody::new(ErrorCode::Denied, "no \"push\"", Some(serde_json::json!({"needs": "push"})));
        let text = String::from_utf8(body.to_json()).unwrap();
        assert_eq!(
            text,
            r#"{"errors":[{"code":"DENIED","detail":{"needs":"push"},"message":"no \"push\""}]}"#
        );
        assert_eq!(ErrorBody::parse(text.as_bytes()), Some(body));
        assert_eq!(
            String::from_utf8(ErrorBody::from(ErrorCode::NameUnknown).to_json()).unwrap(),
            r#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}"#,
        );
    }

    #[test]
    fn bodies_of_others_are_read_if_they_are_bodies() {
        let body =
            ErrorBody::parse(br#"{"errors":[{"code":"QUOTA","message":null,"detail":null,"x":1}]}"#).unwrap();
        assert_eq!((&*body.errors[0].code, &*body.errors[0].message), ("QUOTA", ""));
        assert_eq!(body.errors[0].known(), None);
        for other in
            ["", "404 page not found", "<html></html>", "{}", r#"{"errors":"no"}"#, r#"{"errors":[{}]}"#]
        {
            assert_eq!(ErrorBody::parse(other.as_bytes()), None, "{other}");
        }
    }
}
