//! URLs that servers write: realms and locations.

use std::fmt;
use std::net::IpAddr;

use railhead_client::Origin;

/// An absolute URL of http or https.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) https: bool,
    /// In lower case, an IPv6 address without its brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// With the query.
    pub(crate) path: String,
}

impl Url {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let origin: Origin = format!("{}://{authority}", scheme.to_ascii_lowercase()).parse().ok()?;
        Self::of(&origin, if path.is_empty() { "/" } else { path })
    }

    /// The URL of `path` at `origin`; none for a socket.
    pub(crate) fn of(origin: &Origin, path: &str) -> Option<Self> {
        let Origin::Web { https, host, port, .. } = origin else { return None };
        Some(Self { https: *https, host: host.clone(), port: *port, path: path.to_owned() })
    }

    pub(crate) fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    /// The path without its query.
    pub(crate) fn bare_path(&self) -> &str {
        self.path.split(['?', '#']).next().unwrap_or(&self.path)
    }

    pub(crate) fn same_origin(&self, other: &Self) -> bool {
        (self.https, &self.host, self.port) == (other.https, &other.host, other.port)
    }

    /// Whether the host cannot be meant for everybody: loopback, private, link-local, or a name inside of a cluster.
    pub(crate) fn is_internal(&self) -> bool {
        is_internal(&self.host)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        write!(f, "{}://{host}", self.scheme())?;
        if self.port != if self.https { 443 } else { 80 } {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.path)
    }
}

/// The host of an authority, without port and brackets.
pub(crate) fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    match authority.rsplit_once(':') {
        Some((host, _)) if !host.contains(':') => host,
        _ => authority,
    }
}

/// Whether a host is this machine's own.
pub(crate) fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn is_internal(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            let [first, second, ..] = address.octets();
            let shared = first == 100 && (64..128).contains(&second);
            address.is_loopback()
                || address.is_private()
                || address.is_link_local()
                || address.is_unspecified()
                || shared
        }
        Ok(IpAddr::V6(address)) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local()
        }
        Err(_) => {
            let ends = [".svc", ".cluster.local", ".local", ".internal", ".localhost", ".localdomain"];
            !host.contains('.') || host.contains(".svc.") || ends.iter().any(|end| host.ends_with(end))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_written_the_same() {
        for text in ["https://h/v2/token?x=1", "http://h:3000/", "https://[::1]:8443/token"] {
            assert_eq!(Url::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Url::parse("https://H").unwrap().to_string(), "https://h/");
        for text in ["/v2/token", "h/v2/token", "ftp://h/", "https:///x", "https://a@b/"] {
            assert_eq!(Url::parse(text), None, "{text}");
        }
    }

    #[test]
    fn internal_hosts_are_told_from_public_ones() {
        for host in
            ["10.0.0.7", "127.0.0.1", "fd00::1", "gitea-http", "gitea.default.svc", "a.svc.cluster.local"]
        {
            assert!(is_internal(host), "{host}");
        }
        for host in ["git.example.com", "203.0.113.254", "2001:db8::1", "forge.test"] {
            assert!(!is_internal(host), "{host}");
        }
    }
}
