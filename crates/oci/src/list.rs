//! Pages of lists (spec, *Listing Tags*): what a client asks for and the `Link` to the next page.

use crate::ErrorCode;
use crate::query::{Query, QueryError, percent_encode};

/// Why a list cannot be given as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListQueryError {
    /// `n` is negative, or not a number.
    #[error("n is the number of results and must be a number from 0")]
    Number,
    /// The query is broken.
    #[error(transparent)]
    Query(#[from] QueryError),
}

impl ListQueryError {
    /// The code to answer with.
    pub const fn code(&self) -> ErrorCode {
        ErrorCode::PaginationNumberInvalid
    }
}

/// The part of a list that a client asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// How many results; 0 is an empty list without a link. None leaves it to the registry.
    pub n: Option<usize>,
    /// Begin behind this entry, which need not exist. Never empty.
    pub last: Option<String>,
}

impl ListQuery {
    /// Reads `n` and `last`. A number too large to count is as good as no limit.
    pub fn read(query: &str) -> Result<Self, ListQueryError> {
        let query = Query::new(Some(query));
        let n = match query.get("n")? {
            Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(text.parse().unwrap_or(usize::MAX))
            }
            Some(_) => return Err(ListQueryError::Number),
            None => None,
        };
        let last = query.get("last")?.filter(|last| !last.is_empty()).map(String::from);
        Ok(Self { n, last })
    }
}

/// The `Link` header to the page behind `last`, with `n` entries, of the list at `path`: a URL path that needs no
/// encoding. `last` is encoded here.
pub fn next_link(path: &str, n: u32, last: &str) -> String {
    let mut link = format!("<{path}?n={n}&last=");
    percent_encode(last, &mut link);
    link.push_str(">; rel=\"next\"");
    link
}

/// The target of the first `rel="next"` in the values of one or more `Link` headers, as a client follows it.
pub fn parse_next_link<'a>(values: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    for mut rest in values {
        while let Some((_, link)) = rest.split_once('<') {
            let (target, parameters) = link.split_once('>')?;
            // The next link begins at the next angle bracket; parameters have none.
            let end = parameters.find('<').unwrap_or(parameters.len());
            let next = parameters[..end].split([';', ',']).any(is_next);
            if next {
                return Some(target);
            }
            rest = &parameters[end..];
        }
    }
    None
}

fn is_next(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, value)| {
        name.trim().eq_ignore_ascii_case("rel")
            && value
                .trim()
                .trim_matches('"')
                .split_ascii_whitespace()
                .any(|word| word.eq_ignore_ascii_case("next"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn page(query: &str) -> Result<ListQuery, ListQueryError> {
        ListQuery::read(query)
    }

    #[test]
    fn pages_are_read_from_a_query() {
        assert_eq!(page(""), Ok(ListQuery::default()));
        assert_eq!(page("n=0"), Ok(ListQuery { n: Some(0), last: None }));
        assert_eq!(page("n=2&last=a%2Fb"), Ok(ListQuery { n: Some(2), last: Some("a/b".into()) }));
        assert_eq!(page("last="), Ok(ListQuery::default()));
        assert_eq!(page("n=99999999999999999999999").unwrap().n, Some(usize::MAX));
        for wrong in ["n=-1", "n=", "n", "n=a", "n=1.5", "n=+1", "n=%zz"] {
            assert_eq!(page(wrong).unwrap_err().code(), ErrorCode::PaginationNumberInvalid, "{wrong}");
        }
    }

    #[test]
    fn the_link_is_encoded() {
        let link = next_link("/v2/_catalog", 2, "a/b>c");
        assert_eq!(link, "</v2/_catalog?n=2&last=a%2Fb%3Ec>; rel=\"next\"");
    }

    #[test]
    fn links_of_others_are_followed() {
        for (value, target) in [
            ("</a?n=2>; rel=\"next\"", Some("/a?n=2")),
            ("<https://x/a>;rel=next", Some("https://x/a")),
            ("</p>; rel=\"prev\", </n>; title=\"x\"; REL=\"last next\"", Some("/n")),
            ("</p>; rel=prev", None),
            ("</p", None),
            ("", None),
        ] {
            assert_eq!(parse_next_link([value]), target, "{value}");
        }
    }

    proptest! {
        #[test]
        fn a_next_page_reads_back(n: u32, last in ".{1,40}") {
            let link = next_link("/x", n, &last);
            let (_, query) = parse_next_link([&*link]).unwrap().split_once('?').unwrap();
            prop_assert_eq!(page(query), Ok(ListQuery { n: Some(n as usize), last: Some(last) }));
        }

        #[test]
        fn nothing_makes_the_parsers_panic(text in "[<>;=,&%nrelastx\" é0-9]{0,60}") {
            let _ = (page(&text), parse_next_link([&*text]));
        }
    }
}
