//! Whom clients trust on a route.

use std::path::Path;

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;

use crate::Result;
use crate::connect::certificates;

/// The authorities of a route.
#[derive(Debug)]
pub(super) struct Authorities {
    /// They sign what is trusted.
    pub(super) roots: RootCertStore,
    /// The same as they were given: a server's own certificate among them is trusted as it is, as Go's clients do.
    exact: Vec<CertificateDer<'static>>,
}

impl Authorities {
    /// `system` and those in the PEM file `extra`.
    pub(super) fn new(system: &[CertificateDer<'static>], extra: Option<&Path>) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        // A system's store may have what no verifier reads; that is not this walk's to judge.
        roots.add_parsable_certificates(system.iter().cloned());
        let exact = extra.map(certificates).transpose()?.unwrap_or_default();
        for certificate in &exact {
            roots.add(certificate.clone())?;
        }
        Ok(Self { roots, exact })
    }

    pub(super) fn has(&self, certificate: &CertificateDer<'_>) -> bool {
        self.exact.iter().any(|known| known.as_ref() == certificate.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_an_error_that_names_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Authorities::new(&[], Some(file.path())).unwrap_err().to_string();
        assert!(error.contains(file.path().to_str().unwrap()), "{error}");
    }
}
