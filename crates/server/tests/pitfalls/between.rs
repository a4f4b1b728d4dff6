//! Between client and registry: what a proxy, a mirror or a person must be able to tell.

use http::Method;
use railhead_testkit::{TestRegistry, image};
use serde_json::json;

#[tokio::test]
async fn every_refusal_below_v2_is_json_and_says_that_this_is_a_registry() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    for path in ["/v2/", "/v2/a/b/manifests/x", "/v2/nothing/here/at/all", "/v2/alice/none/tags/list"] {
        for token in [None, Some(&alice)] {
            let mut ask = registry.ask(Method::GET, path);
            if let Some(token) = token {
                ask = ask.bearer(token);
            }
            let reply = ask.send().await;
            assert_eq!(reply.header("docker-distribution-api-version"), "registry/2.0", "{path}");
            assert_eq!(reply.header("content-type"), "application/json", "{path}");
        }
    }
    // Not the text that a proxy without a route answers with.
    let elsewhere = registry.ask(Method::GET, "/nothing").send().await.is(404);
    assert_eq!(elsewhere.code(), "UNSUPPORTED");
}

#[tokio::test]
async fn a_refused_upload_gets_its_answer_although_the_client_is_still_sending() {
    let registry = TestRegistry::start().await;
    let _alice = registry.user("alice").await;
    let path = "/v2/alice/a/blobs/uploads/00000000000000000000000000000000";
    let reply = registry.ask(Method::PATCH, path).body(vec![0; 8 << 20]).send().await;
    assert_eq!(reply.is(401).code(), "UNAUTHORIZED");
}

#[tokio::test]
async fn the_log_has_one_line_a_request_with_digest_bytes_and_account_and_no_secret() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let image = image(1, 4000, json!({}));
    let digest = registry.push_image(&alice, "alice/app", "v1", &image).await;
    let layer = railhead_oci::Digest::sha256(&image.layers[0]);
    let _ = registry.get(&alice, format!("/v2/alice/app/blobs/{layer}")).await.is(200);
    let _ = registry.ask(Method::GET, "/v2/?password=hunter2").basic("alice", "hunter3").send().await.is(401);
    let lines = registry.stop().await;
    assert_eq!(lines.len(), 5);
    let put = lines.iter().find(|line| line["operation"] == "manifest_put").unwrap();
    assert_eq!(
        (&put["digest"], &put["account"], &put["status"]),
        (&json!(digest), &json!("alice"), &json!(201))
    );
    let get = lines.iter().find(|line| line["operation"] == "blob_get").unwrap();
    assert_eq!(
        (&get["sent_bytes"], &get["end"], &get["client"]),
        (&json!(4000), &json!("complete"), &json!("127.0.0.1"))
    );
    let text = serde_json::to_string(&lines).unwrap();
    for secret in ["hunter", &alice, "Basic", "Bearer"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_client_that_vanishes_is_said_so_with_the_byte() {
    use tokio::io::AsyncWriteExt as _;
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let location = registry.begin(&alice, "alice/a").await;
    let mut stream = tokio::net::TcpStream::connect(registry.address).await.unwrap();
    let head = format!(
        "PATCH {location} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {alice}\r\ncontent-length: 1000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&[1; 321]).await.unwrap();
    drop(stream);
    while registry.get(&alice, &location).await.is(204).header("range") != "0-320" {
        tokio::task::yield_now().await;
    }
    let lines = registry.stop().await;
    let line = lines.iter().find(|line| line["operation"] == "upload_write").unwrap();
    assert_eq!((&line["end"], &line["end_at_byte"]), (&json!("client_left_sending"), &json!(321)));
}

#[tokio::test]
async fn health_and_metrics_answer() {
    let registry = TestRegistry::start().await;
    let _ = registry.ask(Method::GET, "/healthz").send().await.is(200);
    let _ = registry.ask(Method::GET, "/readyz").send().await.is(200);
    let _ = registry.ask(Method::GET, "/v2/").send().await.is(401);
    let metrics = registry.ask(Method::GET, "/metrics").send().await.is(200);
    let text = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(text.contains("railhead_requests_total{operation=\"base\",status=\"4xx\"} 1"), "{text}");
}

/// Blobs in files go to a plain socket past the HTTP library; ranges, many at once, and what follows on the same
/// connection must come out right all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_blobs_arrive_byte_by_byte_whole_in_ranges_and_many_at_once() {
    use http_body_util::{BodyExt as _, Empty};
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let bytes = railhead_testkit::random_bytes(4, 5_000_001);
    let digest = registry.push_blob(&alice, "alice/a", &bytes).await;
    let path = format!("/v2/alice/a/blobs/{digest}");
    let mut pulls = tokio::task::JoinSet::new();
    for first in [0_usize, 1, 65_536, 1_048_575, 1_048_576, 4_999_000] {
        let ask = registry.ask(Method::GET, &path).bearer(&alice).header("range", format!("bytes={first}-"));
        let expected = bytes.slice(first..);
        pulls.spawn(async move { assert_eq!(ask.send().await.is(206).body, expected, "from {first}") });
    }
    pulls.join_all().await;

    let stream = tokio::net::TcpStream::connect(registry.address).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    for _ in 0..3 {
        for (path, expected) in [(&*path, Some(&bytes)), ("/healthz", None), (&*path, Some(&bytes))] {
            let request = http::Request::get(path)
                .header("host", "x")
                .header("authorization", format!("Bearer {alice}"));
            sender.ready().await.unwrap();
            let response =
                sender.send_request(request.body(Empty::<bytes::Bytes>::new()).unwrap()).await.unwrap();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(&body, expected.unwrap_or(&bytes::Bytes::from_static(b"ok\n")));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_2_without_tls_pushes_and_pulls_the_same_bytes() {
    use http_body_util::{BodyExt as _, Full};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let stream = tokio::net::TcpStream::connect(registry.address).await.unwrap();
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    let bytes = railhead_testkit::random_bytes(8, 3_000_000);
    let digest = railhead_oci::Digest::sha256(&bytes);
    let mut ask = async |method: Method, path: String, body: bytes::Bytes| {
        let uri = format!("http://{}{path}", registry.address);
        let request = http::Request::builder().method(method).uri(uri);
        let request = request.header("authorization", format!("Bearer {alice}"));
        let response = sender.send_request(request.body(Full::new(body)).unwrap()).await.unwrap();
        assert_eq!(response.version(), http::Version::HTTP_2);
        (response.status().as_u16(), response.into_body().collect().await.unwrap().to_bytes())
    };
    let push = format!("/v2/alice/a/blobs/uploads/?digest={digest}");
    assert_eq!(ask(Method::POST, push, bytes.clone()).await.0, 201);
    let pulled = ask(Method::GET, format!("/v2/alice/a/blobs/{digest}"), bytes::Bytes::new()).await;
    assert_eq!(pulled, (200, bytes));
}
