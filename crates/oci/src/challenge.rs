//! The `WWW-Authenticate` header (RFC 9110 section 11.6.1; distribution's token specification).
//!
//! A registry writes exactly one `Bearer` challenge: a second one of another scheme breaks clients. A client reads
//! what others write, which is rarely that tidy, and makes the best of it.

use std::fmt::{self, Write as _};

/// A quoted string of RFC 9110, section 5.6.4.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

/// A challenge of any scheme: the registry's own, or what another server wrote.
///
/// [`fmt::Display`] gives the value of a header. Whatever the fields hold, it is visible ASCII and one challenge:
/// quotes and backslashes are escaped, and what cannot stand in its place becomes a question mark.
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
    /// The challenge that the registry answers with.
    ///
    /// - `realm`: absolute URL of the token endpoint;
    /// - `service`: the registry's name for itself;
    /// - `scope`: what the token has to cover, as [`crate::Scope`] is written; none for `GET /v2/`;
    /// - `error`: why the token sent was not enough, `invalid_token` or `insufficient_scope` (RFC 6750 section 3.1);
    ///   none when there was no token.
    pub fn bearer(realm: &str, service: &str, scope: Option<&str>, error: Option<&str>) -> Self {
        let all = [("realm", Some(realm)), ("service", Some(service)), ("scope", scope), ("error", error)];
        let given = all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        Self { scheme: "Bearer".to_owned(), token68: None, parameters: given.collect() }
    }

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

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Clean(&self.scheme, is_token).fmt(f)?;
        if let Some(token) = &self.token68 {
            write!(f, " {}", Clean(token, is_token68))?;
        }
        for (index, (name, value)) in self.parameters.iter().enumerate() {
            let separator = if index == 0 && self.token68.is_none() { " " } else { "," };
            write!(f, "{separator}{}={}", Clean(name, is_token), Quoted(value))?;
        }
        Ok(())
    }
}

/// A text of which only some characters are let through.
struct Clean<'a>(&'a str, fn(char) -> bool);

impl fmt::Display for Clean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| f.write_char(if self.1(character) { character } else { '?' }))
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
            if let Some(challenge) = challenges[first..].last_mut() {
                challenge.parameters.push((word.to_ascii_lowercase(), text));
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

fn is_token68(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-._~+/=".contains(character)
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
    let valid = !body.is_empty() && !body.contains('=') && body.chars().all(is_token68);
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
        let (realm, service) = ("https://git.example.org/token", "git.example.org");
        let base = r#"Bearer realm="https://git.example.org/token",service="git.example.org""#;
        assert_eq!(Challenge::bearer(realm, service, None, None).to_string(), base);
        assert_eq!(
            Challenge::bearer(realm, service, Some("repository:a/b:pull,push"), Some("insufficient_scope"))
                .to_string(),
            format!(r#"{base},scope="repository:a/b:pull,push",error="insufficient_scope""#),
        );
    }

    #[test]
    fn nothing_breaks_out_of_a_challenge() {
        let challenge = Challenge::bearer("a\"b\\c\r\nSet-Cookie: x", "é", None, None);
        assert_eq!(challenge.to_string(), r#"Bearer realm="a\"b\\c??Set-Cookie: x",service="?""#);
        let odd = Challenge {
            scheme: "a b\r\n".into(),
            token68: Some("x,y=".into()),
            parameters: vec![("n\"".into(), String::new())],
        };
        assert_eq!(odd.to_string(), r#"a?b?? x?y=,n?="""#);
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
            let challenge = Challenge::bearer(&realm, &service, scope.as_deref(), None);
            prop_assert_eq!(parse(&challenge.to_string()), [challenge]);
        }

        #[test]
        fn no_header_makes_the_parser_panic(value in "([A-Za-z\"=,\\\\ é]|Bearer |realm=\"|, ){0,60}", text: String) {
            parse(&value);
            let written = Challenge::bearer(&text, &text, Some(&text), None).to_string();
            prop_assert!(written.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert_eq!(parse(&written).len(), 1);
        }
    }
}
