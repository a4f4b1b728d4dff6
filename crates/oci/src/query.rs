//! The query of a request, read in place.
//!
//! A query has few pairs and is asked for few names, so it is walked for each name and nothing is kept. A value is
//! copied only if it was percent-encoded.

use std::borrow::Cow;

/// A percent-encoded value is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value of '{name}' in the query is not percent-encoded UTF-8")]
pub struct QueryError {
    /// The name as the registry knows it.
    pub name: &'static str,
}

/// A query, without its question mark.
#[derive(Clone, Copy, Debug, Default)]
pub struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    /// The query of a request; none is an empty one.
    pub fn new(query: Option<&'a str>) -> Self {
        Self(query.unwrap_or(""))
    }

    /// The first value of `name`. A plus stands for a space, as in a form.
    pub fn get(self, name: &'static str) -> Result<Option<Cow<'a, str>>, QueryError> {
        self.all(name).next().transpose()
    }

    /// The first value of `name`, in which a plus is a plus: for media types, which clients write unencoded and
    /// which have no spaces.
    pub fn get_literal(self, name: &'static str) -> Result<Option<Cow<'a, str>>, QueryError> {
        self.values(name, false).next().transpose()
    }

    /// Every value of `name`, in order. A plus stands for a space.
    pub fn all(self, name: &'static str) -> impl Iterator<Item = Result<Cow<'a, str>, QueryError>> {
        self.values(name, true)
    }

    fn values(
        self,
        name: &'static str,
        form: bool,
    ) -> impl Iterator<Item = Result<Cow<'a, str>, QueryError>> {
        self.0
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .filter(move |(key, _)| percent_decode(key, form).is_some_and(|key| key == name))
            .map(move |(_, value)| percent_decode(value, form).ok_or(QueryError { name }))
    }
}

/// Undoes percent-encoding; none where it is broken or not UTF-8.
pub(crate) fn percent_decode(text: &str, plus_is_space: bool) -> Option<Cow<'_, str>> {
    let coded = |byte: u8| byte == b'%' || (plus_is_space && byte == b'+');
    if !text.bytes().any(coded) {
        return Some(Cow::Borrowed(text));
    }
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'%' => (digit(bytes.next())? << 4 | digit(bytes.next())?) as u8,
            b'+' if plus_is_space => b' ',
            byte => byte,
        });
    }
    String::from_utf8(plain).ok().map(Cow::Owned)
}

/// Percent-encodes all but RFC 3986's unreserved characters, onto the end of `out`.
pub fn percent_encode(text: &str, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_found_by_name() {
        let query = Query::new(Some("digest=sha256%3Aab&n=&flag&scope=a+b&scope=c%20d&bad=%zz&%6e2=x"));
        assert_eq!(query.get("digest").unwrap().as_deref(), Some("sha256:ab"));
        assert_eq!(query.get("n").unwrap().as_deref(), Some(""));
        assert_eq!(query.get("flag").unwrap().as_deref(), Some(""));
        assert_eq!(query.get("n2").unwrap().as_deref(), Some("x"));
        assert_eq!(query.get("missing"), Ok(None));
        assert_eq!(query.get("bad"), Err(QueryError { name: "bad" }));
        assert_eq!(query.all("scope").collect::<Result<Vec<_>, _>>().unwrap(), ["a b", "c d"]);
        assert_eq!(Query::new(None).get("n"), Ok(None));
    }

    #[test]
    fn a_media_type_keeps_its_plus() {
        for text in ["artifactType=application/a+json", "artifactType=application%2Fa%2Bjson"] {
            assert_eq!(
                Query::new(Some(text)).get_literal("artifactType").unwrap().unwrap(),
                "application/a+json"
            );
        }
    }

    #[test]
    fn a_plain_value_is_not_copied() {
        assert!(matches!(Query::new(Some("n=5")).get("n"), Ok(Some(Cow::Borrowed("5")))));
    }

    proptest! {
        #[test]
        fn what_is_encoded_reads_back(value: String) {
            let mut text = "last=".to_owned();
            percent_encode(&value, &mut text);
            prop_assert!(text.is_ascii());
            let query = Query::new(Some(&text));
            prop_assert_eq!(query.get("last"), Ok(Some(Cow::Borrowed(&*value))));
            prop_assert_eq!(query.get_literal("last"), Ok(Some(Cow::Borrowed(&*value))));
        }

        #[test]
        fn no_query_makes_it_panic(text: String) {
            let query = Query::new(Some(&text));
            let _ = (query.get("n"), query.get_literal("last"), query.all("scope").count());
        }
    }
}
