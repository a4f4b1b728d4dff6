//! Signs messages as the Standard Webhooks specification says: HMAC-SHA256 over id, time and the exact body.

use std::fmt;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::HubError;

/// The lengths of a key, in bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;
/// What may stand before a key.
const PREFIX: &str = "whsec_";
/// How many keys a file may have: the one that goes and the one that comes, and one for a mistake.
const MOST: usize = 3;

/// The keys of a site; every message is signed with each.
pub struct Keys(Vec<Hmac<Sha256>>);

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.0.len())
    }
}

impl Keys {
    /// Reads the file at `path`: one key a line, in base64.
    pub fn read(path: &Path) -> Result<Self, HubError> {
        let wrong = |what: String| HubError::Key { path: path.to_owned(), what };
        let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        Self::parse(&text).map_err(wrong)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut keys = Vec::new();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let line = line.trim();
            let bytes = STANDARD.decode(line.strip_prefix(PREFIX).unwrap_or(line)).unwrap_or_default();
            let key = Hmac::new_from_slice(&bytes).ok().filter(|_| LENGTHS.contains(&bytes.len()));
            keys.push(key.ok_or_else(|| format!("line {} is not 24 to 64 bytes in base64", at + 1))?);
        }
        match keys.len() {
            0 => Err("it has no key".to_owned()),
            1..=MOST => Ok(Self(keys)),
            many => Err(format!("it has {many} keys, and every message would be signed with each")),
        }
    }

    /// The value of the header `webhook-signature`.
    pub fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let one = |key: &Hmac<Sha256>| {
            let mut mac = key.clone();
            mac.update(format!("{id}.{seconds}.").as_bytes());
            mac.update(body);
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        };
        self.0.iter().map(one).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_signed_as_the_specification_says() {
        // The vector that the specification's own libraries are tested with.
        let keys = Keys::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let signed = keys.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b"{\"test\": 2432232314}");
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let other = STANDARD.encode([7; 32]);
        let both = Keys::parse(&format!("\nMfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n\n{other}\n")).unwrap();
        let twice = both.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b"{\"test\": 2432232314}");
        assert_eq!(twice.split(' ').next(), Some(signed.as_str()));
        assert_eq!(twice.split(' ').count(), 2);
        assert_ne!(both.sign("a", 1, b"b"), both.sign("a", 2, b"b"));
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        let short = STANDARD.encode([1; 23]);
        for (text, what) in [
            ("", "it has no key"),
            ("  \n\n", "it has no key"),
            ("geheim geheim", "line 1 is not 24 to 64 bytes"),
            (short.as_str(), "line 1 is not"),
            ("\nwhsec_%%%%\n", "line 2 is not"),
        ] {
            let error = Keys::parse(text).unwrap_err();
            assert!(error.contains(what), "{text}: {error}");
            assert!(!error.contains("geheim"), "{error}");
        }
        let many = format!("{0}\n{0}\n{0}\n{0}\n", STANDARD.encode([1; 32]));
        assert!(Keys::parse(&many).unwrap_err().contains("4 keys"));
        assert_eq!(format!("{:?}", Keys::parse(&STANDARD.encode([1; 32])).unwrap()), "Keys(1)");
    }
}
