//! A handshake that goes on whatever the certificate is, and writes down what clients have against it.
//!
//! That is safe because of what is done with the connection: [`super::line::Line`] refuses to carry a credential when
//! there is anything against it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, ProtocolVersion, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::broke;
use super::certificate::{Shown, judge, read_all};
use super::record::{Broke, Broken, CertificateSeen, TlsProblem, TlsSeen};
use super::tap::Tap;
use super::trust::Authorities;

/// What a handshake gave.
pub(super) struct Shaken {
    pub(super) stream: TlsStream<Tap<TcpStream>>,
    pub(super) seen: TlsSeen,
    /// The server asked for a certificate of the client, which has none.
    pub(super) certificate_wanted: bool,
}

/// Shakes hands as `host`.
pub(super) async fn handshake(
    tcp: TcpStream,
    host: &str,
    authorities: Arc<Authorities>,
) -> Result<Shaken, Broken> {
    let name = ServerName::try_from(host.to_owned()).map_err(|error| {
        Broken::new(Broke::TlsHandshake, format!("'{host}' cannot be asked for: {error}"))
    })?;
    let witness = Arc::new(Witness::new(authorities));
    let config = config(&witness).map_err(|error| Broken::new(Broke::TlsHandshake, error.to_string()))?;
    let tap = Tap::new(tcp);
    let first = tap.first();
    let shaken = TlsConnector::from(Arc::new(config)).connect(name, tap).await;
    let notes = witness.notes();
    let stream =
        shaken.map_err(|error| broke::handshaking(&error, &first.bytes(), notes.certificate_wanted))?;
    let (_, connection) = stream.get_ref();
    let seen = TlsSeen {
        version: version(connection.protocol_version()),
        alpn: connection.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
        chain: notes.chain,
        problems: notes.problems.into_iter().collect(),
    };
    Ok(Shaken { stream, seen, certificate_wanted: notes.certificate_wanted })
}

fn version(version: Option<ProtocolVersion>) -> String {
    match version {
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2".to_owned(),
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3".to_owned(),
        other => format!("{other:?}"),
    }
}

fn config(witness: &Arc<Witness>) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(witness.clone())
        .with_client_cert_resolver(witness.clone());
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A resumed session shows no certificate.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Sees what the other side shows and wants, and lets it pass.
#[derive(Debug)]
struct Witness {
    authorities: Arc<Authorities>,
    algorithms: WebPkiSupportedAlgorithms,
    notes: Mutex<Notes>,
}

#[derive(Clone, Debug, Default)]
struct Notes {
    chain: Vec<CertificateSeen>,
    problems: BTreeSet<TlsProblem>,
    certificate_wanted: bool,
}

impl Witness {
    fn new(authorities: Arc<Authorities>) -> Self {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        Self { authorities, algorithms, notes: Mutex::default() }
    }

    fn notes(&self) -> Notes {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, change: impl FnOnce(&mut Notes)) {
        change(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A server that cannot prove that it has the key of its certificate is seen as well, not only turned away.
    fn proven(&self, result: &Result<HandshakeSignatureValid, rustls::Error>) -> HandshakeSignatureValid {
        if result.is_err() {
            self.note(|notes| {
                notes.problems.insert(TlsProblem::Invalid);
            });
        }
        HandshakeSignatureValid::assertion()
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let sent: Vec<CertificateDer<'_>> = std::iter::once(own).chain(others).cloned().collect();
        let problems = judge(&Shown {
            sent: &sent,
            name,
            authorities: &self.authorities,
            algorithms: self.algorithms,
            now: Timestamp::now(),
        });
        self.note(|notes| {
            notes.chain = read_all(&sent);
            notes.problems.extend(problems);
        });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(self.proven(&verify_tls12_signature(message, certificate, signed, &self.algorithms)))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(self.proven(&verify_tls13_signature(message, certificate, signed, &self.algorithms)))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ResolvesClientCert for Witness {
    /// Called when the server asks for a certificate.
    fn resolve(&self, _issuers: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.note(|notes| notes.certificate_wanted = true);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}
