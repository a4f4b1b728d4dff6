//! The `IngressRoute` that `railhead enable` writes, taken by a real Traefik with the provider of its own kinds.

use std::time::{Duration, Instant};

use railhead_cluster::kinds;
use railhead_suites::cluster::{FORGE_HOST, VALUES, chart};
use railhead_suites::team::{Setup, VALUES_FILE, certificate};
use railhead_suites::{Cluster, Outcome, Team};
use serde_json::Value;

use super::inspect::{codes, inspection};
use super::{SHARED, alone};

/// Every kind that Traefik watches.
const DEFINITIONS: [&str; 10] = [
    "traefik.io_ingressroutes",
    "traefik.io_ingressroutetcps",
    "traefik.io_ingressrouteudps",
    "traefik.io_middlewares",
    "traefik.io_middlewaretcps",
    "traefik.io_serverstransports",
    "traefik.io_serverstransporttcps",
    "traefik.io_tlsoptions",
    "traefik.io_tlsstores",
    "traefik.io_traefikservices",
];
/// The team's token; nothing is asked with it.
const TOKEN: &str = "d3b07384d113edec49eaa6238ad5ff00d3b07384";

/// What `railhead enable` writes for this route.
fn manifest(team: &Team) -> String {
    let written = team.run(&["enable", "--write"]).ok();
    assert!(written.stdout.contains("ok         app.ini"), "{written}");
    team.read("manifests/gitea-ingress.yaml")
}

fn team(cluster: &Cluster) -> Team {
    let site = format!(
        "[site]\nhost = '{FORGE_HOST}'\nforge = 'gitea'\n[owners]\napplication = 'railiance-apps'\n\
         [release]\nname = 'gitea'\nnamespace = 'default'\nchart = '{}'\nversion = '12.5.0'\nvalues = ['{VALUES_FILE}']\n\
         route = 'ingress-route'\ntls_secret = 'gitea-tls'\n",
        chart().display()
    );
    let setup =
        Setup { site: &site, values: VALUES, token: TOKEN, programs: "", variables: &[], secrets: &[] };
    Team::new(cluster, &setup)
}

fn ask(cluster: &Cluster, path: &str) -> Outcome {
    let authority = cluster.authority();
    let url = format!("https://{FORGE_HOST}{path}");
    cluster.tool("curl").run(["-si", "--cacert", authority.to_str().unwrap(), &url])
}

#[test]
fn traefik_takes_the_route_that_is_written() {
    let (cluster, _alone) = (SHARED.with_forge(), alone());
    let team = team(cluster);
    let manifest = manifest(&team);
    assert!(manifest.contains("IngressRoute"), "{manifest}");
    let definitions = cluster.define(&DEFINITIONS);
    let tls = certificate(cluster, "gitea-tls");
    cluster.api(async |api| api.apply(&tls, false).await.map(drop)).unwrap();
    cluster.apply(&manifest);
    let traefik = cluster.traefik_of_own_kinds();
    let until = Instant::now() + Duration::from_secs(30);
    // It takes the objects up a moment after it has started.
    while !ask(cluster, "/v2/").stdout.contains("registry/2.0") {
        assert!(Instant::now() < until, "{}\n{}", ask(cluster, "/v2/"), traefik.log());
    }
    let challenge = ask(cluster, "/v2/");
    assert!(challenge.stdout.starts_with("HTTP/2 401"), "{challenge}");
    assert!(challenge.stdout.to_lowercase().contains("www-authenticate: bearer realm="), "{challenge}");
    // Traefik's own answer: nothing but the registry is reached.
    for path in ["/", "/v2x", "/api/v1/version"] {
        let answer = ask(cluster, path);
        assert!(answer.stdout.starts_with("HTTP/2 404"), "{answer}");
        assert!(answer.stdout.ends_with("404 page not found\n"), "{answer}");
    }

    let found = inspection(&team.run(&["inspect", "--output", "json"]));
    let routes = found["inventory"]["routes"].as_array().unwrap();
    for (path, exact) in [("/v2", true), ("/v2/", false)] {
        let route = routes.iter().find(|route| route["path"] == path);
        let route = route.unwrap_or_else(|| panic!("no route of {path} in {routes:?}"));
        assert_eq!(
            [&route["object"], &route["service"], &route["secret"]],
            ["IngressRoute default/gitea-registry", "gitea-http", "default/gitea-tls"]
        );
        assert_eq!(route["exact"], Value::Bool(exact), "{route}");
    }
    let wrong: Vec<&str> = codes(&found)
        .into_iter()
        .filter(|code| code.contains("-TLS-") || ["RH-ROUTE-ABSENT", "RH-ROUTE-BACKEND"].contains(code))
        .collect();
    assert_eq!(wrong, [""; 0], "{found}");
    let status = team.run(&["status"]);
    let line = format!("{FORGE_HOST}/v2/ goes to default/gitea-http by IngressRoute default/gitea-registry");
    assert!(status.stdout.contains(&line), "{status}");
    drop(traefik);
    cluster.api(async |api| {
        for (kind, name) in [(&kinds::INGRESS_ROUTE, "gitea-registry"), (&kinds::SECRET, "gitea-tls")] {
            assert!(api.delete(kind, Some("default"), name).await.unwrap(), "{name}");
        }
    });
    drop(definitions);
}
