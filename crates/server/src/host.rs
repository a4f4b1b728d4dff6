//! Which host and scheme a client used, as far as that may be believed.
//!
//! The realm of a challenge sends a client's password somewhere, so it is never copied from a header unseen. A
//! `Host` is taken when it is one of the configured names, a name of this machine's loopback, or the very address
//! that the connection came in on. `X-Forwarded-…` counts only from a trusted proxy. Everything else gets the first
//! configured host: a client that came by an unknown name is told the known one.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::HOST;
use http::uri::Authority;

/// The scheme and authority under which a client reaches this server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Whether the client speaks TLS, to this server or to a trusted proxy in front of it.
    pub https: bool,
    /// Host, with its port where the client wrote one.
    pub authority: String,
    /// The client's own name for the server, when that is not a known one; empty when it gave none.
    pub unknown: Option<String>,
}

impl Origin {
    /// The URL of `path` for this client.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.https { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.authority)
    }
}

/// What is known of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The other end.
    pub remote: SocketAddr,
    /// This end.
    pub local: SocketAddr,
    /// Whether this server ended TLS on it.
    pub tls: bool,
}

/// A block of addresses, as in `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressBlock {
    base: IpAddr,
    bits: u8,
}

impl std::str::FromStr for AddressBlock {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not an address or a block of addresses such as 10.0.0.0/8");
        let (base, bits) = text.split_once('/').map_or((text, None), |(base, bits)| (base, Some(bits)));
        let base: IpAddr = base.parse().map_err(|_| wrong())?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| wrong())?;
        if bits > most { Err(wrong()) } else { Ok(Self { base, bits }) }
    }
}

impl AddressBlock {
    /// Whether `address` lies in the block.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                u32::from(base) & mask == u32::from(address) & mask
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                u128::from(base) & mask == u128::from(address) & mask
            }
            _ => false,
        }
    }
}

/// The names this server answers to, and the proxies whose word it takes.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    /// Public names, each with or without a port; a name without one stands for all its ports.
    pub names: Vec<String>,
    /// Proxies whose `X-Forwarded-…` headers count.
    pub trusted_proxies: Vec<AddressBlock>,
}

impl Hosts {
    /// The client's address: behind trusted proxies the last one of `X-Forwarded-For` that is not a proxy itself.
    pub fn client(&self, peer: Peer, headers: &HeaderMap) -> IpAddr {
        let remote = peer.remote.ip().to_canonical();
        if !self.trusts(remote) {
            return remote;
        }
        let forwarded = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
        let addresses: Vec<IpAddr> =
            forwarded.flat_map(|list| list.split(',')).map_while(|text| text.trim().parse().ok()).collect();
        addresses.into_iter().rev().find(|address| !self.trusts(*address)).unwrap_or(remote)
    }

    /// The origin under which the client of this request reaches the server.
    pub fn origin(&self, peer: Peer, headers: &HeaderMap, authority: Option<&Authority>) -> Origin {
        let trusted = self.trusts(peer.remote.ip().to_canonical());
        let forwarded = |name: &str| {
            let value = headers.get(name).filter(|_| trusted)?.to_str().ok()?;
            value.split(',').next().map(str::trim).filter(|value| !value.is_empty())
        };
        let https = match forwarded("x-forwarded-proto") {
            Some(scheme) => scheme.eq_ignore_ascii_case("https"),
            None => peer.tls,
        };
        let asked = forwarded("x-forwarded-host")
            .or_else(|| headers.get(HOST).and_then(|host| host.to_str().ok()))
            .or_else(|| authority.map(Authority::as_str));
        match asked.and_then(|text| text.parse::<Authority>().ok()) {
            Some(asked) if self.knows(&asked, peer) => {
                Origin { https, authority: asked.as_str().to_ascii_lowercase(), unknown: None }
            }
            _ => Origin {
                https,
                authority: self.names.first().cloned().unwrap_or_else(|| peer.local.to_string()),
                unknown: Some(asked.unwrap_or_default().to_owned()),
            },
        }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|block| block.contains(address))
    }

    fn knows(&self, asked: &Authority, peer: Peer) -> bool {
        if asked.as_str().contains('@') {
            return false;
        }
        let host = asked.host();
        let listed = self
            .names
            .iter()
            .any(|name| name.eq_ignore_ascii_case(asked.as_str()) || name.eq_ignore_ascii_case(host));
        let own = address_of(asked).is_some_and(|address| address == peer.local.ip().to_canonical());
        listed || own || is_loopback(asked)
    }
}

/// The address that a host is written as, if it is one.
fn address_of(host: &Authority) -> Option<IpAddr> {
    let text = host.host().trim_start_matches('[').trim_end_matches(']');
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// Whether a host is a name or address that only this machine has.
pub(crate) fn is_loopback(host: &Authority) -> bool {
    host.host().eq_ignore_ascii_case("localhost")
        || address_of(host).is_some_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn peer(remote: &str, tls: bool) -> Peer {
        Peer { remote: remote.parse().unwrap(), local: "192.0.2.1:5050".parse().unwrap(), tls }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    fn hosts() -> Hosts {
        Hosts {
            names: vec!["forge.test".into(), "alt.test:8443".into()],
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
        }
    }

    #[track_caller]
    fn check(peer: Peer, pairs: &[(&'static str, &'static str)], url: &str) {
        assert_eq!(hosts().origin(peer, &headers(pairs), None).url(""), url);
    }

    #[test]
    fn a_known_host_is_followed_and_an_unknown_one_is_told_the_known() {
        let direct = peer("198.51.100.7:4000", true);
        check(direct, &[("host", "Forge.test")], "https://forge.test");
        check(direct, &[("host", "forge.test:444")], "https://forge.test:444");
        check(direct, &[("host", "alt.test:8443")], "https://alt.test:8443");
        check(direct, &[("host", "alt.test:9")], "https://forge.test");
        check(direct, &[("host", "evil.test")], "https://forge.test");
        check(direct, &[("host", "user@localhost")], "https://forge.test");
        check(direct, &[("host", "a b")], "https://forge.test");
        check(direct, &[], "https://forge.test");
    }

    #[test]
    fn loopback_and_the_socket_s_own_address_need_no_configuration() {
        let direct = peer("198.51.100.7:4000", false);
        check(direct, &[("host", "localhost:5050")], "http://localhost:5050");
        check(direct, &[("host", "[::1]:5050")], "http://[::1]:5050");
        check(direct, &[("host", "192.0.2.1:5050")], "http://192.0.2.1:5050");
        check(direct, &[("host", "192.0.2.2:5050")], "http://forge.test");
    }

    #[test]
    fn forwarded_headers_count_from_trusted_proxies_only() {
        let pairs = [
            ("host", "forge.test"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-for", "203.0.113.9, 10.1.1.1"),
        ];
        check(peer("10.2.3.4:1", false), &pairs, "https://forge.test");
        check(peer("11.2.3.4:1", false), &pairs, "http://forge.test");
        let client = |remote: &str| hosts().client(peer(remote, false), &headers(&pairs)).to_string();
        assert_eq!(client("10.2.3.4:1"), "203.0.113.9");
        assert_eq!(client("11.2.3.4:1"), "11.2.3.4");
        check(
            peer("10.2.3.4:1", false),
            &[("host", "pod"), ("x-forwarded-host", "forge.test")],
            "http://forge.test",
        );
    }

    #[test]
    fn blocks_of_addresses_are_read_and_matched() {
        let block = |text: &str| text.parse::<AddressBlock>();
        assert!(block("0.0.0.0/0").unwrap().contains("203.0.113.1".parse().unwrap()));
        assert!(block("fd00::/8").unwrap().contains("fd12::1".parse().unwrap()));
        assert!(block("127.0.0.1").unwrap().contains("::ffff:127.0.0.1".parse().unwrap()));
        assert!(!block("127.0.0.1").unwrap().contains("127.0.0.2".parse().unwrap()));
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "name", "::/129", "10.0.0.0/x"] {
            assert!(block(wrong).is_err(), "{wrong}");
        }
    }
}
