//! TLS: a certificate and key that are read again when their files change, or a self-signed one for a first try.
//!
//! Order: [`Certificates::load`] or [`Certificates::self_signed`] → [`Certificates::acceptor`] → a task that calls
//! [`Certificates::reload_if_changed`]. A pair that cannot be used never replaces one that can: the old certificate
//! goes on serving and the reason is logged.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

/// Why a certificate cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds no PEM of the kind wanted.
    #[error("cannot read the {what} in {}", path.display())]
    Read {
        /// What was looked for.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// The certificate file has no certificate.
    #[error("{} holds no certificate", .0.display())]
    Empty(PathBuf),
    /// Key and certificate do not belong together, or the key's kind is unknown.
    #[error("the key in {} does not serve the certificate in {}", key.display(), certificate.display())]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why not.
        #[source]
        source: rustls::Error,
    },
    /// A self-signed certificate cannot be made.
    #[error("cannot make a self-signed certificate")]
    Make(#[source] rcgen::Error),
    /// A self-signed certificate cannot be stored.
    #[error("cannot write {}", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The TLS library refuses the configuration.
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
}

/// When and how large a file was: a change of either means to read it again.
type Stamp = Option<(SystemTime, u64)>;

/// The certificate being served.
#[derive(Clone)]
pub struct Certificates(Arc<Inner>);

struct Inner {
    certificate: PathBuf,
    key: PathBuf,
    stamps: Mutex<[Stamp; 2]>,
    current: RwLock<Arc<CertifiedKey>>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Certificates {
    /// Reads a certificate chain and its key, both PEM.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let stamps = [stamp(certificate), stamp(key)];
        let current = read_pair(certificate, key)?;
        Ok(Self(Arc::new(Inner {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            stamps: Mutex::new(stamps),
            current: RwLock::new(current),
        })))
    }

    /// Makes a self-signed certificate for `names` in `directory`, or takes up the one made there before.
    pub fn self_signed(directory: &Path, names: &[String]) -> Result<Self, TlsError> {
        let (certificate, key) = (directory.join("cert.pem"), directory.join("key.pem"));
        if !(certificate.exists() && key.exists()) {
            let made = rcgen::generate_simple_self_signed(names.to_vec()).map_err(TlsError::Make)?;
            std::fs::create_dir_all(directory)
                .map_err(|source| TlsError::Write { path: directory.to_owned(), source })?;
            for (path, text) in [(&key, made.signing_key.serialize_pem()), (&certificate, made.cert.pem())] {
                write_private(path, &text)
                    .map_err(|source| TlsError::Write { path: path.clone(), source })?;
            }
        }
        Self::load(&certificate, &key)
    }

    /// Where the certificate is, for clients that have to trust it.
    pub fn certificate_file(&self) -> &Path {
        &self.0.certificate
    }

    /// What accepts connections with it, speaking HTTP/2 and HTTP/1.1.
    pub fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(self.0.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Reads the files again if they changed since the last look. True when a new pair is served.
    pub fn reload_if_changed(&self) -> Result<bool, TlsError> {
        let inner = &*self.0;
        let stamps = [stamp(&inner.certificate), stamp(&inner.key)];
        let mut seen = inner.stamps.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == stamps {
            return Ok(false);
        }
        // Remembered before reading: a broken pair is reported once, not at every look.
        *seen = stamps;
        drop(seen);
        let pair = read_pair(&inner.certificate, &inner.key)?;
        *inner.current.write().unwrap_or_else(PoisonError::into_inner) = pair;
        Ok(true)
    }
}

impl ResolvesServerCert for Inner {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn read_pair(certificate: &Path, key: &Path) -> Result<Arc<CertifiedKey>, TlsError> {
    let read = |what, path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::Read { what, path, source }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(read("certificate", certificate))?;
    if chain.is_empty() {
        return Err(TlsError::Empty(certificate.to_owned()));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(read("private key", key))?;
    let provider = rustls::crypto::ring::default_provider();
    let pair = CertifiedKey::from_der(chain, private, &provider).map_err(|source| TlsError::Pair {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        source,
    })?;
    Ok(Arc::new(pair))
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(certificates: &Certificates) -> Vec<u8> {
        certificates.0.current.read().unwrap().cert[0].to_vec()
    }

    #[test]
    fn a_changed_pair_is_served_and_a_broken_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let names = ["localhost".to_owned()];
        let certificates = Certificates::self_signed(directory.path(), &names).unwrap();
        let first = served(&certificates);
        assert!(!certificates.reload_if_changed().unwrap());

        std::fs::write(directory.path().join("cert.pem"), "broken").unwrap();
        assert!(certificates.reload_if_changed().is_err());
        assert_eq!(served(&certificates), first);

        let other = tempfile::tempdir().unwrap();
        Certificates::self_signed(other.path(), &names).unwrap();
        for file in ["cert.pem", "key.pem"] {
            std::fs::copy(other.path().join(file), directory.path().join(file)).unwrap();
        }
        assert!(certificates.reload_if_changed().unwrap());
        assert_ne!(served(&certificates), first);
    }

    #[test]
    fn the_key_is_for_its_owner_alone_and_is_taken_up_again() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let names = ["localhost".to_owned()];
        let first = served(&Certificates::self_signed(directory.path(), &names).unwrap());
        assert_eq!(served(&Certificates::self_signed(directory.path(), &names).unwrap()), first);
        let mode = std::fs::metadata(directory.path().join("key.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
