//! Nodes that pull without any pull secret: the kubelet asks `railhead credential-provider`, which shows Railhead the token of the pod's
//! service account.

use std::fs;

use railhead_suites::cluster::PROVIDER_HOST;
use serde_json::json;

use super::alone;
use super::nodes::Place;

/// The kubelet may ask for tokens that are for Railhead.
const AUDIENCE: &str = r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: railhead-credential-provider}
rules: [{apiGroups: [""], resources: [railhead], verbs: [request-serviceaccounts-token-audience]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: railhead-credential-provider}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: railhead-credential-provider}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "system:nodes"}]
"#;

#[test]
fn a_pod_pulls_with_its_service_accounts_token_and_a_stranger_is_refused() {
    let _alone = alone();
    let place = Place::with(PROVIDER_HOST, |cluster, namespace| {
        cluster.apply(AUDIENCE);
        let token = cluster.path("pki/admin.token");
        fs::write(&token, cluster.admin_token()).unwrap();
        format!(
            "[workloads.nodes]\nissuer = 'https://kubernetes.default.svc'\nkeys = 'https://127.0.0.1:6443/openid/v1/jwks'\n\
             ca = '{}'\ntoken_file = '{}'\nclaims = {{ '/kubernetes.io/namespace' = '{namespace}' }}\ngrant = ['pull:alice']\n",
            cluster.authority().display(),
            token.display()
        )
    });
    let (code, proof) = place.prove(&[]);
    let pull = &proof["nodes"][0];
    assert_eq!((code, &pull["pulled"], &pull["secrets"]), (Some(0), &json!(true), &json!(null)), "{proof}");
    assert_eq!(proof["visibility"], "private", "{proof}");
    let step = proof["steps"].as_array().unwrap().iter().find(|step| step["name"] == "node pull").unwrap();
    assert!(step["detail"].as_str().unwrap().contains("the node has one of its own"), "{step}");

    // The same node, for a pod that no rule is for.
    let (code, proof) = place.prove(&["--namespace", "default"]);
    let pull = &proof["nodes"][0];
    assert_eq!((code, &pull["cause"]["code"]), (Some(0), &json!("RH-AUTH-REFUSED")), "{proof}");
    let audit = place.railhead.cli(["audit", "list", "--output", "json"]).ok().stdout;
    assert!(
        audit.contains("the rule 'nodes' does not fit: the claim /kubernetes.io/namespace is 'default'"),
        "{audit}"
    );
}
