//! Errors of the system and of libraries, sorted into the kinds of a record.

use std::error::Error as _;
use std::io::{self, ErrorKind};

use rustls::{AlertDescription, Error as TlsError};

use super::record::{Broke, Broken};

impl Broken {
    pub(super) fn new(kind: Broke, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }
}

/// Bytes as text that has neither control characters nor anything but ASCII.
pub(super) fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// Why a name has no address. The standard library tells the cases apart by their words only.
pub(super) fn resolving(name: &str, error: &io::Error) -> Broken {
    let text = error.to_string();
    let unknown = ["not known", "No address associated", "does not resolve", "nodename nor servname"];
    let kind = if unknown.iter().any(|words| text.contains(words)) {
        Broke::NameUnknown
    } else {
        Broke::NameService
    };
    Broken::new(kind, format!("{name}: {text}"))
}

/// Why a connection was not made.
pub(super) fn connecting(error: &io::Error) -> Broken {
    let kind = match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => Broke::Refused,
        ErrorKind::TimedOut => Broke::ConnectTimeout,
        // The rest are addresses that this machine has no way to: no network, a family that it lacks, a broadcast.
        _ => Broke::Unreachable,
    };
    Broken::new(kind, error.to_string())
}

/// Why a handshake failed. `first` is what the other side sent, `certificate_wanted` whether it asked for one of ours.
pub(super) fn handshaking(error: &io::Error, first: &[u8], certificate_wanted: bool) -> Broken {
    if is_foreign(first) {
        return Broken::new(Broke::NotTls, shown(first));
    }
    match tls_error(error) {
        Some(cause) => of_tls(cause, certificate_wanted),
        None => closed(error, certificate_wanted),
    }
}

/// Why an exchange has no answer. `first` is what came of the answer.
pub(super) fn exchanging(error: &hyper::Error, first: &[u8], certificate_wanted: bool) -> Broken {
    let system = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    if let Some(cause) = system.and_then(tls_error) {
        // A server that speaks TLS 1.3 judges the client's certificate after the client believes the handshake done.
        return of_tls(cause, certificate_wanted && first.is_empty());
    }
    // hyper has a name for this case for servers only.
    if error.is_parse() && error.to_string().contains("too large") {
        return head_too_large();
    }
    if error.is_parse() || (!first.is_empty() && !first.starts_with(b"HTTP/1.")) {
        return Broken::new(Broke::NotHttp, shown(first));
    }
    match system {
        Some(error) => closed(error, certificate_wanted && first.is_empty()),
        None => of_close(error.to_string(), certificate_wanted && first.is_empty()),
    }
}

/// The head of an answer is larger than its bound.
pub(super) fn head_too_large() -> Broken {
    Broken::new(Broke::HeadTooLarge, "the head of the answer does not end within 64 KiB")
}

/// A TLS record has a known type and the major version 3; anything else was not written by TLS.
fn is_foreign(first: &[u8]) -> bool {
    match first {
        [] => false,
        [kind] => !(20..=24).contains(kind),
        [kind, major, ..] => !(20..=24).contains(kind) || *major != 3,
    }
}

fn tls_error(error: &io::Error) -> Option<&TlsError> {
    error.get_ref()?.downcast_ref()
}

fn of_tls(error: &TlsError, certificate_wanted: bool) -> Broken {
    let kind = match error {
        TlsError::AlertReceived(alert) => match alert {
            AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity => Broke::TlsVersion,
            AlertDescription::UnrecognisedName => Broke::TlsName,
            AlertDescription::CertificateRequired => Broke::TlsClientCertificate,
            // Before TLS 1.3 there was no alert of its own for a certificate that is missing.
            _ if certificate_wanted => Broke::TlsClientCertificate,
            _ => Broke::TlsHandshake,
        },
        TlsError::PeerIncompatible(_) => Broke::TlsVersion,
        _ => Broke::TlsHandshake,
    };
    Broken::new(kind, error.to_string())
}

fn closed(error: &io::Error, certificate_wanted: bool) -> Broken {
    of_close(error.to_string(), certificate_wanted)
}

fn of_close(detail: String, certificate_wanted: bool) -> Broken {
    let kind = if certificate_wanted { Broke::TlsClientCertificate } else { Broke::Closed };
    Broken::new(kind, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_name_service_says_is_told_from_a_name_that_is_not_there() {
        for (words, kind) in [
            ("failed to lookup address information: Name or service not known", Broke::NameUnknown),
            ("failed to lookup address information: No address associated with hostname", Broke::NameUnknown),
            (
                "failed to lookup address information: Temporary failure in name resolution",
                Broke::NameService,
            ),
        ] {
            assert_eq!(resolving("h", &io::Error::other(words)).kind, kind, "{words}");
        }
    }

    #[test]
    fn records_of_tls_are_told_from_everything_else() {
        for own in [&b"\x15\x03\x01\x00\x02\x02\x46"[..], b"\x16", b""] {
            assert!(!is_foreign(own), "{own:?}");
        }
        for foreign in [&b"HTTP/1.1 400 Bad Request"[..], b"SSH-2.0-OpenSSH", b"\x16\x02"] {
            assert!(is_foreign(foreign), "{foreign:?}");
        }
    }
}
