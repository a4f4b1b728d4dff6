//! What is in front does not bring `/v2/` to the registry.

use railhead_suites::breaker::Script;
use railhead_suites::certificates::Certificate;
use railhead_suites::loopback::ClosedPort;
use railhead_suites::proxies::{Caddy, Dynamic, Haproxy, Nginx, Proxy, Traefik};
use railhead_suites::{Breaker, Program};

use super::single;
use crate::bench::{Bench, HOST};
use crate::case::{Case, error, warning};

/// A name of a registry's mirror.
const MIRROR: &str = "mirror.test";
const HTML: &str = "Content-Type: text/html; charset=utf-8";

pub fn cases() -> Vec<Case> {
    let mut cases = not_found();
    cases.extend(kept_out());
    cases.extend(redirected());
    cases.extend(no_backend());
    cases.extend(changed());
    cases.extend(mirrors());
    cases
}

fn not_found() -> Vec<Case> {
    let code = || error("RH-ROUTE-404", "routing");
    vec![
        single("no route for /v2/", "Traefik", code(), |bench| {
            let dynamic = Dynamic { identity: Some(&bench.identity), ..Dynamic::default() };
            let traefik = Traefik { flags: &[], dynamic }.start(&bench.directory());
            bench.setup(&bench.gitea().1).https(traefik.https()).keep(traefik)
        }),
        single("no location for /v2/", "nginx", code(), |bench| {
            bench.behind_nginx(&bench.railhead().1, "location / { return 404; }\n")
        }),
        single("no handler for /v2/", "Caddy", code(), |bench| {
            let caddy = Caddy { site: "respond 404".to_owned(), identity: &bench.identity };
            let caddy = caddy.start(&bench.directory());
            bench.setup(&bench.railhead().1).https(caddy.https()).keep(caddy)
        }),
        single("no backend for /v2/", "HAProxy", code(), |bench| {
            let front = "http-request deny deny_status 404 if { path_beg /v2/ }";
            let upstream = Some(bench.railhead().0.address());
            let proxy = Haproxy { front, bind: "", upstream, identity: &bench.identity };
            let proxy = proxy.start(&bench.directory());
            bench.setup(&bench.railhead().1).https(proxy.https()).keep(proxy)
        }),
        single(
            "/v2/ loses its prefix on the way",
            "Gitea, nginx",
            error("RH-ROUTE-MISROUTED", "routing"),
            |bench| {
                let (forge, account) = bench.gitea();
                let stripped = Nginx::location("/v2/", format_args!("{}/", forge.address()), "");
                let rest = Nginx::location("/", forge.address(), "");
                bench.behind_nginx(account, &(stripped + &rest))
            },
        ),
        single(
            "/v2/ goes to another application",
            "breaker",
            error("RH-ROUTE-MISROUTED", "routing"),
            |bench| {
                let page = "<!doctype html><title>Grafana</title><body>Welcome to Grafana</body>";
                bench.broken(move |script| script.answer("", "/v2/*", "200 OK", &[HTML], page))
            },
        ),
        single(
            "a path is given beside the name",
            "Railhead, nginx",
            error("RH-ROUTE-SUBPATH", "routing"),
            |bench| {
                let (server, account) = bench.railhead();
                let lines = Nginx::location("/", server.address(), "");
                bench.behind_nginx(account, &lines).host("forge.test/git")
            },
        ),
        single(
            "only / is routed, not what is below /v2/",
            "Railhead, nginx",
            error("RH-READ-MISROUTED", "routing"),
            |bench| {
                let (server, account) = bench.railhead();
                let exact = Nginx::location("= /v2/", server.address(), "");
                let token = Nginx::location("= /v2/token", server.address(), "");
                bench.behind_nginx(account, &(exact + &token + "location / { return 404; }\n"))
            },
        ),
    ]
}

fn kept_out() -> Vec<Case> {
    vec![
        single(
            "a redirect to a sign-on",
            "breaker (oauth2-proxy)",
            error("RH-ROUTE-SIGN-ON", "routing"),
            |bench| {
                let to = "Location: https://sso.forge.test/oauth2/start?rd=https%3A%2F%2Fforge.test%2Fv2%2F";
                bench.broken(move |script| script.answer("", "/v2/*", "302 Found", &[to], ""))
            },
        ),
        single("a sign-on page", "breaker (Authelia)", error("RH-ROUTE-SIGN-ON", "routing"), |bench| {
            let page = "<html><title>Login - Authelia</title><form action=\"/login\"><input type=\"password\"></form></html>";
            bench.broken(move |script| script.answer("", "/v2/*", "200 OK", &[HTML], page))
        }),
        single(
            "the proxy asks for its own password",
            "Railhead, nginx",
            error("RH-ROUTE-BASIC", "routing"),
            |bench| {
                let (server, account) = bench.railhead();
                let file = bench.directory().join("htpasswd");
                let line = Program::find("htpasswd").run(["-nb", "proxy", "password"]).ok().stdout;
                std::fs::write(&file, line).unwrap();
                let basic = format!("auth_basic \"Restricted\"; auth_basic_user_file {};", file.display());
                bench.behind_nginx(account, &Nginx::location("/", server.address(), &basic))
            },
        ),
        single(
            "the proxy forbids the address",
            "Railhead, nginx",
            error("RH-ROUTE-FORBIDDEN", "routing"),
            |bench| {
                let (server, account) = bench.railhead();
                bench.behind_nginx(account, &Nginx::location("/", server.address(), "deny all;"))
            },
        ),
        single(
            "a robot check",
            "breaker (Cloudflare)",
            error("RH-ROUTE-CHALLENGE-PAGE", "routing"),
            |bench| {
                let fields =
                    ["Server: cloudflare", "cf-mitigated: challenge", "CF-RAY: 8c0f0f0f0f0f0f0f-FRA", HTML];
                let page = "<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>";
                bench.broken(move |script| script.answer("", "*", "403 Forbidden", &fields, page))
            },
        ),
        single("too many requests", "nginx", error("RH-ROUTE-RATE", "routing"), |bench| {
            bench.behind_nginx(&bench.railhead().1, "location / { return 429; }\n")
        }),
        single("only GET is let through", "Railhead, nginx", error("RH-ROUTE-METHOD", "routing"), |bench| {
            let (server, account) = bench.railhead();
            let more = "limit_except GET { deny all; }";
            let v2 = Nginx::location("/v2/", server.address(), more);
            bench.behind_nginx(account, &(v2 + &Nginx::location("/", server.address(), "")))
        }),
    ]
}

fn redirected() -> Vec<Case> {
    vec![
        single("a redirect to another host", "nginx", error("RH-ROUTE-REDIRECT", "routing"), |bench| {
            let line = "return 301 https://www.forge.test$request_uri;\n";
            bench.behind_nginx(&bench.railhead().1, line)
        }),
        single("a redirect to itself", "nginx", error("RH-ROUTE-REDIRECT-LOOP", "routing"), |bench| {
            bench.behind_nginx(&bench.railhead().1, "return 301 https://$host$request_uri;\n")
        }),
    ]
}

fn no_backend() -> Vec<Case> {
    vec![
        single("the registry is down", "nginx", error("RH-ROUTE-502", "routing"), |bench| {
            let port = ClosedPort::take();
            let lines = Nginx::location("/", port.address(), "");
            bench.behind_nginx(&bench.railhead().1, &lines).keep(port)
        }),
        single("the registry is down", "Traefik", error("RH-ROUTE-502", "routing"), |bench| {
            let port = ClosedPort::take();
            let upstream = [port.address()];
            let routes = [("registry", "PathPrefix(`/`)", &upstream[..])];
            let dynamic = Dynamic { routes: &routes, identity: Some(&bench.identity), strict_names: false };
            let traefik = Traefik { flags: &[], dynamic }.start(&bench.directory());
            bench.setup(&bench.railhead().1).https(traefik.https()).keep((traefik, port))
        }),
        single("the registry is down", "Caddy", error("RH-ROUTE-502", "routing"), |bench| {
            let port = ClosedPort::take();
            let site = format!("reverse_proxy {}", port.address());
            let caddy = Caddy { site, identity: &bench.identity }.start(&bench.directory());
            bench.setup(&bench.railhead().1).https(caddy.https()).keep((caddy, port))
        }),
        single("no server in the backend", "HAProxy", error("RH-ROUTE-503", "routing"), |bench| {
            let proxy = Haproxy { front: "", bind: "", upstream: None, identity: &bench.identity };
            let proxy = proxy.start(&bench.directory());
            bench.setup(&bench.railhead().1).https(proxy.https()).keep(proxy)
        }),
        single("no server in the service", "Traefik", error("RH-ROUTE-503", "routing"), |bench| {
            let routes = [("registry", "PathPrefix(`/`)", &[][..])];
            let dynamic = Dynamic { routes: &routes, identity: Some(&bench.identity), strict_names: false };
            let traefik = Traefik { flags: &[], dynamic }.start(&bench.directory());
            bench.setup(&bench.railhead().1).https(traefik.https()).keep(traefik)
        }),
        single(
            "the registry does not answer the proxy",
            "nginx",
            error("RH-ROUTE-504", "routing"),
            |bench| {
                let silent = Breaker::start(Script::silence());
                let lines = Nginx::location("/", silent.address(), "proxy_read_timeout 1s;");
                bench.behind_nginx(&bench.railhead().1, &lines).keep(silent)
            },
        ),
    ]
}

fn changed() -> Vec<Case> {
    vec![
        single(
            "two routes lead to two registries",
            "Railhead, Gitea, nginx",
            error("RH-ROUTE-OTHER", "routing"),
            |bench| {
                let nginx = bench.nginx(&Nginx::location("/", bench.railhead().0.address(), ""));
                let forge = bench.gitea().0.address();
                bench.anonymous().https(nginx.https()).plain("pod", forge).keep(nginx)
            },
        ),
        single(
            "answers are compressed unasked",
            "Railhead, breaker",
            error("RH-ROUTE-COMPRESSED", "routing"),
            |bench| {
                bench.broken(|script| {
                    script.edit("GET", "/v2/", |answer| answer.set("Content-Encoding", "gzip"))
                })
            },
        ),
        single(
            "answers come from a cache",
            "Railhead, breaker",
            warning("RH-ROUTE-CACHED", "routing"),
            |bench| {
                bench.broken(|script| {
                    script.edit("GET", "/v2/", |answer| {
                        answer.set("Age", "120");
                        answer.set("X-Cache", "HIT");
                    })
                })
            },
        ),
        single(
            "Authorization does not arrive",
            "Railhead, nginx",
            error("RH-ROUTE-AUTH-DROPPED", "routing"),
            |bench| {
                let (server, account) = bench.railhead();
                let v2 = Nginx::location("/v2/", server.address(), "proxy_set_header Authorization \"\";");
                let rest = Nginx::location("/", server.address(), "");
                bench.behind_nginx(account, &(v2 + &rest)).plain("pod", server.address())
            },
        ),
        single(
            "bodies without a length are refused",
            "Railhead, breaker",
            error("RH-ROUTE-CHUNKED", "routing"),
            |bench| {
                let page = "<html><head><title>411 Length Required</title></head><body><center><h1>411 Length Required\
                        </h1></center><hr><center>nginx/1.2.1</center></body></html>";
                bench.broken(move |script| {
                    script.answer("PATCH", "*", "411 Length Required", &["Server: nginx/1.2.1", HTML], page)
                })
            },
        ),
    ]
}

/// What nodes meet that have a mirror in their `hosts.toml` or `registries.yaml`.
fn mirrors() -> Vec<Case> {
    vec![
        single(
            "a mirror by address misses the ingress, which goes by name",
            "Railhead, Traefik",
            error("RH-CLIENT-BY-ADDRESS", "client"),
            |bench| {
                let (server, account) = bench.railhead();
                let upstream = [server.address()];
                let routes = [("registry", "Host(`forge.test`)", &upstream[..])];
                let dynamic =
                    Dynamic { routes: &routes, identity: Some(&bench.identity), strict_names: false };
                let traefik = Traefik { flags: &[], dynamic }.start(&bench.directory());
                let mirror = format!("mirror=http://{}", traefik.http());
                bench.setup(account).https(traefik.https()).route(mirror).keep(traefik)
            },
        ),
        single(
            "a mirror by address shows no name to TLS",
            "Railhead, HAProxy",
            error("RH-CLIENT-BY-ADDRESS", "client"),
            |bench| {
                let (server, account) = bench.railhead();
                let upstream = Some(server.address());
                let proxy = Haproxy { front: "", bind: "strict-sni", upstream, identity: &bench.identity };
                let proxy = proxy.start(&bench.directory());
                let mirror = format!("mirror=https://{}", proxy.https());
                bench.setup(account).https(proxy.https()).route(mirror).keep(proxy)
            },
        ),
        single(
            "a mirror's realm leads to its upstream",
            "Gitea, nginx",
            error("RH-REALM-HOST", "application"),
            |bench| {
                let (forge, account) = bench.gitea();
                let lines = format!(
                    "location / {{ proxy_pass http://{}; proxy_set_header Host {HOST}; \
                     proxy_set_header X-Forwarded-Proto https; }}\n",
                    forge.address()
                );
                let (nginx, route) = mirror(bench, &lines);
                bench.setup(account).host(MIRROR).route(route).keep(nginx)
            },
        ),
        single(
            "a mirror is down, and clients go on to its upstream",
            "Railhead, nginx",
            error("RH-ROUTE-502", "routing"),
            |bench| {
                let (server, account) = bench.railhead();
                let port = ClosedPort::take();
                let (nginx, route) = mirror(bench, &Nginx::location("/", port.address(), ""));
                let good = bench.behind_nginx(account, &Nginx::location("/", server.address(), ""));
                good.route(route).keep((nginx, port))
            },
        )
        .look(|diagnosis| match diagnosis.findings[0].routes.as_slice() {
            [route] if route == "mirror" => Ok(()),
            routes => Err(format!("it is about {routes:?}, and not about the mirror alone")),
        }),
    ]
}

/// An nginx by the name of [`MIRROR`], and the route to it.
fn mirror(bench: &Bench, lines: &str) -> (Proxy, String) {
    let nginx = bench.nginx_as(&bench.authority.certify(&Certificate::of(MIRROR)), lines);
    let ca = bench.authority.file();
    let route = format!("mirror=https://{MIRROR},connect={},ca={}", nginx.https(), ca.display());
    (nginx, route)
}
