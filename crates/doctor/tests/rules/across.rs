//! What walks show together.

use railhead_client::hops::{Broke, Redirect, Step, TlsProblem, Walk};
use railhead_doctor::testing::{
    answer, answered, arrived, broken, challenged, gitea, gitea_404, gitea_challenge, gitea_with, nginx_page,
    now, refusal, skipped, taken, token, traefik_404, with_problems,
};
use railhead_doctor::{Class, Code, Layer, Owners, Place, Software, diagnose};

use crate::{Case, codes};

const HTTPS: &str = "https=https://git.example.com";
const HTTP: &str = "http=http://git.example.com";
const POD: &str = "pod=http://git.example.com,connect=10.42.0.7:3000";
const NODEPORT: &str = "nodeport=http://203.0.113.254:32166";
const V2: &str = "GET https://git.example.com/v2/";

pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::of("the seed's", seed(), [Code::Route404, Code::RealmScheme]),
        Case::of("healthy", [gitea(HTTPS), gitea(POD), gitea(NODEPORT)], []),
    ];
    cases.extend(one_explains_another());
    cases.extend(assumed());
    cases.extend(together());
    cases
}

/// Pod and `NodePort` answer 401, the hostname 404, the realm is on http.
fn seed() -> Vec<Walk> {
    let challenge = gitea_challenge("http://git.example.com/v2/token");
    let mut walks = vec![gitea_with(POD, &challenge), gitea_with(NODEPORT, &challenge)];
    for walk in &mut walks {
        // The token endpoint is behind the route that is missing.
        walk.realm = broken(Broke::Refused, "connection refused");
    }
    walks.push(answered(HTTP, traefik_404("GET http://git.example.com/v2/")));
    walks.push(answered(HTTPS, traefik_404(V2)));
    walks
}

fn refused(route: &str) -> Walk {
    Walk { connect: broken(Broke::Refused, "connection refused"), tls: skipped(None), ..arrived(route) }
}

fn one_explains_another() -> Vec<Case> {
    let realm = |mut walk: Walk, kind| {
        walk.realm = broken(kind, "it broke");
        walk
    };
    let dropped = |step: fn(&mut Walk)| {
        let mut walk = gitea(HTTPS);
        step(&mut walk);
        (walk.read, walk.write) = (skipped(None), skipped(None));
        [walk, gitea(POD)]
    };
    let mut railhead = gitea_with(POD, "Bearer realm=\"https://git.example.com/token\",service=\"railhead\"");
    railhead.behind.version = None;
    let mut astray = railhead.clone();
    astray.realm = broken(Broke::Refused, "connection refused");
    let mut older = gitea(POD);
    older.behind.version =
        Some(answer("GET x", 200, &[("content-type", "application/json")], r#"{"version":"1.21.0"}"#));
    vec![
        Case::of(
            "packages are off here only",
            [answered(HTTPS, gitea_404(V2)), gitea(POD)],
            [Code::RouteMisrouted],
        ),
        Case::of(
            "the realm is on the route that is down",
            [refused(HTTPS), realm(gitea(POD), Broke::Refused)],
            [Code::ConnectRefused],
        ),
        Case::of("the realm is elsewhere", [realm(gitea(POD), Broke::NameUnknown)], [Code::RealmUnreachable]),
        Case::of(
            "http, and no https",
            [refused(HTTPS), gitea_with(HTTP, &gitea_challenge("http://git.example.com/v2/token"))],
            [Code::TlsNone],
        ),
        Case::of(
            "the token does not arrive",
            dropped(|walk| walk.authenticated = taken(refusal(V2, 401, "UNAUTHORIZED", ""))),
            [Code::RouteAuthDropped],
        ),
        Case::of(
            "the login does not arrive",
            dropped(|walk| (walk.token, walk.authenticated) = (taken(token(401, false)), skipped(None))),
            [Code::RouteAuthDropped],
        ),
        Case::of(
            "an address misses a route by name",
            [
                gitea(HTTPS),
                answered("mirror=http://203.0.113.254", traefik_404("GET http://203.0.113.254/v2/")),
            ],
            [Code::ClientByAddress],
        ),
        Case::of(
            "an address misses a route by name, with its certificate",
            [
                gitea(HTTPS),
                with_problems(
                    answered("mirror=https://203.0.113.254", traefik_404("GET https://203.0.113.254/v2/")),
                    &[TlsProblem::WrongName],
                ),
            ],
            [Code::ClientByAddress],
        ),
        Case::of(
            "an address is not in the certificate",
            [gitea(HTTPS), with_problems(gitea("mirror=https://203.0.113.254"), &[TlsProblem::WrongName])],
            [Code::TlsName],
        ),
        Case::of(
            "neither name nor address has a route",
            [answered(HTTPS, traefik_404(V2)), answered("mirror=http://203.0.113.254", traefik_404("GET x"))],
            [Code::Route404],
        ),
        Case::of("two registries", [gitea(HTTPS), railhead], [Code::RouteOther]),
        Case::of(
            "two registries, and the realm of one is at the other",
            [gitea(HTTPS), astray],
            [Code::RouteOther],
        ),
        Case::of("two versions", [gitea(HTTPS), older], [Code::RouteOther]),
        Case::of(
            "an address in two headers",
            [Walk {
                write: uploads_at("http://git.example.com/x"),
                ..gitea_with(HTTPS, &gitea_challenge("http://git.example.com/v2/token"))
            }],
            [Code::RealmScheme],
        ),
    ]
}

fn uploads_at(location: &str) -> Step<railhead_client::hops::WriteSeen> {
    let mut seen = railhead_doctor::testing::upload();
    seen.location = Some(location.to_owned());
    taken(seen)
}

/// Of the two routes that nobody named, one is enough.
fn assumed() -> Vec<Case> {
    let local = |place: &mut Place| (place.host, place.assumed_routes) = ("localhost:5050".to_owned(), true);
    let plain = Walk {
        tls: broken(Broke::NotTls, "HTTP/1.1 400 Bad Request"),
        ..arrived("https=https://localhost:5050")
    };
    let own = gitea_with("http=http://localhost:5050", &gitea_challenge("http://localhost:5050/v2/token"));
    let secure = gitea_with(
        "https=https://git.example.com:8443",
        &gitea_challenge("https://git.example.com:8443/v2/token"),
    );
    let silent = Walk {
        registry: broken(Broke::NotHttp, "\\x15\\x03\\x01"),
        ..arrived("http=http://git.example.com:8443")
    };
    vec![
        Case::of("http is closed", [gitea(HTTPS), refused(HTTP)], []).at(|place| place.assumed_routes = true),
        Case::of("http is closed, and was named", [gitea(HTTPS), refused(HTTP)], [Code::ConnectRefused]),
        Case::of("http has no route", [gitea(HTTPS), answered(HTTP, traefik_404("GET x"))], [Code::Route404])
            .at(|place| place.assumed_routes = true),
        Case::of("plain on loopback", [plain, own], []).at(local),
        Case::of("the port speaks TLS", [secure, silent], []).at(|place| {
            (place.host, place.assumed_routes) = ("git.example.com:8443".to_owned(), true);
        }),
    ]
}

/// Both are named, and the one to mend first comes first.
fn together() -> Vec<Case> {
    let expired = |walk| with_problems(walk, &[TlsProblem::Expired]);
    let mut late = gitea(HTTPS);
    late.clock_skew = Some(4000);
    let mut basic = nginx_page(V2, 401);
    basic.headers.push(("www-authenticate".to_owned(), "Basic realm=\"Restricted\"".to_owned()));
    let mut guarded = answered(HTTPS, basic);
    guarded.challenge = taken(challenged(&["Basic realm=\"Restricted\""]));
    let http = gitea_challenge("http://git.example.com/v2/token");
    vec![
        Case::of(
            "expired and no route",
            [expired(answered(HTTPS, traefik_404(V2)))],
            [Code::TlsExpired, Code::Route404],
        ),
        Case::of("expired and skewed", [expired(late)], [Code::TlsExpired, Code::ClockSkew]),
        Case::of(
            "refused and no route",
            [refused(NODEPORT), answered(HTTPS, nginx_page(V2, 404))],
            [Code::ConnectRefused, Code::Route404],
        ),
        Case::of(
            "no route, and packages are off",
            [answered(HTTPS, traefik_404(V2)), answered(POD, gitea_404("GET x"))],
            [Code::Route404, Code::AppDisabled],
        ),
        Case::of(
            "a login of the proxy's, and ROOT_URL",
            [guarded, gitea_with(POD, &http)],
            [Code::RouteBasic, Code::RealmScheme],
        ),
    ]
}

#[test]
fn the_seeds_case_names_routes_owners_and_fixes() {
    let place = Place {
        owners: Owners::default()
            .with(Layer::Application, "railiance-apps")
            .with(Layer::Routing, "railiance-cluster"),
        forge: Some(Software::Gitea),
        ..Place::new("git.example.com")
    };
    let diagnosis = diagnose(&place, seed(), now());
    assert_eq!(codes(&diagnosis), [Code::Route404, Code::RealmScheme]);
    let [route, realm] = diagnosis.findings.as_slice() else { panic!("{:#?}", diagnosis.findings) };
    assert_eq!(route.routes, ["http", "https"]);
    assert_eq!(route.owner.as_deref(), Some("railiance-cluster"));
    assert!(
        route.evidence.iter().any(|line| line.starts_with("pod: ") && line.contains("401")),
        "{route:#?}"
    );
    assert!(route.fix.contains("host: git.example.com") && route.fix.contains("path: /v2"), "{}", route.fix);
    assert_eq!(realm.routes, ["pod", "nodeport"]);
    assert_eq!(realm.owner.as_deref(), Some("railiance-apps"));
    assert!(realm.fix.contains("ROOT_URL = https://git.example.com/"), "{}", realm.fix);
    let verdict = &diagnosis.verdict;
    assert_eq!((verdict.class, verdict.exit), (Class::Combination, 20));
    assert_eq!(verdict.layers, [Layer::Routing, Layer::Application]);
    let words: Vec<String> = diagnosis.servers.iter().map(railhead_doctor::Server::words).collect();
    assert_eq!(words, ["Gitea 1.25.4", "Gitea 1.25.4", "Traefik", "Traefik"]);
}

#[test]
fn the_verdict_counts_errors_alone() {
    let mut skewed = gitea(HTTPS);
    skewed.clock_skew = Some(900);
    let verdict = diagnose(&Place::new("git.example.com"), vec![skewed], now()).verdict;
    assert_eq!((verdict.class, verdict.exit), (Class::Healthy, 0));
    assert_eq!(verdict.text, "healthy, with 1 warning");
    let one = diagnose(&Place::new("git.example.com"), vec![refused(HTTPS)], now()).verdict;
    assert_eq!((one.class, one.exit), (Class::Network, 16));
}

#[test]
fn nothing_is_said_about_nothing() {
    let diagnosis = diagnose(&Place::new("git.example.com"), Vec::new(), now());
    assert_eq!(codes(&diagnosis), []);
}

#[test]
fn a_redirect_to_https_is_shown_as_one() {
    let mut walk = answered(HTTP, answer("GET x", 301, &[("location", "https://git.example.com/v2/")], ""));
    walk.redirects = vec![Redirect {
        location: "https://git.example.com/v2/".to_owned(),
        answer: gitea(HTTPS).registry.seen().cloned().map(taken),
    }];
    let cell = |walk| {
        let diagnosis = diagnose(&Place::new("git.example.com"), vec![walk], now());
        railhead_doctor::rows(&diagnosis)[0][4].clone()
    };
    assert_eq!(cell(walk.clone()), "→ https");
    walk.redirects[0].answer = Some(taken(traefik_404(V2)));
    assert_eq!(cell(walk), "301");
}
