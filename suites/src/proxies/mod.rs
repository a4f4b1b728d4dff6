//! Real proxies in front of a registry: nginx, `HAProxy`, Caddy, Traefik.
//!
//! Each function starts one with what is said in its own language, on an address of its own, with HTTP on 8080 and HTTPS on 8443.

mod caddy;
mod haproxy;
mod nginx;
mod traefik;

use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use crate::server::Server;

pub use caddy::Caddy;
pub use haproxy::Haproxy;
pub use nginx::Nginx;
pub use traefik::{Dynamic, Traefik};

/// Port of plain HTTP.
pub const HTTP: u16 = 8080;
/// Port of TLS.
pub const HTTPS: u16 = 8443;

/// A running proxy.
pub struct Proxy {
    address: Ipv4Addr,
    _server: Server,
}

impl Proxy {
    /// Waits until all of `ports` accept.
    fn ready(address: Ipv4Addr, mut server: Server, ports: &[u16]) -> Self {
        for port in ports {
            server.wait_for("an open port", |_| TcpStream::connect((address, *port)).ok());
        }
        Self { address, _server: server }
    }

    /// Where it speaks plain HTTP.
    pub fn http(&self) -> SocketAddr {
        SocketAddr::from((self.address, HTTP))
    }

    /// Where it speaks TLS.
    pub fn https(&self) -> SocketAddr {
        SocketAddr::from((self.address, HTTPS))
    }
}
