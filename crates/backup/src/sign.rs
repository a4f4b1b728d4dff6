//! Signs the manifest of a backup with Ed25519 (RFC 8032). All else follows: the manifest holds the digest of everything.
//!
//! Keys are in PEM, as `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout` write them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What stands before the 32 bytes of a public key in DER (RFC 8410).
const PUBLIC_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Signs.
pub struct SigningKey(Ed25519KeyPair);

/// Checks what was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey([u8; 32]);

/// The signature beside a manifest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Signature {
    /// The public key, in base64.
    pub key: String,
    /// The signature over the manifest's bytes, in base64.
    pub signature: String,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public())
    }
}

impl SigningKey {
    /// The key in a PEM file.
    pub fn parse(pem: &str) -> Result<Self> {
        let wrong = || Error::Key {
            what: "the signing key is no Ed25519 key in PEM; `openssl genpkey -algorithm ed25519` makes one"
                .into(),
        };
        let der = der(pem, "PRIVATE KEY").ok_or_else(wrong)?;
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map(Self).map_err(|_| wrong())
    }

    /// The public key, in base64.
    pub fn public(&self) -> String {
        STANDARD.encode(self.0.public_key())
    }

    /// Signs.
    pub fn sign(&self, bytes: &[u8]) -> Signature {
        Signature { key: self.public(), signature: STANDARD.encode(self.0.sign(bytes)) }
    }
}

impl VerifyingKey {
    /// The key in a PEM file.
    pub fn parse(pem: &str) -> Result<Self> {
        let der = der(pem, "PUBLIC KEY");
        let key = der.and_then(|der| der.strip_prefix(&PUBLIC_PREFIX)?.try_into().ok()).map(Self);
        key.ok_or_else(|| Error::Key {
            what: "the key to check with is no public Ed25519 key in PEM; `openssl pkey -pubout` writes it"
                .into(),
        })
    }

    /// Whether this key has signed these bytes.
    pub fn accepts(&self, bytes: &[u8], signature: &Signature) -> bool {
        let Ok(signed) = STANDARD.decode(&signature.signature) else { return false };
        UnparsedPublicKey::new(&ED25519, self.0).verify(bytes, &signed).is_ok()
    }
}

fn der(pem: &str, label: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    STANDARD.decode(body.split_whitespace().collect::<String>()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Written by openssl.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIPN1mXUOSXBKTeMpV5hGvUCyyTbPnc3oRBAdKVALDKSW
-----END PRIVATE KEY-----
";

    #[test]
    fn what_was_signed_is_accepted_and_nothing_else() {
        let key = SigningKey::parse(PRIVATE).unwrap();
        let der = [PUBLIC_PREFIX.as_slice(), key.0.public_key().as_ref()].concat();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der));
        let public = VerifyingKey::parse(&pem).unwrap();
        let signature = key.sign(b"manifest");
        assert!(public.accepts(b"manifest", &signature));
        assert!(!public.accepts(b"Manifest", &signature));
        assert!(!VerifyingKey([7; 32]).accepts(b"manifest", &signature));
        assert!(SigningKey::parse(&pem).is_err() && VerifyingKey::parse(PRIVATE).is_err());
    }
}
