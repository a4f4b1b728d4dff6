//! What is in front.

use railhead_client::hops::{Answered, Redirect, Walk, WriteSeen};
use railhead_doctor::testing::{
    answer, answered, arrived, broken, gitea, gitea_404, nginx_page, page, refusal, skipped, taken,
    traefik_404,
};
use railhead_doctor::{Code, Layer};

use crate::Case;

const HTTPS: &str = "https=https://git.example.com";
const V2: &str = "GET https://git.example.com/v2/";

pub fn cases() -> Vec<Case> {
    let mut cases = pages();
    cases.extend(kept_out());
    cases.extend(redirects());
    cases.extend(failures());
    cases.extend(changed());
    cases
}

fn v2(seen: Answered) -> [Walk; 1] {
    [answered(HTTPS, seen)]
}

fn pages() -> Vec<Case> {
    let haproxy = page(
        V2,
        404,
        &[],
        "<html><body><h1>404 Not Found</h1>\nThe resource could not be found.\n</body></html>\n",
    );
    let caddy = answer(V2, 404, &[("server", "Caddy"), ("content-length", "0")], "");
    let empty_caddy = answer(V2, 200, &[("server", "Caddy"), ("content-length", "0")], "");
    let distribution =
        answer(V2, 404, &[("docker-distribution-api-version", "registry/2.0")], "404 page not found\n");
    let mut below = answered(HTTPS, traefik_404(V2));
    below.behind.root = Some(answer("GET https://git.example.com/", 302, &[("location", "/git/")], ""));
    let mut beside = answered(HTTPS, traefik_404(V2));
    beside.behind.root =
        Some(answer("GET https://git.example.com/", 303, &[("location", "/user/login")], ""));
    let json = [("content-type", "application/json")];
    let mut taken_by_another = gitea(HTTPS);
    taken_by_another.registry = taken(answer(V2, 200, &json, r#"{"status":"ok"}"#));
    taken_by_another.challenge = skipped(None);
    taken_by_another.write = taken(WriteSeen {
        begin: answer("POST x", 200, &json, r#"{"status":"ok"}"#),
        location: None,
        patch: None,
        cancel: None,
    });
    vec![
        Case::of("Traefik", v2(traefik_404(V2)), [Code::Route404]),
        Case::of("nginx", v2(nginx_page(V2, 404)), [Code::Route404]),
        Case::of("HAProxy", v2(haproxy), [Code::Route404]),
        Case::of("Caddy", v2(caddy), [Code::Route404]),
        Case::of("Caddy without a handler", v2(empty_caddy), [Code::AppNotRegistry]),
        Case::of(
            "a page of the forge",
            v2(page(V2, 200, &[], "<!DOCTYPE html><title>Gitea: Git</title>")),
            [Code::RouteMisrouted],
        ),
        Case::of("another application takes everything", [taken_by_another], [Code::AppNotRegistry]),
        Case::of("a stripped prefix", v2(distribution), [Code::RouteMisrouted]),
        Case::of(
            "Railhead without its prefix",
            v2(refusal(V2, 404, "UNSUPPORTED", "there is nothing at this path")),
            [Code::RouteMisrouted],
        ),
        Case::of("the forge is below a path", [below], [Code::RouteSubpath]),
        Case::of("the forge's login is no path", [beside], [Code::Route404]),
        Case::of("a path was given", [gitea(HTTPS)], [Code::RouteSubpath])
            .at(|place| place.path = Some("/git".to_owned())),
        Case::of("a path was given, and the root has no route", v2(traefik_404(V2)), [Code::RouteSubpath])
            .at(|place| place.path = Some("/git".to_owned())),
    ]
}

fn kept_out() -> Vec<Case> {
    let robot = page(
        V2,
        403,
        &[("server", "cloudflare"), ("cf-mitigated", "challenge"), ("cf-ray", "8c0-FRA")],
        "<!DOCTYPE html><title>Just a moment...</title>",
    );
    let mut basic = nginx_page(V2, 401);
    basic.headers.push(("www-authenticate".to_owned(), "Basic realm=\"Restricted\"".to_owned()));
    let mut traefik = answer(V2, 401, &[("content-type", "text/plain")], "401 Unauthorized\n");
    traefik.headers.push(("www-authenticate".to_owned(), "Basic realm=\"traefik\"".to_owned()));
    let akamai = page(V2, 403, &[("server", "AkamaiGHost")], "<HTML><HEAD><TITLE>Access Denied</TITLE>");
    vec![
        Case::of(
            "a sign-on page",
            v2(page(
                V2,
                403,
                &[],
                "<html><title>Sign In</title><form action=/oauth2/start>oauth2-proxy</form>",
            )),
            [Code::RouteSignOn],
        ),
        Case::of(
            "Authelia's page",
            v2(page(V2, 401, &[], "<a href=\"https://x\">Unauthorized</a>")),
            [Code::RouteSignOn],
        ),
        Case::of("nginx's own login", v2(basic), [Code::RouteBasic]),
        Case::of("Traefik's own login", v2(traefik), [Code::RouteBasic]),
        Case::of("nginx forbids", v2(nginx_page(V2, 403)), [Code::RouteForbidden]),
        Case::of("Akamai forbids", v2(akamai), [Code::RouteForbidden]),
        Case::of("Traefik forbids", v2(answer(V2, 403, &[], "Forbidden")), [Code::RouteForbidden]),
        Case::of("a robot check", v2(robot), [Code::RouteChallengePage]),
        Case::of("too many requests", v2(nginx_page(V2, 429)), [Code::RouteRate]),
    ]
}

fn redirects() -> Vec<Case> {
    let to = |locations: &[(&str, Option<Answered>)]| {
        let first = locations.first().map_or("", |(location, _)| *location);
        let mut walk = answered(HTTPS, answer(V2, 302, &[("location", first)], ""));
        walk.redirects = locations
            .iter()
            .map(|(location, seen)| Redirect {
                location: (*location).to_owned(),
                answer: seen.clone().map(taken),
            })
            .collect();
        [walk]
    };
    let dead = |location: &str| {
        let mut walk = answered(HTTPS, answer(V2, 301, &[("location", location)], ""));
        walk.redirects = vec![Redirect {
            location: location.to_owned(),
            answer: Some(broken(railhead_client::hops::Broke::NameUnknown, "no such host")),
        }];
        [walk]
    };
    let secure = |seen: Answered| {
        let mut walk =
            answered("http=http://git.example.com", answer("GET http://git.example.com/v2/", 301, &[], ""));
        walk.redirects =
            vec![Redirect { location: "https://git.example.com/v2/".to_owned(), answer: Some(taken(seen)) }];
        walk
    };
    let registry = gitea(HTTPS).registry.seen().cloned().unwrap();
    let login = "https://sso.example.com/oauth2/start?rd=https%3A%2F%2Fgit.example.com%2Fv2%2F";
    vec![
        Case::of(
            "to a sign-on",
            to(&[(login, Some(page("GET x", 200, &[], "<html>")))]),
            [Code::RouteSignOn],
        ),
        Case::of(
            "to the forge's login",
            to(&[("/user/login", Some(page("GET x", 200, &[], "<html>")))]),
            [Code::RouteMisrouted],
        ),
        Case::of("to another host", dead("https://www.git.example.com/v2/"), [Code::RouteRedirect]),
        Case::of("to another path", to(&[("/git/v2/", Some(registry.clone()))]), [Code::RouteRedirect]),
        Case::of("to itself", to(&[("https://git.example.com/v2/", None)]), [Code::RouteRedirectLoop]),
        Case::of("to https", [secure(registry), gitea(HTTPS)], []),
        Case::of("to https, where nothing is", [secure(traefik_404(V2))], [Code::Route404]),
    ]
}

fn failures() -> Vec<Case> {
    let traefik = |status, body| answer(V2, status, &[("content-type", "text/plain; charset=utf-8")], body);
    let haproxy = page(
        V2,
        503,
        &[],
        "<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n",
    );
    vec![
        Case::of("nginx 502", v2(nginx_page(V2, 502)), [Code::Route502]),
        Case::of("Traefik 502", v2(traefik(502, "Bad Gateway")), [Code::Route502]),
        Case::of(
            "Cloudflare 521",
            v2(answer(V2, 521, &[("server", "cloudflare")], "error code: 521")),
            [Code::Route502],
        ),
        Case::of("Traefik 503", v2(traefik(503, "no available server\n")), [Code::Route503]),
        Case::of("HAProxy 503", v2(haproxy), [Code::Route503]),
        Case::of("nginx 504", v2(nginx_page(V2, 504)), [Code::Route504]),
        Case::of("nginx 500", v2(nginx_page(V2, 500)), [Code::AppError]).in_layer(Layer::Routing),
    ]
}

fn changed() -> Vec<Case> {
    let with = |name: &str, value: &str| {
        let mut walk = gitea(HTTPS);
        if let railhead_client::hops::Step::Taken { seen, .. } = &mut walk.registry {
            seen.headers.push((name.to_owned(), value.to_owned()));
        }
        [walk]
    };
    vec![
        Case::of("compressed", with("content-encoding", "gzip"), [Code::RouteCompressed]),
        Case::of("aged", with("age", "120"), [Code::RouteCached]),
        Case::of("from a cache", with("x-cache", "Hit from cloudfront"), [Code::RouteCached]),
        Case::of("fresh", with("age", "0"), []),
        Case::of("missed", with("x-cache", "Miss from cloudfront"), []),
        Case::of(
            "a forge elsewhere",
            [answered(HTTPS, gitea_404(V2)), arrived("pod=http://10.0.0.7:3000")],
            [Code::AppDisabled],
        ),
    ]
}
