//! Names and lists.

use http::Method;
use railhead_testkit::{TestRegistry, image};
use serde_json::json;

#[tokio::test]
async fn names_are_parsed_from_the_right_to_any_depth() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    for name in ["alice/a/b/c/d/e", "alice/blobs/uploads", "alice/manifests/tags/list", "alice/v2/referrers"]
    {
        let digest = registry.push_image(&alice, name, "v1", &image(1, 10, json!({}))).await;
        assert_eq!(registry.get(&alice, format!("/v2/{name}/manifests/v1")).await.is(200).digest(), digest);
        assert_eq!(
            registry.get(&alice, format!("/v2/{name}/tags/list")).await.is(200).json()["tags"],
            json!(["v1"])
        );
    }
}

#[tokio::test]
async fn wrong_names_tags_and_digests_get_their_code_and_never_a_500() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    for (method, path, status, code) in [
        (Method::GET, "/v2/alice/UPPER/manifests/v1", 400, "NAME_INVALID"),
        (Method::GET, "/v2/alice/../../etc/passwd/manifests/v1", 400, "NAME_INVALID"),
        (Method::GET, "/v2/alice/%2e%2e/manifests/v1", 400, "NAME_INVALID"),
        (Method::GET, "/v2/single/manifests/v1", 400, "NAME_INVALID"),
        (Method::GET, "/v2/alice/a/manifests/-bad", 404, "MANIFEST_UNKNOWN"),
        (Method::PUT, "/v2/alice/a/manifests/-bad", 400, "TAG_INVALID"),
        (Method::GET, "/v2/alice/a/manifests/sha256:123", 400, "DIGEST_INVALID"),
        (Method::GET, "/v2/alice/a/blobs/latest", 400, "DIGEST_INVALID"),
        (Method::GET, "/v2/alice/a/blobs/uploads/../../x", 404, "UNSUPPORTED"),
        (
            Method::PATCH,
            "/v2/alice/a/blobs/uploads/00000000000000000000000000000000",
            404,
            "BLOB_UPLOAD_UNKNOWN",
        ),
        (Method::PATCH, "/v2/alice/a/blobs/uploads/..", 404, "BLOB_UPLOAD_UNKNOWN"),
        (Method::GET, "/v2/alice/a/tags/list?n=-1", 400, "PAGINATION_NUMBER_INVALID"),
        (Method::GET, "/v2/alice/a/tags/list?n=x", 400, "PAGINATION_NUMBER_INVALID"),
        (Method::GET, "/v2/nowhere", 404, "UNSUPPORTED"),
    ] {
        let reply = registry.ask(method, path).bearer(&alice).send().await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (status, code), "{path}");
    }
    for body in
        ["", "{", "[]", "null", "{\"layers\":7}", "{\"schemaVersion\":2,\"config\":{\"digest\":\"x\"}}"]
    {
        let put = registry.ask(Method::PUT, "/v2/alice/a/manifests/v1").bearer(&alice);
        let put = put.header("content-type", railhead_oci::media::OCI_IMAGE).body(body).send().await;
        assert_eq!((put.status.as_u16(), put.code().as_str()), (400, "MANIFEST_INVALID"), "{body}");
    }
}

#[tokio::test]
async fn an_owner_is_one_in_every_case_and_lower_case_on_the_wire() {
    let registry = TestRegistry::start().await;
    let token = registry.user("Alice").await;
    let _ = registry.ask(Method::GET, "/v2/").basic("ALICE", &token).send().await.is(200);
    registry.push_image(&token, "alice/app", "v1", &image(1, 10, json!({}))).await;
    let by = registry.access.operator_actor();
    assert!(registry.access.create_user(&by, "aLiCe", None, false).await.is_err());
}

/// distribution/distribution#4903
#[tokio::test]
async fn lists_are_ordered_first_and_cut_second() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let image = image(1, 10, json!({}));
    let tags = ["Z", "a", "a-b", "a.b", "a_b", "v1", "v10", "v2"];
    for tag in tags.iter().rev() {
        registry.push_image(&alice, "alice/app", tag, &image).await;
    }
    let mut sorted = tags;
    sorted.sort_unstable();
    let list = |query: &str| registry.get(&alice, format!("/v2/alice/app/tags/list{query}"));
    assert_eq!(list("").await.is(200).json(), json!({ "name": "alice/app", "tags": sorted }));
    let none = list("?n=0").await.is(200);
    assert_eq!((none.json()["tags"].clone(), none.header("link")), (json!([]), ""));
    let mut seen = Vec::new();
    let mut path = "/v2/alice/app/tags/list?n=3".to_owned();
    loop {
        let page = registry.get(&alice, path).await.is(200);
        seen.extend(
            page.json()["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned()),
        );
        let Some(next) = railhead_oci::parse_next_link([page.header("link")]) else { break };
        path = next.to_owned();
    }
    assert_eq!(seen, sorted);
    assert_eq!(list("?last=v1").await.is(200).json()["tags"], json!(["v10", "v2"]));
    assert_eq!(list("?last=v1a&n=1").await.is(200).json()["tags"], json!(["v2"]));

    // Whole names are compared: `alice/app-x` is behind `alice/app`, and before `alice/app/x`.
    for name in ["alice/app/x", "alice/app-x", "alice/apple"] {
        registry.push_image(&alice, name, "v1", &image).await;
    }
    let all = registry.get(&alice, "/v2/_catalog").await.is(200).json();
    assert_eq!(all["repositories"], json!(["alice/app", "alice/app-x", "alice/app/x", "alice/apple"]));
    let page = registry.get(&alice, "/v2/_catalog?n=2").await.is(200);
    assert_eq!(page.json()["repositories"], json!(["alice/app", "alice/app-x"]));
    assert!(page.header("link").contains("last=alice%2Fapp-x"), "{}", page.header("link"));
}

/// `pulp/pulp_container#579`
#[tokio::test]
async fn a_head_of_a_blob_is_answered_here_and_not_redirected() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let image = image(1, 777, json!({}));
    registry.push_image(&alice, "alice/app", "v1", &image).await;
    let digest = railhead_oci::Digest::sha256(&image.layers[0]);
    let head = registry.head(&alice, format!("/v2/alice/app/blobs/{digest}")).await.is(200);
    assert_eq!((head.header("content-length"), head.digest()), ("777", digest));
}
