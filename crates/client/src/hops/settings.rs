//! What walks are taken with.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use railhead_oci::RepositoryName;

use super::Route;
use crate::Credentials;

/// What all walks of a [`super::Walker`] have in common.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who logs in; without it the walk ends where an account is needed.
    pub account: Option<Credentials>,
    /// What reading and writing use. It need not exist.
    pub repository: RepositoryName,
    /// The public `HOST[:PORT]` that clients name: a realm on it is the registry's own.
    pub host: String,
    /// Routes whose `connect` and `ca` also hold for a realm or a redirect that names the origin of their URL, so that
    /// it need not resolve.
    pub known: Vec<Route>,
    /// Addresses of names that are not asked of the name service.
    pub resolve: BTreeMap<String, Vec<IpAddr>>,
    /// How long resolving, connecting and the handshake may take, each.
    pub connect_timeout: Duration,
    /// How long an answer may take, to the end of its body.
    pub answer_timeout: Duration,
    /// Whether an upload is begun and cancelled.
    pub write: bool,
    /// Whether an account may be named over plain HTTP to another machine. It may where somebody chose such a route; a
    /// route that is only guessed must not show a token to everybody on the way.
    pub open_login: bool,
    /// Why nothing is asked beyond the challenge, on a way that shows no more.
    pub challenge_only: Option<&'static str>,
    /// Whether, and how far, the limits of what is in front are looked for.
    pub limits: Option<LimitSettings>,
}

impl Settings {
    /// Without an account, without overrides, with a trial of writing as far as it goes, and without limits.
    pub fn new(host: impl Into<String>, repository: RepositoryName) -> Self {
        Self {
            account: None,
            repository,
            host: host.into(),
            known: Vec::new(),
            resolve: BTreeMap::new(),
            connect_timeout: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(10),
            write: true,
            open_login: true,
            challenge_only: None,
            limits: None,
        }
    }
}

/// The host of an authority, in lower case, without port and brackets.
pub(super) fn host_name(authority: &str) -> String {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => match authority.rsplit_once(':') {
            Some((host, _)) if !host.contains(':') => host,
            _ => authority,
        },
    };
    host.to_ascii_lowercase()
}

/// How far limits are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitSettings {
    /// The largest body that is declared, in bytes. Only its first bytes are ever sent.
    pub size: u64,
    /// How long a slow body goes on.
    pub time: Duration,
    /// How long a refusal by size may take to come. Most proxies judge by the header, at once.
    pub watch: Duration,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self { size: 10 << 30, time: Duration::from_secs(75), watch: Duration::from_secs(2) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_an_authority_has_no_port() {
        for (authority, host) in [
            ("git.example.com", "git.example.com"),
            ("Git.Example.com:8443", "git.example.com"),
            ("[::1]:5000", "::1"),
            ("[::1]", "::1"),
            ("::1", "::1"),
            ("127.0.0.1:80", "127.0.0.1"),
        ] {
            assert_eq!(host_name(authority), host, "{authority}");
        }
    }
}
