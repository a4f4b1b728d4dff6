//! What a client meets on its way to a registry, written down hop by hop.
//!
//! [`Walker::walk`] takes one [`Route`] from the name to the cancelled upload and gives a [`Walk`]: every hop with its
//! time, the address, the status, the headers that matter, and the first bytes of the body. It judges nothing; what the
//! record means is said elsewhere.
//!
//! Order of the hops: resolve, connect, TLS, `/v2/`, challenge, realm, token without credentials, token with them,
//! authenticated `/v2/`, read, write. A hop that cannot be taken because of an earlier one is [`Step::Skipped`] and names it.
//!
//! Invariants:
//! - A certificate that does not verify is written down and the walk goes on to see what is behind it, but no credential
//!   is sent over that connection, nor to a host that a redirect or a foreign realm names.
//! - Secrets are replaced where they are read: no [`Walk`] ever holds a token, a password, or a cookie's value.
//! - Every read has a bound in bytes, every hop one in time, so that a hostile server costs no more than a slow one.

mod broke;
mod certificate;
mod course;
mod exchange;
mod limits;
mod line;
mod paced;
mod probe;
mod reach;
mod realm;
mod record;
mod redact;
mod redirect;
mod rename;
mod route;
mod scrub;
mod settings;
mod step;
mod tap;
mod tls;
mod token;
mod transfer;
mod trust;
mod walker;

pub use certificate::certificates;
pub use record::{
    Answered, Attempt, Behind, Broke, Broken, CertificateSeen, Challenged, Connected, Hop, Limits, RealmSeen,
    Redirect, Resolved, SizeLimit, Slow, Step, TlsProblem, TlsSeen, TokenSeen, Walk, WriteSeen,
};
pub use redact::without_patterns;
pub use route::{Route, RouteError};
pub use settings::{LimitSettings, Settings};
pub use walker::Walker;
