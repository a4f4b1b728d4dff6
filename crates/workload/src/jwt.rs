//! JSON Web Tokens (RFC 7519) as they come: taken apart, and their times. Nothing here believes them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::Deserialize;
use serde_json::Value;

use crate::{Refusal, wrong};

/// Seconds by which the clocks of two machines may differ.
const SKEW: i64 = 60;

/// What a token says of how it is signed.
#[derive(Debug, Deserialize)]
pub(crate) struct Header {
    pub alg: String,
    pub kid: Option<String>,
    crit: Option<Value>,
}

#[derive(Debug)]
pub(crate) struct Token {
    pub header: Header,
    pub claims: Value,
    /// What is signed.
    pub signed: String,
    pub signature: Vec<u8>,
}

impl Token {
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let broken = || wrong("the token is not a JSON Web Token in its compact form");
        let (signed, signature) = text.rsplit_once('.').ok_or_else(broken)?;
        let (header, payload) = signed.split_once('.').ok_or_else(broken)?;
        let decode = |part: &str| BASE64.decode(part).map_err(|_| broken());
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| broken())?;
        let claims: Value = serde_json::from_slice(&decode(payload)?).map_err(|_| broken())?;
        if header.crit.is_some() {
            return Err(wrong("the token's header has 'crit', which is not understood here"));
        }
        if !claims.is_object() {
            return Err(broken());
        }
        Ok(Self { header, claims, signed: signed.to_owned(), signature: decode(signature)? })
    }

    pub fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    fn time(&self, claim: &str) -> Result<Option<i64>, Refusal> {
        match self.claims.get(claim) {
            None | Some(Value::Null) => Ok(None),
            // A fraction of a second is allowed, and does not matter.
            Some(value) => match value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64)) {
                Some(seconds) => Ok(Some(seconds)),
                None => Err(wrong(format!("the claim {claim} is not a time"))),
            },
        }
    }

    /// Refuses a token whose time is not now, and one that never ends.
    pub fn in_time(&self, now: i64) -> Result<(), Refusal> {
        let end = self
            .time("exp")?
            .ok_or_else(|| wrong("the claim exp is missing: a token that never ends is not taken"))?;
        if now >= end.saturating_add(SKEW) {
            return Err(wrong(format!(
                "the token has expired: its claim exp was {} s ago",
                now.saturating_sub(end)
            )));
        }
        for claim in ["nbf", "iat"] {
            if let Some(begin) = self.time(claim)?
                && begin > now.saturating_add(SKEW)
            {
                return Err(wrong(format!(
                    "the token is not good yet: its claim {claim} is in {} s",
                    begin.saturating_sub(now)
                )));
            }
        }
        Ok(())
    }

    /// From when on it does not count.
    pub fn ends(&self) -> i64 {
        self.time("exp").ok().flatten().unwrap_or_default()
    }

    /// Whether it is for `audience`.
    pub fn is_for(&self, audience: &str) -> bool {
        match self.claims.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(all)) => all.iter().any(|one| one.as_str() == Some(audience)),
            _ => false,
        }
    }
}
