//! Certificates that clients refuse, each for its reason.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use railhead_client::hops::{Broke, TlsProblem, Walk};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, date_time_ymd,
};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::server::{HOST, Server, registry, settings, walk};

/// What a server shows, and its key.
pub type Identity = (Vec<CertificateDer<'static>>, KeyPair);

/// An authority with a file that names it.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
    file: tempfile::TempPath,
}

impl Authority {
    pub fn new() -> Self {
        let (params, key) = (Self::params("root"), KeyPair::generate().unwrap());
        let certificate = params.self_signed(&key).unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(certificate.pem().as_bytes()).unwrap();
        Self { issuer: Issuer::new(params, key), certificate, file: file.into_temp_path() }
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    pub fn file(&self) -> PathBuf {
        self.file.to_path_buf()
    }

    /// A certificate for `host`.
    pub fn issue(&self, host: &str) -> Identity {
        self.sign(&params(host))
    }

    fn sign(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        (vec![params.signed_by(&key, &self.issuer).unwrap().der().clone()], key)
    }

    /// A certificate below an intermediate one, which is sent or not.
    fn sign_below(&self, params: &CertificateParams, is_sent: bool) -> Identity {
        let (middle, middle_key, key) =
            (Self::params("middle"), KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let middle_certificate = middle.signed_by(&middle_key, &self.issuer).unwrap();
        let own = params.signed_by(&key, &Issuer::new(middle, middle_key)).unwrap();
        let mut chain = vec![own.der().clone()];
        if is_sent {
            chain.push(middle_certificate.der().clone());
        }
        (chain, key)
    }
}

fn params(host: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, host);
    params
}

fn self_signed(params: &CertificateParams) -> Identity {
    let key = KeyPair::generate().unwrap();
    (vec![params.self_signed(&key).unwrap().der().clone()], key)
}

/// Authority Information Access with an issuer at `http://ca/i`, as public authorities write it.
fn with_issuer_url(mut params: CertificateParams) -> CertificateParams {
    let url = b"http://ca/i";
    let method = [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02];
    let location = [&[0x86, url.len() as u8], &url[..]].concat();
    let inner = [&method[..], &location].concat();
    let entry = [&[0x30, inner.len() as u8], &inner[..]].concat();
    let content = [&[0x30, entry.len() as u8], &entry[..]].concat();
    params.custom_extensions.push(CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], content));
    params
}

pub fn acceptor((chain, key): Identity) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// Shows the first identity to whoever connects first, and the second to all others, as a cluster half renewed does.
pub fn changing_acceptor(first: Identity, then: Identity) -> TlsAcceptor {
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Changing {
            keys: [certified(first), certified(then)],
            count: AtomicUsize::new(0),
        }));
    TlsAcceptor::from(Arc::new(config))
}

fn certified((chain, key): Identity) -> Arc<CertifiedKey> {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    Arc::new(CertifiedKey::new(chain, any_supported_type(&key).unwrap()))
}

#[derive(Debug)]
struct Changing {
    keys: [Arc<CertifiedKey>; 2],
    count: AtomicUsize,
}

impl ResolvesServerCert for Changing {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.keys[self.count.fetch_add(1, Ordering::Relaxed).min(1)].clone())
    }
}

async fn seen(authority: &Authority, identity: Identity) -> Walk {
    let server = Server::start_tls(acceptor(identity), registry(&format!("https://{HOST}/token"))).await;
    let mut route = server.tls_route();
    route.ca = Some(authority.file());
    walk(settings(), &route).await
}

async fn problems(authority: &Authority, identity: Identity) -> Vec<TlsProblem> {
    let walk = seen(authority, identity).await;
    assert_eq!(walk.registry.seen().unwrap().status, 401, "the walk goes on");
    walk.tls.seen().unwrap().problems.clone()
}

#[tokio::test]
async fn what_is_right_has_no_problem() {
    let authority = Authority::new();
    let walk = seen(&authority, authority.issue(HOST)).await;
    let tls = walk.tls.seen().unwrap();
    assert_eq!(tls.problems, []);
    assert_eq!((tls.version.as_str(), tls.chain.len()), ("TLSv1.3", 1));
    let own = &tls.chain[0];
    assert_eq!((own.subject.as_str(), own.issuer.as_str()), ("CN=git.example.com", "CN=root"));
    assert_eq!((own.names.as_slice(), own.self_signed), (&[HOST.to_owned()][..], false));
    assert_eq!(own.not_after.to_string(), "4096-01-01T00:00:00Z");
    assert_eq!(problems(&authority, authority.sign_below(&params(HOST), true)).await, []);
    assert_eq!(problems(&authority, authority.issue("*.example.com")).await, []);
}

#[tokio::test]
async fn every_fault_has_its_name() {
    let authority = Authority::new();
    let changed = |change: &dyn Fn(&mut CertificateParams)| {
        let mut params = params(HOST);
        change(&mut params);
        authority.sign(&params)
    };
    let old = |params: &mut CertificateParams| params.not_after = date_time_ymd(2020, 1, 1);
    for (identity, expected) in [
        (changed(&old), vec![TlsProblem::Expired]),
        (changed(&|params| params.not_before = date_time_ymd(2990, 1, 1)), vec![TlsProblem::NotYetValid]),
        (changed(&|params| params.subject_alt_names.clear()), vec![TlsProblem::NoNames]),
        (authority.issue("other.example.com"), vec![TlsProblem::WrongName]),
        (authority.sign_below(&with_issuer_url(params(HOST)), false), vec![TlsProblem::MissingIntermediate]),
        (authority.sign_below(&params(HOST), false), vec![TlsProblem::Untrusted]),
        (self_signed(&params(HOST)), vec![TlsProblem::SelfSigned]),
        (Authority::new().issue(HOST), vec![TlsProblem::Untrusted]),
        (
            changed(&|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
            vec![TlsProblem::Invalid],
        ),
    ] {
        assert_eq!(problems(&authority, identity).await, expected);
    }
}

#[tokio::test]
async fn several_faults_are_all_named() {
    let authority = Authority::new();
    let mut params = params("other.example.com");
    params.not_after = date_time_ymd(2020, 1, 1);
    assert_eq!(
        problems(&authority, self_signed(&params)).await,
        [TlsProblem::Expired, TlsProblem::WrongName, TlsProblem::SelfSigned]
    );
    assert_eq!(
        problems(&authority, authority.sign(&params)).await,
        [TlsProblem::Expired, TlsProblem::WrongName]
    );
}

#[tokio::test]
async fn a_proxys_own_certificate_is_nobodys() {
    let authority = Authority::new();
    for name in ["TRAEFIK DEFAULT CERT", "Kubernetes Ingress Controller Fake Certificate"] {
        let mut params = params("x.traefik.default");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        assert_eq!(
            problems(&authority, self_signed(&params)).await,
            [TlsProblem::DefaultCertificate],
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_certificate_that_is_trusted_as_it_is_has_no_problem() {
    // As `openssl req -x509` makes it: its own authority.
    let mut params = params(HOST);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(certificate.pem().as_bytes()).unwrap();
    let identity = (vec![certificate.der().clone()], key);
    let server = Server::start_tls(acceptor(identity), registry(&format!("https://{HOST}/token"))).await;
    let mut route = server.tls_route();
    route.ca = Some(file.path().to_owned());
    assert_eq!(walk(settings(), &route).await.tls.seen().unwrap().problems, []);
}

#[tokio::test]
async fn a_server_that_wants_a_clients_certificate_is_recognised_in_both_versions() {
    let authority = Authority::new();
    for versions in [&[&rustls::version::TLS13][..], &[&rustls::version::TLS12]] {
        let (chain, key) = authority.issue(HOST);
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        let server = Server::start_tls(TlsAcceptor::from(Arc::new(config)), registry("http://unused")).await;
        let mut route = server.tls_route();
        route.ca = Some(authority.file());
        let walk = walk(settings(), &route).await;
        let broke = walk.tls.broke().or(walk.registry.broke()).unwrap();
        assert_eq!(broke.kind, Broke::TlsClientCertificate, "{broke:?}");
    }
}

#[tokio::test]
async fn a_file_of_authorities_that_is_not_there_is_said() {
    let server = Server::start_tls(acceptor(Authority::new().issue(HOST)), registry("http://unused")).await;
    let mut route = server.tls_route();
    route.ca = Some("/nowhere/ca.pem".into());
    let walk = walk(settings(), &route).await;
    let broke = walk.tls.broke().unwrap();
    assert_eq!(broke.kind, Broke::TlsHandshake);
    assert!(broke.detail.contains("/nowhere/ca.pem"), "{broke:?}");
}
