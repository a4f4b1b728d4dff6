//! What a registry says about how to authenticate, in the form that records keep.

use std::collections::BTreeMap;

/// One challenge of `WWW-Authenticate`, as [`railhead_oci::Challenge`] read it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Challenge {
    /// Lower case: `bearer`, `basic`.
    pub scheme: String,
    /// Its parameters, names in lower case; of one that comes twice the first.
    pub parameters: BTreeMap<String, String>,
}

impl Challenge {
    /// The challenges in the values of all `WWW-Authenticate` headers of an answer, in order.
    pub fn parse_all<'a>(values: impl IntoIterator<Item = &'a str>) -> Vec<Self> {
        railhead_oci::Challenge::parse_all(values).into_iter().map(Self::from).collect()
    }

    /// The one that a client answers: the first `Bearer`, else the first `Basic`.
    pub fn preferred(challenges: &[Self]) -> Option<&Self> {
        let of = |scheme| challenges.iter().find(|challenge| challenge.scheme == scheme);
        of("bearer").or_else(|| of("basic"))
    }

    /// A parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }
}

impl From<railhead_oci::Challenge> for Challenge {
    fn from(challenge: railhead_oci::Challenge) -> Self {
        let mut parameters = BTreeMap::new();
        for (name, value) in challenge.parameters {
            parameters.entry(name).or_insert(value);
        }
        Self { scheme: challenge.scheme.to_ascii_lowercase(), parameters }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_is_answered_before_basic() {
        let all = Challenge::parse_all([
            "Negotiate",
            r#"BASIC realm="a""#,
            r#"Bearer realm="https://h/token",realm="second",scope="repository:a/b:pull,push""#,
        ]);
        assert_eq!(all.len(), 3);
        let preferred = Challenge::preferred(&all).unwrap();
        assert_eq!(preferred.scheme, "bearer");
        assert_eq!(preferred.parameter("realm"), Some("https://h/token"));
        assert_eq!(preferred.parameter("scope"), Some("repository:a/b:pull,push"));
        assert_eq!(Challenge::preferred(&all[..2]).unwrap().scheme, "basic");
        assert_eq!(Challenge::preferred(&all[..1]), None);
    }
}
