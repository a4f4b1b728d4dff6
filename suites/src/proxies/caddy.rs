//! Caddy.

use std::fs;
use std::path::Path;

use super::{HTTP, HTTPS, Proxy};
use crate::certificates::Identity;
use crate::loopback;
use crate::program::Program;
use crate::server::Server;

/// What Caddy is told.
pub struct Caddy<'a> {
    /// The site's lines, for https and http alike.
    pub site: String,
    /// The certificate.
    pub identity: &'a Identity,
}

impl Caddy<'_> {
    /// Starts it inside `scratch`.
    pub fn start(&self, scratch: &Path) -> Proxy {
        let Self { site, identity } = self;
        let address = loopback::address();
        let (chain, key) = (identity.chain.display(), identity.key.display());
        let config = format!(
            "{{
    admin off
    auto_https off
    storage file_system {home}
    log {{
        level ERROR
    }}
}}
https://:{HTTPS} {{
    bind {address}
    tls {chain} {key}
    {site}
}}
http://:{HTTP} {{
    bind {address}
    {site}
}}
",
            home = scratch.join("storage").display(),
        );
        let file = scratch.join("Caddyfile");
        fs::write(&file, config).unwrap();
        let words = ["run".as_ref(), "--adapter".as_ref(), "caddyfile".as_ref(), "--config".as_ref()];
        let program = Program::find("caddy").with("HOME", scratch).with("XDG_CONFIG_HOME", scratch);
        let command = program.command(words.into_iter().chain([file.as_os_str()]));
        Proxy::ready(address, Server::start("caddy", command), &[HTTP, HTTPS])
    }
}
