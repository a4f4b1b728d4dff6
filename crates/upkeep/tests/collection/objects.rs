//! Objects on their way out: holds, failures, kills, readers, several replicas.

use std::time::Duration;

use railhead_blobs::{FileStore, Store};
use railhead_catalog::testing::Place;
use railhead_oci::RepositoryName;
use railhead_registry::{Error, Registry};
use railhead_upkeep::{Collection, Collector};

use crate::world::{GRACE, LEASE, NOW, World, at, manifest, settings};

/// When a lease that was given at the beginning has surely ended.
const OVER: i64 = 2 * LEASE;

fn name() -> RepositoryName {
    "team/app".parse().unwrap()
}

async fn world(place: &Place) -> World {
    let world = World::open(place).await;
    world.catalog.create_organisation("team", NOW).await.unwrap();
    world
}

pub async fn a_hold_keeps_objects_and_its_end_lets_them_go(place: &Place) {
    let world = world(place).await;
    let leased = world.push(&name(), b"leased", NOW).await;
    let named = world.push(&name(), b"named", NOW).await;
    world.push(&name(), b"again", NOW).await;
    world.catalog.hold("backup", at(OVER + 60)).await.unwrap();
    let before = world.objects().await;

    world.push(&name(), b"again", at(1)).await;
    world.registry.delete_blob(&name(), &named, at(1)).await.unwrap();
    let run = world.collect(at(OVER)).await;
    assert_eq!((run.links, run.objects, run.held), (1, 0, true));
    let during = world.objects().await;
    assert!(before.iter().all(|key| during.contains(key)), "an object went in spite of the hold");
    assert!(matches!(world.registry.blob(&name(), &leased, at(OVER)).await, Err(Error::BlobUnknown(_))));
    // A sweep that finds them leaves them to collection.
    for key in &before {
        assert!(!world.registry.forget_orphan(key).await.unwrap());
    }
    // The hold has ended by itself, and so has the lease of what was pushed again, as a second object.
    let run = world.collect(at(OVER + 60)).await;
    assert_eq!((run.objects, run.held), (4, false));
    assert!(world.objects().await.is_empty());
    assert_eq!(world.catalog.holds(NOW).await.unwrap(), []);
}

pub async fn an_object_that_cannot_be_removed_is_tried_again(place: &Place) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::Files(FileStore::open(directory.path()).unwrap());
    let mut world = world(place).await;
    world.registry = Registry::new(world.catalog.clone(), store.clone(), settings());
    world.store = store;
    world.push(&name(), b"content", NOW).await;
    let object = directory.path().join("blobs").join(world.objects().await[0].to_string());
    // A directory in its place cannot be removed as a file, also not by root.
    std::fs::remove_file(&object).unwrap();
    std::fs::create_dir(&object).unwrap();
    let run = world.collect(at(OVER)).await;
    assert_eq!((run.links, run.objects, run.failed), (1, 0, 1));
    std::fs::remove_dir(&object).unwrap();
    std::fs::write(&object, b"content").unwrap();
    assert_eq!(world.collect(at(OVER + 1)).await, Collection { complete: true, ..Collection::default() });
    let run = world.collect(at(OVER + 60)).await;
    assert_eq!((run.objects, run.bytes, run.failed), (1, 7, 0));
    assert!(!object.exists());
}

/// The kill is made by leaving out what comes behind the catalog's transaction.
pub async fn a_kill_between_forgetting_and_removing_leaves_nothing(place: &Place) {
    let mut world = world(place).await;
    let digest = world.push(&name(), b"content", NOW).await;
    let repository = world.catalog.repository(&name()).await.unwrap().unwrap();
    world.catalog.unlink_blob(repository.id, &digest, at(1)).await.unwrap();
    world.restart();
    assert_eq!(world.objects().await.len(), 1);
    let run = world.collect(at(2)).await;
    assert_eq!((run.objects, run.bytes), (1, 7));
    assert!(world.objects().await.is_empty());
    assert_eq!(world.collect(at(999)).await, Collection { complete: true, ..Collection::default() });
}

pub async fn a_reader_of_what_was_taken_is_told_that_it_is_gone(place: &Place) {
    let world = world(place).await;
    let digest = world.push(&name(), b"content", NOW).await;
    // The reader has looked it up; before it opens the object, somebody takes it.
    let blob = world.registry.blob(&name(), &digest, NOW).await.unwrap();
    world.registry.delete_blob(&name(), &digest, NOW).await.unwrap();
    let gone = world.registry.read_blob(&name(), &blob, 0..blob.size).await;
    assert!(matches!(gone, Err(Error::BlobUnknown(_))), "not damaged: {gone:?}");
    // Or a push has brought it anew, as another object.
    world.push(&name(), b"content", NOW).await;
    world.registry.read_blob(&name(), &blob, 0..blob.size).await.unwrap();
    assert!(!world.catalog.blob(&digest).await.unwrap().unwrap().damaged);
}

pub async fn an_answer_from_memory_keeps_its_promise(place: &Place) {
    let world = world(place).await;
    let digest = world.push(&name(), b"content", NOW).await;
    let image = world.put(&name(), "v1", &manifest("", &[digest]), NOW).await.unwrap();
    // Remembered as needed by a manifest; then it is not any more.
    world.registry.blob(&name(), &digest, NOW).await.unwrap();
    world.registry.delete_manifest(&name(), &image, None, NOW).await.unwrap();
    let mut now = GRACE - 1;
    for _ in 0..5 {
        world.registry.blob(&name(), &digest, at(now)).await.unwrap();
        now += LEASE - 1;
        assert_eq!(world.collect(at(now)).await.links, 0, "it was answered a lease ago that it is there");
    }
    world.put(&name(), "v2", &manifest("", &[digest]), at(now)).await.unwrap();
    assert_eq!(world.collect(at(now + 999)).await.links, 0);
    assert_eq!(world.pull(&name(), &digest, at(now + 999)).await.unwrap(), b"content");
}

pub async fn two_replicas_share_the_work(place: &Place) {
    const CONTENTS: u64 = 300;
    let world = world(place).await;
    for number in 0..CONTENTS {
        let name = format!("team/app{}", number % 3).parse().unwrap();
        world.push(&name, &number.to_be_bytes(), NOW).await;
    }
    let other = place.open().await.unwrap();
    let other = Registry::new(other, world.store.clone(), settings());
    let run = |registry: Registry| {
        let collector = Collector::new(registry);
        tokio::spawn(async move { collector.run_at(at(OVER), Duration::MAX).await.unwrap() })
    };
    let runs = [run(world.registry.clone()), run(other)];
    let mut links = 0;
    for run in runs {
        links += run.await.unwrap().links;
    }
    // What one left to the other, and what both chose at the same time, the next run does.
    links += world.collect(at(OVER + 60)).await.links;
    assert_eq!(links, CONTENTS, "each link is taken once");
    assert!(world.objects().await.is_empty());
    let owner = world.catalog.owner("team").await.unwrap().unwrap();
    assert_eq!(owner.used_bytes, 0);
}
