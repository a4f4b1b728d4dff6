//! What a walk writes down. Times are milliseconds; bodies are their first bytes as text; secrets are already replaced.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use super::Route;
use crate::Challenge;

/// One step on a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hop {
    /// The name becomes addresses.
    Resolve,
    /// A TCP connection.
    Connect,
    /// The handshake and the certificate.
    Tls,
    /// `GET /v2/` without credentials.
    Registry,
    /// Its `WWW-Authenticate`.
    Challenge,
    /// The token endpoint that the challenge names can be reached.
    Realm,
    /// A token without credentials.
    AnonymousToken,
    /// A token with credentials.
    Token,
    /// `GET /v2/` with the token.
    Authenticated,
    /// A list of tags with a token that may pull.
    Read,
    /// An upload is begun and cancelled with a token that may push.
    Write,
}

impl Hop {
    /// All hops, in order.
    pub const ALL: [Self; 11] = [
        Self::Resolve,
        Self::Connect,
        Self::Tls,
        Self::Registry,
        Self::Challenge,
        Self::Realm,
        Self::AnonymousToken,
        Self::Token,
        Self::Authenticated,
        Self::Read,
        Self::Write,
    ];

    /// What a table's head calls it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "TLS",
            Self::Registry => "/v2/",
            Self::Challenge => "challenge",
            Self::Realm => "realm",
            Self::AnonymousToken => "anonymous token",
            Self::Token => "token",
            Self::Authenticated => "login",
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// How a hop ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "step")]
pub enum Step<T> {
    /// It was taken, and this was seen. What was seen may still be wrong, as an answer 404.
    Taken {
        /// How long it took.
        millis: u64,
        /// What was seen.
        seen: T,
    },
    /// It broke before there was something to see.
    Broken {
        /// How long it took.
        millis: u64,
        /// How.
        broke: Broken,
    },
    /// It was not tried.
    Skipped {
        /// The hop that is in the way; none when it is not due, as TLS over `http`, or a token without an account.
        behind: Option<Hop>,
        /// Why, for a person.
        why: String,
    },
}

impl<T> Step<T> {
    /// What was seen, if the hop was taken.
    pub fn seen(&self) -> Option<&T> {
        match self {
            Self::Taken { seen, .. } => Some(seen),
            Self::Broken { .. } | Self::Skipped { .. } => None,
        }
    }

    /// How it broke, if it did.
    pub fn broke(&self) -> Option<&Broken> {
        match self {
            Self::Broken { broke, .. } => Some(broke),
            Self::Taken { .. } | Self::Skipped { .. } => None,
        }
    }

    /// How long it took; zero if it was skipped.
    pub const fn millis(&self) -> u64 {
        match self {
            Self::Taken { millis, .. } | Self::Broken { millis, .. } => *millis,
            Self::Skipped { .. } => 0,
        }
    }
}

/// How something broke before there was an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// The kind.
    pub kind: Broke,
    /// The system's or the library's words.
    pub detail: String,
}

/// The kinds of [`Broken`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Broke {
    /// The name has no address.
    NameUnknown,
    /// The name service failed.
    NameService,
    /// Nothing listens there.
    Refused,
    /// No way to the address.
    Unreachable,
    /// No connection in time.
    ConnectTimeout,
    /// The other side speaks something else than TLS; its first bytes are the detail.
    NotTls,
    /// It speaks only versions of TLS, or ciphers, that clients have given up.
    TlsVersion,
    /// It does not know the server name.
    TlsName,
    /// It wants a certificate of the client.
    TlsClientCertificate,
    /// The handshake failed in another way.
    TlsHandshake,
    /// No answer in time.
    AnswerTimeout,
    /// The connection was closed, or reset, before an answer.
    Closed,
    /// What came is not HTTP/1.1; its first bytes are the detail.
    NotHttp,
    /// The head of the answer is larger than the bound.
    HeadTooLarge,
    /// The body ended before its stated length.
    BodyCut,
    /// The body did not end in time.
    BodySlow,
}

/// What the name became.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resolved {
    /// The name, or the address when the route gives one.
    pub name: String,
    /// Its addresses in the resolver's order, without ports.
    pub addresses: Vec<String>,
}

/// One address tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// `ADDRESS:PORT`.
    pub address: String,
    /// How long it took.
    pub millis: u64,
    /// How it failed, if it did.
    pub broke: Option<Broken>,
}

/// Which addresses answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Connected {
    /// The address that the walk went on with.
    pub address: String,
    /// Every address, all tried at the same time.
    pub attempts: Vec<Attempt>,
}

/// What the handshake showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TlsSeen {
    /// `TLSv1.3`.
    pub version: String,
    /// What ALPN chose.
    pub alpn: Option<String>,
    /// The certificates as sent, the server's first.
    pub chain: Vec<CertificateSeen>,
    /// Everything that is wrong with them, the worst first; empty when clients trust them.
    pub problems: Vec<TlsProblem>,
}

/// One certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CertificateSeen {
    /// Whom it names, as RFC 4514 writes it.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// DNS names and addresses in it.
    pub names: Vec<String>,
    /// From when it is valid.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// It is signed by itself.
    pub self_signed: bool,
    /// It says where its issuer's certificate can be had, as those of public authorities do.
    pub names_issuer_url: bool,
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsProblem {
    /// The proxy's built-in certificate: nobody gave it one for this name. Stands alone, for its other faults follow.
    DefaultCertificate,
    /// It is not valid any more.
    Expired,
    /// It is not valid yet.
    NotYetValid,
    /// It has only a common name, which clients do not read.
    NoNames,
    /// It does not name the host.
    WrongName,
    /// The intermediate certificate was not sent.
    MissingIntermediate,
    /// It signs itself.
    SelfSigned,
    /// Its authority is not trusted.
    Untrusted,
    /// Something else that the verifier refuses, as a wrong purpose, or a key that is not the certificate's.
    Invalid,
}

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answered {
    /// `GET https://host/v2/`, without secrets.
    pub asked: String,
    /// `ADDRESS:PORT` that answered.
    pub address: String,
    /// The status.
    pub status: u16,
    /// The headers that matter, in lower case and in order; cookies without values.
    pub headers: Vec<(String, String)>,
    /// The first bytes of the body, at most 2 KiB, as text.
    pub body: String,
    /// How many bytes of body were read.
    pub body_bytes: u64,
    /// How the body went wrong, if it did.
    pub body_broke: Option<Broken>,
    /// The body went on when the bound was reached.
    pub body_endless: bool,
}

impl Answered {
    /// A header's first value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All values of a header.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The media type, in lower case and without parameters.
    pub fn media_type(&self) -> Option<String> {
        let value = self.header("content-type")?;
        Some(value.split(';').next().unwrap_or(value).trim().to_ascii_lowercase())
    }

    /// The code of the first registry error in the body (distribution-spec, Error Codes).
    pub fn error_code(&self) -> Option<String> {
        let body: serde_json::Value = serde_json::from_str(&self.body).ok()?;
        Some(body.get("errors")?.get(0)?.get("code")?.as_str()?.to_owned())
    }
}

/// Where a redirect led, asked without credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Redirect {
    /// The `Location` as it came.
    pub location: String,
    /// The answer there, or how it broke; none when the bound of redirects was reached or the location is no URL.
    pub answer: Option<Step<Answered>>,
}

/// What the challenge says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Challenged {
    /// The headers as they came, each as a line.
    pub headers: Vec<String>,
    /// What could be read of them, in order.
    pub challenges: Vec<Challenge>,
}

impl Challenged {
    /// The first challenge of this scheme, in lower case.
    pub fn scheme(&self, scheme: &str) -> Option<&Challenge> {
        self.challenges.iter().find(|challenge| challenge.scheme == scheme)
    }
}

/// The token endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RealmSeen {
    /// The realm as the challenge gives it.
    pub realm: String,
    /// Its origin, `https://host:port`.
    pub origin: String,
    /// Its addresses.
    pub addresses: Vec<String>,
    /// What its certificate has wrong; empty over `http` and when trusted.
    pub tls_problems: Vec<TlsProblem>,
    /// `GET` of the realm without credentials and without scope.
    pub get: Answered,
    /// `POST` of the realm without credentials, as containerd and helm try first.
    pub post: Step<Answered>,
}

/// An answer of the token endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenSeen {
    /// The scope that was asked for.
    pub scope: String,
    /// The answer, its token replaced.
    pub answer: Answered,
    /// Whether there is a `token`.
    pub has_token: bool,
    /// Whether there is an `access_token`.
    pub has_access_token: bool,
    /// For how many seconds it is valid, if said.
    pub expires_in: Option<u64>,
}

/// What an upload met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WriteSeen {
    /// `POST` of an upload, with a token that may push.
    pub begin: Answered,
    /// `Location` made absolute; none when it is missing or no URL.
    pub location: Option<String>,
    /// `PATCH` of a few bytes to the location's path on this route, chunked as Docker sends it.
    pub patch: Option<Step<Answered>>,
    /// `DELETE` of the upload.
    pub cancel: Option<Step<Answered>>,
}

/// What a proxy in front lets through; asked only with `--limits`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// The largest body that was let through, and the smallest that was not.
    pub size: SizeLimit,
    /// A body that trickles in, one byte a second.
    pub trickle: Slow,
    /// A body that pauses in the middle.
    pub pause: Slow,
    /// Whether the whole request is kept in front before the registry sees any of it; none when that could not be told.
    pub buffered: Option<bool>,
}

/// How large a request may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SizeLimit {
    /// The largest size that was let through, in bytes.
    pub passed: u64,
    /// The smallest size that was refused, and the answer; none up to the bound.
    pub refused: Option<(u64, Answered)>,
}

/// How a slow request ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "slow")]
pub enum Slow {
    /// It was still taken when the bound was reached.
    Passed {
        /// The bound.
        millis: u64,
    },
    /// It was cut off.
    Cut {
        /// After this long.
        millis: u64,
        /// Whether all of it had been sent.
        whole: bool,
        /// The answer that cut it, if there was one.
        answer: Option<Answered>,
    },
    /// All was sent, and no answer came back.
    Unanswered {
        /// After this long.
        millis: u64,
    },
    /// It was not tried.
    Untried {
        /// Why.
        why: String,
    },
}

impl Slow {
    /// Why it was not tried, if it was not.
    pub fn untried(&self) -> Option<&str> {
        match self {
            Self::Untried { why } => Some(why),
            Self::Passed { .. } | Self::Cut { .. } | Self::Unanswered { .. } => None,
        }
    }
}

/// Who is behind a route, asked beside the hops: what is at paths that tell servers apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Behind {
    /// `GET /`.
    pub root: Option<Answered>,
    /// `GET /api/v1/version`, as Gitea and Forgejo answer it.
    pub version: Option<Answered>,
    /// `GET` of a path under `/v2/` that exists nowhere.
    pub nowhere: Option<Answered>,
}

/// Everything that one route showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Walk {
    /// The route.
    pub route: Route,
    /// When it began.
    pub started: Timestamp,
    /// How long all of it took.
    pub millis: u64,
    /// Resolve.
    pub resolve: Step<Resolved>,
    /// Connect.
    pub connect: Step<Connected>,
    /// TLS.
    pub tls: Step<TlsSeen>,
    /// `/v2/`.
    pub registry: Step<Answered>,
    /// Where `/v2/` redirected, one after the other.
    pub redirects: Vec<Redirect>,
    /// Challenge.
    pub challenge: Step<Challenged>,
    /// Realm.
    pub realm: Step<RealmSeen>,
    /// Token without credentials, for pulling the repository of the walk.
    pub anonymous_token: Step<TokenSeen>,
    /// Token with credentials, for pulling and pushing it.
    pub token: Step<TokenSeen>,
    /// `/v2/` with the token.
    pub authenticated: Step<Answered>,
    /// List of tags.
    pub read: Step<Answered>,
    /// Upload begun and cancelled.
    pub write: Step<WriteSeen>,
    /// List of tags without a login; asked only where the login was refused and a token is given to everybody.
    pub read_as_nobody: Option<Answered>,
    /// Who is behind it.
    pub behind: Behind,
    /// Difference between the `Date` of the answers and this machine's clock in seconds; positive when theirs is ahead.
    pub clock_skew: Option<i64>,
    /// What passes, if that was asked for.
    pub limits: Option<Limits>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}
