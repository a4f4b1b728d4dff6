//! Traefik, with its file provider.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use super::{HTTP, HTTPS, Proxy};
use crate::certificates::Identity;
use crate::http::Http;
use crate::loopback;
use crate::program::Program;
use crate::server::Server;

/// Where a test asks whether the dynamic configuration has arrived: before, every path is 404.
const READY: &str = "/railhead-suite-ready";

/// What Traefik is told.
#[derive(Default)]
pub struct Traefik<'a> {
    /// More flags, as time-outs of an entry point.
    pub flags: &'a [&'a str],
    /// The rest.
    pub dynamic: Dynamic<'a>,
}

/// What Traefik reads from its file.
#[derive(Default)]
pub struct Dynamic<'a> {
    /// Routers: name, rule, and the servers of its service.
    pub routes: &'a [(&'a str, &'a str, &'a [SocketAddr])],
    /// The certificate; without one Traefik makes its own.
    pub identity: Option<&'a Identity>,
    /// Refuse names for which there is no certificate.
    pub strict_names: bool,
}

impl Traefik<'_> {
    /// Starts it inside `scratch`.
    pub fn start(&self, scratch: &Path) -> Proxy {
        self.start_with(scratch, "")
    }

    /// The same, with a file of this text beside what is said.
    pub fn start_with(&self, scratch: &Path, yaml: &str) -> Proxy {
        let address = loopback::address();
        let files = scratch.join("dynamic");
        fs::create_dir(&files).unwrap();
        fs::write(files.join("said.yml"), self.dynamic.yaml()).unwrap();
        if !yaml.is_empty() {
            fs::write(files.join("more.yml"), yaml).unwrap();
        }
        let mut words = vec![
            format!("--entrypoints.web.address={address}:{HTTP}"),
            format!("--entrypoints.websecure.address={address}:{HTTPS}"),
            "--entrypoints.websecure.http.tls=true".to_owned(),
            format!("--providers.file.directory={}", files.display()),
            "--providers.file.watch=false".to_owned(),
            "--ping=true".to_owned(),
            "--ping.manualrouting=true".to_owned(),
            "--global.checknewversion=false".to_owned(),
            "--global.sendanonymoususage=false".to_owned(),
            "--log.level=ERROR".to_owned(),
        ];
        words.extend(self.flags.iter().map(|flag| (*flag).to_owned()));
        let mut server = Server::start("traefik", Program::find("traefik").command(words));
        let http = Http { address: SocketAddr::from((address, HTTP)), authorization: String::new() };
        server.wait_for("its routes", |_| {
            http.send("GET", READY, &[], b"").ok().filter(|answer| answer.status == 200)
        });
        Proxy::ready(address, server, &[HTTP, HTTPS])
    }
}

impl Dynamic<'_> {
    fn yaml(&self) -> String {
        let Self { routes, identity, strict_names } = self;
        let mut yaml = format!(
            "http:\n  routers:\n    ready:\n      entryPoints: [web]\n      rule: Path(`{READY}`)\n      service: ping@internal\n"
        );
        for (name, rule, _) in *routes {
            for (suffix, entry, tls) in [("", "web", ""), ("-tls", "websecure", "      tls: {}\n")] {
                write!(
                    yaml,
                    "    {name}{suffix}:\n      entryPoints: [{entry}]\n      rule: {rule}\n      service: {name}\n{tls}"
                )
                .unwrap();
            }
        }
        if !routes.is_empty() {
            yaml.push_str("  services:\n");
        }
        for (name, _, servers) in *routes {
            let servers: Vec<_> = servers.iter().map(|at| format!("{{url: 'http://{at}'}}")).collect();
            let servers = servers.join(", ");
            write!(yaml, "    {name}:\n      loadBalancer:\n        servers: [{servers}]\n").unwrap();
        }
        if identity.is_some() || *strict_names {
            yaml.push_str("tls:\n");
        }
        if let Some(identity) = identity {
            let (chain, key) = (identity.chain.display(), identity.key.display());
            write!(yaml, "  certificates:\n    - certFile: {chain}\n      keyFile: {key}\n").unwrap();
        }
        if *strict_names {
            yaml.push_str("  options:\n    default:\n      sniStrict: true\n");
        }
        yaml
    }
}
