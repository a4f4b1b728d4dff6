//! Manifests: exact bytes, references, referrers, tags.

use bytes::Bytes;
use http::Method;
use railhead_oci::{Algorithm, Digest, media};
use railhead_testkit::{TestRegistry, image, index_of, random_bytes};
use serde_json::{Value, json};

/// jetstack/version-checker#121
#[tokio::test]
async fn exact_bytes_come_back_with_their_content_type_whatever_is_accepted() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let image = image(1, 10, json!({}));
    registry.push_image(&alice, "alice/app", "v1", &image).await;
    let spaced = Bytes::from(format!("\n {} \n", String::from_utf8_lossy(&image.manifest)));
    let _ = registry.put_manifest(&alice, "alice/app", "spaced", image.media_type, &spaced).await.is(201);
    let path = "/v2/alice/app/manifests/spaced";
    for accept in ["application/json", "text/html", media::DOCKER_INDEX, "*/*"] {
        let got =
            registry.ask(Method::GET, path).bearer(&alice).header("accept", accept).send().await.is(200);
        assert_eq!(
            (got.header("content-type"), got.body.clone()),
            (media::OCI_IMAGE, spaced.clone()),
            "{accept}"
        );
        assert_eq!(got.digest(), Digest::sha256(&spaced));
    }
    let head = registry.head(&alice, path).await.is(200);
    assert_eq!(head.header("content-length"), spaced.len().to_string());
    assert_eq!(head.digest(), Digest::sha256(&spaced));
}

/// cloudflare/serverless-registry#134; bottlerocket-os/bottlerocket-core-kit#645, containerd/containerd#12291, #10177
#[tokio::test]
async fn answers_are_never_compressed_and_ranges_are_right_even_of_manifests() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let image = image(1, 5000, json!({}));
    registry.push_image(&alice, "alice/app", "v1", &image).await;
    let layer = &image.layers[0];
    for (path, content) in [
        ("/v2/alice/app/manifests/v1".to_owned(), &image.manifest),
        (format!("/v2/alice/app/blobs/{}", Digest::sha256(layer)), layer),
    ] {
        let size = content.len();
        let ask = |range: &str| {
            let ask = registry
                .ask(Method::GET, path.clone())
                .bearer(&alice)
                .header("accept-encoding", "gzip, zstd");
            ask.header("range", range).send()
        };
        for (range, part) in [("bytes=0-", 0..size), ("bytes=5-9", 5..10), ("bytes=-7", size - 7..size)] {
            let got = ask(range).await.is(206);
            assert_eq!(got.body, content.slice(part.clone()), "{range}");
            let expected = format!("bytes {}-{}/{size}", part.start, part.end - 1);
            assert_eq!(got.header("content-range"), expected, "{range}");
            assert_eq!(got.header("content-length"), part.len().to_string());
            assert_eq!(got.header("content-encoding"), "");
        }
        for range in ["bytes=0-1,3-4", "chars=0-1", "bytes"] {
            assert_eq!(ask(range).await.is(200).body, *content, "{range}");
        }
        for range in [format!("bytes={size}-"), "bytes=9-5".to_owned(), "bytes=-0".to_owned()] {
            assert_eq!(
                ask(&range).await.is(416).header("content-range"),
                format!("bytes */{size}"),
                "{range}"
            );
        }
    }
}

/// spec, *Pushing manifests*
#[tokio::test]
async fn a_subject_may_dangle_and_any_other_missing_reference_is_named() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let nowhere = Digest::sha256(b"nowhere");
    let subject = json!({ "subject": { "mediaType": media::OCI_IMAGE, "digest": nowhere, "size": 7 } });
    let dangling = image(1, 10, subject);
    for blob in dangling.blobs() {
        registry.push_blob(&alice, "alice/app", blob).await;
    }
    let put =
        registry.put_manifest(&alice, "alice/app", "v1", media::OCI_IMAGE, &dangling.manifest).await.is(201);
    assert_eq!(put.header("oci-subject"), nowhere.to_string());

    let missing = image(2, 10, json!({}));
    registry.push_blob(&alice, "alice/app", &missing.config).await;
    let refused = registry.put_manifest(&alice, "alice/app", "v2", media::OCI_IMAGE, &missing.manifest).await;
    assert!(refused.status.is_client_error());
    let errors = refused.json();
    assert_eq!(errors["errors"].as_array().unwrap().len(), 1);
    assert_eq!(errors["errors"][0]["code"], "MANIFEST_BLOB_UNKNOWN");
    assert_eq!(errors["errors"][0]["detail"]["digest"], Digest::sha256(&missing.layers[0]).to_string());
}

/// docker/buildx#173, moby/buildkit#1143, project-zot/zot#3347
#[tokio::test]
async fn an_index_may_list_layers_attestations_and_docker_types() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let layer = random_bytes(3, 100);
    registry.push_blob(&alice, "alice/app", &layer).await;
    let image = image(4, 10, json!({ "mediaType": media::DOCKER_IMAGE }));
    for blob in image.blobs() {
        registry.push_blob(&alice, "alice/app", blob).await;
    }
    let digest = Digest::sha256(&image.manifest);
    let by_digest = digest.to_string();
    let _ = registry
        .put_manifest(&alice, "alice/app", &by_digest, media::DOCKER_IMAGE, &image.manifest)
        .await
        .is(201);
    let index = index_of(&[
        ("application/vnd.oci.image.layer.v1.tar+gzip", &layer),
        (media::DOCKER_IMAGE, &image.manifest),
    ]);
    let mut attested: Value = serde_json::from_slice(&index).unwrap();
    attested["manifests"][1]["platform"] = json!({ "architecture": "unknown", "os": "unknown" });
    let attested = Bytes::from(attested.to_string());
    let _ = registry.put_manifest(&alice, "alice/app", "cache", media::OCI_INDEX, &attested).await.is(201);
    let got = registry.get(&alice, "/v2/alice/app/manifests/cache").await.is(200);
    assert_eq!(got.body, attested);
}

/// helm, flux, oras, wasm, models; docker's older types are served as they came
#[tokio::test]
async fn any_config_and_layer_type_is_accepted_and_so_is_schema_1() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let blob = random_bytes(1, 100);
    let digest = registry.push_blob(&alice, "alice/app", &blob).await;
    let artifact = json!({
        "schemaVersion": 2,
        "mediaType": media::OCI_IMAGE,
        "config": { "mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": digest, "size": 100 },
        "layers": [{ "mediaType": "application/vnd.wasm.content.layer.v1+wasm", "digest": digest, "size": 100 }],
    });
    let artifact = Bytes::from(artifact.to_string());
    let _ = registry.put_manifest(&alice, "alice/app", "chart", media::OCI_IMAGE, &artifact).await.is(201);
    let old = json!({ "schemaVersion": 1, "name": "alice/app", "tag": "old", "fsLayers": [{ "blobSum": digest }], "history": [], "signatures": [] });
    let old = Bytes::from(old.to_string());
    let _ =
        registry.put_manifest(&alice, "alice/app", "old", media::DOCKER_SCHEMA1_SIGNED, &old).await.is(201);
    let got = registry.get(&alice, "/v2/alice/app/manifests/old").await.is(200);
    assert_eq!((got.header("content-type"), &got.body), (media::DOCKER_SCHEMA1_SIGNED, &old));
}

#[tokio::test]
async fn a_put_by_digest_must_have_that_digest_and_large_manifests_are_accepted() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let image = image(1, 10, json!({ "annotations": { "filler": "x".repeat(4 << 20) } }));
    registry.push_image(&alice, "alice/app", "large", &image).await;
    let wrong = Digest::sha256(b"wrong").to_string();
    let refused = registry.put_manifest(&alice, "alice/app", &wrong, media::OCI_IMAGE, &image.manifest).await;
    assert_eq!(refused.is(400).code(), "DIGEST_INVALID");
    let long = Digest::of(Algorithm::Sha512, &image.manifest).to_string();
    let _ =
        registry.put_manifest(&alice, "alice/app", &long, media::OCI_IMAGE, &image.manifest).await.is(201);
    let _ = registry.get(&alice, format!("/v2/alice/app/manifests/{long}")).await.is(200);
    let huge = Bytes::from(vec![b' '; 9 << 20]);
    let refused = registry.put_manifest(&alice, "alice/app", "huge", media::OCI_IMAGE, &huge).await;
    assert_eq!(refused.is(413).code(), "SIZE_INVALID");
}

/// spec, next version: tags as parameters of a push by digest
#[tokio::test]
async fn tags_come_with_a_push_by_digest() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let image = image(1, 10, json!({}));
    for blob in image.blobs() {
        registry.push_blob(&alice, "alice/app", blob).await;
    }
    let reference = format!("{}?tag=1.2.3&tag=1.2&tag=latest", image.digest());
    let put = registry
        .put_manifest(&alice, "alice/app", &reference, image.media_type, &image.manifest)
        .await
        .is(201);
    assert_eq!(put.header("oci-tag"), "1.2, 1.2.3, latest");
    for tag in ["1.2.3", "1.2", "latest"] {
        let got = registry.head(&alice, format!("/v2/alice/app/manifests/{tag}")).await.is(200);
        assert_eq!(got.digest(), image.digest());
    }
    let refused = registry
        .put_manifest(
            &alice,
            "alice/app",
            &format!("{}?tag=.no", image.digest()),
            image.media_type,
            &image.manifest,
        )
        .await;
    assert_eq!(refused.is(400).code(), "TAG_INVALID");
}

/// spec, *Listing referrers*
#[tokio::test]
async fn referrers_are_never_404_and_filter_by_type() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let nothing = Digest::sha256(b"nothing");
    for path in [format!("/v2/alice/none/referrers/{nothing}"), format!("/v2/alice/app/referrers/{nothing}")]
    {
        registry.push_blob(&alice, "alice/app", &random_bytes(1, 1)).await;
        let got = registry.get(&alice, path).await.is(200);
        assert_eq!(got.header("content-type"), media::OCI_INDEX);
        assert_eq!(got.json()["manifests"], json!([]));
    }
    let subject = registry.push_image(&alice, "alice/app", "v1", &image(1, 10, json!({}))).await;
    let about = json!({ "mediaType": media::OCI_IMAGE, "digest": subject, "size": 1 });
    for (seed, kind) in [(2, "application/vnd.example.sbom"), (3, "application/vnd.example.signature+json")] {
        let extra =
            json!({ "subject": about, "artifactType": kind, "annotations": { "seed": seed.to_string() } });
        let signature = image(seed, 10, extra);
        // The way of clients that do not know referrers: an index under the fallback tag. The list is the same.
        registry.push_image(&alice, "alice/app", &format!("s{seed}"), &signature).await;
    }
    let path = format!("/v2/alice/app/referrers/{subject}");
    let all = registry.get(&alice, path.clone()).await.is(200);
    assert_eq!(
        (all.json()["manifests"].as_array().unwrap().len(), all.header("oci-filters-applied")),
        (2, "")
    );
    let filtered = registry
        .get(&alice, format!("{path}?artifactType=application/vnd.example.signature+json"))
        .await
        .is(200);
    assert_eq!(filtered.header("oci-filters-applied"), "artifactType");
    let found = filtered.json();
    assert_eq!(found["manifests"].as_array().unwrap().len(), 1);
    assert_eq!(found["manifests"][0]["annotations"], json!({ "seed": "3" }));
    assert_eq!(
        registry.get(&alice, "/v2/alice/app/referrers/sha256:no").await.is(400).code(),
        "DIGEST_INVALID"
    );
}

/// sigstore/cosign#313
#[tokio::test]
async fn frozen_tags_do_not_move_and_signature_tags_are_exempt() {
    let frozen = std::sync::Arc::new(|_: &railhead_oci::RepositoryName, tag: &railhead_oci::Tag| {
        railhead_access::TagRules::new(vec!["*".parse().unwrap()]).protects(tag)
    });
    let registry = TestRegistry::with().registry(|settings| settings.frozen = frozen).start().await;
    let alice = registry.user("alice").await;
    let (one, two) = (image(1, 10, json!({})), image(2, 10, json!({})));
    let digest = registry.push_image(&alice, "alice/app", "v1", &one).await;
    registry.push_image(&alice, "alice/app", "v1", &one).await;
    for blob in two.blobs() {
        registry.push_blob(&alice, "alice/app", blob).await;
    }
    let refused =
        registry.put_manifest(&alice, "alice/app", "v1", two.media_type, &two.manifest).await.is(403);
    assert_eq!(
        (refused.code().as_str(), &refused.json()["errors"][0]["detail"]["reason"]),
        ("DENIED", &json!("tag"))
    );
    assert_eq!(registry.head(&alice, "/v2/alice/app/manifests/v1").await.is(200).digest(), digest);
    let signature = format!("{}.sig", digest.to_string().replace(':', "-"));
    registry.push_image(&alice, "alice/app", &signature, &one).await;
    registry.push_image(&alice, "alice/app", &signature, &two).await;
}
