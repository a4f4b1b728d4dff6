//! Where the challenge sends clients for a token.

use railhead_suites::proxies::Nginx;

use super::single;
use crate::case::{Case, error, warning};

const HTML: &str = "Content-Type: text/html; charset=utf-8";

pub fn cases() -> Vec<Case> {
    let mut cases = wrong_places();
    cases.extend(wrong_answers());
    cases
}

/// An nginx location that says to Gitea what people say to it.
fn told(upstream: std::net::SocketAddr, lines: &str) -> String {
    format!(
        "location / {{ proxy_pass http://{upstream}; proxy_http_version 1.1; client_max_body_size 0; {lines} }}\n"
    )
}

fn wrong_places() -> Vec<Case> {
    vec![
        single(
            "ROOT_URL is http, and the proxy does not say https",
            "Gitea, nginx",
            error("RH-REALM-SCHEME", "application"),
            |bench| {
                let (forge, account) = bench.gitea_http();
                bench.behind_nginx(account, &told(forge.address(), "proxy_set_header Host $host;"))
            },
        ),
        single(
            "the proxy does not pass the host",
            "Gitea, nginx",
            error("RH-REALM-PRIVATE", "application"),
            |bench| {
                let (forge, account) = bench.gitea();
                bench.behind_nginx(
                    account,
                    &told(forge.address(), "proxy_set_header X-Forwarded-Proto https;"),
                )
            },
        ),
        single(
            "the proxy passes another host",
            "Gitea, nginx",
            error("RH-REALM-HOST", "application"),
            |bench| {
                let (forge, account) = bench.gitea();
                let lines =
                    "proxy_set_header X-Forwarded-Proto https; proxy_set_header Host git.example.org;";
                bench.behind_nginx(account, &told(forge.address(), lines))
            },
        ),
        single(
            "the proxy passes another port",
            "Gitea, nginx",
            error("RH-REALM-PORT", "application"),
            |bench| {
                let (forge, account) = bench.gitea();
                let lines = "proxy_set_header X-Forwarded-Proto https; proxy_set_header Host $host:3000;";
                bench.behind_nginx(account, &told(forge.address(), lines))
            },
        ),
        single(
            "the realm's host cannot be reached",
            "Gitea",
            error("RH-REALM-UNREACHABLE", "routing"),
            |bench| {
                let (forge, account) = bench.gitea();
                bench.setup(account).plain("pod", forge.address())
            },
        ),
    ]
}

fn wrong_answers() -> Vec<Case> {
    vec![
        single(
            "the token endpoint is not routed",
            "Railhead, nginx",
            error("RH-REALM-404", "routing"),
            |bench| {
                let (server, account) = bench.railhead();
                let v2 = Nginx::location("/v2/", server.address(), "");
                bench.behind_nginx(account, &(v2 + "location = /v2/token { return 404; }\n"))
            },
        ),
        single(
            "the token endpoint redirects",
            "Railhead, nginx",
            error("RH-REALM-REDIRECT", "routing"),
            |bench| {
                let (server, account) = bench.railhead();
                let v2 = Nginx::location("/v2/", server.address(), "");
                bench.behind_nginx(
                    account,
                    &(v2 + "location = /v2/token { return 302 https://forge.test/user/login; }\n"),
                )
            },
        ),
        single(
            "the token endpoint is a page",
            "Railhead, breaker",
            error("RH-REALM-HTML", "routing"),
            |bench| {
                let page = "<!doctype html><html><title>Forge</title></html>";
                bench.broken(move |script| script.answer("", "/v2/token", "200 OK", &[HTML], page))
            },
        ),
        single(
            "the token endpoint fails",
            "Railhead, breaker",
            error("RH-REALM-ERROR", "application"),
            |bench| {
                let body = r#"{"errors":[{"code":"UNKNOWN","message":"internal error"}]}"#;
                let fields = ["Content-Type: application/json"];
                bench.broken(move |script| {
                    script.answer("", "/v2/token", "500 Internal Server Error", &fields, body)
                })
            },
        ),
        single(
            "the token endpoint takes GET only",
            "Railhead, breaker",
            warning("RH-REALM-POST", "application"),
            |bench| {
                let page = "<!doctype html><html><title>Error</title></html>";
                bench.broken(move |script| script.answer("POST", "/v2/token", "200 OK", &[HTML], page))
            },
        ),
    ]
}
