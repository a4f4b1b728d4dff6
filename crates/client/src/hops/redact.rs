//! Takes secrets out of what is written down, where it is read.
//!
//! Known secrets are replaced wherever they stand, also when only their beginning was received. What looks like one is
//! replaced too: values of keys such as `token` and `password`, JWTs, and what follows `Basic` and `Bearer`. A server
//! that sends a request back to its sender is so kept from putting credentials into a record.

use std::sync::{Mutex, PoisonError};

use railhead_api::segment;
use secrecy::{ExposeSecret as _, SecretString};

use crate::Credentials;

const REDACTED: &str = "[redacted]";
/// A tail shorter than this is not taken for the beginning of a secret.
const BEGINNING: usize = 4;
/// A word behind `Basic` or `Bearer` that is at least this long is a credential, not prose.
const CREDENTIAL: usize = 16;

/// The secrets of one walk: the account's, and the tokens that it was given.
#[derive(Default)]
pub(super) struct Secrets(Mutex<Vec<SecretString>>);

impl Secrets {
    pub(super) fn of(account: Option<&Credentials>) -> Self {
        let secrets = Self::default();
        if let Some(account) = account {
            let secret = account.secret.expose_secret();
            secrets.learn(account.basic_text().expose_secret());
            secrets.learn(secret);
            secrets.learn(&segment(secret));
        }
        secrets
    }

    /// From now on `secret` is replaced.
    pub(super) fn learn(&self, secret: &str) {
        if !secret.is_empty() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(secret.to_owned().into());
        }
    }

    /// `text` without secrets.
    pub(super) fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            let secret = secret.expose_secret();
            if text.contains(secret) {
                text = text.replace(secret, REDACTED);
            }
            cut_beginning(&mut text, secret);
        }
        without_patterns(&text)
    }

    /// A URL without secrets: parameters that carry them lose their values.
    pub(super) fn url(&self, url: &str) -> String {
        let Some((path, query)) = url.split_once('?') else { return self.clean(url) };
        let parameters: Vec<String> = query
            .split('&')
            .map(|parameter| match parameter.split_once('=') {
                Some((name, _)) if is_secret_parameter(name) => format!("{name}={REDACTED}"),
                _ => parameter.to_owned(),
            })
            .collect();
        self.clean(&format!("{path}?{}", parameters.join("&")))
    }
}

/// What was received may end in the middle of a secret.
fn cut_beginning(text: &mut String, secret: &str) {
    let longest = secret.char_indices().map(|(at, _)| &secret[..at]).rev();
    for beginning in longest.take_while(|beginning| beginning.len() >= BEGINNING) {
        if text.ends_with(beginning) {
            text.truncate(text.len() - beginning.len());
            text.push_str(REDACTED);
            return;
        }
    }
}

/// Whether a key's value is a secret wherever it stands.
fn is_secret_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["token", "password", "passwd", "secret", "signature", "_state"].iter().any(|end| key.ends_with(end))
}

fn is_secret_parameter(name: &str) -> bool {
    is_secret_key(name)
        || ["state", "code", "sig", "nonce", "x-amz-credential"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-')
}

/// `text` without what looks like a secret. Reads word by word; a word decides with what follows whether something is replaced.
pub fn without_patterns(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if !is_word(letter) {
            clean.push(letter);
            rest = &rest[letter.len_utf8()..];
            continue;
        }
        let end = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        if let Some(behind) = behind_jwt(rest) {
            clean.push_str(REDACTED);
            rest = behind;
            continue;
        }
        clean.push_str(word);
        rest = behind;
        let value = if is_secret_key(word) {
            keyed_value(behind)
        } else if word.eq_ignore_ascii_case("basic") || word.eq_ignore_ascii_case("bearer") {
            credential(behind)
        } else {
            None
        };
        if let Some((before, after)) = value {
            clean.push_str(before);
            clean.push_str(REDACTED);
            rest = after;
        }
    }
    clean
}

/// What stands behind a JWT that `text` begins with.
fn behind_jwt(text: &str) -> Option<&str> {
    if !text.starts_with("eyJ") {
        return None;
    }
    let end = text.find(|letter| !is_word(letter) && letter != '.').unwrap_or(text.len());
    let (token, behind) = text.split_at(end);
    (token.len() >= 20 && token.contains('.')).then_some(behind)
}

/// What stands before and behind the value of a key: `"key": "value"`, `key=value`, also quoted within a string.
fn keyed_value(text: &str) -> Option<(&str, &str)> {
    let blank = [' ', '\t', '\r', '\n'];
    let behind_key = text.trim_start_matches(['\\', '"', '\'']).trim_start_matches(blank);
    let separator = behind_key.chars().next().filter(|letter| matches!(letter, ':' | '='))?;
    let marked = behind_key[1..].trim_start_matches(blank);
    let opening = marked.trim_start_matches('\\');
    let (value, end) = match opening.chars().next().filter(|letter| matches!(letter, '"' | '\'')) {
        Some(quote) => (&opening[1..], quoted_end(&opening[1..], quote, opening.len() < marked.len())),
        None if separator == '=' => {
            let ends = ['&', ';', ',', '<', '>', '"', '\'', ' ', '\t', '\r', '\n'];
            (marked, marked.find(ends).unwrap_or(marked.len()))
        }
        // Prose, as in "token: expired".
        None => return None,
    };
    (end > 0).then(|| (&text[..text.len() - value.len()], &value[end..]))
}

/// Where a quoted value ends, or the text if it was cut.
fn quoted_end(value: &str, quote: char, is_within_string: bool) -> usize {
    let mut escaped = false;
    for (at, letter) in value.char_indices() {
        match letter {
            '\\' if is_within_string => return at,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            letter if letter == quote => return at,
            _ => {}
        }
    }
    value.len()
}

/// What stands before and behind the credential of an `Authorization` header.
fn credential(text: &str) -> Option<(&str, &str)> {
    let value = text.trim_start_matches(' ');
    let before = &text[..text.len() - value.len()];
    let letters = |letter: char| letter.is_ascii_alphanumeric() || "-._~+/".contains(letter);
    let end = value.find(|letter| !letters(letter)).unwrap_or(value.len());
    let behind = value[end..].trim_start_matches('=');
    (!before.is_empty() && end >= CREDENTIAL && !behind.starts_with('"')).then_some((before, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        Secrets::of(Some(&Credentials { user: "kim".to_owned(), secret: "pa/ss-w0rd".to_owned().into() }))
    }

    #[test]
    fn known_secrets_go_wherever_they_stand() {
        let secrets = secrets();
        secrets.learn("abcdefgh");
        for (text, clean) in [
            ("x pa/ss-w0rd y", "x [redacted] y"),
            ("echo a2ltOnBhL3NzLXcwcmQ= end", "echo [redacted] end"),
            ("?p=pa%2Fss-w0rd", "?p=[redacted]"),
            ("abcdefgh", "[redacted]"),
            ("cut in the middle: pa/ss", "cut in the middle: [redacted]"),
            ("abc", "abc"),
        ] {
            assert_eq!(secrets.clean(text), clean, "{text}");
        }
    }

    #[test]
    fn what_looks_like_a_secret_goes() {
        let secrets = Secrets::default();
        for (text, clean) in [
            (r#"{"token":"abc","expires_in":300}"#, r#"{"token":"[redacted]","expires_in":300}"#),
            (r#"{"access_token" : "a\"b", "x":1}"#, r#"{"access_token" : "[redacted]", "x":1}"#),
            (r#"{"log":"{\"token\":\"abc\",\"y\":2}"}"#, r#"{"log":"{\"token\":\"[redacted]\",\"y\":2}"}"#),
            (r#"{"token":"cut off"#, r#"{"token":"[redacted]"#),
            ("a=1&id_token=abc&b=2", "a=1&id_token=[redacted]&b=2"),
            ("see eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.x-_y!", "see [redacted]!"),
            ("Authorization: Basic dXNlcjpwYXNzd29yZA== and", "Authorization: Basic [redacted] and"),
        ] {
            assert_eq!(secrets.clean(text), clean, "{text}");
        }
    }

    #[test]
    fn what_people_need_stays() {
        let secrets = secrets();
        for text in [
            r#"Bearer realm="https://git.example.com/v2/token",service="x",scope="repository:token:pull""#,
            r#"{"errors":[{"code":"UNAUTHORIZED","message":"token: is expired"}]}"#,
            "Basic realm=\"Restricted Area\"",
            "Bearer authentication is required",
            r#"{"token":""}"#,
        ] {
            assert_eq!(secrets.clean(text), text);
        }
    }

    #[test]
    fn parameters_of_urls_lose_their_secrets() {
        let secrets = secrets();
        assert_eq!(
            secrets.url("https://h/v2/a/blobs/uploads/1?_state=abc&digest=sha256:1&code=2"),
            "https://h/v2/a/blobs/uploads/1?_state=[redacted]&digest=sha256:1&code=[redacted]"
        );
        assert_eq!(
            secrets.url("https://h/login#access_token=abc"),
            "https://h/login#access_token=[redacted]"
        );
    }
}
