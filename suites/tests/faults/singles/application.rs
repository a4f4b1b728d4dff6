//! What the application itself answers, and its challenge.

use railhead_suites::Distribution;
use railhead_suites::proxies::{Caddy, Nginx};

use super::single;
use crate::case::{Case, error, warning};

const JSON: &str = "Content-Type: application/json";

pub fn cases() -> Vec<Case> {
    let mut cases = answers();
    cases.extend(broken_challenges());
    cases.extend(unusual_challenges());
    cases
}

fn answers() -> Vec<Case> {
    vec![
        single("packages are disabled", "Gitea, nginx", error("RH-APP-DISABLED", "application"), |bench| {
            let (forge, account) = bench.gitea_closed();
            bench.behind_nginx(account, &Nginx::location("/", forge.address(), ""))
        }),
        single("packages are disabled", "Gitea", error("RH-APP-DISABLED", "application"), |bench| {
            let (forge, account) = bench.gitea_closed();
            bench.setup(account).http(forge.address())
        }),
        single("the application fails", "breaker", error("RH-APP-ERROR", "application"), |bench| {
            let body = r#"{"errors":[{"code":"UNKNOWN","message":"Internal Server Error"}]}"#;
            bench.broken(move |script| script.answer("", "/v2/*", "500 Internal Server Error", &[JSON], body))
        }),
        single("the application starts", "breaker", error("RH-APP-STARTING", "application"), |bench| {
            let body = r#"{"errors":[{"code":"UNKNOWN","message":"starting"}]}"#;
            bench.broken(move |script| script.answer("", "/v2/*", "503 Service Unavailable", &[JSON], body))
        }),
        single("something else answers", "breaker", error("RH-APP-NOT-REGISTRY", "application"), |bench| {
            bench.broken(|script| script.answer("", "*", "200 OK", &[JSON], r#"{"status":"ok"}"#))
        }),
        single("an empty site answers", "Caddy", error("RH-APP-NOT-REGISTRY", "application"), |bench| {
            let caddy = Caddy { site: "header X-Site none".to_owned(), identity: &bench.identity };
            let caddy = caddy.start(&bench.directory());
            bench.setup(&bench.railhead().1).https(caddy.https()).keep(caddy)
        }),
        single("the database fails", "breaker", error("RH-APP-DATABASE", "database"), |bench| {
            let body = r#"{"errors":[{"code":"UNKNOWN","message":"dial tcp 10.0.0.9:5432: connect: connection refused"}]}"#;
            bench.broken(move |script| script.answer("", "/v2/*", "500 Internal Server Error", &[JSON], body))
        }),
    ]
}

fn broken_challenges() -> Vec<Case> {
    vec![
        single(
            "the challenge is lost",
            "Railhead, nginx",
            error("RH-CHALLENGE-MISSING", "application"),
            |bench| {
                let (server, account) = bench.railhead();
                let more = "proxy_hide_header WWW-Authenticate;";
                bench.behind_nginx(account, &Nginx::location("/", server.address(), more))
            },
        ),
        single(
            "one route loses the challenge, another has it",
            "Railhead, nginx",
            error("RH-CHALLENGE-MISSING", "routing"),
            |bench| {
                let (server, account) = bench.railhead();
                let more = "proxy_hide_header WWW-Authenticate;";
                let lines = Nginx::location("/", server.address(), more);
                bench.behind_nginx(account, &lines).plain("pod", server.address())
            },
        ),
        single(
            "the challenge cannot be read",
            "Railhead, breaker",
            error("RH-CHALLENGE-BROKEN", "application"),
            |bench| {
                bench.broken(|script| {
                    script.challenge(|answer| {
                        answer.set("WWW-Authenticate", "Bearer realm=\"https://forge.test/token");
                    })
                })
            },
        ),
        single(
            "the challenge has no realm",
            "Railhead, breaker",
            error("RH-CHALLENGE-NO-REALM", "application"),
            |bench| {
                bench.broken(|script| {
                    script.challenge(|answer| answer.set("WWW-Authenticate", "Bearer service=\"forge.test\""))
                })
            },
        ),
        single(
            "the realm is no URL",
            "Railhead, breaker",
            error("RH-CHALLENGE-REALM-INVALID", "application"),
            |bench| {
                bench.broken(|script| {
                    script.challenge(|answer| {
                        answer.set("WWW-Authenticate", "Bearer realm=\"/token\",service=\"forge.test\"");
                    })
                })
            },
        ),
    ]
}

fn unusual_challenges() -> Vec<Case> {
    vec![
        single(
            "the challenge has no service",
            "Gitea, breaker",
            warning("RH-CHALLENGE-NO-SERVICE", "application"),
            |bench| {
                bench.broken_gitea(|script| {
                    script.challenge(|answer| {
                        answer.replace("WWW-Authenticate", ",service=\"container_registry\"", "");
                    })
                })
            },
        ),
        single("a second challenge", "Gitea, breaker", warning("RH-CHALLENGE-TWO", "application"), |bench| {
            bench.broken_gitea(|script| {
                script.challenge(|answer| {
                    answer.add("WWW-Authenticate", "Basic realm=\"Gitea Container Registry\"");
                })
            })
        }),
        single(
            "the challenge asks for another scope",
            "Railhead, breaker",
            warning("RH-CHALLENGE-SCOPE", "application"),
            |bench| {
                let other = "Bearer realm=\"https://forge.test/token\",service=\"railhead\",\
                             scope=\"repository:library/other:pull\"";
                bench.broken(move |script| {
                    script.challenge(move |answer| {
                        if answer.get("WWW-Authenticate").is_some_and(|value| value.contains("scope=")) {
                            answer.set("WWW-Authenticate", other);
                        }
                    })
                })
            },
        ),
        single(
            "anybody is let in",
            "distribution, nginx",
            warning("RH-CHALLENGE-OPEN", "identity"),
            |bench| {
                let open = Distribution::start(&bench.directory(), None, None, "");
                let nginx = bench.nginx(&Nginx::location("/", open.address(), ""));
                bench.anonymous().https(nginx.https()).keep((nginx, open))
            },
        ),
    ]
}
