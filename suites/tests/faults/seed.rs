//! The case that Railhead exists for: a registry that answers inside and is 404 outside, and believes to be on http.

use railhead_suites::Diagnosis;
use railhead_suites::proxies::{Dynamic, Traefik};

use crate::case::{Case, Kind, error};

pub fn cases() -> Vec<Case> {
    let expected = [error("RH-ROUTE-404", "routing"), error("RH-REALM-SCHEME", "application")];
    let case = Case::new(
        Kind::Pair,
        "pod and NodePort answer 401, the hostname 404, ROOT_URL is http",
        "Gitea, Traefik",
        &expected,
        |bench| {
            let (forge, account) = bench.gitea_http();
            let dynamic = Dynamic { identity: Some(&bench.identity), ..Dynamic::default() };
            let traefik = Traefik { flags: &[], dynamic }.start(&bench.directory());
            let (http, https) = (traefik.http(), traefik.https());
            let setup = bench.setup(account).plain("pod", forge.address()).plain("nodeport", forge.address());
            setup.plain("http", http).tls("https", https).keep(traefik)
        },
    );
    vec![case.look(routes)]
}

/// The finding about routing is about the hostname, and not about the routes that work.
fn routes(diagnosis: &Diagnosis) -> Result<(), String> {
    let mut routes = diagnosis.findings[0].routes.clone();
    routes.sort();
    if routes == ["http", "https"] { Ok(()) } else { Err(format!("RH-ROUTE-404 is about {routes:?}")) }
}
