//! Reads what a registry says about how to authenticate (RFC 9110, 11.6.1).

use std::collections::BTreeMap;

/// One `WWW-Authenticate` header.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Challenge {
    /// Lower case: `bearer`, `basic`.
    pub scheme: String,
    /// Its parameters, names in lower case.
    pub parameters: BTreeMap<String, String>,
}

impl Challenge {
    /// Reads a header that has one challenge.
    pub fn parse(header: &str) -> Option<Self> {
        let (scheme, mut rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        let mut parameters = BTreeMap::new();
        loop {
            rest = rest.trim_start_matches([' ', ',']);
            if rest.is_empty() {
                return Some(Self { scheme: scheme.to_ascii_lowercase(), parameters });
            }
            let (name, after) = rest.split_once('=')?;
            let (value, after) = if let Some(quoted) = after.strip_prefix('"') {
                unquote(quoted)?
            } else {
                let end = after.find(',').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            };
            parameters.insert(name.trim().to_ascii_lowercase(), value);
            rest = after;
        }
    }

    /// A parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }
}

/// A quoted string behind its first quote, and what is behind its last.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(letters.next()?.1),
            letter => value.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read_with_commas_inside_of_quotes() {
        let header =
            r#"Bearer realm="https://h/token",service="h",scope="repository:a/b:pull,push", error=x"#;
        let challenge = Challenge::parse(header).unwrap();
        assert_eq!(challenge.scheme, "bearer");
        assert_eq!(challenge.parameter("scope"), Some("repository:a/b:pull,push"));
        assert_eq!(challenge.parameter("error"), Some("x"));
        assert_eq!(Challenge::parse("Basic").unwrap().scheme, "basic");
        assert_eq!(Challenge::parse(r#"Bearer realm="open"#), None);
    }
}
