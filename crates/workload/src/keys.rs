//! An issuer's keys (RFC 7517), and checking a signature with one. What is not understood is passed over: an issuer may have
//! keys for others.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::Value;

use crate::jwt::Token;
use crate::{Refusal, short, wrong};

/// Keys of one issuer that are kept.
const KEYS_MAX: usize = 100;

#[derive(Debug, Deserialize)]
struct Document {
    keys: Vec<Value>,
}

#[derive(Debug, Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// A key, which is for one algorithm.
#[derive(Debug)]
pub(crate) struct Key {
    id: Option<String>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl Kind {
    const fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa { .. } => "RS256",
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    fn read(jwk: &Jwk) -> Option<Self> {
        let part = |text: &Option<String>| BASE64.decode(text.as_deref()?.trim_end_matches('=')).ok();
        match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => Some(Self::Rsa { n: part(&jwk.n)?, e: part(&jwk.e)? }),
            ("EC", Some("P-256")) => {
                let (x, y) = (part(&jwk.x)?, part(&jwk.y)?);
                // The uncompressed point of SEC 1.
                (x.len() == 32 && y.len() == 32).then(|| Self::P256([&[4][..], &x, &y].concat()))
            }
            ("OKP", Some("Ed25519")) => part(&jwk.x).map(Self::Ed25519),
            _ => None,
        }
    }

    fn verify(&self, signed: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature).is_ok()
            }
            Self::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature).is_ok()
            }
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(signed, signature).is_ok(),
        }
    }
}

/// The keys of an issuer.
#[derive(Debug, Default)]
pub(crate) struct Keys(Vec<Key>);

/// What the keys say to a token.
pub(crate) enum Checked {
    /// It is the issuer's.
    Signed,
    /// No key has its id: the issuer may have a new one.
    UnknownKey,
}

impl Keys {
    /// Reads a key set; one without any key that can be used is none.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let document: Document =
            serde_json::from_slice(bytes).map_err(|error| format!("not a JSON Web Key Set: {error}"))?;
        let keys = document.keys.into_iter().take(KEYS_MAX).filter_map(|value| {
            let jwk: Jwk = serde_json::from_value(value).ok()?;
            if jwk.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
                return None;
            }
            Some(Key { kind: Kind::read(&jwk)?, id: jwk.kid })
        });
        let keys: Vec<_> = keys.collect();
        if keys.is_empty() {
            return Err("a key set without a key for RS256, ES256 or EdDSA".to_owned());
        }
        Ok(Self(keys))
    }

    /// Checks a token's signature.
    pub fn check(&self, token: &Token) -> Result<Checked, Refusal> {
        let algorithm = token.header.alg.as_str();
        if !matches!(algorithm, "RS256" | "ES256" | "EdDSA") {
            let named = short(algorithm);
            return Err(wrong(format!("the token is signed by '{named}'; RS256, ES256 and EdDSA are taken")));
        }
        let wanted = token.header.kid.as_deref();
        let mut candidates =
            self.0.iter().filter(|key| wanted.is_none() || key.id.as_deref() == wanted).peekable();
        if candidates.peek().is_none() {
            return Ok(Checked::UnknownKey);
        }
        let signed = candidates
            .filter(|key| key.kind.algorithm() == algorithm)
            .any(|key| key.kind.verify(token.signed.as_bytes(), &token.signature));
        if signed { Ok(Checked::Signed) } else { Err(wrong("the token's signature is not its issuer's")) }
    }
}
