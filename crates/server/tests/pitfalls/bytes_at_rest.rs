//! Bytes at rest that are not what they should be: refused, reported, healed by the next push.
//! (go-gitea/gitea#19586, #21736, #39215)

use std::path::PathBuf;

use bytes::Bytes;
use http::Method;
use railhead_oci::Digest;
use railhead_testkit::{TestRegistry, random_bytes};

/// The file of a blob.
fn file_of(registry: &TestRegistry, digest: &Digest) -> PathBuf {
    let hex = digest.hex();
    let folder = registry.data().join("blobs/sha256").join(&hex[..2]);
    let mut files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found = files.find(|path| path.file_name().unwrap().to_string_lossy().starts_with(&hex)).unwrap();
    assert!(
        files.all(|path| !path.file_name().unwrap().to_string_lossy().starts_with(&hex)),
        "one object a blob"
    );
    found
}

async fn check(registry: &TestRegistry, damage: impl Fn(&PathBuf), bytes: &Bytes, refused: bool) {
    let alice = registry.user("alice").await;
    let digest = registry.push_blob(&alice, "alice/a", bytes).await;
    let path = format!("/v2/alice/a/blobs/{digest}");
    let _ = registry.get(&alice, &path).await.is(200);
    damage(&file_of(registry, &digest));
    let got = registry.get(&alice, &path).await;
    if refused {
        assert_eq!(got.code(), "BLOB_UNKNOWN");
        assert_eq!(got.json()["errors"][0]["detail"]["damaged"], true);
    } else {
        assert!(got.cut, "the answer ends before its last byte");
    }
    // A client that asks whether it has to push is told to.
    let _ = registry.head(&alice, &path).await.is(404);
    registry.push_blob(&alice, "alice/a", bytes).await;
    assert_eq!(registry.get(&alice, &path).await.is(200).body, bytes);
    file_of(registry, &digest);
}

#[tokio::test]
async fn a_missing_file_is_refused_and_healed() {
    let registry = TestRegistry::start().await;
    check(&registry, |file| std::fs::remove_file(file).unwrap(), &random_bytes(1, 1000), true).await;
}

#[tokio::test]
async fn a_shortened_file_is_refused_and_healed() {
    let registry = TestRegistry::start().await;
    let shorten =
        |file: &PathBuf| std::fs::OpenOptions::new().write(true).open(file).unwrap().set_len(10).unwrap();
    check(&registry, shorten, &random_bytes(1, 1000), true).await;
}

#[tokio::test]
async fn wrong_bytes_are_cut_when_reads_are_verified_and_healed() {
    let registry = TestRegistry::with().registry(|settings| settings.verify_reads = true).start().await;
    let flip = |file: &PathBuf| {
        let mut bytes = std::fs::read(file).unwrap();
        bytes[600_000] ^= 1;
        std::fs::write(file, bytes).unwrap();
    };
    check(&registry, flip, &random_bytes(1, 1_000_000), false).await;
}

#[tokio::test]
async fn wrong_bytes_are_healed_by_a_push_even_if_nobody_noticed_them() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let bytes = random_bytes(1, 1000);
    let digest = registry.push_blob(&alice, "alice/a", &bytes).await;
    std::fs::write(file_of(&registry, &digest), vec![0; 1000]).unwrap();
    registry.push_blob(&alice, "alice/a", &bytes).await;
    assert_eq!(registry.get(&alice, format!("/v2/alice/a/blobs/{digest}")).await.is(200).body, bytes);
}

#[tokio::test]
async fn a_sweep_removes_what_a_kill_leaves_and_nothing_else() {
    let registry = TestRegistry::start().await;
    let alice = registry.user("alice").await;
    let kept = registry.push_blob(&alice, "alice/a", &random_bytes(1, 1000)).await;
    let location = registry.begin(&alice, "alice/a").await;
    let _ = registry.ask(Method::PATCH, &location).bearer(&alice).body("abc").send().await.is(202);
    // An object and a staged file that no upload and no blob knows.
    let orphan = file_of(&registry, &kept);
    let name = orphan.file_name().unwrap().to_string_lossy().into_owned();
    let (hex, _) = name.split_once('.').unwrap();
    std::fs::write(orphan.with_file_name(format!("{hex}.{}", "0".repeat(32))), b"x").unwrap();
    std::fs::write(registry.data().join("uploads").join("1".repeat(32)), b"y").unwrap();
    let later = std::time::SystemTime::now() + std::time::Duration::from_mins(1);
    let swept = railhead_upkeep::sweep(&registry.registry, later).await.unwrap();
    assert_eq!((swept.staged, swept.objects), (1, 1));
    let _ = registry.get(&alice, format!("/v2/alice/a/blobs/{kept}")).await.is(200);
    assert_eq!(registry.get(&alice, &location).await.is(204).header("range"), "0-2");
}
