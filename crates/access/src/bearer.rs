//! Bearer tokens: JSON Web Tokens (RFC 7519) signed with HMAC-SHA-256, as docker's token specification wants them.
//!
//! Only this server reads what it signed, so the header is one fixed text: it is compared, not parsed, and a token
//! cannot choose an algorithm. The key is 32 random bytes that all replicas share through the catalog.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use railhead_catalog::Timestamp;
use railhead_oci::{Actions, Scope};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::TokenScope;

/// `{"alg":"HS256","typ":"JWT"}`
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
/// A token from a replica whose clock is ahead by so much is taken.
const CLOCK_SKEW_SECONDS: i64 = 60;

/// What a bearer token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// The service that made it.
    pub iss: String,
    /// The service it is for; the same.
    pub aud: String,
    /// The account's name, empty for nobody. For people who read logs: `uid` counts.
    pub sub: String,
    /// A name of this very token, for the audit.
    pub jti: String,
    /// Made at, Unix seconds, as the next two.
    pub iat: i64,
    /// Not to be used before.
    pub nbf: i64,
    /// Not to be used from then on.
    pub exp: i64,
    /// What it grants.
    pub access: Vec<Access>,
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<i64>,
    /// The Railhead token that it was asked with: revoked with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tid: Option<i64>,
    /// A mark of the password that it was asked with: a new password ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pwm: Option<String>,
    /// What was shown to the forge, sealed: a revoked token of the forge ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frg: Option<String>,
    /// The workload that it is of. It was checked when this was made, and its end is this one's too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrk: Option<Workload>,
}

/// A workload in a bearer token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Workload {
    /// The rules that fitted, and its subject.
    pub name: String,
    /// What it may do.
    pub grants: Vec<TokenScope>,
}

/// One entry of a bearer token's `access`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Access {
    /// `repository` or `registry`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The repository, or `catalog`.
    pub name: String,
    /// What may be done there.
    pub actions: Vec<String>,
}

impl From<&Scope> for Access {
    fn from(scope: &Scope) -> Self {
        let (kind, name, actions) = match scope {
            Scope::Repository { name, actions } => (
                "repository",
                name.as_str(),
                actions.iter().map(|action| action.as_str().to_owned()).collect(),
            ),
            Scope::Catalog => ("registry", "catalog", vec!["*".to_owned()]),
        };
        Self { kind: kind.to_owned(), name: name.to_owned(), actions }
    }
}

impl Access {
    /// What it grants; none when it was written by a release that knew more.
    pub fn scope(&self) -> Option<Scope> {
        match (self.kind.as_str(), self.name.as_str()) {
            ("repository", name) => {
                let actions = Actions::parse(&self.actions.join(","));
                Some(Scope::Repository { name: name.parse().ok()?, actions })
            }
            ("registry", "catalog") => Some(Scope::Catalog),
            _ => None,
        }
    }
}

/// The key that signs.
#[derive(Clone)]
pub(crate) struct Key(Hmac<Sha256>);

impl Key {
    /// A key from its bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        // The inherent constructor takes a whole block, so the key is padded here, as RFC 2104 does.
        let mut block = [0; 64];
        block[..32].copy_from_slice(bytes);
        Self(Hmac::new(&block.into()))
    }

    /// The token that says `claims`.
    pub fn sign(&self, claims: &Claims) -> Result<String, serde_json::Error> {
        let mut token = format!("{HEADER}.{}", BASE64.encode(serde_json::to_vec(claims)?));
        let signature = self.0.clone().chain_update(&token).finalize().into_bytes();
        token.push('.');
        BASE64.encode_string(signature, &mut token);
        Ok(token)
    }

    /// What `token` says, when this key signed it, for `service`, and its time is now.
    pub fn verify(&self, token: &str, service: &str, now: Timestamp) -> Option<Claims> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        if header != HEADER {
            return None;
        }
        // The engine refuses padding and stray bits, so a token has one text only.
        let signature = BASE64.decode(signature).ok()?;
        // Constant time.
        self.0.clone().chain_update(signed).verify_slice(&signature).ok()?;
        let claims: Claims = serde_json::from_slice(&BASE64.decode(payload).ok()?).ok()?;
        let seconds = now.0.div_euclid(1000);
        let valid = claims.iss == service
            && claims.aud == service
            && claims.nbf <= seconds.saturating_add(CLOCK_SKEW_SECONDS)
            && seconds < claims.exp;
        valid.then_some(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn claims() -> Claims {
        Claims {
            iss: "railhead".into(),
            aud: "railhead".into(),
            sub: "alice".into(),
            jti: "1".into(),
            iat: 1000,
            nbf: 1000,
            exp: 1300,
            access: vec![Access {
                kind: "repository".into(),
                name: "a/b".into(),
                actions: vec!["pull".into(), "push".into()],
            }],
            uid: Some(1),
            tid: None,
            pwm: None,
            frg: None,
            wrk: None,
        }
    }

    #[test]
    fn a_signed_token_says_what_was_signed_in_its_time() {
        let key = Key::new(&[7; 32]);
        let token = key.sign(&claims()).unwrap();
        assert_eq!(key.verify(&token, "railhead", NOW), Some(claims()));
        assert_eq!(key.verify(&token, "railhead", Timestamp(1_299_999)), Some(claims()));
        assert_eq!(key.verify(&token, "railhead", Timestamp(1_300_000)), None, "expired");
        assert_eq!(key.verify(&token, "railhead", Timestamp(900_000)), None, "not yet");
        assert_eq!(key.verify(&token, "other", NOW), None, "another audience");
        assert_eq!(Key::new(&[8; 32]).verify(&token, "railhead", NOW), None, "another key");
    }

    #[test]
    fn the_signature_is_the_one_of_rfc_7515() {
        // RFC 4231, test case 2, proves the padding of the key.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let mac = Key::new(&key).0.chain_update("what do ya want for nothing?").finalize().into_bytes();
        assert_eq!(mac[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        assert_eq!(BASE64.decode(HEADER).unwrap(), br#"{"alg":"HS256","typ":"JWT"}"#);
    }

    #[test]
    fn a_token_cannot_choose_its_algorithm() {
        let key = Key::new(&[7; 32]);
        let payload = BASE64.encode(serde_json::to_vec(&claims()).unwrap());
        for header in [
            r#"{"alg":"none","typ":"JWT"}"#,
            r#"{"alg":"None"}"#,
            r#"{"alg":"HS512","typ":"JWT"}"#,
            r#"{"typ":"JWT","alg":"HS256"}"#,
        ] {
            let signed = format!("{}.{payload}", BASE64.encode(header));
            let signature = BASE64.encode(key.0.clone().chain_update(&signed).finalize().into_bytes());
            assert_eq!(key.verify(&format!("{signed}.{signature}"), "railhead", NOW), None, "{header}");
            assert_eq!(key.verify(&format!("{signed}."), "railhead", NOW), None, "{header} unsigned");
        }
        assert_eq!(key.verify(&format!("{HEADER}.{payload}."), "railhead", NOW), None);
        assert_eq!(key.verify(&format!("{HEADER}.{payload}"), "railhead", NOW), None);
    }

    proptest! {
        #[test]
        fn a_changed_token_is_refused(at: prop::sample::Index, byte in "[-A-Za-z0-9_.=]") {
            let key = Key::new(&[7; 32]);
            let token = key.sign(&claims()).unwrap();
            let at = at.index(token.len());
            let mut changed = token.clone();
            changed.replace_range(at..=at, &byte);
            prop_assert_eq!(key.verify(&changed, "railhead", NOW).is_some(), changed == token);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[ -~]{0,200}") {
            prop_assert_eq!(Key::new(&[7; 32]).verify(&text, "railhead", NOW), None);
        }
    }
}
