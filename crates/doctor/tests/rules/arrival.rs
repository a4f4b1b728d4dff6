//! Resolve, connect, TLS, and bytes that are no answer.

use jiff::SignedDuration;
use railhead_client::hops::{Attempt, Broke, Broken, CertificateSeen, Step, TlsProblem, Walk};
use railhead_doctor::Code;
use railhead_doctor::testing::{
    answer, arrived, blank, broken, gitea, nginx_page, now, skipped, taken, with_problems,
};

use crate::Case;

const HTTPS: &str = "https=https://git.example.com";
const HTTP: &str = "http=http://git.example.com";

pub fn cases() -> Vec<Case> {
    let mut cases = connections();
    cases.extend(broken_answers());
    cases.extend(handshakes());
    cases.extend(certificates());
    cases
}

fn connections() -> Vec<Case> {
    let resolving = |kind| Walk { resolve: broken(kind, "failed to look up"), ..blank(HTTPS) };
    let connecting = |kind| Walk { connect: broken(kind, "os error"), tls: skipped(None), ..arrived(HTTPS) };
    let mut partial = gitea(HTTPS);
    attempts(&mut partial, &[("203.0.113.7:443", None), ("203.0.113.8:443", Some(Broke::ConnectTimeout))]);
    let mut four_only = gitea(HTTPS);
    attempts(&mut four_only, &[("[2001:db8::7]:443", Some(Broke::Unreachable)), ("203.0.113.7:443", None)]);
    let mut skewed = gitea(HTTPS);
    skewed.clock_skew = Some(-3600);
    let mut near = gitea(HTTPS);
    near.clock_skew = Some(300);
    vec![
        Case::of("unknown name", [resolving(Broke::NameUnknown)], [Code::DnsUnknown]),
        Case::of("resolver fails", [resolving(Broke::NameService)], [Code::DnsService]),
        Case::of("resolver is silent", [resolving(Broke::AnswerTimeout)], [Code::DnsService]),
        Case::of("refused", [connecting(Broke::Refused)], [Code::ConnectRefused]),
        Case::of("unreachable", [connecting(Broke::Unreachable)], [Code::ConnectUnreachable]),
        Case::of("no answer to SYN", [connecting(Broke::ConnectTimeout)], [Code::ConnectTimeout]),
        Case::of("one address is dead", [partial], [Code::ConnectPartial]),
        Case::of("this machine has no IPv6", [four_only], []),
        Case::of("the clock is an hour behind", [skewed], [Code::ClockSkew]),
        Case::of("the clock is five minutes ahead", [near], []),
    ]
}

fn attempts(walk: &mut Walk, all: &[(&str, Option<Broke>)]) {
    let Step::Taken { seen, .. } = &mut walk.connect else { return };
    let attempt = |(address, kind): &(&str, Option<Broke>)| Attempt {
        address: (*address).to_owned(),
        millis: 1,
        broke: kind.map(|kind| Broken { kind, detail: "os error".to_owned() }),
    };
    seen.attempts = all.iter().map(attempt).collect();
}

fn broken_answers() -> Vec<Case> {
    let asking = |kind, detail: &str| Walk { registry: broken(kind, detail), ..arrived(HTTP) };
    let cut = |kind| {
        let mut seen =
            answer("GET http://git.example.com/v2/", 200, &[("content-type", "application/json")], "{\"a");
        seen.body_broke = Some(Broken { kind, detail: "the body ended early".to_owned() });
        Walk { registry: taken(seen), ..arrived(HTTP) }
    };
    let mut endless = answer("GET http://git.example.com/v2/", 200, &[], "   ");
    endless.body_endless = true;
    vec![
        Case::of("closed", [asking(Broke::Closed, "EOF")], [Code::HttpClosed]),
        Case::of("silent", [asking(Broke::AnswerTimeout, "10 s")], [Code::HttpTimeout]),
        Case::of("ssh", [asking(Broke::NotHttp, "SSH-2.0-OpenSSH_9.2p1\\r\\n")], [Code::HttpForeign]),
        Case::of(
            "a TLS alert",
            [asking(Broke::NotHttp, "\\x15\\x03\\x01\\x00\\x02\\x02F")],
            [Code::TlsRequired],
        ),
        Case::of("huge head", [asking(Broke::HeadTooLarge, "64 KiB")], [Code::HttpHugeHead]),
        Case::of("cut body", [cut(Broke::BodyCut)], [Code::HttpCut]),
        Case::of("slow body", [cut(Broke::BodySlow)], [Code::HttpEndless]),
        Case::of("endless body", [Walk { registry: taken(endless), ..arrived(HTTP) }], [Code::HttpEndless]),
    ]
}

fn handshakes() -> Vec<Case> {
    let shaking = |kind, detail: &str| Walk { tls: broken(kind, detail), ..arrived(HTTPS) };
    let mut wanted = nginx_page("GET https://git.example.com/v2/", 400);
    wanted.body = wanted.body.replace("400 X", "400 No required SSL certificate was sent");
    let mut plain = nginx_page("GET http://git.example.com/v2/", 400);
    plain.body = plain.body.replace("400 X", "400 The plain HTTP request was sent to HTTPS port");
    let go = answer("GET /v2/", 400, &[], "Client sent an HTTP request to an HTTPS server.\n");
    let registry = |route, seen| [Walk { registry: taken(seen), ..arrived(route) }];
    vec![
        Case::of("plain port", [shaking(Broke::NotTls, "HTTP/1.1 400 Bad Request")], [Code::TlsPlain]),
        Case::of("ssh port", [shaking(Broke::NotTls, "SSH-2.0-OpenSSH")], [Code::HttpForeign]),
        Case::of("nginx's TLS port", registry(HTTP, plain), [Code::TlsRequired]),
        Case::of("Go's TLS port", registry(HTTP, go), [Code::TlsRequired]),
        Case::of("old TLS", [shaking(Broke::TlsVersion, "alert")], [Code::TlsVersion]),
        Case::of("unknown name", [shaking(Broke::TlsName, "alert")], [Code::TlsNameRefused]),
        Case::of(
            "client certificate",
            [shaking(Broke::TlsClientCertificate, "alert")],
            [Code::TlsClientCert],
        ),
        Case::of("client certificate, nginx", registry(HTTPS, wanted), [Code::TlsClientCert]),
        Case::of("handshake failure", [shaking(Broke::TlsHandshake, "alert")], [Code::TlsHandshake]),
        Case::of("closed in the handshake", [shaking(Broke::Closed, "EOF")], [Code::HttpClosed]),
    ]
}

fn certificates() -> Vec<Case> {
    use TlsProblem as P;
    let bad = |problems: &[TlsProblem]| [with_problems(gitea(HTTPS), problems)];
    let valid = |days_before: i64, hours_left: i64| {
        let mut walk = gitea(HTTPS);
        leaf(&mut walk, |leaf| {
            leaf.not_before = now() - SignedDuration::from_hours(days_before * 24);
            leaf.not_after = now() + SignedDuration::from_hours(hours_left);
        });
        [walk]
    };
    vec![
        Case::of(
            "default",
            bad(&[P::DefaultCertificate, P::WrongName, P::SelfSigned]),
            [Code::TlsDefaultCert],
        ),
        Case::of("expired", bad(&[P::Expired]), [Code::TlsExpired]),
        Case::of("not yet", bad(&[P::NotYetValid]), [Code::TlsNotYet]),
        Case::of("common name only", bad(&[P::NoNames, P::WrongName]), [Code::TlsNoNames]),
        Case::of("another name", bad(&[P::WrongName]), [Code::TlsName]),
        Case::of("leaf alone", bad(&[P::MissingIntermediate, P::Untrusted]), [Code::TlsChain]),
        Case::of("self-signed", bad(&[P::SelfSigned, P::Untrusted]), [Code::TlsSelfSigned]),
        Case::of("private authority", bad(&[P::Untrusted]), [Code::TlsUntrusted]),
        Case::of("for clients", bad(&[P::Invalid]), [Code::TlsInvalid]),
        Case::of("expired, other name", bad(&[P::Expired, P::WrongName]), [Code::TlsExpired, Code::TlsName]),
        Case::of("13 days left", valid(77, 13 * 24), [Code::TlsExpiresSoon]),
        Case::of("15 days left", valid(75, 15 * 24), []),
        Case::of("two days of six left", valid(4, 48), []),
        Case::of("an hour of six days left", valid(6, 1), [Code::TlsExpiresSoon]),
    ]
}

fn leaf(walk: &mut Walk, change: impl FnOnce(&mut CertificateSeen)) {
    if let Step::Taken { seen, .. } = &mut walk.tls {
        change(&mut seen.chain[0]);
    }
}
