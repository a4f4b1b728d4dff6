//! `railhead retention plan --kubeconfig`: what runs in a cluster is asked of the cluster itself.

use railhead_suites::railhead::Options;
use railhead_suites::{Operator, Railhead};
use serde_json::json;

use super::{SHARED, alone};

/// A deployment that changed its image once, so that a rollback needs the older one too.
fn deployment(image: &str) -> serde_json::Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app", "namespace": "default"}, "spec": {
        "replicas": 0, "selector": {"matchLabels": {"app": "app"}},
        "template": {"metadata": {"labels": {"app": "app"}}, "spec": {"containers": [{"name": "app", "image": image}]}}}})
}

#[test]
fn what_runs_is_asked_of_the_cluster_and_a_missing_right_refuses_the_plan() {
    let (cluster, _alone) = (SHARED.cluster(), alone());
    let home = tempfile::tempdir().unwrap();
    let railhead = Railhead::start(home.path(), Options::default());
    let operator =
        Operator::at(&home.path().join("operator"), "[retention]\nkeep_newest = 1\n").inside(cluster);
    let patience = std::time::Duration::from_secs(20);
    cluster.api(async |api| {
        use railhead_cluster::kinds;
        for (revision, tag) in [("1", "v1"), ("2", "v2")] {
            api.apply(&deployment(&format!("forge.test/team/app:{tag}")), false).await.unwrap();
            let done = |object: Option<&serde_json::Value>| {
                (object?.pointer("/metadata/annotations/deployment.kubernetes.io~1revision")? == revision)
                    .then_some(())
            };
            let seen =
                api.wait_for(&kinds::DEPLOYMENT, Some("default"), "app", patience, done).await.unwrap();
            assert!(seen.is_some(), "no revision {revision}");
        }
    });
    let data = railhead.data().to_owned();
    let plan = |kubeconfig: &std::path::Path| {
        operator.run([
            "retention",
            "plan",
            "--data",
            data.to_str().unwrap(),
            "--kubeconfig",
            kubeconfig.to_str().unwrap(),
        ])
    };
    let outcome = plan(&cluster.kubeconfig()).ok();
    assert!(outcome.stderr.contains("images in use in railhead by"), "{outcome}");
    assert!(outcome.stderr.contains("2 ReplicaSet"), "{outcome}");
    let rules = json!([{"apiGroups": ["", "apps"], "resources": ["pods", "deployments"], "verbs": ["list"]}]);
    let outcome = plan(&cluster.account("no-jobs", &rules));
    assert_eq!(outcome.code, Some(3), "{outcome}");
    for right in
        ["list statefulsets.apps", "list jobs.batch", "list cronjobs.batch", "list controllerrevisions.apps"]
    {
        assert!(outcome.stderr.contains(right), "{right}: {outcome}");
    }
    assert!(!outcome.stderr.contains("list pods"), "{outcome}");
    cluster.api(async |api| {
        assert!(api.delete(&railhead_cluster::kinds::DEPLOYMENT, Some("default"), "app").await.unwrap());
    });
}
