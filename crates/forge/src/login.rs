//! What somebody shows to the forge.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

/// What answers about a login are remembered by: its secret cannot be found from it.
pub(crate) type Key = [u8; 32];

/// A name, and a password or a personal access token.
pub struct Login {
    /// The name that was given with it; a forge does not look at it when the secret is a token.
    pub name: String,
    /// The password or token.
    pub secret: SecretString,
    key: Key,
}

impl Login {
    /// What somebody showed.
    pub fn new(name: String, secret: SecretString) -> Self {
        let mut hash = Sha256::new();
        hash.update((name.len() as u64).to_be_bytes());
        hash.update(&name);
        hash.update(secret.expose_secret());
        Self { key: hash.finalize().into(), name, secret }
    }

    pub(crate) const fn key(&self) -> Key {
        self.key
    }

    /// Whether the secret has the form of a personal access token, which cannot be guessed: 40 digits of base 16.
    pub fn is_token(&self) -> bool {
        let secret = self.secret.expose_secret();
        secret.len() == 40 && secret.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }

    pub(crate) fn header(&self) -> Option<HeaderValue> {
        let text = format!("{}:{}", self.name, self.secret.expose_secret());
        let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(text))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("name", &self.name).finish_non_exhaustive()
    }
}
