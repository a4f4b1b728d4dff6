//! Certificates of every kind that a server should not have, and the good one.
//!
//! An [`Authority`] signs what a [`Certificate`] asks for and gives an [`Identity`]: chain and key as the files that proxies read.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// Authority Information Access (RFC 5280, 4.2.2.1).
const AUTHORITY_INFORMATION: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 1];
/// `id-ad-caIssuers` in DER.
const CA_ISSUERS: [u8; 10] = [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02];

/// Who signs.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: PathBuf,
    /// Certificates between this authority and the one that clients trust, its own first.
    intermediates: Vec<rcgen::Certificate>,
    made: AtomicU32,
}

/// What a certificate says.
#[derive(Clone, Debug)]
pub struct Certificate {
    common_name: String,
    names: Vec<String>,
    from_days: i64,
    to_days: i64,
    purpose: ExtendedKeyUsagePurpose,
    issuer_url: Option<String>,
    with_intermediates: bool,
}

/// A certificate with its key.
#[derive(Clone)]
pub struct Identity {
    /// The chain, PEM.
    pub chain: PathBuf,
    /// The key, PEM.
    pub key: PathBuf,
    /// Both in one file, as `HAProxy` reads them.
    pub both: PathBuf,
    /// The server's side of TLS with it.
    pub server: Arc<rustls::ServerConfig>,
}

impl Certificate {
    /// For a server of this name, good for a year.
    pub fn of(name: &str) -> Self {
        Self {
            common_name: name.to_owned(),
            names: vec![name.to_owned()],
            from_days: -30,
            to_days: 335,
            purpose: ExtendedKeyUsagePurpose::ServerAuth,
            issuer_url: None,
            with_intermediates: true,
        }
    }

    /// Only with a common name, as before RFC 2818.
    #[must_use]
    pub fn without_names(mut self) -> Self {
        self.names.clear();
        self
    }

    /// Valid between these days, counted from now.
    #[must_use]
    pub fn valid(mut self, from_days: i64, to_days: i64) -> Self {
        (self.from_days, self.to_days) = (from_days, to_days);
        self
    }

    /// For clients only.
    #[must_use]
    pub fn for_clients(mut self) -> Self {
        self.purpose = ExtendedKeyUsagePurpose::ClientAuth;
        self
    }

    /// The leaf alone, with the place where its issuer's certificate can be had.
    #[must_use]
    pub fn alone(mut self, issuer_url: &str) -> Self {
        self.issuer_url = Some(issuer_url.to_owned());
        self.with_intermediates = false;
        self
    }

    fn params(&self) -> CertificateParams {
        let mut params = CertificateParams::new(self.names.clone()).unwrap();
        params.distinguished_name.push(DnType::CommonName, &self.common_name);
        params.not_before = day(self.from_days).into();
        params.not_after = day(self.to_days).into();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![self.purpose.clone()];
        params.use_authority_key_identifier_extension = true;
        if let Some(url) = &self.issuer_url {
            let content = authority_information(url);
            params.custom_extensions.push(CustomExtension::from_oid_content(AUTHORITY_INFORMATION, content));
        }
        params
    }
}

impl Authority {
    /// A root that keeps its files in `directory`.
    pub fn make(directory: &Path, name: &str) -> Self {
        fs::create_dir_all(directory).unwrap();
        let issuer =
            CertifiedIssuer::self_signed(authority_params(name), KeyPair::generate().unwrap()).unwrap();
        let authority = Self {
            issuer,
            directory: directory.to_owned(),
            intermediates: Vec::new(),
            made: AtomicU32::new(0),
        };
        fs::write(authority.file(), authority.issuer.pem()).unwrap();
        authority
    }

    /// An authority below this one, in a directory of its own.
    pub fn intermediate(&self, name: &str) -> Self {
        let directory = self.directory.join("intermediate");
        fs::create_dir_all(&directory).unwrap();
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::signed_by(authority_params(name), key, &self.issuer).unwrap();
        let mut intermediates = vec![rcgen::Certificate::clone(issuer.as_ref())];
        intermediates.extend(self.intermediates.iter().cloned());
        Self { issuer, directory, intermediates, made: AtomicU32::new(0) }
    }

    /// The root's certificate, PEM: what clients are to trust.
    pub fn file(&self) -> PathBuf {
        self.directory.join("authority.pem")
    }

    /// Signs a certificate with a key of its own.
    pub fn certify(&self, certificate: &Certificate) -> Identity {
        let key = KeyPair::generate().unwrap();
        let leaf = certificate.params().signed_by(&key, &self.issuer).unwrap();
        let mut chain = vec![leaf];
        if certificate.with_intermediates {
            chain.extend(self.intermediates.iter().cloned());
        }
        self.keep(&chain, &key)
    }

    /// A certificate that signs itself; the authority only keeps its files.
    pub fn self_signed(&self, certificate: &Certificate) -> Identity {
        let key = KeyPair::generate().unwrap();
        let leaf = certificate.params().self_signed(&key).unwrap();
        self.keep(&[leaf], &key)
    }

    fn keep(&self, chain: &[rcgen::Certificate], key: &KeyPair) -> Identity {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let file = |what: &str| self.directory.join(format!("{number}-{what}.pem"));
        let pem: String = chain.iter().map(rcgen::Certificate::pem).collect();
        let (chain_file, key_file, both) = (file("chain"), file("key"), file("both"));
        fs::write(&chain_file, &pem).unwrap();
        fs::write(&key_file, key.serialize_pem()).unwrap();
        fs::write(&both, pem + &key.serialize_pem()).unwrap();
        let chain: Vec<CertificateDer<'static>> = chain.iter().map(|one| one.der().clone()).collect();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Identity { chain: chain_file, key: key_file, both, server: Arc::new(server) }
    }
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn day(days: i64) -> SystemTime {
    let distance = Duration::from_hours(24 * days.unsigned_abs());
    let now = SystemTime::now();
    if days < 0 { now - distance } else { now + distance }
}

/// `SEQUENCE { SEQUENCE { caIssuers, [6] url } }`; lengths stay below 128.
fn authority_information(url: &str) -> Vec<u8> {
    let length = |bytes: &[u8]| u8::try_from(bytes.len()).ok().filter(|length| *length < 128).unwrap();
    let mut description = CA_ISSUERS.to_vec();
    description.extend([0x86, length(url.as_bytes())]);
    description.extend(url.bytes());
    let mut inner = vec![0x30, length(&description)];
    inner.extend(description);
    let mut outer = vec![0x30, length(&inner)];
    outer.extend(inner);
    outer
}
