//! Where the challenge sends clients.

use railhead_client::hops::{Answered, Broke, RealmSeen, Step, Walk};
use railhead_doctor::testing::{
    answer, broken, gitea, gitea_challenge, gitea_with, nginx_page, page, refusal, taken, traefik_404,
};
use railhead_doctor::{Code, Layer};

use crate::Case;

const HTTPS: &str = "https=https://git.example.com";
const HTTP: &str = "http=http://git.example.com";
const POD: &str = "pod=http://git.example.com,connect=10.0.0.7:3000";
const REALM: &str = "https://git.example.com/v2/token";

pub fn cases() -> Vec<Case> {
    let mut cases = places();
    cases.extend(answers());
    cases
}

fn told(route: &str, realm: &str) -> Walk {
    gitea_with(route, &gitea_challenge(realm))
}

fn places() -> Vec<Case> {
    let http = "http://git.example.com/v2/token";
    let mut railhead = gitea_with(POD, "Bearer realm=\"http://git.example.com/token\",service=\"railhead\"");
    railhead.behind.version = None;
    let mut no_challenge = gitea(HTTPS);
    no_challenge.registry = taken(nginx_page("GET https://git.example.com/v2/", 404));
    no_challenge.challenge = Step::Skipped { behind: None, why: String::new() };
    vec![
        Case::of("http on https", [told(HTTPS, http)], [Code::RealmScheme]),
        Case::of("http on http", [told(HTTP, http)], []),
        Case::of("http on http, https on https", [told(HTTP, http), gitea(HTTPS)], []),
        Case::of("http in the pod, https outside", [told(POD, http), gitea(HTTPS)], []),
        Case::of("https in the pod", [told(POD, REALM), gitea(HTTPS)], []),
        Case::of("Railhead's pod follows who asks", [railhead, no_challenge.clone()], [Code::Route404]),
        Case::of(
            "http in the pod, nothing outside",
            [told(POD, http), no_challenge],
            [Code::Route404, Code::RealmScheme],
        ),
        Case::of("private", [told(HTTPS, "https://10.0.0.7:3000/v2/token")], [Code::RealmPrivate]),
        Case::of("cluster", [told(HTTPS, "http://gitea-http.git.svc:3000/v2/token")], [Code::RealmPrivate]),
        Case::of("another host", [told(HTTPS, "https://old.example.com/v2/token")], [Code::RealmHost]),
        Case::of("another port", [told(HTTPS, "https://git.example.com:3000/v2/token")], [Code::RealmPort]),
        Case::of("the port is lost", [told("https=https://git.example.com:8443", REALM)], [Code::RealmPort])
            .at(|place| "git.example.com:8443".clone_into(&mut place.host)),
        Case::of(
            "the port is kept",
            [told("https=https://git.example.com:8443", "https://git.example.com:8443/v2/token")],
            [],
        )
        .at(|place| "git.example.com:8443".clone_into(&mut place.host)),
        Case::of(
            "a NodePort names the host",
            [gitea("nodeport=http://203.0.113.254:32166"), gitea(HTTPS)],
            [],
        ),
    ]
}

fn answers() -> Vec<Case> {
    let get = |seen: Answered| {
        let mut walk = told(HTTPS, REALM);
        walk.realm = taken(RealmSeen {
            realm: REALM.to_owned(),
            origin: "https://git.example.com".to_owned(),
            addresses: Vec::new(),
            tls_problems: Vec::new(),
            get: seen,
            post: taken(answer("POST x", 404, &[], "")),
        });
        [walk]
    };
    let post = |step: Step<Answered>| {
        let mut walk = gitea(HTTPS);
        if let Step::Taken { seen, .. } = &mut walk.realm {
            seen.post = step;
        }
        [walk]
    };
    let mut unreachable = told(HTTPS, REALM);
    unreachable.realm = broken(Broke::Refused, "connection refused");
    let asked = &format!("GET {REALM}");
    vec![
        Case::of("unreachable", [unreachable], [Code::RealmUnreachable]),
        Case::of("404", get(traefik_404(asked)), [Code::Realm404]),
        Case::of(
            "a redirect",
            get(answer(asked, 302, &[("location", "/user/login")], "")),
            [Code::RealmRedirect],
        ),
        Case::of("a page", get(page(asked, 200, &[], "<!doctype html>")), [Code::RealmHtml]),
        Case::of("500", get(refusal(asked, 500, "UNKNOWN", "")), [Code::RealmError]),
        Case::of("502", get(nginx_page(asked, 502)), [Code::RealmError]).in_layer(Layer::Routing),
        Case::of("401 without a login", get(refusal(asked, 401, "UNAUTHORIZED", "")), []),
        Case::of("POST gets a page", post(taken(page("POST x", 200, &[], "<html>"))), [Code::RealmPost]),
        Case::of("POST is cut", post(broken(Broke::Closed, "EOF")), [Code::RealmPost]),
        Case::of("POST lacks its form", post(taken(refusal("POST x", 400, "UNSUPPORTED", ""))), []),
        Case::of("POST is not allowed", post(taken(nginx_page("POST x", 405))), []),
    ]
}
