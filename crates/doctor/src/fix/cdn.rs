//! CDNs: what to set in their consoles.

use super::{Ground, Need};
use crate::recognise::Front;

pub(super) fn block(ground: &Ground<'_>, front: Front, need: Need) -> String {
    let host = ground.host();
    let rule = match front {
        Front::Cloudflare => {
            format!(
                "(http.host eq \"{host}\" and (starts_with(http.request.uri.path, \"/v2/\") or http.request.uri.path eq \"/token\"))"
            )
        }
        _ => format!("host {host}, path /v2/*"),
    };
    let what = match (front, need) {
        (Front::Cloudflare, Need::Open) => {
            "Security → WAF → Custom rules: action Skip, everything that can be skipped, for"
        }
        (Front::Cloudflare, Need::Untouched) => "Caching → Cache Rules: Bypass cache, for",
        (Front::Cloudflare, Need::Size | Need::Patience | Need::Stream) => {
            "uploads are limited to 100 MB and answers to 100 s, on most plans for good. Take the host out of the proxy (DNS only), or push by another name. It is about"
        }
        (Front::Cloudflare, Need::Headers | Need::Certificate | Need::Protocol) => {
            "SSL/TLS → Overview: Full (strict), and a certificate of the host at the origin. It is about"
        }
        (_, Need::Open) => "no robot check, no list of addresses and no limit of rate for",
        (_, Need::Untouched) => "no cache and no compression for",
        (_, Need::Methods) => "allow GET, HEAD, OPTIONS, PUT, POST, PATCH, DELETE for",
        (_, Need::Headers) => "pass Host, Authorization and X-Forwarded-Proto on to the origin for",
        (_, Need::Size | Need::Patience | Need::Stream) => {
            "layers are larger and slower than a CDN likes: push by a name that does not pass it. It is about"
        }
        (_, Need::Certificate | Need::Protocol) => {
            "a certificate of the host at the edge and at the origin. It is about"
        }
        (_, Need::Route | Need::Backend) => {
            "an origin that is the registry, with path and methods as they come, for"
        }
    };
    format!("# {}: {what}\n{rule}", front.name())
}
