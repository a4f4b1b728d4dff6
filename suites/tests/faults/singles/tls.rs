//! The handshake and the certificate.

use railhead_suites::Breaker;
use railhead_suites::breaker::Script;
use railhead_suites::certificates::{Authority, Certificate};
use railhead_suites::loopback::ClosedPort;
use railhead_suites::proxies::{Dynamic, Haproxy, Nginx, Traefik};

use super::single;
use crate::bench::{Bench, HOST};
use crate::case::{Case, Setup, error, warning};

pub fn cases() -> Vec<Case> {
    let mut cases = handshakes();
    cases.extend(certificates());
    cases
}

fn handshakes() -> Vec<Case> {
    vec![
        single("the port of https speaks plain HTTP", "Gitea", error("RH-TLS-PLAIN", "tls"), |bench| {
            let (forge, account) = bench.gitea();
            bench.setup(account).https(forge.address())
        }),
        single("the port of http speaks TLS", "Railhead, nginx", error("RH-TLS-REQUIRED", "tls"), |bench| {
            let (server, account) = bench.railhead();
            let nginx = bench.nginx(&Nginx::location("/", server.address(), ""));
            bench.setup(account).http(nginx.https()).keep(nginx)
        }),
        single("the port of http speaks TLS", "Railhead", error("RH-TLS-REQUIRED", "tls"), |bench| {
            let (server, account) = bench.railhead_tls();
            bench.setup(account).http(server.address())
        }),
        single("the port of http speaks TLS", "Gitea", error("RH-TLS-REQUIRED", "tls"), |bench| {
            let (forge, account) = bench.gitea_tls();
            bench.setup(account).http(forge.address())
        }),
        single("the name has http and no https", "Gitea", error("RH-TLS-NONE", "tls"), |bench| {
            let (forge, account) = bench.gitea_http();
            let port = ClosedPort::take();
            bench.setup(account).https(port.address()).http(forge.address()).keep(port)
        }),
        single("only TLS 1.1", "Railhead, nginx", error("RH-TLS-VERSION", "tls"), |bench| {
            let (server, account) = bench.railhead();
            let old = "ssl_protocols TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0;\n";
            bench.behind_nginx(account, &format!("{old}{}", Nginx::location("/", server.address(), "")))
        }),
        single("an alert says: protocol version", "breaker", error("RH-TLS-VERSION", "tls"), |bench| {
            alert(bench, 70)
        }),
        single(
            "the proxy has no certificate for the name",
            "HAProxy",
            error("RH-TLS-NAME-REFUSED", "tls"),
            |bench| {
                let (server, account) = bench.railhead();
                let identity = bench.authority.certify(&Certificate::of("other.test"));
                let upstream = Some(server.address());
                let proxy = Haproxy { front: "", bind: "strict-sni", upstream, identity: &identity };
                let proxy = proxy.start(&bench.directory());
                bench.setup(account).https(proxy.https()).keep(proxy)
            },
        ),
        single("an alert says: unrecognised name", "breaker", error("RH-TLS-NAME-REFUSED", "tls"), |bench| {
            alert(bench, 112)
        }),
        single(
            "a certificate of the client is wanted",
            "nginx",
            error("RH-TLS-CLIENT-CERT", "tls"),
            |bench| {
                let (server, account) = bench.railhead();
                let ca = bench.authority.file();
                let verify = format!("ssl_verify_client on; ssl_client_certificate {};\n", ca.display());
                bench
                    .behind_nginx(account, &format!("{verify}{}", Nginx::location("/", server.address(), "")))
            },
        ),
        single(
            "a certificate of the client is wanted",
            "HAProxy",
            error("RH-TLS-CLIENT-CERT", "tls"),
            |bench| {
                let (server, account) = bench.railhead();
                let bind = format!("verify required ca-file {}", bench.authority.file().display());
                let upstream = Some(server.address());
                let proxy = Haproxy { front: "", bind: &bind, upstream, identity: &bench.identity };
                let proxy = proxy.start(&bench.directory());
                bench.setup(account).https(proxy.https()).keep(proxy)
            },
        ),
        single(
            "an alert says: certificate required",
            "breaker",
            error("RH-TLS-CLIENT-CERT", "tls"),
            |bench| alert(bench, 116),
        ),
        single("an alert says: handshake failure", "breaker", error("RH-TLS-HANDSHAKE", "tls"), |bench| {
            alert(bench, 40)
        }),
        single(
            "names without a certificate are refused",
            "Traefik",
            error("RH-TLS-NAME-REFUSED", "tls"),
            |bench| {
                let (server, account) = bench.railhead();
                let identity = bench.authority.certify(&Certificate::of("other.test"));
                let upstream = [server.address()];
                let routes = [("registry", "PathPrefix(`/`)", &upstream[..])];
                let dynamic = Dynamic { routes: &routes, identity: Some(&identity), strict_names: true };
                let traefik = Traefik { flags: &[], dynamic }.start(&bench.directory());
                bench.setup(account).https(traefik.https()).keep(traefik)
            },
        ),
    ]
}

fn alert(bench: &Bench, description: u8) -> Setup {
    let breaker = Breaker::start(Script::alert(description));
    bench.anonymous().https(breaker.address()).keep(breaker)
}

fn certificates() -> Vec<Case> {
    let good = || Certificate::of(HOST);
    vec![
        single(
            "the proxy's own certificate",
            "Railhead, Traefik",
            error("RH-TLS-DEFAULT-CERT", "tls"),
            |bench| {
                let (server, account) = bench.railhead();
                let upstream = [server.address()];
                let routes = [("registry", "PathPrefix(`/`)", &upstream[..])];
                let dynamic = Dynamic { routes: &routes, ..Dynamic::default() };
                let traefik = Traefik { flags: &[], dynamic }.start(&bench.directory());
                bench.setup(account).https(traefik.https()).keep(traefik)
            },
        ),
        single(
            "the certificate has expired",
            "Railhead, nginx",
            error("RH-TLS-EXPIRED", "tls"),
            move |bench| {
                let (server, account) = bench.railhead();
                let identity = bench.authority.certify(&good().valid(-90, -1));
                let nginx = bench.nginx_as(&identity, &Nginx::location("/", server.address(), ""));
                bench.setup(account).https(nginx.https()).keep(nginx)
            },
        ),
        single(
            "the certificate is not valid yet",
            "Railhead, breaker",
            error("RH-TLS-NOT-YET", "tls"),
            move |bench| bench.certified(&bench.authority.certify(&good().valid(2, 90))),
        ),
        single(
            "the certificate has a common name only",
            "Railhead, breaker",
            error("RH-TLS-NO-NAMES", "tls"),
            move |bench| bench.certified(&bench.authority.certify(&good().without_names())),
        ),
        single(
            "the certificate is for another name",
            "Railhead, nginx",
            error("RH-TLS-NAME", "tls"),
            |bench| {
                let (server, account) = bench.railhead();
                let identity = bench.authority.certify(&Certificate::of("git.other.test"));
                let nginx = bench.nginx_as(&identity, &Nginx::location("/", server.address(), ""));
                bench.setup(account).https(nginx.https()).keep(nginx)
            },
        ),
        single(
            "the intermediate certificate is not sent",
            "Railhead, nginx",
            error("RH-TLS-CHAIN", "tls"),
            move |bench| {
                let (server, account) = bench.railhead();
                let directory = bench.directory();
                let root = Authority::make(&directory, "Root of a chain");
                let issuing = root.intermediate("Issuing authority");
                let identity = issuing.certify(&good().alone("http://pki.test/issuing.crt"));
                let nginx = bench.nginx_as(&identity, &Nginx::location("/", server.address(), ""));
                let route =
                    format!("https=https://{HOST},connect={},ca={}", nginx.https(), root.file().display());
                bench.setup(account).route(route).keep(nginx)
            },
        ),
        single(
            "the certificate signs itself",
            "Railhead, breaker",
            error("RH-TLS-SELF-SIGNED", "tls"),
            move |bench| bench.certified(&bench.authority.self_signed(&good())),
        ),
        single(
            "the authority is not trusted",
            "Railhead, nginx",
            error("RH-TLS-UNTRUSTED", "tls"),
            move |bench| {
                let (server, account) = bench.railhead();
                let other = Authority::make(&bench.directory(), "Nobody's authority");
                let nginx =
                    bench.nginx_as(&other.certify(&good()), &Nginx::location("/", server.address(), ""));
                bench.setup(account).https(nginx.https()).keep(nginx)
            },
        ),
        single(
            "the certificate is one for clients",
            "Railhead, breaker",
            error("RH-TLS-INVALID", "tls"),
            move |bench| bench.certified(&bench.authority.certify(&good().for_clients())),
        ),
        single(
            "the certificate expires in five days",
            "Railhead, breaker",
            warning("RH-TLS-EXPIRES-SOON", "tls"),
            move |bench| bench.certified(&bench.authority.certify(&good().valid(-85, 5))),
        ),
    ]
}
