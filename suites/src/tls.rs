//! A certificate authority for one test, and the server's certificate made by it.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};

/// A name that clients may use for the server and that no resolver but a test's own knows.
pub const TEST_HOST: &str = "registry.test";

/// The authority's certificate and the server's, as PEM files.
pub struct TestCa {
    directory: PathBuf,
}

impl TestCa {
    /// Makes both in `directory`. The server's certificate is for the loopback addresses, `localhost` and [`TEST_HOST`].
    pub fn make(directory: &Path) -> Self {
        fs::create_dir_all(directory).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Railhead test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let names = ["localhost", "127.0.0.1", "::1", TEST_HOST].map(str::to_owned).to_vec();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let ca = Self { directory: directory.to_owned() };
        fs::write(ca.ca_file(), issuer.pem()).unwrap();
        fs::write(ca.certificate(), certificate.pem()).unwrap();
        fs::write(ca.key(), key.serialize_pem()).unwrap();
        ca
    }

    /// The directory with `ca.crt` alone in it, in the form of docker's `certs.d` and of `--cert-dir`.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The authority's certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.directory.join("ca.crt")
    }

    /// The server's certificate.
    pub fn certificate(&self) -> PathBuf {
        self.directory.join("server.pem")
    }

    /// The server's private key.
    pub fn key(&self) -> PathBuf {
        self.directory.join("server-key.pem")
    }
}
