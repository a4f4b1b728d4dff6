//! What is in front lets little through, or not for long: found with `--limits`.

use railhead_suites::breaker::Script;
use railhead_suites::proxies::{Dynamic, Traefik};

use super::single;
use crate::bench::Bench;
use crate::case::{Case, Setup, error, warning};

/// How long slow requests are watched: longer than every time-out of these set-ups, which are longer than the other trials take.
const LIMITS: [&str; 3] = ["--limits", "--limits-time", "15s"];

pub fn cases() -> Vec<Case> {
    vec![
        single(
            "bodies above 1 MiB are refused",
            "Railhead, nginx",
            error("RH-LIMIT-SIZE", "routing"),
            |bench| nginx(bench, "client_max_body_size 1m; proxy_request_buffering off;"),
        ),
        single(
            "a CDN refuses bodies above 100 MB",
            "Railhead, breaker (Cloudflare)",
            error("RH-LIMIT-SIZE", "routing"),
            |bench| {
                let fields =
                    ["Server: cloudflare", "CF-RAY: 8c0f0f0f0f0f0f0f-FRA", "Content-Type: text/html"];
                let page = "<html><head><title>413 Payload Too Large</title></head><body><center>\
                            <h1>413 Payload Too Large</h1></center><hr><center>cloudflare</center></body></html>";
                let refusing = |script: Script| {
                    script.refuse_larger(100_000_000, "413 Payload Too Large", &fields, page)
                };
                bench.broken(refusing).with(&LIMITS)
            },
        ),
        single(
            "the registry refuses bodies above 100 MiB",
            "Railhead, breaker",
            error("RH-LIMIT-SIZE-APP", "application"),
            |bench| {
                let body =
                    r#"{"errors":[{"code":"SIZE_INVALID","message":"layer is larger than the limit"}]}"#;
                bench
                    .broken(move |script| {
                        script.refuse_larger(
                            100 << 20,
                            "413 Request Entity Too Large",
                            &["Content-Type: application/json"],
                            body,
                        )
                    })
                    .with(&LIMITS)
            },
        ),
        single(
            "a slow body is cut off",
            "Railhead, Traefik",
            error("RH-LIMIT-READ-TIMEOUT", "routing"),
            |bench| traefik(bench, &["--entrypoints.websecure.transport.respondingTimeouts.readTimeout=4s"]),
        ),
        single(
            "a pausing body is cut off",
            "Railhead, nginx",
            warning("RH-LIMIT-IDLE-TIMEOUT", "routing"),
            |bench| {
                nginx(bench, "client_max_body_size 0; proxy_request_buffering off; client_body_timeout 4s;")
            },
        ),
        single(
            "a slow request gets no answer",
            "Railhead, Traefik",
            error("RH-LIMIT-ANSWER-TIMEOUT", "routing"),
            |bench| {
                let flags = [
                    "--entrypoints.websecure.transport.respondingTimeouts.readTimeout=0s",
                    "--entrypoints.websecure.transport.respondingTimeouts.writeTimeout=4s",
                ];
                traefik(bench, &flags)
            },
        ),
        single(
            "requests are kept whole in front",
            "Railhead, nginx",
            warning("RH-LIMIT-BUFFERING", "routing"),
            |bench| nginx(bench, "client_max_body_size 0;"),
        ),
    ]
}

fn nginx(bench: &Bench, lines: &str) -> Setup {
    let (server, account) = bench.railhead();
    let upstream = server.address();
    let location = format!(
        "location / {{ proxy_pass http://{upstream}; proxy_set_header Host $http_host; \
         proxy_set_header X-Forwarded-Proto $scheme; proxy_http_version 1.1; {lines} }}\n"
    );
    bench.behind_nginx(account, &location).with(&LIMITS)
}

fn traefik(bench: &Bench, flags: &[&str]) -> Setup {
    let (server, account) = bench.railhead();
    let upstream = [server.address()];
    let routes = [("registry", "PathPrefix(`/`)", &upstream[..])];
    let dynamic = Dynamic { routes: &routes, identity: Some(&bench.identity), strict_names: false };
    let traefik = Traefik { flags, dynamic }.start(&bench.directory());
    bench.setup(account).https(traefik.https()).keep(traefik).with(&LIMITS)
}
