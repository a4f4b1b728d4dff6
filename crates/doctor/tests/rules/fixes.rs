//! Fixes name what is there, and hide nothing behind a placeholder that is known.

use railhead_client::hops::Walk;
use railhead_doctor::testing::{
    answered, gitea, gitea_challenge, gitea_with, nginx_page, now, page, traefik_404,
};
use railhead_doctor::{Names, Place, diagnose};

use crate::all;

const HTTPS: &str = "https=https://git.example.com";
const V2: &str = "GET https://git.example.com/v2/";

fn first_fix(place: &Place, walks: Vec<Walk>) -> String {
    diagnose(place, walks, now()).findings.remove(0).fix
}

#[test]
fn a_fix_is_for_what_is_in_front() {
    let place = Place::new("git.example.com");
    let pod = || gitea("pod=http://git.example.com,connect=10.42.0.7:3000");
    let nginx = first_fix(&place, vec![answered(HTTPS, nginx_page(V2, 404)), pod()]);
    assert!(
        nginx.contains("location /v2/ {") && nginx.contains("proxy_pass http://10.42.0.7:3000;"),
        "{nginx}"
    );
    assert!(!nginx.contains("kind: Ingress") && !nginx.contains("Caddy"), "{nginx}");
    let haproxy = page(
        V2,
        404,
        &[],
        "<html><body><h1>404 Not Found</h1>\nThe resource could not be found.\n</body></html>\n",
    );
    let haproxy = first_fix(&place, vec![answered(HTTPS, haproxy), pod()]);
    assert!(haproxy.contains("server registry 10.42.0.7:3000 check"), "{haproxy}");
}

#[test]
fn a_fix_uses_the_names_of_the_cluster() {
    let names = Names {
        release: Some("gitea".to_owned()),
        namespace: Some("default".to_owned()),
        service: Some("gitea".to_owned()),
        port: Some(3000),
    };
    let place = Place { names, ..Place::new("git.example.com") };
    let fix = first_fix(&place, vec![answered(HTTPS, traefik_404(V2))]);
    assert!(fix.contains("namespace: default") && fix.contains("name: gitea\n"), "{fix}");
    assert!(!fix.contains('<'), "{fix}");
    let unknown = first_fix(&Place::new("git.example.com"), vec![answered(HTTPS, traefik_404(V2))]);
    assert!(unknown.contains("namespace: <namespace>"), "{unknown}");
}

#[test]
fn a_route_to_a_service_names_it_in_fixes() {
    let service = gitea("service=http://git.example.com,connect=gitea-http.forge.svc.cluster.local:3001");
    let fix = first_fix(&Place::new("git.example.com"), vec![answered(HTTPS, traefik_404(V2)), service]);
    for part in ["namespace: forge\n", "name: gitea-http\n", "number: 3001\n"] {
        assert!(fix.contains(part), "{part}: {fix}");
    }
}

#[test]
fn what_a_pod_says_itself_is_not_mended_in_front() {
    let challenge = gitea_challenge("http://git.example.com/v2/token");
    let pod = gitea_with("pod=http://git.example.com,connect=10.42.0.7:3000", &challenge);
    let diagnosis =
        diagnose(&Place::new("git.example.com"), vec![pod, answered(HTTPS, traefik_404(V2))], now());
    let fix = &diagnosis.findings[1].fix;
    assert!(fix.contains("ROOT_URL = https://git.example.com/") && !fix.contains("trustedIPs"), "{fix}");
}

#[test]
fn a_mirror_by_address_is_told_the_name() {
    let mirror = answered("mirror=http://203.0.113.254", traefik_404("GET http://203.0.113.254/v2/"));
    let fix = first_fix(&Place::new("git.example.com"), vec![gitea(HTTPS), mirror]);
    for part in [
        "[host.\"https://git.example.com\"]",
        "mirrors:\n  git.example.com:",
        "echo '203.0.113.254  git.example.com'",
    ] {
        assert!(fix.contains(part), "{part}: {fix}");
    }
    assert!(!fix.contains("kind: Ingress"), "the proxy is not to blame: {fix}");
}

#[test]
fn where_nothing_shows_the_likely_ones_are_given() {
    let challenge = gitea_challenge("http://git.example.com/v2/token");
    let fix = first_fix(&Place::new("git.example.com"), vec![gitea_with(HTTPS, &challenge)]);
    for part in [
        "ROOT_URL = https://git.example.com/",
        "gitea:\n  config:\n    server:",
        "X-Forwarded-Proto $scheme",
        "Traefik",
        "Caddy",
    ] {
        assert!(fix.contains(part), "{part}: {fix}");
    }
}

#[test]
fn no_fix_keeps_the_storys_word_for_the_host() {
    for case in all() {
        let name = case.name;
        for finding in diagnose(&case.place, case.walks, now()).findings {
            let word = finding
                .fix
                .split(|letter: char| !letter.is_ascii_alphanumeric())
                .find(|word| *word == "HOST");
            assert_eq!(word, None, "{name}: {}", finding.fix);
            assert!(!finding.fix.contains('\t') || finding.fix.contains("Caddy"), "{name}: {}", finding.fix);
        }
    }
}
