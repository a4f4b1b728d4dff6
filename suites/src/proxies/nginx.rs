//! nginx.

use std::fmt::Display;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use super::{HTTP, HTTPS, Proxy};
use crate::certificates::Identity;
use crate::loopback;
use crate::program::Program;
use crate::server::Server;

/// What nginx is told.
pub struct Nginx<'a> {
    /// Lines of the `server` with TLS.
    pub tls: String,
    /// Lines of the `server` without.
    pub plain: String,
    /// The certificate.
    pub identity: &'a Identity,
}

impl Nginx<'_> {
    /// A location that passes on as the guides say; `upstream` may end in a path, `more` are lines in it.
    pub fn location(path: &str, upstream: impl Display, more: &str) -> String {
        format!(
            "location {path} {{ proxy_pass http://{upstream}; proxy_set_header Host $http_host; \
             proxy_set_header X-Forwarded-Proto $scheme; proxy_request_buffering off; proxy_http_version 1.1; \
             client_max_body_size 0; {more} }}\n"
        )
    }

    /// Starts it inside `scratch`.
    pub fn start(&self, scratch: &Path) -> Proxy {
        self.start_at(scratch, loopback::address())
    }

    /// Starts it at an address that is known beforehand, so that a certificate can name it.
    pub fn start_at(&self, scratch: &Path, address: Ipv4Addr) -> Proxy {
        let Self { tls, plain, identity } = self;
        let (home, chain, key) = (scratch.display(), identity.chain.display(), identity.key.display());
        // One process is enough, and it keeps the rights of the test.
        let config = format!(
            "daemon off; master_process off; pid {home}/pid; error_log stderr;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
    server {{
        listen {address}:{HTTPS} ssl;
        ssl_certificate {chain};
        ssl_certificate_key {key};
        {tls}
    }}
    server {{
        listen {address}:{HTTP};
        {plain}
    }}
}}
"
        );
        let file = scratch.join("nginx.conf");
        fs::write(&file, config).unwrap();
        let words = ["-p".as_ref(), scratch.as_os_str(), "-e".as_ref(), "stderr".as_ref(), "-c".as_ref()];
        let command = Program::find("nginx").command(words.into_iter().chain([file.as_os_str()]));
        Proxy::ready(address, Server::start("nginx", command), &[HTTP, HTTPS])
    }
}
