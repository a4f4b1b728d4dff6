//! Challenges, the token endpoint, and refusals.

use http::Method;
use railhead_catalog::Role;
use railhead_oci::Challenge;
use railhead_server::Hosts;
use railhead_testkit::{Reply, TestRegistry, image};
use serde_json::json;

fn challenge(reply: &Reply) -> Challenge {
    let values: Vec<&str> =
        reply.headers.get_all("www-authenticate").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(values.len(), 1, "one header");
    let mut all = Challenge::parse_all(values);
    assert_eq!(all.len(), 1, "one challenge");
    all.remove(0)
}

/// renovatebot/renovate#41813, go-gitea/gitea#36920, apple/container#2274
#[tokio::test]
async fn there_is_exactly_one_bearer_challenge_with_realm_service_and_precise_scope() {
    let registry = TestRegistry::start().await;
    for (method, path, scope) in [
        (Method::GET, "/v2/", None),
        (Method::GET, "/v2/team/app/manifests/latest", Some("repository:team/app:pull")),
        (Method::POST, "/v2/team/app/blobs/uploads/", Some("repository:team/app:pull,push")),
        (Method::DELETE, "/v2/team/app/manifests/latest", Some("repository:team/app:delete")),
        (Method::GET, "/v2/_catalog", Some("registry:catalog:*")),
    ] {
        let reply = registry.ask(method, path).send().await.is(401);
        let challenge = challenge(&reply);
        assert!(challenge.is("bearer"), "{path}");
        assert_eq!(challenge.parameter("realm"), Some(&*format!("http://{}/v2/token", registry.address)));
        assert_eq!(challenge.parameter("service"), Some("railhead"));
        assert_eq!(challenge.parameter("scope"), scope, "{path}");
        assert_eq!(reply.code(), "UNAUTHORIZED");
    }
}

/// getnora-io/nora#219
#[tokio::test]
async fn the_base_is_401_so_that_a_login_with_a_wrong_password_fails() {
    let registry = TestRegistry::start().await;
    let token = registry.user("alice").await;
    let _ = registry.ask(Method::GET, "/v2/").send().await.is(401);
    let _ = registry.ask(Method::GET, "/v2/").basic("alice", "wrong").send().await.is(401);
    let _ =
        registry.ask(Method::GET, "/v2/token?service=railhead").basic("alice", "wrong").send().await.is(401);
    let _ = registry.ask(Method::GET, "/v2/").basic("alice", &token).send().await.is(200);
}

/// containerd/containerd#12822, containerd/containerd#3795
#[tokio::test]
async fn the_token_endpoint_answers_get_and_post_with_json_and_both_names_of_the_token() {
    let registry = TestRegistry::start().await;
    let secret = registry.user("alice").await;
    let got =
        registry.ask(Method::GET, "/token?service=railhead").basic("alice", &secret).send().await.is(200);
    let form =
        format!("grant_type=password&service=railhead&client_id=containerd&username=alice&password={secret}");
    let ask =
        registry.ask(Method::POST, "/v2/token").header("content-type", "application/x-www-form-urlencoded");
    let posted = ask.body(form).send().await.is(200);
    for reply in [got, posted] {
        assert_eq!(reply.header("content-type"), "application/json");
        let body = reply.json();
        assert_eq!(body["token"], body["access_token"]);
        assert!(body["expires_in"].as_u64().unwrap() >= 60);
        let _ = registry.get(body["token"].as_str().unwrap(), "/v2/").await.is(200);
    }
    let refused = registry
        .ask(Method::POST, "/v2/token")
        .body("grant_type=password&username=alice&password=no")
        .send()
        .await;
    assert_eq!(refused.header("content-type"), "application/json");
    let _ = refused.is(401);
}

/// helm/helm#12121, helm/helm#6214
#[tokio::test]
async fn scopes_may_be_repeated_and_joined_by_spaces() {
    let registry = TestRegistry::start().await;
    let secret = registry.user("alice").await;
    let path = "/v2/token?scope=repository:alice/a:pull,push&scope=repository:alice/b:pull%20repository:alice/c:pull&scope=registry:x:y&scope=nonsense";
    let token = registry.ask(Method::GET, path).basic("alice", &secret).send().await.is(200).json();
    let token = token["token"].as_str().unwrap();
    let begin =
        |name: &str| registry.ask(Method::POST, format!("/v2/alice/{name}/blobs/uploads/")).bearer(token);
    let _ = begin("a").send().await.is(202);
    let refused = begin("b").send().await.is(401);
    assert_eq!(challenge(&refused).parameter("scope"), Some("repository:alice/b:pull,push"));
    assert_eq!(challenge(&refused).parameter("error"), Some("insufficient_scope"));
    for name in ["b", "c"] {
        assert_eq!(
            registry.get(token, format!("/v2/alice/{name}/tags/list")).await.is(404).code(),
            "NAME_UNKNOWN"
        );
    }
}

/// go-gitea/gitea#22033, #26871, #28039, #31002, #37418; apple/container#2268
#[tokio::test]
async fn the_realm_follows_a_known_host_and_never_an_unknown_header() {
    let hosts = Hosts {
        names: vec!["forge.test".into(), "other.test:8443".into()],
        trusted_proxies: vec!["127.0.0.1".parse().unwrap()],
    };
    let registry = TestRegistry::with().hosts(hosts).start().await;
    for (headers, realm) in [
        (vec![("host", "forge.test")], "http://forge.test/v2/token"),
        (vec![("host", "forge.test"), ("x-forwarded-proto", "https")], "https://forge.test/v2/token"),
        (vec![("host", "other.test:8443")], "http://other.test:8443/v2/token"),
        (vec![("host", "evil.test")], "http://forge.test/v2/token"),
        (
            vec![("host", "pod:3000"), ("x-forwarded-host", "other.test:8443")],
            "http://other.test:8443/v2/token",
        ),
    ] {
        let mut ask = registry.ask(Method::GET, "/v2/");
        for (name, value) in &headers {
            ask = ask.header(name, *value);
        }
        let reply = ask.send().await.is(401);
        assert_eq!(challenge(&reply).parameter("realm"), Some(realm), "{headers:?}");
    }
}

/// A denial says which of scope, owner, role or visibility failed.
#[tokio::test]
async fn a_denial_explains_itself() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let _bob = registry.user("bob").await;
    registry.organisation("team", &[("alice", Role::Owner), ("bob", Role::Reader)]).await;
    let reader = registry.token("bob", &["pull", "push"]).await;
    let pull_only = registry.token("alice", &["pull"]).await;
    registry.push_image(&alice, "team/app", "v1", &image(1, 100, json!({}))).await;

    let uploads = |token: &str, name: &str| {
        registry.ask(Method::POST, format!("/v2/{name}/blobs/uploads/")).bearer(token)
    };
    for (token, name, reason) in [
        (&reader, "team/app", "role"),
        (&pull_only, "team/app", "token-scope"),
        (&alice, "nobody/app", "owner"),
    ] {
        let reply = uploads(token, name).send().await.is(403);
        assert_eq!(
            (reply.code().as_str(), &reply.json()["errors"][0]["detail"]["reason"]),
            ("DENIED", &json!(reason))
        );
    }
}

/// A private repository that the caller may not know about looks like a missing one.
#[tokio::test]
async fn a_private_repository_looks_like_a_missing_one() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let mallory = registry.user("mallory").await;
    let digest = registry.push_image(&alice, "alice/secret", "v1", &image(1, 100, json!({}))).await;
    let paths = |name: &str| {
        [
            format!("/v2/alice/{name}/manifests/v1"),
            format!("/v2/alice/{name}/manifests/{digest}"),
            format!("/v2/alice/{name}/blobs/{digest}"),
            format!("/v2/alice/{name}/tags/list"),
            format!("/v2/alice/{name}/referrers/{digest}"),
        ]
    };
    for (private, missing) in paths("secret").into_iter().zip(paths("absent")) {
        let (private, missing) =
            (registry.get(&mallory, private).await, registry.get(&mallory, missing).await);
        assert_eq!(private.status, 404);
        assert_eq!((private.status, &private.body), (missing.status, &missing.body));
    }
    let [private, ..] = paths("secret");
    let [missing, ..] = paths("absent");
    let (private, missing) = (
        registry.ask(Method::GET, private).send().await.is(401),
        registry.ask(Method::GET, missing).send().await.is(401),
    );
    assert_eq!(private.body, missing.body);
}

/// containerd/containerd#2211: clients send what they have, so a revoked credential must be named as the cause.
#[tokio::test]
async fn a_revoked_token_stops_at_once_also_for_bearers_made_with_it() {
    let registry = TestRegistry::start().await;
    let secret = registry.user("alice").await;
    let path = "/v2/token?scope=repository:alice/a:pull,push";
    let bearer = registry.ask(Method::GET, path).basic("alice", &secret).send().await.is(200).json();
    let bearer = bearer["token"].as_str().unwrap().to_owned();
    let _ = registry.get(&bearer, "/v2/").await.is(200);
    let by = registry.access.operator_actor();
    let tokens = registry.access.tokens(&by, Some("alice"), None, 10).await.unwrap();
    registry.access.revoke_token(&by, tokens[0].id).await.unwrap();
    for token in [&secret, &bearer] {
        let reply = registry.get(token, "/v2/").await.is(401);
        assert_eq!(challenge(&reply).parameter("error"), Some("invalid_token"));
    }
    let _ = registry.ask(Method::POST, "/v2/alice/a/blobs/uploads/").bearer(&bearer).send().await.is(401);
}

#[tokio::test]
async fn anonymous_clients_pull_what_is_public_and_nothing_else() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    registry.push_image(&alice, "alice/open", "v1", &image(1, 100, json!({}))).await;
    let anonymous = || registry.ask(Method::GET, "/v2/alice/open/manifests/v1");
    let _ = anonymous().send().await.is(401);
    registry.publish("alice/open").await;
    let _ = anonymous().send().await.is(200);
    let token = registry
        .ask(Method::GET, "/v2/token?scope=repository:alice/open:pull,push")
        .send()
        .await
        .is(200)
        .json();
    let token = token["token"].as_str().unwrap();
    let _ = registry.get(token, "/v2/alice/open/manifests/v1").await.is(200);
    let refused = registry.ask(Method::POST, "/v2/alice/open/blobs/uploads/").bearer(token).send().await;
    assert!(matches!(refused.status.as_u16(), 401 | 403), "{}", refused.status);
}

#[tokio::test]
async fn failed_logins_are_slowed_and_a_right_token_is_not() {
    let registry = TestRegistry::start().await;
    let secret = registry.user("alice").await;
    let by = registry.access.operator_actor();
    registry.access.set_password(&by, "alice", Some("right-password-1".to_owned().into())).await.unwrap();
    let mut slowed = None;
    for _ in 0..12 {
        let reply = registry.ask(Method::GET, "/v2/").basic("alice", "wrong").send().await;
        if reply.status == 429 {
            slowed = Some(reply);
            break;
        }
        let _ = reply.is(401);
    }
    let slowed = slowed.expect("the account is slowed after a few failures");
    assert_eq!(slowed.code(), "TOOMANYREQUESTS");
    assert!(slowed.header("retry-after").parse::<u64>().unwrap() >= 1);
    let _ = registry.ask(Method::GET, "/v2/").basic("alice", &secret).send().await.is(200);
}
