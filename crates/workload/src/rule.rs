//! The operator's rules: which claims, with which values, for which grant.

use std::time::Duration;

use serde_json::Value;

use crate::jwt::Token;
use crate::short;

/// What workloads of an issuer have to show to get a grant.
#[derive(Clone, Debug)]
pub struct Rule<G> {
    /// What the operator calls it.
    pub name: String,
    /// The issuer, as its tokens write it in `iss`.
    pub issuer: String,
    /// Whom the token must be for, in `aud`.
    pub audience: String,
    /// What else it must say. All of it.
    pub claims: Vec<Claim>,
    /// What it gets.
    pub grants: Vec<G>,
    /// How long that is good, at most; it also ends with the token.
    pub life: Duration,
}

/// A claim and the values that fit; any of them.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Its name; with a slash in front a JSON pointer, as `/kubernetes.io/serviceaccount/uid`.
    pub name: String,
    /// Values that fit.
    pub values: Vec<Glob>,
}

/// A text in which `*` stands for any run of characters, also none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// A pattern.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether the whole `text` fits. Takes at most time proportional to both lengths multiplied.
    pub fn matches(&self, text: &str) -> bool {
        let (pattern, text) = (self.0.as_bytes(), text.as_bytes());
        let (mut at, mut from) = (0, 0);
        // Where the last star was, and how much of the text it stands for.
        let mut star: Option<(usize, usize)> = None;
        while from < text.len() {
            match pattern.get(at) {
                Some(b'*') => {
                    star = Some((at, from));
                    at += 1;
                }
                Some(byte) if *byte == text[from] => {
                    at += 1;
                    from += 1;
                }
                _ => {
                    let Some((before, taken)) = star else { return false };
                    star = Some((before, taken + 1));
                    at = before + 1;
                    from = taken + 1;
                }
            }
        }
        pattern[at..].iter().all(|byte| *byte == b'*')
    }
}

impl Claim {
    fn found<'a>(&self, claims: &'a Value) -> Option<&'a Value> {
        if self.name.starts_with('/') { claims.pointer(&self.name) } else { claims.get(&self.name) }
    }

    fn fits(&self, value: &Value) -> bool {
        let any = |text: &str| self.values.iter().any(|glob| glob.matches(text));
        match value {
            Value::String(text) => any(text),
            Value::Number(number) => any(&number.to_string()),
            Value::Bool(truth) => any(if *truth { "true" } else { "false" }),
            Value::Array(all) => all.iter().any(|one| !one.is_array() && self.fits(one)),
            Value::Null | Value::Object(_) => false,
        }
    }
}

impl<G> Rule<G> {
    /// What does not fit, each as a sentence; nothing when all fits.
    pub(crate) fn misses(&self, token: &Token) -> Vec<String> {
        let mut misses = Vec::new();
        if !token.is_for(&self.audience) {
            misses.push(format!("the claim aud is {}", shown(token.claims.get("aud"))));
        }
        for claim in &self.claims {
            let found = claim.found(&token.claims);
            if !found.is_some_and(|value| claim.fits(value)) {
                misses.push(format!("the claim {} is {}", claim.name, shown(found)));
            }
        }
        misses
    }
}

/// A value as a message shows it.
fn shown(value: Option<&Value>) -> String {
    match value {
        None => "missing".to_owned(),
        Some(Value::String(text)) => format!("'{}'", short(text)),
        Some(other) => short(&other.to_string()),
    }
}
