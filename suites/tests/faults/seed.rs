//! The case that Railhead exists for: a registry that answers inside and is 404 outside, and believes to be on http.

use railhead_suites::Diagnosis;
use railhead_suites::proxies::{Dynamic, Traefik};

use crate::case::{Case, Kind, error};

/// The seed's own table of layers.
const OWNERS: [(&str, &str); 3] =
    [("application", "railiance-apps"), ("database", "railiance-platform"), ("routing", "railiance-cluster")];

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
            setup.plain("http", http).tls("https", https).site(&bench.directory(), &OWNERS).keep(traefik)
        },
    );
    vec![case.look(|diagnosis| routes(diagnosis).and_then(|()| evidence(diagnosis)))]
}

/// The finding about routing is about the hostname, and not about the routes that work; the other is about those.
fn routes(diagnosis: &Diagnosis) -> Result<(), String> {
    let [routing, realm] = [0, 1].map(|at| {
        let mut routes = diagnosis.findings[at].routes.clone();
        routes.sort();
        routes
    });
    if routing == ["http", "https"] && realm == ["nodeport", "pod"] {
        Ok(())
    } else {
        Err(format!("RH-ROUTE-404 is about {routing:?}, RH-REALM-SCHEME about {realm:?}"))
    }
}

/// With a site file the diagnosis is kept beside it.
fn evidence(diagnosis: &Diagnosis) -> Result<(), String> {
    let file = diagnosis.json["evidence"].as_str().ok_or("no evidence was kept")?;
    let kept = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let kept: serde_json::Value = serde_json::from_str(&kept).map_err(|error| format!("{file}: {error}"))?;
    let same = kept["result"]["findings"] == diagnosis.json["findings"];
    if same && kept["kind"] == "doctor" && kept["ok"] == false {
        Ok(())
    } else {
        Err(format!("{file} is not the evidence of this diagnosis: {kept}"))
    }
}
