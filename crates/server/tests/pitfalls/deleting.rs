//! Deleting and moving.

use http::Method;
use railhead_oci::Digest;
use railhead_testkit::{TestRegistry, image, index_of};
use serde_json::json;

/// project-zot/zot#4444
#[tokio::test]
async fn a_moved_tag_leaves_the_old_digest_to_those_who_pinned_it() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let old = registry.push_image(&alice, "alice/app", "latest", &image(1, 10, json!({}))).await;
    // Asked before and after the move, so that what is remembered of the tag is seen to be forgotten.
    assert_eq!(registry.head(&alice, "/v2/alice/app/manifests/latest").await.is(200).digest(), old);
    let new = registry.push_image(&alice, "alice/app", "latest", &image(2, 10, json!({}))).await;
    assert_eq!(registry.head(&alice, "/v2/alice/app/manifests/latest").await.is(200).digest(), new);
    let _ = registry.get(&alice, format!("/v2/alice/app/manifests/{old}")).await.is(200);
}

/// goharbor/harbor#8717
#[tokio::test]
async fn deleting_a_tag_leaves_its_siblings_and_its_manifest() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let image = image(1, 10, json!({}));
    let digest = registry.push_image(&alice, "alice/app", "one", &image).await;
    registry.push_image(&alice, "alice/app", "two", &image).await;
    let _ = registry.get(&alice, "/v2/alice/app/manifests/one").await.is(200);
    let delete = |reference: &str| {
        registry.ask(Method::DELETE, format!("/v2/alice/app/manifests/{reference}")).bearer(&alice).send()
    };
    let _ = delete("one").await.is(202);
    assert_eq!(registry.get(&alice, "/v2/alice/app/manifests/one").await.is(404).code(), "MANIFEST_UNKNOWN");
    let _ = registry.get(&alice, "/v2/alice/app/manifests/two").await.is(200);
    let _ = delete(&digest.to_string()).await.is(202);
    for reference in ["two", &digest.to_string()] {
        let _ = registry.get(&alice, format!("/v2/alice/app/manifests/{reference}")).await.is(404);
        assert_eq!(delete(reference).await.is(404).code(), "MANIFEST_UNKNOWN");
    }
}

#[tokio::test]
async fn a_blob_in_use_is_not_deleted_and_an_unused_one_is_at_once() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let image = image(1, 1000, json!({}));
    let manifest = registry.push_image(&alice, "alice/app", "v1", &image).await;
    let layer = Digest::sha256(&image.layers[0]);
    let path = format!("/v2/alice/app/blobs/{layer}");
    let delete = |path: String| registry.ask(Method::DELETE, path).bearer(&alice).send();
    let refused = delete(path.clone()).await.is(405);
    assert_eq!(refused.json()["errors"][0]["detail"]["manifest"], manifest.to_string());
    let _ = registry.get(&alice, path.clone()).await.is(200);
    let _ = delete(format!("/v2/alice/app/manifests/{manifest}")).await.is(202);
    let _ = delete(path.clone()).await.is(202);
    let _ = registry.get(&alice, path.clone()).await.is(404);
    assert_eq!(delete(path).await.is(404).code(), "BLOB_UNKNOWN");
}

#[tokio::test]
async fn deleting_a_child_is_noticed_by_the_index_that_needs_it() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let child = image(1, 10, json!({}));
    registry.push_image(&alice, "alice/app", "child", &child).await;
    let index = index_of(&[(child.media_type, &child.manifest)]);
    let kind = railhead_oci::media::OCI_INDEX;
    let _ = registry.put_manifest(&alice, "alice/app", "all", kind, &index).await.is(201);
    let missing = index_of(&[(child.media_type, &bytes::Bytes::from_static(b"{}"))]);
    let refused = registry.put_manifest(&alice, "alice/app", "broken", kind, &missing).await;
    assert_eq!(refused.is(404).code(), "MANIFEST_BLOB_UNKNOWN");
    let sparse = TestRegistry::with().registry(|settings| settings.sparse = true).start().await;
    let alice = sparse.user("alice").await;
    let _ = sparse.put_manifest(&alice, "alice/app", "broken", kind, &missing).await.is(201);
}
