//! Uploads: chunks, offsets, mounts, digests.

use bytes::Bytes;
use http::Method;
use railhead_oci::{Algorithm, Digest};
use railhead_testkit::{TestRegistry, image, random_bytes};
use serde_json::json;

/// distribution-spec#506, #576, #404; google/go-containerregistry#2198; regclient/regclient#627
#[tokio::test]
async fn a_patch_without_range_is_a_stream_and_is_answered_202_with_a_cumulative_range() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let bytes = random_bytes(1, 70_000);
    let location = registry.begin(&alice, "alice/a").await;
    let patch = |piece: Bytes| registry.ask(Method::PATCH, &location).bearer(&alice).body(piece);
    assert_eq!(patch(bytes.slice(..50_000)).send().await.is(202).header("range"), "0-49999");
    assert_eq!(patch(bytes.slice(50_000..)).send().await.is(202).header("range"), "0-69999");
    let status = registry.get(&alice, &location).await.is(204);
    assert_eq!((status.header("range"), status.header("location")), ("0-69999", &*location));
    let digest = Digest::sha256(&bytes);
    let put =
        registry.ask(Method::PUT, format!("{location}?digest={digest}")).bearer(&alice).send().await.is(201);
    assert_eq!(put.header("location"), format!("/v2/alice/a/blobs/{digest}"));
    assert_eq!(registry.get(&alice, put.header("location")).await.is(200).body, bytes);
}

/// distribution-spec#203; distribution/distribution#3141
#[tokio::test]
async fn a_range_is_read_with_and_without_its_unit_and_out_of_order_is_416_with_the_current_one() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let location = registry.begin(&alice, "alice/a").await;
    let patch = |range: &str, length: usize| {
        let ask = registry.ask(Method::PATCH, &location).bearer(&alice).header("content-range", range);
        ask.body(vec![7; length]).send()
    };
    let _ = patch("0-9", 10).await.is(202);
    let _ = patch("bytes 10-19", 10).await.is(202);
    for range in ["0-9", "21-30", "10-19"] {
        let refused = patch(range, 10).await.is(416);
        assert_eq!(refused.header("range"), "0-19", "{range}");
    }
    assert_eq!(patch("20-29", 5).await.is(400).code(), "SIZE_INVALID");
    assert_eq!(patch("from here", 5).await.is(400).code(), "RANGE_INVALID");
    let digest = Digest::sha256(&[7; 30]);
    let put = registry.ask(Method::PUT, format!("{location}?digest={digest}")).bearer(&alice);
    let _ = put.header("content-range", "20-29").body(vec![7; 10]).send().await.is(201);
}

/// `0-0` is said of an upload with nothing and of one with a single byte: a client that goes on at either must get on.
#[tokio::test]
async fn an_upload_cut_after_its_first_byte_goes_on_from_either_end_of_its_range() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let bytes = Bytes::from_static(b"0123456789");
    for start in [0, 1] {
        let location = registry.begin(&alice, "alice/a").await;
        let _ =
            registry.ask(Method::PATCH, &location).bearer(&alice).body(bytes.slice(..1)).send().await.is(202);
        assert_eq!(registry.get(&alice, &location).await.is(204).header("range"), "0-0");
        let patch = registry.ask(Method::PATCH, &location).bearer(&alice);
        let patch = patch.header("content-range", format!("{start}-9")).body(bytes.slice(start..));
        assert_eq!(patch.send().await.is(202).header("range"), "0-9");
        let put = format!("{location}?digest={}", Digest::sha256(&bytes));
        let _ = registry.ask(Method::PUT, put).bearer(&alice).send().await.is(201);
    }
}

/// spec: the last chunk in PUT, a single POST, empty blobs, sha512; distribution-spec#198
#[tokio::test]
async fn every_way_to_push_a_blob_works_with_every_algorithm() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    for (seed, bytes) in [Bytes::new(), random_bytes(5, 1), random_bytes(6, 300_000)].into_iter().enumerate()
    {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let digest = Digest::of(algorithm, &bytes);
            let name = format!("alice/r{seed}");
            let ask = |method, path: String| registry.ask(method, path).bearer(&alice);
            let single = ask(Method::POST, format!("/v2/{name}/blobs/uploads/?digest={digest}"));
            let _ = single.body(bytes.clone()).send().await.is(201);
            let location = registry.begin(&alice, &name).await;
            let put = ask(Method::PUT, format!("{location}?digest={digest}"));
            let _ = put.body(bytes.clone()).send().await.is(201);
            let started =
                ask(Method::POST, format!("/v2/{name}/blobs/uploads?digest-algorithm={}", algorithm.name()));
            let started = started.send().await.is(202);
            let location = started.header("location").to_owned();
            let _ = ask(Method::PATCH, location.clone()).body(bytes.clone()).send().await.is(202);
            let _ = ask(Method::PUT, format!("{location}?digest={digest}")).send().await.is(201);
            let got = registry.get(&alice, format!("/v2/{name}/blobs/{digest}")).await.is(200);
            assert_eq!((got.digest(), got.body), (digest, bytes.clone()));
        }
    }
}

/// distribution/distribution#479, #996, #2862
#[tokio::test]
async fn locations_are_relative() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    assert!(registry.begin(&alice, "alice/a").await.starts_with("/v2/alice/a/blobs/uploads/"));
}

/// containerd/containerd#14086, and a mount checks read access on its source.
#[tokio::test]
async fn a_mount_that_fails_is_a_new_session_and_never_reads_what_the_client_may_not() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let mallory = registry.user("mallory").await;
    let digest = registry.push_blob(&alice, "alice/a", &random_bytes(1, 100)).await;
    let mount = |token: &str, to: &str, from: &str| {
        let path = format!("/v2/{to}/blobs/uploads/?mount={digest}{from}");
        registry.ask(Method::POST, path).bearer(token).send()
    };
    let mounted = mount(&alice, "alice/b", "&from=alice/a").await.is(201);
    assert_eq!(mounted.header("location"), format!("/v2/alice/b/blobs/{digest}"));
    let _ = registry.head(&alice, format!("/v2/alice/b/blobs/{digest}")).await.is(200);
    for from in ["&from=alice/a", "&from=alice/none", "&from=NOT/A/NAME", ""] {
        let refused = mount(&mallory, "mallory/x", from).await.is(202);
        assert!(refused.header("location").contains("/blobs/uploads/"), "{from}");
    }
    let _ = registry.head(&mallory, format!("/v2/mallory/x/blobs/{digest}")).await.is(404);
}

/// go-gitea/gitea#19586, #36526
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_tiny_layer_may_arrive_from_everybody_at_once() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let bytes = Bytes::from(vec![0; 1024]);
    let digest = Digest::sha256(&bytes);
    let mut pushes = tokio::task::JoinSet::new();
    for index in 0..32 {
        let path = format!("/v2/alice/r{}/blobs/uploads/?digest={digest}", index % 4);
        let ask = registry.ask(Method::POST, path).bearer(&alice).body(bytes.clone());
        pushes.spawn(async move { ask.send().await.status });
    }
    let statuses = pushes.join_all().await;
    assert!(statuses.iter().all(|status| *status == 201), "{statuses:?}");
    for index in 0..4 {
        let got = registry.get(&alice, format!("/v2/alice/r{index}/blobs/{digest}")).await.is(200);
        assert_eq!(got.body, bytes);
    }
}

#[tokio::test]
async fn a_connection_cut_in_the_middle_keeps_its_offset_also_over_a_restart() {
    use tokio::io::AsyncWriteExt as _;
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let bytes = random_bytes(9, 200_000);
    let location = registry.begin(&alice, "alice/a").await;
    let mut stream = tokio::net::TcpStream::connect(registry.address).await.unwrap();
    let head = format!(
        "PATCH {location} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {alice}\r\ncontent-length: {}\r\n\r\n",
        bytes.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&bytes[..120_000]).await.unwrap();
    stream.shutdown().await.unwrap();
    // The answer to a status request waits for the request that is still reading.
    let range = loop {
        let range = registry.get(&alice, &location).await.is(204).header("range").to_owned();
        if range == "0-119999" {
            break range;
        }
        tokio::task::yield_now().await;
    };
    let registry = registry.restart().await;
    assert_eq!(registry.get(&alice, &location).await.is(204).header("range"), range);
    let rest = registry.ask(Method::PATCH, &location).bearer(&alice).header("content-range", "120000-199999");
    let _ = rest.body(bytes.slice(120_000..)).send().await.is(202);
    let put = format!("{location}?digest={}", Digest::sha256(&bytes));
    let _ = registry.ask(Method::PUT, put).bearer(&alice).send().await.is(201);
}

/// spec, *Cancel a blob upload*
#[tokio::test]
async fn a_cancelled_upload_is_gone_with_its_bytes() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let location = registry.begin(&alice, "alice/a").await;
    let _ = registry.ask(Method::PATCH, &location).bearer(&alice).body("abc").send().await.is(202);
    let _ = registry.ask(Method::DELETE, &location).bearer(&alice).send().await.is(204);
    assert_eq!(registry.get(&alice, &location).await.is(404).code(), "BLOB_UPLOAD_UNKNOWN");
    assert!(std::fs::read_dir(registry.data().join("uploads")).unwrap().next().is_none());
}

/// A client that asks for a token once must get one that serves the mount.
#[tokio::test]
async fn the_challenge_of_a_mount_names_both_repositories() {
    let registry = TestRegistry::start().await;
    let path = format!("/v2/alice/b/blobs/uploads/?mount={}&from=alice/a", Digest::sha256(b"x"));
    let challenged = registry.ask(Method::POST, path).send().await.is(401);
    let scope = "scope=\"repository:alice/b:pull,push repository:alice/a:pull\"";
    assert!(
        challenged.header("www-authenticate").contains(scope),
        "{}",
        challenged.header("www-authenticate")
    );
}

#[tokio::test]
async fn a_wrong_digest_is_refused_and_nothing_is_stored() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let location = registry.begin(&alice, "alice/a").await;
    let wrong = Digest::sha256(b"other");
    let refused = registry
        .ask(Method::PUT, format!("{location}?digest={wrong}"))
        .bearer(&alice)
        .body("bytes")
        .send()
        .await;
    assert_eq!(refused.is(400).code(), "DIGEST_INVALID");
    let _ = registry.head(&alice, format!("/v2/alice/a/blobs/{wrong}")).await.is(404);
    assert!(std::fs::read_dir(registry.data().join("uploads")).unwrap().next().is_none());
    for digest in ["", "?digest=md5:abc", "?digest=sha256:xyz", "?digest="] {
        let location = registry.begin(&alice, "alice/a").await;
        let refused = registry.ask(Method::PUT, format!("{location}{digest}")).bearer(&alice).send().await;
        assert_eq!(refused.is(400).code(), "DIGEST_INVALID", "{digest}");
    }
}

#[tokio::test]
async fn an_upload_belongs_to_its_repository() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let location = registry.begin(&alice, "alice/a").await;
    let elsewhere = location.replace("alice/a", "alice/b");
    assert_eq!(registry.get(&alice, elsewhere).await.is(404).code(), "BLOB_UPLOAD_UNKNOWN");
}

#[tokio::test]
async fn a_quota_is_reserved_while_an_upload_runs_and_given_back_when_it_ends_badly() {
    let registry = TestRegistry::with().quota(1_000_000).layer_limit(700_000).start().await;
    let alice = registry.user("alice").await;
    let too_large = registry.begin(&alice, "alice/a").await;
    let refused =
        registry.ask(Method::PATCH, &too_large).bearer(&alice).body(vec![1; 700_001]).send().await.is(413);
    assert_eq!(refused.code(), "SIZE_INVALID");
    let first = registry.begin(&alice, "alice/a").await;
    let _ = registry.ask(Method::PATCH, &first).bearer(&alice).body(vec![1; 600_000]).send().await.is(202);
    let second = registry.begin(&alice, "alice/a").await;
    let patch = || registry.ask(Method::PATCH, &second).bearer(&alice).body(vec![2; 500_000]);
    let refused = patch().send().await.is(403);
    assert_eq!(
        (refused.code().as_str(), &refused.json()["errors"][0]["detail"]["reason"]),
        ("DENIED", &json!("quota"))
    );
    let listed = registry.get(&alice, "/v2/_catalog").await.is(200);
    assert_eq!(listed.json(), json!({ "repositories": [] }), "nothing was pushed yet");
    let _ = registry.ask(Method::DELETE, &first).bearer(&alice).send().await.is(204);
    let _ = patch().send().await.is(202);
}

#[tokio::test]
async fn a_push_of_an_image_is_pulled_back_byte_by_byte() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let image = image(3, 500_000, json!({}));
    let digest = registry.push_image(&alice, "alice/app", "v1", &image).await;
    assert_eq!(digest, image.digest());
    let got = registry.get(&alice, "/v2/alice/app/manifests/v1").await.is(200);
    assert_eq!(
        (got.body, got.headers["content-type"].to_str().unwrap()),
        (image.manifest.clone(), image.media_type)
    );
    for blob in image.blobs() {
        let path = format!("/v2/alice/app/blobs/{}", Digest::sha256(blob));
        assert_eq!(registry.get(&alice, path).await.is(200).body, blob);
    }
}
