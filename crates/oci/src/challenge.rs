//! The `WWW-Authenticate` header (RFC 9110 section 11.6.1; distribution's token specification).
//!
//! A registry writes exactly one `Bearer` challenge: a second one of another scheme breaks clients. A client reads
//! what others write, which is rarely that tidy, and makes the best of it.

use std::fmt;

/// Why a request was refused, as a challenge says it (RFC 6750 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BearerError {
    /// The token is expired, revoked or not ours: get another.
    InvalidToken,
    /// The token is right and does not cover this: ask for the scope.
    InsufficientScope,
}

impl BearerError {
    const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
        }
    }
}

/// The one challenge that the registry answers with. [`fmt::Display`] gives the value of the header.
///
/// Whatever the fields hold, the value stays one header of visible ASCII and one challenge: quotes and backslashes
/// are escaped, and what cannot stand in a header becomes a question mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerChallenge<'a> {
    /// Absolute URL of the token endpoint.
    pub realm: &'a str,
    /// The registry's name for itself.
    pub service: &'a str,
    /// What the token has to cover, as [`crate::Scope`] is written; none for `GET /v2/`.
    pub scope: Option<&'a str>,
    /// Why the token sent was not enough; none when there was no token.
    pub error: Option<BearerError>,
}

impl fmt::Display for BearerChallenge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bearer realm={},service={}", Quoted(self.realm), Quoted(self.service))?;
        if let Some(scope) = self.scope {
            write!(f, ",scope={}", Quoted(scope))?;
        }
        if let Some(error) = self.error {
            write!(f, ",error={}", Quoted(error.as_str()))?;
        }
        Ok(())
    }
}

/// A quoted string of RFC 9110, section 5.6.4.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' | '\\' => {
                    f.write_char('\\')?;
                    f.write_char(character)?;
                }
                ' '..='~' => f.write_char(character)?,
                _ => f.write_char('?')?,
            }
        }
        f.write_char('"')
    }
}

/// A challenge of any scheme, as another server wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenge {
    /// The scheme as written, such as `Bearer` or `Basic`; compare with [`Self::is`].
    pub scheme: String,
    /// What stands behind the scheme instead of parameters, as with `Negotiate`.
    pub token68: Option<String>,
    /// Parameters in order, names in lower case.
    pub parameters: Vec<(String, String)>,
}

impl Challenge {
    /// Whether it is of this scheme; case does not count.
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The first value of a parameter; `name` in lower case.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }

    /// The challenges in the values of one or more `WWW-Authenticate` headers, in order.
    ///
    /// Lenient: what makes no sense is stepped over, never an error, for the next challenge may be the right one.
    pub fn parse_all<'a>(values: impl IntoIterator<Item = &'a str>) -> Vec<Self> {
        let mut challenges = Vec::new();
        for value in values {
            read(value, &mut challenges);
        }
        challenges
    }
}

/// Reads one header value onto the end of `challenges`.
///
/// A comma separates parameters as well as challenges. So every element is looked at by itself: `word=…` goes on with
/// the challenge before it, `word` followed by white space or nothing begins another.
fn read(value: &str, challenges: &mut Vec<Challenge>) {
    let first = challenges.len();
    let mut rest = value;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return;
        }
        let (word, behind) = split_token(rest);
        if word.is_empty() {
            rest = behind_next_comma(rest);
            continue;
        }
        if let Some(text) = behind.trim_start_matches([' ', '\t']).strip_prefix('=') {
            let (text, behind) = parameter_value(text.trim_start_matches([' ', '\t']));
            rest = behind;
            if challenges.len() > first {
                if let Some(challenge) = challenges.last_mut() {
                    challenge.parameters.push((word.to_ascii_lowercase(), text));
                }
            }
            continue;
        }
        let (token68, behind) = split_token68(behind.trim_start_matches([' ', '\t']));
        challenges.push(Challenge { scheme: word.to_owned(), token68, parameters: Vec::new() });
        rest = behind;
    }
}

fn is_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character)
}

fn split_token(text: &str) -> (&str, &str) {
    text.split_at(text.find(|character| !is_token(character)).unwrap_or(text.len()))
}

fn behind_next_comma(text: &str) -> &str {
    text.split_once(',').map_or("", |(_, rest)| rest)
}

/// `token68` is what fills its element to the end; else nothing of `text` is taken.
fn split_token68(text: &str) -> (Option<String>, &str) {
    let element = text.find(',').map_or(text, |comma| &text[..comma]);
    let token = element.trim_end();
    let body = token.trim_end_matches('=');
    let valid = !body.is_empty() && body.chars().all(|c| c.is_ascii_alphanumeric() || "-._~+/".contains(c));
    if valid { (Some(token.to_owned()), &text[element.len()..]) } else { (None, text) }
}

/// The value of a parameter and what stands behind it; an open quote ends with the text.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        // Some servers forget the quotes around a URL, so a bare value ends at a comma or white space only.
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut escaped = false;
    for (index, character) in quoted.char_indices() {
        match character {
            _ if escaped => {
                value.push(character);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return (value, &quoted[index + 1..]),
            _ => value.push(character),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(value: &str) -> Vec<Challenge> {
        Challenge::parse_all([value])
    }

    #[test]
    fn a_challenge_is_written_as_clients_know_it() {
        let mut challenge = BearerChallenge {
            realm: "https://git.example.org/token",
            service: "git.example.org",
            scope: None,
            error: None,
        };
        assert_eq!(
            challenge.to_string(),
            r#"Bearer realm="https://git.example.org/token",service="git.example.org""#
        );
        challenge.scope = Some("repository:team/app:pull,push");
        challenge.error = Some(BearerError::InsufficientScope);
        assert_eq!(
            challenge.to_string(),
            r#"Bearer realm="https://git.example.org/token",service="git.example.org",scope="repository:team/app:pull,push",error="insufficient_scope""#
        );
    }

    #[test]
    fn nothing_breaks_out_of_a_challenge() {
        let challenge =
            BearerChallenge { realm: "a\"b\\c\r\nSet-Cookie: x", service: "é", scope: None, error: None };
        assert_eq!(challenge.to_string(), r#"Bearer realm="a\"b\\c??Set-Cookie: x",service="?""#);
    }

    #[test]
    fn several_challenges_in_one_header_are_told_apart() {
        let found = parse(
            r#"Negotiate, Basic realm="a, b", Bearer realm = "https://x/token" ,service=x,scope="repository:a/b:pull,push", NTLM abc=="#,
        );
        let schemes: Vec<_> = found.iter().map(|challenge| &*challenge.scheme).collect();
        assert_eq!(schemes, ["Negotiate", "Basic", "Bearer", "NTLM"]);
        assert_eq!(found[1].parameter("realm"), Some("a, b"));
        assert!(found[2].is("bearer"));
        assert_eq!(found[2].parameter("realm"), Some("https://x/token"));
        assert_eq!(found[2].parameter("service"), Some("x"));
        assert_eq!(found[2].parameter("scope"), Some("repository:a/b:pull,push"));
        assert_eq!(found[3].token68.as_deref(), Some("abc=="));
    }

    #[test]
    fn untidy_challenges_are_still_read() {
        for (value, realm) in [
            (r#"bearer Realm="x""#, Some("x")),
            (r#"Bearer,realm="x""#, Some("x")),
            ("Bearer realm=https://x/token?a=b,service=y", Some("https://x/token?a=b")),
            (r#"Bearer realm="x"#, Some("x")),
            (r#"Bearer realm="a\"b""#, Some("a\"b")),
            (r#"Bearer realm="x" service="y""#, Some("x")),
            (r#", ,Bearer ?? , realm="x""#, Some("x")),
            ("Bearer", None),
            ("Bearer realm=", None),
        ] {
            let found = parse(value);
            assert_eq!((found.len(), found[0].parameter("realm")), (1, realm), "{value}");
        }
        assert_eq!(parse(""), []);
        assert_eq!(parse("realm=\"x\""), [], "a parameter of nothing");
        assert_eq!(Challenge::parse_all(["Basic", "realm=\"x\""])[0].parameters, [], "headers stand alone");
        assert_eq!(Challenge::parse_all(["Basic realm=\"a\"", "Bearer realm=\"b\""]).len(), 2);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(realm in "[ -~]{0,60}", service in "[ -~]{0,60}", scope in prop::option::of("[ -~]{0,60}")) {
            let challenge = BearerChallenge { realm: &realm, service: &service, scope: scope.as_deref(), error: None };
            let found = parse(&challenge.to_string());
            prop_assert_eq!(found.len(), 1);
            prop_assert_eq!(found[0].parameter("realm"), Some(&*realm));
            prop_assert_eq!(found[0].parameter("service"), Some(&*service));
            prop_assert_eq!(found[0].parameter("scope"), scope.as_deref());
        }

        #[test]
        fn no_header_makes_the_parser_panic(value in "([A-Za-z\"=,\\\\ é]|Bearer |realm=\"|, ){0,60}", text: String) {
            parse(&value);
            let written = BearerChallenge { realm: &text, service: &text, scope: Some(&text), error: None }.to_string();
            prop_assert!(written.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert_eq!(parse(&written).len(), 1);
        }
    }
}
