//! `HAProxy`.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use super::{HTTP, HTTPS, Proxy};
use crate::certificates::Identity;
use crate::loopback;
use crate::program::Program;
use crate::server::Server;

/// What `HAProxy` is told.
pub struct Haproxy<'a> {
    /// Lines of the front end.
    pub front: &'a str,
    /// More words of the line that binds the port with TLS.
    pub bind: &'a str,
    /// The backend `registry`: a server, or none.
    pub upstream: Option<SocketAddr>,
    /// The certificate.
    pub identity: &'a Identity,
}

impl Haproxy<'_> {
    /// Starts it inside `scratch`.
    pub fn start(&self, scratch: &Path) -> Proxy {
        let Self { front, bind, upstream, identity } = self;
        let address = loopback::address();
        let server = upstream.map(|at| format!("    server one {at}\n")).unwrap_or_default();
        let config = format!(
            "global
    log stderr local0 warning
    maxconn 200
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend public
    bind {address}:{HTTP}
    bind {address}:{HTTPS} ssl crt {pem} alpn http/1.1 {bind}
    http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
    http-request set-header X-Forwarded-Proto http if !{{ ssl_fc }}
    {front}
    default_backend registry
backend registry
{server}",
            pem = identity.both.display(),
        );
        let file = scratch.join("haproxy.cfg");
        fs::write(&file, config).unwrap();
        let command = Program::find("haproxy").command(["-db".as_ref(), "-f".as_ref(), file.as_os_str()]);
        Proxy::ready(address, Server::start("haproxy", command), &[HTTP, HTTPS])
    }
}
