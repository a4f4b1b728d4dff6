//! Deleting and moving.

use std::time::Duration;

use http::Method;
use railhead_catalog::Timestamp;
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

/// Collects as if so much time had passed. Gives the bytes that this freed.
async fn collect_after(registry: &TestRegistry, minutes: i64) -> u64 {
    let later = Timestamp::now().plus_millis(minutes * 60_000);
    let collector = railhead_upkeep::Collector::new(registry.registry.clone());
    collector.run_at(later, Duration::MAX).await.unwrap().bytes
}

/// The registry's leases and graces are two hours. (project-zot/zot#77, distribution/distribution#3045,
/// getnora-io/nora#584)
#[tokio::test]
async fn what_a_client_was_told_of_stays_until_its_manifest_comes() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let image = image(1, 1000, json!({}));
    for blob in image.blobs() {
        registry.push_blob(&alice, "alice/app", blob).await;
        let _ = registry.head(&alice, format!("/v2/alice/app/blobs/{}", Digest::sha256(blob))).await.is(200);
    }
    assert_eq!(collect_after(&registry, 119).await, 0);
    let put = registry.put_manifest(&alice, "alice/app", "v1", image.media_type, &image.manifest).await;
    let digest = put.is(201).digest();
    assert_eq!(collect_after(&registry, 100_000).await, 0, "a manifest needs them now");

    let path = format!("/v2/alice/app/manifests/{digest}");
    let _ = registry.ask(Method::DELETE, path).bearer(&alice).send().await.is(202);
    assert_eq!(collect_after(&registry, 119).await, 0, "somebody may just have been told of them");
    let size: usize = image.blobs().map(bytes::Bytes::len).sum();
    assert_eq!(collect_after(&registry, 121).await, size as u64, "deleting an image frees its bytes");
    for blob in image.blobs() {
        let path = format!("/v2/alice/app/blobs/{}", Digest::sha256(blob));
        assert_eq!(registry.get(&alice, path).await.is(404).code(), "BLOB_UNKNOWN");
    }
    let owner = registry.registry.catalog().owner("alice").await.unwrap().unwrap();
    assert_eq!(owner.used_bytes, 0);
}

/// distribution/distribution#3178, #4461
#[tokio::test]
async fn collection_keeps_the_platforms_of_an_index_and_the_referrers_of_a_subject() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let platforms = [image(1, 100, json!({})), image(2, 100, json!({}))];
    for (number, platform) in platforms.iter().enumerate() {
        registry.push_image(&alice, "alice/app", &format!("p{number}"), platform).await;
        let tag = format!("/v2/alice/app/manifests/p{number}");
        let _ = registry.ask(Method::DELETE, tag).bearer(&alice).send().await.is(202);
    }
    let children = platforms.each_ref().map(|platform| (platform.media_type, &platform.manifest));
    let index = index_of(&children);
    let media_type = "application/vnd.oci.image.index.v1+json";
    let subject = registry.put_manifest(&alice, "alice/app", "v1", media_type, &index).await.is(201).digest();
    let about = json!({ "subject": { "mediaType": media_type, "digest": subject, "size": index.len() } });
    let referrer = image(3, 100, about);
    registry.push_image(&alice, "alice/app", "referrer", &referrer).await;
    let tag = "/v2/alice/app/manifests/referrer";
    let _ = registry.ask(Method::DELETE, tag).bearer(&alice).send().await.is(202);

    assert_eq!(collect_after(&registry, 100_000).await, 0);
    for image in platforms.iter().chain([&referrer]) {
        let _ = registry.get(&alice, format!("/v2/alice/app/manifests/{}", image.digest())).await.is(200);
        for blob in image.blobs() {
            let path = format!("/v2/alice/app/blobs/{}", Digest::sha256(blob));
            assert_eq!(registry.get(&alice, path).await.is(200).body, blob);
        }
    }
}

/// go-gitea/gitea#33466 and its like: who is about to be refused wants to know before.
#[tokio::test]
async fn a_push_that_nearly_fills_the_quota_is_warned() {
    let registry = TestRegistry::with().quota(20_000).start().await;
    let alice = registry.user("alice").await;
    let push = async |seed, bytes| {
        let image = image(seed, bytes, json!({}));
        for blob in image.blobs() {
            registry.push_blob(&alice, "alice/app", blob).await;
        }
        let put = registry.put_manifest(&alice, "alice/app", "v1", image.media_type, &image.manifest).await;
        put.is(201).headers.get("warning").map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(push(1, 10_000).await, None);
    let warning = push(2, 8_000).await.unwrap();
    assert!(
        warning.starts_with("299 - \"alice uses ") && warning.ends_with(" bytes of its quota\""),
        "{warning}"
    );
}
