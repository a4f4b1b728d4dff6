//! What can go wrong between a client and a registry.

use std::io;
use std::path::PathBuf;

use http::StatusCode;

use crate::OriginError;

/// A result of the client.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a request has no answer, or not the one that was expected.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is not one of a registry.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// No connection could be made.
    #[error("cannot connect to {to}")]
    Connect {
        /// The origin.
        to: String,
        /// Why.
        source: io::Error,
    },
    /// The connection was not made, or the answer did not come, in time.
    #[error("{to} did not answer within {seconds} s")]
    Timeout {
        /// The origin.
        to: String,
        /// The limit.
        seconds: u64,
    },
    /// A file with certificates is of no use.
    #[error("cannot read certificates from {path}")]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// TLS could not be set up at all.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
    /// The connection broke, or what came is not HTTP.
    #[error("the exchange with {to} failed")]
    Exchange {
        /// The origin.
        to: String,
        /// Why.
        source: hyper::Error,
    },
    /// The request cannot be written.
    #[error("the request cannot be made")]
    Request(#[from] http::Error),
    /// The answer is larger than it may be.
    #[error("the answer of {to} is larger than {limit} bytes")]
    TooLarge {
        /// The origin.
        to: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// A body that was sent once, and that would have to be sent again.
    #[error("{to} wants content again that can be sent only once")]
    Spent {
        /// The origin.
        to: String,
    },
    /// A list does not come to an end.
    #[error("{to} lists more than {limit} {what}")]
    Endless {
        /// The origin.
        to: String,
        /// What it lists.
        what: &'static str,
        /// The most that are taken.
        limit: usize,
    },
    /// The answer is not what the protocol promises.
    #[error("{to} answered {status} to {asked}, {what}")]
    Unexpected {
        /// The origin.
        to: String,
        /// What was asked.
        asked: String,
        /// The status.
        status: StatusCode,
        /// What is wrong with it.
        what: String,
    },
    /// The admin API refused or failed, and said why.
    #[error("{}", .0.message)]
    Refused(railhead_api::ErrorDetail),
}

impl Error {
    /// Whether the registry did not answer, or broke off: the same request may go well a moment later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Timeout { .. } | Self::Exchange { .. })
    }
}

/// An error with all its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_told_once_from_the_outside_in() {
        let connect = |source| Error::Connect { to: "https://git.example.com".to_owned(), source };
        let refused = connect(io::Error::other("refused"));
        assert_eq!(chain(&refused), "cannot connect to https://git.example.com: refused");
        let deep = connect(io::Error::other(refused));
        let first = "cannot connect to https://git.example.com";
        assert_eq!(chain(&deep), format!("{first}: {first}: refused"));
    }
}
