//! Two things are broken: both are named, and the one to mend first comes first.

use std::time::Duration;

use railhead_suites::Breaker;
use railhead_suites::breaker::Script;
use railhead_suites::certificates::{Authority, Certificate};
use railhead_suites::loopback::{ClosedPort, FullPort};
use railhead_suites::proxies::{Dynamic, Nginx, Traefik};

use crate::bench::{Bench, HOST};
use crate::case::{Case, Expected, Kind, Setup, error, warning, within};

const JSON: &str = "Content-Type: application/json";

pub fn cases() -> Vec<Case> {
    let mut cases = trust_and_more();
    cases.extend(routes_and_more());
    cases.extend(answers_and_more());
    cases
}

fn pair(
    name: &str,
    server: &str,
    expected: [Expected; 2],
    set_up: impl Fn(&Bench) -> Setup + Send + Sync + 'static,
) -> Case {
    Case::new(Kind::Pair, name, server, &expected, set_up)
}

fn trust_and_more() -> Vec<Case> {
    vec![
        pair(
            "the certificate has expired and is for another name",
            "Railhead, breaker",
            [error("RH-TLS-EXPIRED", "tls"), error("RH-TLS-NAME", "tls")],
            |bench| bench.certified(&bench.authority.certify(&Certificate::of("old.test").valid(-90, -1))),
        ),
        pair(
            "the certificate has expired, and /v2/ has no route",
            "nginx",
            [error("RH-TLS-EXPIRED", "tls"), error("RH-ROUTE-404", "routing")],
            |bench| {
                let identity = bench.authority.certify(&Certificate::of(HOST).valid(-90, -1));
                let nginx = bench.nginx_as(&identity, "location / { return 404; }\n");
                bench.setup(&bench.railhead().1).https(nginx.https()).keep(nginx)
            },
        ),
        pair(
            "neither certificate nor route",
            "Traefik",
            [error("RH-TLS-DEFAULT-CERT", "tls"), error("RH-ROUTE-404", "routing")],
            |bench| {
                let traefik = Traefik::default().start(&bench.directory());
                bench.setup(&bench.railhead().1).https(traefik.https()).keep(traefik)
            },
        ),
        pair(
            "the authority is not trusted, and the proxy does not pass the host",
            "Gitea, nginx",
            [error("RH-TLS-UNTRUSTED", "tls"), error("RH-REALM-PRIVATE", "application")],
            |bench| {
                let (forge, account) = bench.gitea();
                let other = Authority::make(&bench.directory(), "Nobody's authority");
                let line = format!(
                    "location / {{ proxy_pass http://{}; proxy_set_header X-Forwarded-Proto https; }}\n",
                    forge.address()
                );
                let nginx = bench.nginx_as(&other.certify(&Certificate::of(HOST)), &line);
                bench.setup(account).https(nginx.https()).keep(nginx)
            },
        ),
        pair(
            "the certificate signs itself, and packages are disabled",
            "Gitea, nginx",
            [error("RH-TLS-SELF-SIGNED", "tls"), error("RH-APP-DISABLED", "application")],
            |bench| {
                let (forge, account) = bench.gitea_closed();
                let identity = bench.authority.self_signed(&Certificate::of(HOST));
                let nginx = bench.nginx_as(&identity, &Nginx::location("/", forge.address(), ""));
                bench.setup(account).https(nginx.https()).keep(nginx)
            },
        ),
        pair(
            "the certificate is for another name, and the registry is down",
            "nginx",
            [error("RH-TLS-NAME", "tls"), error("RH-ROUTE-502", "routing")],
            |bench| {
                let port = ClosedPort::take();
                let identity = bench.authority.certify(&Certificate::of("git.other.test"));
                let nginx = bench.nginx_as(&identity, &Nginx::location("/", port.address(), ""));
                bench.setup(&bench.railhead().1).https(nginx.https()).keep((nginx, port))
            },
        ),
        pair(
            "the certificate has expired, and the clock is wrong",
            "Railhead, breaker",
            [error("RH-TLS-EXPIRED", "tls"), warning("RH-CLOCK-SKEW", "network")],
            |bench| {
                let (server, account) = bench.railhead();
                let identity = bench.authority.certify(&Certificate::of(HOST).valid(-90, -1));
                bench.broken_before(server.address(), account, &identity, |script| {
                    script.edit("", "*", |answer| answer.set("Date", "Mon, 06 Jan 2025 10:00:00 GMT"))
                })
            },
        ),
        pair(
            "the token is wrong, and the certificate expires soon",
            "Gitea, nginx",
            [error("RH-AUTH-REFUSED", "identity"), warning("RH-TLS-EXPIRES-SOON", "tls")],
            |bench| {
                let (forge, account) = bench.gitea();
                let identity = bench.authority.certify(&Certificate::of(HOST).valid(-85, 5));
                let nginx = bench.nginx_as(&identity, &Nginx::location("/", forge.address(), ""));
                let account = account.clone().with_secret("0123456789abcdef0123456789abcdef01234567");
                bench.setup(&account).https(nginx.https()).keep(nginx)
            },
        ),
    ]
}

fn routes_and_more() -> Vec<Case> {
    vec![
        pair(
            "one route is refused, the other has no /v2/",
            "nginx",
            [error("RH-CONNECT-REFUSED", "network"), error("RH-ROUTE-404", "routing")],
            |bench| {
                let port = ClosedPort::take();
                let nginx = bench.nginx("location / { return 404; }\n");
                let setup = bench.setup(&bench.railhead().1).https(nginx.https());
                setup.plain("nodeport", port.address()).keep((nginx, port))
            },
        ),
        pair(
            "one route is silent, the other has no registry behind it",
            "nginx",
            [error("RH-CONNECT-TIMEOUT", "network"), error("RH-ROUTE-502", "routing")],
            |bench| {
                let (port, full) = (ClosedPort::take(), FullPort::make());
                let nginx = bench.nginx(&Nginx::location("/", port.address(), ""));
                let setup = bench.setup(&bench.railhead().1).https(nginx.https()).timeout("1s");
                setup.plain("nodeport", full.address()).keep((nginx, port, full))
            },
        ),
        pair(
            "two routes are silent at the same time, each in its own way",
            "breaker",
            [error("RH-CONNECT-TIMEOUT", "network"), error("RH-HTTP-TIMEOUT", "network")],
            |bench| {
                let full = FullPort::make();
                let silent = Breaker::start(Script::silence());
                let setup = bench.anonymous().timeout("2s").http(silent.address());
                setup.plain("nodeport", full.address()).plain("pod", full.address()).keep((full, silent))
            },
        )
        // One after the other they would take six.
        .look(within(Duration::from_secs(5))),
        pair(
            "the hostname has no route, and packages are disabled",
            "Gitea, Traefik",
            [error("RH-ROUTE-404", "routing"), error("RH-APP-DISABLED", "application")],
            |bench| {
                let (forge, account) = bench.gitea_closed();
                let dynamic = Dynamic { identity: Some(&bench.identity), ..Dynamic::default() };
                let traefik = Traefik { flags: &[], dynamic }.start(&bench.directory());
                bench.setup(account).https(traefik.https()).plain("pod", forge.address()).keep(traefik)
            },
        ),
        pair(
            "the hostname asks for the proxy's password, and ROOT_URL is http",
            "Gitea, nginx",
            [error("RH-ROUTE-BASIC", "routing"), error("RH-REALM-SCHEME", "application")],
            |bench| {
                let (forge, account) = bench.gitea_http();
                let file = bench.directory().join("htpasswd");
                std::fs::write(&file, "proxy:{PLAIN}password\n").unwrap();
                let basic = format!("auth_basic \"Restricted\"; auth_basic_user_file {};", file.display());
                let lines = Nginx::location("/", forge.address(), &basic);
                bench.behind_nginx(account, &lines).plain("pod", forge.address())
            },
        ),
        pair(
            "only GET is let through, and answers come from a cache",
            "Railhead, breaker",
            [error("RH-ROUTE-METHOD", "routing"), warning("RH-ROUTE-CACHED", "routing")],
            |bench| {
                let page = "<html><head><title>405 Not Allowed</title></head><body><center><h1>405 Not Allowed</h1>\
                            </center><hr><center>nginx</center></body></html>";
                let fields = ["Server: nginx", "Content-Type: text/html"];
                bench.broken(move |script| {
                    script.answer("POST|PATCH|DELETE", "/v2/*", "405 Not Allowed", &fields, page).edit(
                        "GET",
                        "/v2/",
                        |answer| answer.set("Age", "120"),
                    )
                })
            },
        ),
    ]
}

fn answers_and_more() -> Vec<Case> {
    vec![
        pair(
            "ROOT_URL is http, and there is a second challenge",
            "Gitea, breaker",
            [error("RH-REALM-SCHEME", "application"), warning("RH-CHALLENGE-TWO", "application")],
            |bench| {
                let (forge, account) = bench.gitea_http();
                bench.broken_before(forge.address(), account, &bench.identity, |script| {
                    script
                        .request(|request| request.remove("X-Forwarded-Proto"))
                        .challenge(|answer| answer.add("WWW-Authenticate", "Basic realm=\"Gitea\""))
                })
            },
        ),
        pair(
            "lists fail, and the challenge has no service",
            "Gitea, breaker",
            [error("RH-READ-ERROR", "application"), warning("RH-CHALLENGE-NO-SERVICE", "application")],
            |bench| {
                bench.broken_gitea(|script| {
                    script
                        .answer("GET", "/v2/*/tags/list", "500 Internal Server Error", &[JSON], "{}")
                        .challenge(|answer| {
                            answer.replace("WWW-Authenticate", ",service=\"container_registry\"", "");
                        })
                })
            },
        ),
        pair(
            "the token may only read, and the token endpoint takes GET only",
            "Railhead, breaker",
            [error("RH-AUTH-WRITE", "identity"), warning("RH-REALM-POST", "application")],
            |bench| {
                let (server, account) = bench.railhead();
                let account = account.clone().with_secret(server.token("alice", &["pull"]));
                let page = "<!doctype html><html><title>Error</title></html>";
                bench.broken_before(server.address(), &account, &bench.identity, |script| {
                    script.answer("POST", "/v2/token", "200 OK", &["Content-Type: text/html"], page)
                })
            },
        ),
        pair(
            "the token endpoint is not routed, and there is a second challenge",
            "Railhead, breaker",
            [error("RH-REALM-404", "routing"), warning("RH-CHALLENGE-TWO", "application")],
            |bench| {
                bench.broken(|script| {
                    script
                        .answer(
                            "",
                            "/v2/token",
                            "404 Not Found",
                            &["Content-Type: text/plain"],
                            "404 page not found\n",
                        )
                        .challenge(|answer| answer.add("WWW-Authenticate", "Basic realm=\"registry\""))
                })
            },
        ),
        pair(
            "the token may only read, and answers are compressed",
            "Gitea, breaker",
            [error("RH-ROUTE-COMPRESSED", "routing"), error("RH-AUTH-WRITE", "identity")],
            |bench| {
                let (forge, account) = bench.gitea();
                let account = account.clone().with_secret(forge.token("second-reader", "read:package"));
                bench.broken_before(forge.address(), &account, &bench.identity, |script| {
                    script.edit("GET", "/v2/", |answer| answer.set("Content-Encoding", "gzip"))
                })
            },
        ),
        pair(
            "the disk is full, and lists fail",
            "Railhead, breaker",
            [error("RH-STORAGE-FULL", "storage"), error("RH-READ-ERROR", "application")],
            |bench| {
                let body = r#"{"errors":[{"code":"UNKNOWN","message":"no space left on device"}]}"#;
                bench.broken(move |script| {
                    script.answer("PATCH", "*", "507 Insufficient Storage", &[JSON], body).answer(
                        "GET",
                        "/v2/*/tags/list",
                        "500 Internal Server Error",
                        &[JSON],
                        "{}",
                    )
                })
            },
        ),
        pair(
            "the owner does not exist, and the clock is wrong",
            "Gitea, breaker",
            [error("RH-AUTH-OWNER", "identity"), warning("RH-CLOCK-SKEW", "network")],
            |bench| {
                let (forge, account) = bench.gitea();
                let account = account.clone().about("nobody/app");
                bench.broken_before(forge.address(), &account, &bench.identity, |script| {
                    script.edit("", "*", |answer| answer.set("Date", "Mon, 06 Jan 2025 10:00:00 GMT"))
                })
            },
        ),
    ]
}
