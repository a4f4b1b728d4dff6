//! What was shown to the forge, sealed into a bearer token.
//!
//! A bearer token has to end when the forge's token does, so whoever is shown it must be able to ask the forge again: this
//! server after a restart, or another replica. The client that carries it has the secret anyway; for everybody else it is
//! ChaCha20-Poly1305 under a key that is derived from the one that signs.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use railhead_forge::Login;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use secrecy::ExposeSecret as _;
use sha2::Sha256;

use crate::{Error, Result};

const PURPOSE: &str = "railhead login at the forge";

pub(crate) struct Seal(LessSafeKey);

impl Seal {
    /// The seal that goes with the key of bearer tokens.
    pub fn new(key: &[u8; 32]) -> Result<Self> {
        let mut block = [0; 64];
        block[..32].copy_from_slice(key);
        let derived = Hmac::<Sha256>::new(&block.into()).chain_update(PURPOSE).finalize().into_bytes();
        let key = UnboundKey::new(&CHACHA20_POLY1305, &derived);
        key.map(LessSafeKey::new)
            .map(Self)
            .map_err(|_| Error::Corrupt("a key of 32 bytes is not one".to_owned()))
    }

    /// What only [`Self::open`] reads.
    pub fn close(&self, login: &Login) -> Result<String> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(Error::Random)?;
        let mut text = format!("{}\0{}", login.name, login.secret.expose_secret()).into_bytes();
        let sealed = self.0.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(PURPOSE.as_bytes()),
            &mut text,
        );
        sealed.map_err(|_| Error::Invalid("the login is too long to be sealed".to_owned()))?;
        Ok(BASE64.encode([&nonce[..], &text].concat()))
    }

    /// What was closed with the same key.
    pub fn open(&self, sealed: &str) -> Option<Login> {
        let bytes = BASE64.decode(sealed).ok()?;
        let (nonce, rest) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let mut rest = rest.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let text = self.0.open_in_place(nonce, Aad::from(PURPOSE.as_bytes()), &mut rest).ok()?;
        let (name, secret) = std::str::from_utf8(text).ok()?.split_once('\0')?;
        Some(Login::new(name.to_owned(), secret.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_read_with_the_same_key_only() {
        let seal = Seal::new(&[7; 32]).unwrap();
        let sealed = seal.close(&Login::new("bob".to_owned(), "hunter2:\0x".into())).unwrap();
        assert!(
            !sealed.contains("hunter2")
                && sealed != seal.close(&Login::new("bob".to_owned(), "hunter2:\0x".into())).unwrap()
        );
        let opened = seal.open(&sealed).unwrap();
        assert_eq!((opened.name.as_str(), opened.secret.expose_secret()), ("bob", "hunter2:\0x"));
        assert!(Seal::new(&[8; 32]).unwrap().open(&sealed).is_none());
        let mut changed = sealed.clone().into_bytes();
        changed[30] ^= 1;
        assert!(seal.open(std::str::from_utf8(&changed).unwrap()).is_none());
        assert!(seal.open("").is_none() && seal.open("AAAA").is_none());
    }
}
