//! Workloads that show who they are with a token of somebody else: a job of Gitea, Forgejo, GitHub or GitLab, a service
//! account of Kubernetes. From such a token, the issuer's keys and the operator's rules to a grant.
//!
//! Order of [`Workloads::verify`]: take the token apart, without believing any of it; find its issuer among those that the
//! rules name; get the issuer's keys; check the signature; check audience and times; find the rules whose claims fit. What a
//! workload gets is what all rules that fit give together.
//!
//! Invariants:
//! - Only issuers of the rules are ever asked, and each at most once every [`ASK_EVERY`], whatever tokens come.
//! - The key says which algorithm it is for, not the token; a token without a signature is none.
//! - A refusal says which claim did not fit, and never what the rule wanted there: on some issuers everybody has a token.

mod issuer;
mod jwt;
mod keys;
mod rule;

use std::sync::Arc;

pub use issuer::{ASK_EVERY, Issuer, KeySource};
pub use rule::{Claim, Glob, Rule};

use issuer::Known;
use jwt::Token;

/// Longest token that is looked at, in bytes.
const TOKEN_MAX: usize = 16 << 10;

/// Somebody else's tokens that count here, and what for.
#[derive(Clone, Debug)]
pub struct Workloads<G>(Arc<Inner<G>>);

#[derive(Debug)]
struct Inner<G> {
    rules: Vec<Rule<G>>,
    issuers: Vec<Known>,
}

/// A workload that has shown who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload<G> {
    /// The rules that fit and the token's subject, for logs and the audit.
    pub name: String,
    /// What it may do.
    pub grants: Vec<G>,
    /// From when on it may not, in Unix seconds.
    pub ends: i64,
}

/// Why a token does not count. Never holds the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is wrong, or no rule is for it.
    #[error("{0}")]
    Wrong(String),
    /// Its issuer's keys cannot be had.
    #[error("{0}")]
    Unavailable(String),
}

fn wrong(message: impl Into<String>) -> Refusal {
    Refusal::Wrong(message.into())
}

/// Whether a text has the form of such a token; nothing else that can be a password begins so.
pub fn is_token(text: &str) -> bool {
    text.starts_with("eyJ") && text.bytes().filter(|byte| *byte == b'.').count() == 2
}

impl<G: Clone> Workloads<G> {
    /// The rules, and how the keys of their issuers are had. A rule whose issuer is not among `issuers` never fits.
    pub fn new(rules: Vec<Rule<G>>, issuers: Vec<Issuer>) -> Self {
        Self(Arc::new(Inner { rules, issuers: issuers.into_iter().map(Known::new).collect() }))
    }

    /// Whether there are any rules.
    pub fn is_empty(&self) -> bool {
        self.0.rules.is_empty()
    }

    /// Whose token this is and what it gives, at `now` in Unix seconds.
    pub async fn verify(&self, token: &str, now: i64) -> Result<Workload<G>, Refusal> {
        if token.len() > TOKEN_MAX {
            return Err(wrong(format!("the token is longer than {TOKEN_MAX} bytes")));
        }
        let token = Token::parse(token)?;
        let claimed = token.text("iss").unwrap_or_default();
        let issuer = self.0.issuers.iter().find(|issuer| issuer.url() == claimed);
        let issuer = issuer.ok_or_else(|| {
            wrong(format!("the claim iss is '{}', and no rule is for that issuer", short(claimed)))
        })?;
        issuer.check(&token, now).await?;
        token.in_time(now)?;
        self.rules_for(&token, claimed, now)
    }

    fn rules_for(&self, token: &Token, issuer: &str, now: i64) -> Result<Workload<G>, Refusal> {
        let (mut grants, mut names, mut ends) = (Vec::new(), Vec::new(), i64::MAX);
        let mut nearest: Option<(usize, String)> = None;
        for rule in self.0.rules.iter().filter(|rule| rule.issuer == issuer) {
            let misses = rule.misses(token);
            if misses.is_empty() {
                grants.extend(rule.grants.iter().cloned());
                names.push(rule.name.as_str());
                ends = ends.min(now.saturating_add(i64::try_from(rule.life.as_secs()).unwrap_or(i64::MAX)));
            } else if nearest.as_ref().is_none_or(|(count, _)| misses.len() < *count) {
                nearest = Some((
                    misses.len(),
                    format!("the rule '{}' does not fit: {}", rule.name, misses.join("; ")),
                ));
            }
        }
        if names.is_empty() {
            return Err(wrong(
                nearest.map_or_else(|| "no rule is for that issuer".to_owned(), |(_, text)| text),
            ));
        }
        let name = format!("{}:{}", names.join("+"), short(token.text("sub").unwrap_or_default()));
        Ok(Workload { name, grants, ends: ends.min(token.ends()) })
    }
}

/// A text of a stranger as it may stand in a message.
pub(crate) fn short(text: &str) -> String {
    text.chars().filter(|one| !one.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests;
