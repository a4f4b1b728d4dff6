//! What certificates say, and everything that clients have against them.
//!
//! Validity, name and chain are judged apart from each other, for a certificate may be expired and wrong as well, and
//! who mends only one of both comes back tomorrow.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error as TlsError};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{AuthorityInfoAccessSyntax, SubjectAltName};
use x509_cert::time::Time;

use super::record::{CertificateSeen, TlsProblem};
use super::trust::Authorities;

/// Common names of certificates that a proxy shows when nobody gave it one: Traefik's and ingress-nginx's.
const DEFAULTS: [&str; 2] = ["TRAEFIK DEFAULT CERT", "Kubernetes Ingress Controller Fake Certificate"];
/// `id-ad-caIssuers` (RFC 5280, 4.2.2.1).
const CA_ISSUERS: &str = "1.3.6.1.5.5.7.48.2";

type Certificate = CertificateInner<Raw>;

/// What a server showed, and against what it is held.
pub(super) struct Shown<'a> {
    /// Its certificates as sent, its own first.
    pub(super) sent: &'a [CertificateDer<'a>],
    /// The name that the client asked for.
    pub(super) name: &'a ServerName<'a>,
    /// Whom the client trusts.
    pub(super) authorities: &'a Authorities,
    /// The signatures that the client understands.
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    /// When.
    pub(super) now: Timestamp,
}

/// What the certificates of a text say, which are PEM; what is none is left out.
pub fn certificates(pem: &[u8]) -> Vec<CertificateSeen> {
    let sent: Vec<CertificateDer<'_>> = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect();
    read_all(&sent)
}

/// What every certificate says; one that cannot be read is left out.
pub(super) fn read_all(sent: &[CertificateDer<'_>]) -> Vec<CertificateSeen> {
    sent.iter().filter_map(|der| read(&Certificate::from_der(der).ok()?)).collect()
}

fn read(certificate: &Certificate) -> Option<CertificateSeen> {
    let content = certificate.tbs_certificate();
    let access = content.get_extension::<AuthorityInfoAccessSyntax>().ok().flatten();
    Some(CertificateSeen {
        subject: content.subject().to_string(),
        issuer: content.issuer().to_string(),
        names: names(certificate),
        not_before: instant(content.validity().not_before)?,
        not_after: instant(content.validity().not_after)?,
        self_signed: content.subject() == content.issuer(),
        names_issuer_url: access.is_some_and(|(_, access)| {
            access.0.iter().any(|entry| entry.access_method.to_string() == CA_ISSUERS)
        }),
    })
}

fn names(certificate: &Certificate) -> Vec<String> {
    let Ok(Some((_, names))) = certificate.tbs_certificate().get_extension::<SubjectAltName>() else {
        return Vec::new();
    };
    names.0.iter().filter_map(name).collect()
}

fn name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(bytes) => {
            let bytes = bytes.as_bytes();
            let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
            let address = four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

fn instant(time: Time) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(time.to_unix_duration().as_secs()).ok()?).ok()
}

/// Everything that clients have against what was shown; empty when they trust it.
pub(super) fn judge(shown: &Shown<'_>) -> BTreeSet<TlsProblem> {
    let read = shown.sent.first().and_then(|der| Certificate::from_der(der).ok());
    let seen = read.as_ref().and_then(self::read);
    let (Some(certificate), Some(seen)) = (read, seen) else { return [TlsProblem::Invalid].into() };
    let mut problems = BTreeSet::new();
    if shown.now > seen.not_after {
        problems.insert(TlsProblem::Expired);
    }
    if shown.now < seen.not_before {
        problems.insert(TlsProblem::NotYetValid);
    }
    problems.extend(name_problem(shown, &seen));
    problems.extend(chain_problem(shown, &seen));
    if !problems.is_empty() && is_default(&certificate) {
        // Its other faults are only consequences: it is nobody's certificate.
        return [TlsProblem::DefaultCertificate].into();
    }
    problems
}

fn is_default(certificate: &Certificate) -> bool {
    let name = certificate.tbs_certificate().subject().common_name();
    name.ok().flatten().is_some_and(|name| DEFAULTS.contains(&name.value().as_ref()))
}

fn name_problem(shown: &Shown<'_>, seen: &CertificateSeen) -> Option<TlsProblem> {
    if seen.names.is_empty() {
        return Some(TlsProblem::NoNames);
    }
    let own = shown.sent.first()?;
    let Ok(parsed) = ParsedCertificate::try_from(own) else { return Some(TlsProblem::Invalid) };
    verify_server_name(&parsed, shown.name).err().map(|_| TlsProblem::WrongName)
}

/// What is wrong with who signed it, asked for a time at which the certificate itself is valid.
fn chain_problem(shown: &Shown<'_>, seen: &CertificateSeen) -> Option<TlsProblem> {
    let (own, others) = shown.sent.split_first()?;
    if shown.authorities.has(own) {
        return None;
    }
    let Ok(parsed) = ParsedCertificate::try_from(own) else { return Some(TlsProblem::Invalid) };
    let at = shown.now.clamp(seen.not_before.min(seen.not_after), seen.not_after);
    let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at.as_second()).unwrap_or(0)));
    let verified = verify_server_cert_signed_by_trust_anchor(
        &parsed,
        &shown.authorities.roots,
        others,
        at,
        shown.algorithms.all,
    );
    let TlsError::InvalidCertificate(error) = verified.err()? else { return Some(TlsProblem::Invalid) };
    Some(match error {
        // Its own time was right, so one of those behind it is meant.
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsProblem::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsProblem::NotYetValid
        }
        _ if seen.self_signed => TlsProblem::SelfSigned,
        CertificateError::UnknownIssuer if others.is_empty() && seen.names_issuer_url => {
            TlsProblem::MissingIntermediate
        }
        // An authority that was made anew has the name of the one that is trusted, and another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsProblem::Untrusted,
        _ => TlsProblem::Invalid,
    })
}
