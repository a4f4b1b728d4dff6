//! `serve`, from nothing to a pushed image.

#![allow(clippy::unwrap_used, reason = "a helper of a test that fails fails the test")]

mod common;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use common::{Place, Server};
use railhead_client::{Credentials, Http, Registry, Trust};
use railhead_oci::{Digest, RepositoryName};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn client(server: &Server, ca: Option<&Path>) -> Registry {
    let origin = server.url.parse().unwrap();
    let trust = ca.map(|ca| Trust::system(Some(ca)).unwrap());
    let credentials = Credentials { user: "admin".to_owned(), secret: server.token.clone().into() };
    Registry::new(Http::new(origin, trust, Duration::from_secs(30)), Some(credentials))
}

async fn push_image(registry: &Registry, name: &RepositoryName, tag: &str) -> Digest {
    let config = Bytes::from_static(
        b"{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}",
    );
    let layer = Bytes::from(vec![7; 100_000]);
    let config_digest = registry.push_blob(name, config.clone()).await.unwrap().digest;
    let chunks = [layer.slice(..60_000), layer.slice(60_000..)];
    let layer_digest = registry.push_chunks(name, &chunks).await.unwrap().digest;
    assert_eq!(registry.push_stream(name, &chunks).await.unwrap().digest, layer_digest);
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config_digest, "size": config.len() },
        "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer_digest, "size": layer.len() }],
    });
    let manifest = Bytes::from(manifest.to_string());
    assert_eq!(registry.blob(name, &layer_digest).await.unwrap(), layer);
    registry.put_manifest(name, tag, MANIFEST, manifest).await.unwrap().digest
}

#[tokio::test]
async fn a_new_registry_takes_an_image_and_is_administered() {
    let place = Place::new();
    let server = place.serve("");
    let name: RepositoryName = "admin/hello".parse().unwrap();
    let registry = client(&server, None);
    assert_eq!(registry.ping().await.unwrap().status, 200);
    let digest = push_image(&registry, &name, "v1").await;
    assert_eq!(push_image(&registry, &name, "v2").await, digest);
    let found = registry.manifest(&name, &digest.to_string()).await.unwrap().unwrap();
    assert_eq!(found.header("docker-content-digest"), Some(digest.to_string().as_str()));
    assert!(registry.head_manifest(&name, "v3").await.unwrap().is_none());
    assert_eq!(registry.tags(&name, 10, None).await.unwrap(), ["v1", "v2"]);
    let other: RepositoryName = "admin/other".parse().unwrap();
    let layer = Digest::sha256(&vec![7; 100_000]);
    assert!(registry.mount(&name, &other, &layer).await.unwrap());
    // What cannot be mounted has begun an upload, which is given up.
    assert!(!registry.mount(&name, &other, &Digest::sha256(b"nowhere")).await.unwrap());
    assert_eq!(place.path().join("data/uploads").read_dir().unwrap().count(), 0);

    let run = |line: &str| place.run(&format!("{line} --data data"));
    assert!(run("repo list").ok().contains("admin/hello"));
    assert!(run("repo show admin/hello").ok().contains("tags:       2"));
    assert!(run("tag list admin/hello").ok().contains(&digest.to_string()));
    let everybody =
        Registry::new(Http::new(server.url.parse().unwrap(), None, Duration::from_secs(30)), None);
    assert!(everybody.manifest(&name, "v1").await.is_err());
    run("repo visibility admin/hello public").ok();
    assert!(everybody.manifest(&name, "v1").await.unwrap().is_some());
    run("tag delete admin/hello v1").failed(2);
    run("tag delete admin/hello v1 --yes").ok();
    assert!(everybody.manifest(&name, "v1").await.unwrap().is_none());
    assert!(everybody.manifest(&name, "v2").await.unwrap().is_some());
    run("repo visibility admin/hello private").ok();
    assert!(everybody.manifest(&name, "v2").await.is_err());
    run("repo delete admin/hello --yes").ok();
    assert!(registry.manifest(&name, "v2").await.unwrap().is_none());
    run("repo delete admin/hello --yes").failed(4);
    server.stop();
    assert!(run("audit list").ok().contains("repository.delete"));
}

#[tokio::test]
async fn a_certificate_of_its_own_is_good_for_clients_that_trust_it() {
    let place = Place::new();
    let server = place.serve("--tls-self-signed");
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
    let ca = place.path().join("data/tls/cert.pem");
    let name: RepositoryName = "admin/hello".parse().unwrap();
    push_image(&client(&server, Some(&ca)), &name, "v1").await;
    let variables = [("RAILHEAD_SERVER", server.url.as_str()), ("RAILHEAD_TOKEN", server.token.as_str())];
    let line = format!("repo list --ca {}", ca.display());
    assert!(place.run_with(&line, &variables, "").ok().contains("admin/hello"));
    let err = place.run_with("repo list", &variables, "").failed(6);
    assert!(err.contains("certificate"), "{err}");
}

#[test]
fn the_data_directory_is_private_and_outlives_the_server() {
    let place = Place::new();
    let server = place.serve("");
    let mode = |name: &str| std::fs::metadata(place.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("data"), 0o700);
    for file in ["data/lock", "data/control.sock", "data/catalog.sqlite"] {
        assert_eq!(mode(file), 0o600, "{file}");
    }
    assert!(server.token.starts_with("rh_"));
    let log = server.stop();
    assert!(log.contains("stopping"), "{log}");
    let again = place.serve("");
    assert_eq!(again.token, "", "the token is shown once");
}

#[test]
fn a_block_of_proxies_that_is_none_stops_the_start() {
    let err = Place::new().run("serve --data data --listen 127.0.0.1:0 --trusted-proxy everybody").failed(2);
    assert!(err.contains("trusted_proxies: 'everybody'"), "{err}");
}
