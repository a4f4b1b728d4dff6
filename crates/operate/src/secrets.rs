//! The secrets that an act knows, so that none of them gets into what it says or keeps.
//!
//! Answers of a server are quoted in errors, and a server may send a request back to its sender: whatever comes from there
//! goes through [`Secrets::clean`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};

const REDACTED: &str = "[redacted]";
/// A secret that is shorter stands by chance in a text.
const SHORTEST: usize = 6;

/// What must not be shown, in every form in which it is sent.
#[derive(Clone, Default)]
pub struct Secrets(Vec<SecretString>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

impl Secrets {
    /// The secrets of these accounts, each with its user.
    pub fn new<'a>(accounts: impl IntoIterator<Item = (&'a str, &'a SecretString)>) -> Self {
        let mut secrets = Self::default();
        for (user, secret) in accounts {
            secrets.learn(user, secret);
        }
        secrets
    }

    /// From now on, this one too.
    pub fn learn(&mut self, user: &str, secret: &SecretString) {
        let text = secret.expose_secret();
        if text.len() >= SHORTEST {
            self.0.push(STANDARD.encode(format!("{user}:{text}")).into());
            self.0.push(STANDARD.encode(text).into());
            self.0.push(text.to_owned().into());
        }
    }

    /// Whether one of them stands in `text`.
    pub fn stand_in(&self, text: &str) -> bool {
        self.0.iter().any(|secret| text.contains(secret.expose_secret()))
    }

    /// `text` without them.
    pub fn clean(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.expose_secret(), REDACTED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_each_of_its_forms() {
        let secrets = Secrets::new([("kim", &"geheim123".to_owned().into())]);
        for text in ["x geheim123 y", "Basic a2ltOmdlaGVpbTEyMw==", "password: Z2VoZWltMTIz"] {
            assert!(secrets.stand_in(text), "{text}");
            assert!(secrets.clean(text).contains("[redacted]") && !secrets.stand_in(&secrets.clean(text)));
        }
        assert!(!secrets.stand_in("kim"));
    }
}
