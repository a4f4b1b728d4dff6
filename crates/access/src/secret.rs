//! The secret of a token: `rh_`, 43 characters of base 62 that carry 256 random bits, and 6 that check them.
//!
//! The prefix and the check let a scanner of leaked secrets know one without asking, and spare the catalog a look-up
//! for what was mistyped. The check is no protection: whoever reads this file can compute it.
//!
//! Invariant: the catalog has only the SHA-256 of the whole text. A slow hash would add nothing to 256 random bits.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};

use crate::{Error, Result};

/// How every token begins.
pub const PREFIX: &str = "rh_";
/// Characters that carry the random bits: 62^43 is just above 2^256.
const BODY: usize = 43;
/// Characters that check them.
const CHECK: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new secret from the system's random numbers.
pub(crate) fn generate() -> Result<SecretString> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(Error::Random)?;
    let body = base62::<BODY>(&bytes);
    Ok(format!("{PREFIX}{body}{}", check(&body)).into())
}

/// Whether `text` has the form of a token's secret, its check included.
pub fn is_token(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(PREFIX) else { return false };
    if rest.len() != BODY + CHECK || !rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return false;
    }
    let (body, end) = rest.split_at(BODY);
    check(body) == end
}

/// What the catalog knows the token by.
pub(crate) fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// The same, for a secret just made.
pub(crate) fn hash_of(secret: &SecretString) -> [u8; 32] {
    hash(secret.expose_secret())
}

fn check(body: &str) -> String {
    let digest = Sha256::new().chain_update("railhead token check\0").chain_update(body).finalize();
    // The first 32 bits, as in a CRC; 62^6 is above 2^32.
    base62::<CHECK>(&digest[..4])
}

/// `number`, big-endian, in `LENGTH` digits of base 62. The caller chooses a length that holds it.
fn base62<const LENGTH: usize>(number: &[u8]) -> String {
    let mut number = number.to_vec();
    let mut digits = [0; LENGTH];
    for digit in digits.iter_mut().rev() {
        let mut rest = 0;
        for byte in &mut number {
            let value = rest << 8 | u16::from(*byte);
            // Below 256, because `rest` is below 62.
            *byte = (value / 62) as u8;
            rest = value % 62;
        }
        *digit = ALPHABET[usize::from(rest)];
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_new_secret_has_the_form_and_is_another_each_time() {
        let (first, second) = (generate().unwrap(), generate().unwrap());
        assert_ne!(first.expose_secret(), second.expose_secret());
        assert_eq!(first.expose_secret().len(), 52);
        assert!(is_token(first.expose_secret()));
        assert!(!format!("{first:?}").contains(first.expose_secret()));
    }

    #[test]
    fn base62_is_positional() {
        assert_eq!(base62::<6>(&[0, 0, 0, 0]), "000000");
        assert_eq!(base62::<6>(&[0, 0, 0, 62]), "000010");
        assert_eq!(base62::<6>(&[255, 255, 255, 255]), "4gfFC3");
        assert_eq!(base62::<43>(&[255; 32]).len(), 43);
    }

    proptest! {
        #[test]
        fn one_wrong_character_is_seen(at in 3_usize..52, other in "[0-9A-Za-z]") {
            let secret = generate().unwrap();
            let mut changed = secret.expose_secret().to_owned();
            changed.replace_range(at..=at, &other);
            prop_assert_eq!(is_token(&changed), changed == secret.expose_secret());
        }

        #[test]
        fn no_text_makes_the_check_panic(text: String) {
            prop_assert!(!is_token(&text));
            let _ = is_token(&format!("rh_{text}"));
        }
    }
}
