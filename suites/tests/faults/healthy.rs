//! Nothing is broken: every registry, bare and behind every proxy, over https and http.

use std::net::SocketAddr;

use railhead_suites::Diagnosis;
use railhead_suites::proxies::{Caddy, Dynamic, Haproxy, Nginx, Proxy, Traefik};

use crate::bench::{Account, Bench};
use crate::case::{Case, Kind, Setup};

const SERVERS: [Server; 3] = [Server::Gitea, Server::Railhead, Server::Distribution];
const PROXIES: [Front; 4] = [Front::Nginx, Front::Haproxy, Front::Caddy, Front::Traefik];

#[derive(Clone, Copy, Debug)]
enum Server {
    Gitea,
    Railhead,
    Distribution,
}

#[derive(Clone, Copy, Debug)]
enum Front {
    Nginx,
    Haproxy,
    Caddy,
    Traefik,
}

impl Server {
    const fn name(self) -> &'static str {
        match self {
            Self::Gitea => "Gitea",
            Self::Railhead => "Railhead",
            Self::Distribution => "distribution",
        }
    }

    /// Behind a proxy with TLS, or without.
    fn behind(self, bench: &Bench, tls: bool) -> (SocketAddr, Account) {
        match self {
            Self::Gitea => {
                let (forge, account) = if tls { bench.gitea() } else { bench.gitea_http() };
                (forge.address(), account.clone())
            }
            Self::Railhead => {
                let (server, account) = bench.railhead();
                (server.address(), account.clone())
            }
            Self::Distribution => (bench.distribution().address(), Bench::distribution_account()),
        }
    }

    /// With TLS of its own.
    fn bare(self, bench: &Bench) -> (SocketAddr, Account) {
        match self {
            Self::Gitea => {
                let (forge, account) = bench.gitea_tls();
                (forge.address(), account.clone())
            }
            Self::Railhead => {
                let (server, account) = bench.railhead_tls();
                (server.address(), account.clone())
            }
            Self::Distribution => (bench.distribution_tls().address(), Bench::distribution_account()),
        }
    }
}

impl Front {
    const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
            Self::Caddy => "Caddy",
            Self::Traefik => "Traefik",
        }
    }

    fn start(self, bench: &Bench, upstream: SocketAddr) -> Proxy {
        let (directory, identity) = (bench.directory(), &bench.identity);
        match self {
            Self::Nginx => bench.nginx(&Nginx::location("/", upstream, "")),
            Self::Haproxy => {
                Haproxy { front: "", bind: "", upstream: Some(upstream), identity }.start(&directory)
            }
            Self::Caddy => Caddy { site: format!("reverse_proxy {upstream}"), identity }.start(&directory),
            Self::Traefik => {
                let upstream = [upstream];
                let routes = [("registry", "PathPrefix(`/`)", &upstream[..])];
                let dynamic = Dynamic { routes: &routes, identity: Some(identity), strict_names: false };
                Traefik { flags: &[], dynamic }.start(&directory)
            }
        }
    }
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for server in SERVERS {
        cases.push(case("https, no proxy", server.name(), move |bench| {
            let (at, account) = server.bare(bench);
            bench.setup(&account).https(at)
        }));
        cases.push(case("http, no proxy", server.name(), move |bench| {
            let (at, account) = server.behind(bench, false);
            bench.setup(&account).http(at)
        }));
        for front in PROXIES {
            let servers = format!("{}, {}", server.name(), front.name());
            cases.push(case("https", &servers, move |bench| {
                let (at, account) = server.behind(bench, true);
                let proxy = front.start(bench, at);
                bench.setup(&account).https(proxy.https()).keep(proxy)
            }));
            cases.push(case("http", &servers, move |bench| {
                let (at, account) = server.behind(bench, false);
                let proxy = front.start(bench, at);
                bench.setup(&account).http(proxy.http()).keep(proxy)
            }));
            cases.push(case("https as nobody", &servers, move |bench| {
                let (at, _) = server.behind(bench, true);
                let proxy = front.start(bench, at);
                bench.anonymous().https(proxy.https()).keep(proxy)
            }));
        }
    }
    cases.extend(four_routes());
    cases
}

fn case(name: &str, servers: &str, set_up: impl Fn(&Bench) -> Setup + Send + Sync + 'static) -> Case {
    let name = format!("{name} ({servers})");
    Case::new(Kind::Healthy, name, servers, &[], set_up)
}

/// Public name, redirect to it, pod and `NodePort`, as a site has them.
fn four_routes() -> Vec<Case> {
    let mut cases = Vec::new();
    for server in SERVERS {
        let case = case("four routes", &format!("{}, nginx", server.name()), move |bench| {
            let (at, account) = server.behind(bench, true);
            let nginx = Nginx {
                tls: Nginx::location("/", at, ""),
                plain: "return 301 https://$host$request_uri;".to_owned(),
                identity: &bench.identity,
            };
            let nginx = nginx.start(&bench.directory());
            let setup = bench.setup(&account).https(nginx.https()).http(nginx.http());
            setup.plain("pod", at).plain("nodeport", at).keep(nginx)
        });
        cases.push(case.look(|diagnosis: &Diagnosis| {
            println!("four healthy routes: {} ms", diagnosis.took.as_millis());
            Ok(())
        }));
    }
    cases
}
