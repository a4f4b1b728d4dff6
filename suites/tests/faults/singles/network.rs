//! From the name to the first bytes of an answer.

use std::time::Duration;

use railhead_suites::Breaker;
use railhead_suites::breaker::Script;
use railhead_suites::certificates::Certificate;
use railhead_suites::loopback::{self, ClosedPort, FullPort};

use super::single;
use crate::bench::HOST;
use crate::case::{Case, error, warning, within};
use crate::names::{NAME_ERROR, Names, SERVER_FAILURE};

const ENDLESS: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n";

pub fn cases() -> Vec<Case> {
    let mut cases = names_and_connections();
    cases.extend(answers());
    cases
}

fn names_and_connections() -> Vec<Case> {
    vec![
        single("the name has no address", "name server", error("RH-DNS-UNKNOWN", "network"), |bench| {
            let names = Names::answering(&bench.directory(), NAME_ERROR);
            bench.anonymous().route(format!("https=https://{HOST}")).under(names.under()).keep(names)
        }),
        single("the name server fails", "name server", error("RH-DNS-SERVICE", "network"), |bench| {
            let names = Names::answering(&bench.directory(), SERVER_FAILURE);
            bench.anonymous().route(format!("https=https://{HOST}")).under(names.under()).keep(names)
        }),
        single("nothing listens on the port", "none", error("RH-CONNECT-REFUSED", "network"), |bench| {
            let port = ClosedPort::take();
            bench.anonymous().https(port.address()).keep(port)
        }),
        single("no way to the address", "none", error("RH-CONNECT-UNREACHABLE", "network"), |bench| {
            bench.anonymous().https("255.255.255.255:443".parse().unwrap())
        }),
        single("packets are dropped", "none", error("RH-CONNECT-TIMEOUT", "network"), |bench| {
            let port = FullPort::make();
            bench.anonymous().https(port.address()).timeout("1s").keep(port)
        })
        .look(within(Duration::from_secs(5))),
        single(
            "one of two addresses of the name is dead",
            "Railhead, nginx",
            warning("RH-CONNECT-PARTIAL", "network"),
            |bench| {
                let (server, account) = bench.railhead();
                let nginx =
                    bench.nginx(&railhead_suites::proxies::Nginx::location("/", server.address(), ""));
                let (live, dead) = (nginx.https(), loopback::address());
                let host = format!("{HOST}:{}", live.port());
                let setup = bench.setup(account);
                let route = format!("https=https://{host},ca={}", setup.ca());
                let resolve = format!("{HOST}={},{dead}", live.ip());
                setup.host(&host).route(route).with(&["--resolve", &resolve]).keep(nginx)
            },
        ),
    ]
}

fn answers() -> Vec<Case> {
    vec![
        single(
            "the connection closes without an answer",
            "breaker",
            error("RH-HTTP-CLOSED", "network"),
            |bench| bench.broken(|script| script.closing("", "*")),
        ),
        single("the connection is reset", "breaker", error("RH-HTTP-CLOSED", "network"), |bench| {
            let breaker = Breaker::start(Script::reset());
            bench.anonymous().http(breaker.address()).keep(breaker)
        }),
        single("no answer in time", "breaker", error("RH-HTTP-TIMEOUT", "network"), |bench| {
            bench.broken(|script| script.silent("", "*")).timeout("1s")
        })
        .look(within(Duration::from_secs(8))),
        single("another protocol answers", "breaker (SSH)", error("RH-HTTP-FOREIGN", "network"), |bench| {
            let breaker = Breaker::start(Script::banner("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"));
            bench.anonymous().http(breaker.address()).keep(breaker)
        }),
        single("the head of the answer is huge", "breaker", error("RH-HTTP-HUGE-HEAD", "network"), |bench| {
            let field = format!("X-Padding: {}", "a".repeat(96 << 10));
            bench.broken(move |script| script.answer("", "*", "200 OK", &[&field], "{}"))
        }),
        single("the body is cut short", "breaker", error("RH-HTTP-CUT", "network"), |bench| {
            let bytes =
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"a\":";
            bench.broken(move |script| script.bytes("", "/v2/", bytes))
        }),
        single("the body does not end", "breaker", error("RH-HTTP-ENDLESS", "network"), |bench| {
            bench
                .broken(|script| {
                    script.endless("", "/v2/", ENDLESS, &[b' '; 16 << 10], Duration::from_millis(1))
                })
                .timeout("2s")
        }),
        single("the body trickles without end", "breaker", error("RH-HTTP-ENDLESS", "network"), |bench| {
            bench
                .broken(|script| script.endless("", "/v2/", ENDLESS, b" ", Duration::from_millis(200)))
                .timeout("1s")
        })
        .look(within(Duration::from_secs(8))),
        single(
            "the server's clock is wrong",
            "Railhead, breaker",
            warning("RH-CLOCK-SKEW", "network"),
            |bench| {
                let date = "Mon, 06 Jan 2025 10:00:00 GMT";
                bench.broken(move |script| script.edit("", "*", move |answer| answer.set("Date", date)))
            },
        ),
        single("the connection is reset after TLS", "breaker", error("RH-HTTP-CLOSED", "network"), |bench| {
            let identity = bench.authority.certify(&Certificate::of(HOST));
            let (server, account) = bench.railhead();
            bench.broken_before(server.address(), account, &identity, |script| script.resetting("", "*"))
        }),
    ]
}
