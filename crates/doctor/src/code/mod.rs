//! The table of codes: what each finding is called, and its whole story.
//!
//! Order: [`Code`] lists the codes in the order of mending, and its derived `Ord` is that order. What is mended first
//! stands first, because what stands behind it often cannot be seen, or goes away, until then.
//!
//! Invariant: a code's text never changes its meaning. Scripts, runbooks and evidence name it.

mod application;
mod client;
mod cluster;
mod identity;
mod limits;
mod network;
mod realm;
mod routing;
mod tls;
mod transfer;

use std::fmt;

use serde::{Serialize, Serializer};

use crate::Layer;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something that clients do does not work.
    Error,
    /// It works here and now, and will not for everybody or for long.
    Warning,
    /// A fact worth knowing.
    Info,
}

impl Severity {
    /// The word in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The whole story of a code.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Story {
    /// `RH-ROUTE-404`.
    pub code: &'static str,
    /// One line.
    pub title: &'static str,
    /// Where the cause lies, unless the walks show another place.
    pub layer: Layer,
    /// How bad it is.
    pub severity: Severity,
    /// The hop that shows it.
    pub hop: &'static str,
    /// What is seen, and what clients print.
    pub seen: &'static str,
    /// Why it happens.
    pub why: &'static str,
    /// Who acts.
    pub who: &'static str,
    /// How it is mended.
    pub mend: &'static str,
    /// How to check that it is.
    pub check: &'static str,
}

macro_rules! codes {
    ($($family:ident { $($name:ident = $story:ident,)* })*) => {
        /// What a finding is called.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "the story of each is its documentation")]
        pub enum Code { $($($name,)*)* }

        impl Code {
            /// All codes, in the order of mending.
            pub const ALL: &[Self] = &[$($(Self::$name,)*)*];

            /// Its whole story.
            pub fn story(self) -> &'static Story {
                match self { $($(Self::$name => &$family::$story,)*)* }
            }
        }
    };
}

codes! {
    network {
        DnsUnknown = DNS_UNKNOWN,
        DnsService = DNS_SERVICE,
        ConnectRefused = CONNECT_REFUSED,
        ConnectUnreachable = CONNECT_UNREACHABLE,
        ConnectTimeout = CONNECT_TIMEOUT,
        ConnectPartial = CONNECT_PARTIAL,
        HttpClosed = HTTP_CLOSED,
        HttpTimeout = HTTP_TIMEOUT,
        HttpForeign = HTTP_FOREIGN,
        HttpHugeHead = HTTP_HUGE_HEAD,
        HttpCut = HTTP_CUT,
        HttpEndless = HTTP_ENDLESS,
        ClockSkew = CLOCK_SKEW,
    }
    tls {
        TlsPlain = PLAIN,
        TlsRequired = REQUIRED,
        TlsNone = NONE,
        TlsVersion = VERSION,
        TlsNameRefused = NAME_REFUSED,
        TlsClientCert = CLIENT_CERT,
        TlsHandshake = HANDSHAKE,
        TlsDefaultCert = DEFAULT_CERT,
        TlsExpired = EXPIRED,
        TlsNotYet = NOT_YET,
        TlsNoNames = NO_NAMES,
        TlsName = NAME,
        TlsChain = CHAIN,
        TlsSelfSigned = SELF_SIGNED,
        TlsUntrusted = UNTRUSTED,
        TlsInvalid = INVALID,
        TlsExpiresSoon = EXPIRES_SOON,
    }
    routing {
        Route404 = NOT_FOUND,
        RouteMisrouted = MISROUTED,
        RouteSubpath = SUBPATH,
        RouteSignOn = SIGN_ON,
        RouteBasic = BASIC,
        RouteForbidden = FORBIDDEN,
        RouteChallengePage = CHALLENGE_PAGE,
        RouteRate = RATE,
        RouteRedirect = REDIRECT,
        RouteRedirectLoop = REDIRECT_LOOP,
        Route502 = BAD_GATEWAY,
        Route503 = NO_BACKEND,
        Route504 = GATEWAY_TIMEOUT,
        RouteOther = OTHER,
        RouteCompressed = COMPRESSED,
        RouteCached = CACHED,
        RouteAuthDropped = AUTH_DROPPED,
        RouteMethod = METHOD,
    }
    client {
        ClientByAddress = BY_ADDRESS,
    }
    application {
        AppDisabled = DISABLED,
        AppError = ERROR,
        AppStarting = STARTING,
        AppNotRegistry = NOT_REGISTRY,
        AppDatabase = DATABASE,
        StorageFull = STORAGE_FULL,
        StorageError = STORAGE_ERROR,
    }
    realm {
        ChallengeMissing = CHALLENGE_MISSING,
        ChallengeBroken = CHALLENGE_BROKEN,
        ChallengeNoRealm = CHALLENGE_NO_REALM,
        ChallengeRealmInvalid = CHALLENGE_REALM_INVALID,
        ChallengeNoService = CHALLENGE_NO_SERVICE,
        ChallengeTwo = CHALLENGE_TWO,
        ChallengeScope = CHALLENGE_SCOPE,
        ChallengeOpen = CHALLENGE_OPEN,
        RealmScheme = SCHEME,
        RealmPrivate = PRIVATE,
        RealmHost = HOST,
        RealmPort = PORT,
        RealmUnreachable = UNREACHABLE,
        Realm404 = NOT_FOUND,
        RealmRedirect = REDIRECT,
        RealmHtml = HTML,
        RealmError = ERROR,
        RealmPost = POST,
    }
    identity {
        TokenInvalid = TOKEN_INVALID,
        TokenOneName = TOKEN_ONE_NAME,
        AuthRefused = REFUSED,
        AuthStale = STALE,
        AuthTokenRefused = TOKEN_REFUSED,
        AuthRead = READ,
        AuthWrite = WRITE,
        AuthOwner = OWNER,
        AuthQuota = QUOTA,
    }
    transfer {
        ReadError = READ_ERROR,
        ReadMisrouted = READ_MISROUTED,
        WriteLocation = WRITE_LOCATION,
        WriteReadOnly = WRITE_READ_ONLY,
        WritePatch = WRITE_PATCH,
        RouteChunked = CHUNKED,
        WriteCancel = WRITE_CANCEL,
    }
    limits {
        LimitSize = SIZE,
        LimitSizeApp = SIZE_APP,
        LimitReadTimeout = READ_TIMEOUT,
        LimitIdleTimeout = IDLE_TIMEOUT,
        LimitAnswerTimeout = ANSWER_TIMEOUT,
        LimitBuffering = BUFFERING,
    }
    cluster {
        ReleaseNone = RELEASE_NONE,
        ReleaseUnfinished = RELEASE_UNFINISHED,
        ReleaseRollout = RELEASE_ROLLOUT,
        DatabaseDown = DATABASE_DOWN,
        StorageEphemeral = STORAGE_EPHEMERAL,
        RouteAbsent = ROUTE_ABSENT,
        RouteBackend = ROUTE_BACKEND,
        TlsSecret = TLS_SECRET,
        TlsIssue = TLS_ISSUE,
        TlsRoute = TLS_ROUTE,
        AppRootUrl = APP_ROOT_URL,
        AppUnits = APP_UNITS,
        ReleaseTwice = RELEASE_TWICE,
        ReleaseNamespace = RELEASE_NAMESPACE,
        ReleaseDrift = RELEASE_DRIFT,
        BackupNone = BACKUP_NONE,
        BackupPartly = BACKUP_PARTLY,
        BackupFailed = BACKUP_FAILED,
        DatabaseBackup = DATABASE_BACKUP,
        StorageNode = STORAGE_NODE,
        StorageFills = STORAGE_FILLS,
        RouteNodePort = ROUTE_NODE_PORT,
        ClusterRight = RIGHT,
        AppImplicit = APP_IMPLICIT,
        StorageShared = STORAGE_SHARED,
    }
}

impl Code {
    /// The code of this text; case does not count.
    pub fn find(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(text.trim()))
    }

    /// `RH-ROUTE-404`.
    pub fn as_str(self) -> &'static str {
        self.story().code
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_there_once_with_its_whole_story() {
        let mut texts = BTreeSet::new();
        let mut titles = BTreeSet::new();
        for code in Code::ALL {
            let Story { code, title, hop, seen, why, who, mend, check, .. } = code.story();
            assert!(texts.insert(*code) && titles.insert(*title), "{code} twice");
            assert!(code.starts_with("RH-") && code.len() > 5, "{code}");
            assert!(!title.contains('\n') && !title.ends_with('.') && title.len() < 90, "{code}: {title}");
            for text in [seen, why, who, mend, check] {
                assert!(text.len() > 15 && text.ends_with('.'), "{code}: {text}");
            }
            assert!(!hop.is_empty(), "{code}");
        }
    }

    #[test]
    fn a_code_is_found_whatever_its_case() {
        assert_eq!(Code::find(" rh-route-404"), Some(Code::Route404));
        assert_eq!(Code::find("RH-ROUTE-405"), None);
    }
}
