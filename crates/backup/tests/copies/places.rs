//! Places of backups that lie or are full, buckets, and locks.

use std::sync::Arc;
use std::time::Duration;

use railhead_backup::target::{Bucket, Target as _};
use railhead_backup::{Error, Lock, Purpose, Times, Vault};
use railhead_blobs::open_bucket;
use railhead_blobs::testing::MotoServer;
use railhead_catalog::testing::Place;

use crate::tricks::{Trick, Tricky};
use crate::world::{Shelf, World, verify_with};

#[tokio::test]
async fn a_place_that_lies_is_found_out_before_the_backup_counts() {
    let world = World::filled(Place::sqlite().unwrap()).await;
    for trick in [Trick::Short, Trick::Wrong, Trick::Forgotten] {
        for prefix in ["blobs/", "parts/", "snapshots/"] {
            let shelf = Shelf::wrapped(|directory| Tricky::new(directory, trick, prefix));
            let refused = world.back_up(&shelf.vault).await;
            assert!(matches!(refused, Err(Error::Lied { .. })), "{trick:?} {prefix}: {refused:?}");
            let none = shelf.files().keys().all(|file| !file.starts_with("locks/"));
            assert!(none, "the lock is given back");
        }
    }
    // Without the second look, sizes are still compared, and verify finds the rest.
    let shelf = Shelf::wrapped(|directory| Tricky::new(directory, Trick::Short, "blobs/"));
    let refused = world.back_up(&shelf.vault.clone().trusting()).await;
    assert!(matches!(refused, Err(Error::Lied { .. })), "{refused:?}");
    let shelf = Shelf::wrapped(|directory| Tricky::new(directory, Trick::Wrong, "blobs/"));
    let made = world.back_up(&shelf.vault.clone().trusting()).await.unwrap();
    assert_eq!(shelf.verify().await.damages.len() as u64, made.counts.blobs);
}

#[tokio::test]
async fn a_bucket_is_a_place_like_a_directory() {
    let Some(moto) = MotoServer::start_if_installed().await.unwrap() else { return };
    let config = moto.config("");
    let bucket = Bucket::new(open_bucket(&config).unwrap(), "/backups/a/", "s3://test");
    let vault = Vault::new(Arc::new(bucket.clone()));
    let world = World::filled(Place::sqlite().unwrap()).await;
    // More than one part of a multipart upload.
    world.blob("team/app", &"x".repeat(2000)).await;
    let made = world.back_up(&vault).await.unwrap();
    assert_eq!(world.back_up(&vault).await.unwrap().copied_blobs, 0);
    assert!(verify_with(&vault, world.scratch.path(), |_| {}).await.unwrap().is_whole());
    let other = World::sqlite().await;
    assert!(other.restore(&vault).await.unwrap().lost.is_empty());
    assert_eq!(other.knows().await, world.knows().await);
    assert_eq!(bucket.list("locks").await.unwrap(), []);
    assert_eq!(bucket.list("snapshots").await.unwrap().len(), 2);
    assert!(made.counts.blobs > 4);
    assert_eq!(bucket.size("snapshots/nothing").await.unwrap(), None);
    assert!(matches!(bucket.read("snapshots/nothing").await, Err(Error::Missing { .. })));
}

fn quick() -> Times {
    Times { renew: Duration::from_millis(20), old: Duration::ZERO }
}

#[tokio::test]
async fn two_that_write_are_kept_apart_and_readers_are_not() {
    let shelf = Shelf::new();
    let times = Times::default();
    let reading = Lock::take(&shelf.vault, Purpose::Read, times).await.unwrap();
    let backup = Lock::take(&shelf.vault, Purpose::Backup, times).await.unwrap();
    for purpose in [Purpose::Backup, Purpose::Prune] {
        let refused = Lock::take(&shelf.vault, purpose, times).await;
        assert!(
            matches!(&refused, Err(Error::Locked { holder, .. }) if holder.contains("process")),
            "{refused:?}"
        );
    }
    backup.release().await;
    assert!(matches!(Lock::take(&shelf.vault, Purpose::Prune, times).await, Err(Error::Locked { .. })));
    reading.release().await;
    let prune = Lock::take(&shelf.vault, Purpose::Prune, times).await.unwrap();
    assert!(matches!(Lock::take(&shelf.vault, Purpose::Read, times).await, Err(Error::Locked { .. })));
    prune.release().await;
    assert!(shelf.files().is_empty(), "no lock is left");
}

#[tokio::test]
async fn a_lock_of_a_dead_process_is_taken_away_and_one_of_a_live_process_is_not() {
    let shelf = Shelf::new();
    let lock = Lock::take(&shelf.vault, Purpose::Backup, Times::default()).await.unwrap();
    let file = shelf.files().into_keys().next().unwrap();
    let text = std::fs::read_to_string(shelf.path(&file)).unwrap();
    lock.release().await;
    let mut holder: serde_json::Value = serde_json::from_str(&text).unwrap();
    // A process of this machine that began at another moment is another process.
    holder["started"] = 1.into();
    std::fs::write(shelf.path("locks/dead.json"), holder.to_string()).unwrap();
    Lock::take(&shelf.vault, Purpose::Backup, Times::default()).await.unwrap().release().await;
    // Of another machine nobody knows: a fresh lock counts, an old one is watched, and dead when nobody renews it.
    holder["machine"] = "another".into();
    std::fs::write(shelf.path("locks/far.json"), holder.to_string()).unwrap();
    let refused = Lock::take(&shelf.vault, Purpose::Backup, Times::default()).await;
    assert!(matches!(refused, Err(Error::Locked { .. })), "{refused:?}");
    let taken = Lock::take(&shelf.vault, Purpose::Backup, quick()).await.unwrap();
    assert!(!shelf.path("locks/far.json").exists());
    // One that is renewed is never dead, however old it looks.
    let refused =
        Lock::take(&shelf.vault, Purpose::Backup, Times { renew: Duration::from_millis(50), ..quick() })
            .await;
    assert!(matches!(refused, Err(Error::Locked { .. })), "{refused:?}");
    taken.release().await;
}

#[tokio::test]
async fn who_has_lost_the_lock_is_told_before_it_does_harm() {
    let shelf = Shelf::new();
    let lock = Lock::take(&shelf.vault, Purpose::Prune, quick()).await.unwrap();
    lock.check().unwrap();
    for file in shelf.files().into_keys() {
        std::fs::remove_file(shelf.path(&file)).unwrap();
    }
    let lost = async {
        while lock.check().is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), lost).await.unwrap();
    assert!(shelf.files().is_empty(), "it is not renewed either");
}
