//! `railhead doctor` on routes through the API server: nothing is installed in the cluster, and no port of it is opened.

use railhead_suites::{Cluster, Operator};
use serde_json::{Value, json};

use super::{SHARED, alone};

fn diagnose(operator: &Operator, more: &[&str]) -> (Option<i32>, Value, String) {
    let words = [&["doctor", "--output", "json"], more].concat();
    let outcome = operator.run(words);
    let diagnosis =
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome}"));
    (outcome.code, diagnosis, outcome.stderr)
}

fn routes(cluster: &Cluster) -> String {
    let pod = cluster.api(async |api| {
        let pods = api.list(&railhead_cluster::kinds::POD, Some("default")).await.unwrap().found().unwrap();
        let of_forge = |pod: &&Value| {
            pod["metadata"]["labels"]["app.kubernetes.io/name"] == "gitea"
                && pod["status"]["phase"] == "Running"
        };
        pods.iter().find(of_forge).unwrap()["metadata"]["name"].as_str().unwrap().to_owned()
    });
    let route = |name: &str, to: &str| {
        format!("[routes.{name}]\nurl = 'http://forge.test'\nconnect = 'cluster:{to}'\n")
    };
    route("service", "service/default/gitea-http:3000")
        + &route("pod", &format!("pod/default/{pod}:3000"))
        + &route("nodeport", "node/node1:32166")
}

#[test]
fn the_forge_is_seen_behind_service_pod_and_node_while_the_public_route_is_missing() {
    let (cluster, _alone) = (SHARED.with_forge(), alone());
    let home = tempfile::tempdir().unwrap();
    let site = format!(
        "[site]\nhost = 'forge.test'\n[owners]\nrouting = 'cluster-team'\nnetwork = 'infra-team'\n\
         [routes.public]\nurl = 'http://forge.test'\n{}",
        routes(cluster)
    );
    let operator = Operator::at(home.path(), &site).inside(cluster);
    let traefik = cluster.traefik();
    let (code, diagnosis, stderr) = diagnose(&operator, &[]);
    drop(traefik);
    let walks = diagnosis["walks"].as_array().unwrap();
    let status = |walk: &Value| walk["registry"]["seen"]["status"].clone();
    assert_eq!(
        walks.iter().map(status).collect::<Vec<_>>(),
        [json!(404), json!(401), json!(401), json!(401)],
        "{diagnosis}"
    );
    let codes: Vec<&str> =
        diagnosis["findings"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!((code, codes.first()), (Some(11), Some(&"RH-ROUTE-404")), "{diagnosis}\n{stderr}");
    let finding = &diagnosis["findings"][0];
    assert_eq!(
        (&finding["owner"], &finding["routes"]),
        (&json!("cluster-team"), &json!(["public"])),
        "{finding}"
    );
    for (walk, words) in
        walks[1..].iter().zip(["service default/gitea-http:3000", "pod default/", "node node1:32166"])
    {
        let address = walk["registry"]["seen"]["address"].as_str().unwrap();
        assert!(address.starts_with(words), "{address}");
        assert!(walk["realm"]["why"].as_str().unwrap().contains("passes no login on"), "{walk}");
        assert!(!walk.to_string().contains("127.0.0.1"), "{walk}");
    }

    // What is not there, what nobody listens on, and what the caller may not ask.
    let route = |to: &str| format!("in=http://forge.test,connect=cluster:{to}");
    for to in ["service/default/nothing:3000", "service/default/gitea-http:81", "node/node1:32167"] {
        let (code, diagnosis, _) = diagnose(&operator, &["--route", &route(to)]);
        assert_eq!(
            (code, diagnosis["findings"][0]["code"].as_str()),
            (Some(16), Some("RH-CONNECT-REFUSED")),
            "{diagnosis}"
        );
        assert_eq!(diagnosis["findings"][0]["owner"], "infra-team");
    }
    let few = cluster.account("may-nothing", &json!([]));
    let words = [
        "doctor",
        "--kubeconfig",
        few.to_str().unwrap(),
        "--route",
        &route("service/default/gitea-http:3000"),
    ];
    let outcome = operator.run(words);
    assert_eq!(outcome.code, Some(3), "{outcome}");
    assert!(
        outcome.stderr.contains("the right to get services/proxy in the namespace default is missing"),
        "{outcome}"
    );
    let outcome = operator.run([
        "doctor",
        "--route",
        "in=https://forge.test,connect=cluster:service/default/gitea-http:3000",
    ]);
    assert_eq!(outcome.code, Some(2), "{outcome}");
    // Others log in, and cannot use such a route.
    let outcome =
        operator.run(["prove", "forge.test/alice/app", "--route", &route("service/default/gitea-http:3000")]);
    assert_eq!(outcome.code, Some(2), "{outcome}");
    assert!(outcome.stderr.contains("every route goes through the cluster's API server"), "{outcome}");
}
