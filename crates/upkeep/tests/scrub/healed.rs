//! What is damaged is healed from a source, and a source is not believed.

use bytes::Bytes;
use railhead_catalog::Limit;
use railhead_upkeep::scrub::{Asked, Source};

use crate::world::{Shelf, World, everything, repository};

async fn heals_from_the_first_that_has_it(world: World) {
    let whole = Bytes::from(vec![7; 300_000]);
    let digest = world.push("team/app", whole.clone()).await;
    world.push("team/copy", whole.clone()).await;
    // What is damaged has to be healed however little the owner may store by now.
    let owner = world.registry.catalog().owner("team").await.unwrap().unwrap();
    world
        .registry
        .catalog()
        .set_limits(owner.id, Some(Limit::Bytes(1)), Some(Limit::Bytes(1)))
        .await
        .unwrap();
    let damaged_key = world.blob(&digest).await.key;
    world.overwrite(&digest, vec![8; 300_000]).await;

    let empty = Shelf::with([]);
    let liar = Shelf::with([(digest, vec![Bytes::from(vec![9; 300_000])])]);
    let short = Shelf::with([(digest, vec![whole.slice(1..)])]);
    let long = Shelf::with([(digest, vec![whole.clone(), Bytes::from_static(b"x")])]);
    let bad: Vec<std::sync::Arc<dyn Source>> = vec![empty.clone(), liar.clone(), short, long];
    let verified = world.scrubber(bad.clone()).verify(&everything()).await.unwrap();
    assert_eq!(verified.findings[0].healed_from, None);
    assert!(!world.is_served("team/app", &digest).await, "nothing wrong was taken in");
    assert_eq!(world.blob(&digest).await.key, damaged_key, "the object is kept");
    assert_eq!(empty.asked.lock().unwrap().len(), 2, "each repository was asked for");

    let good = Shelf::with([(digest, vec![whole.slice(..100), whole.slice(100..)])]);
    let sources: Vec<std::sync::Arc<dyn Source>> = bad.into_iter().chain([good as _]).collect();
    let report = Asked { heal: false, ..everything() };
    let scrubber = world.scrubber(sources);
    assert_eq!(scrubber.verify(&report).await.unwrap().findings[0].healed_from, None, "only reported");
    let verified = scrubber.verify(&everything()).await.unwrap();
    assert_eq!(verified.findings[0].healed_from.as_deref(), Some("the shelf"));
    assert!(world.is_served("team/app", &digest).await && world.is_served("team/copy", &digest).await);
    assert_eq!(world.content(&digest).await, whole);
    assert_eq!((scrubber.totals().healed, scrubber.totals().damaged), (1, 0));
    // Nothing is left behind: no upload, no second object, no wrong sum.
    let catalog = world.registry.catalog();
    assert!(catalog.stale_uploads(railhead_catalog::Timestamp(i64::MAX), 9).await.unwrap().is_empty());
    assert_eq!(world.registry.store().list(None, 9).await.unwrap().len(), 1);
    assert!(world.registry.store().list_staged(None, 9).await.unwrap().is_empty());
    assert_eq!(catalog.discrepancies(owner.id).await.unwrap(), []);
    assert_eq!(scrubber.verify(&everything()).await.unwrap().findings, []);
}

#[tokio::test]
async fn a_blob_in_files_is_healed() {
    heals_from_the_first_that_has_it(World::files().await).await;
}

#[tokio::test]
async fn a_blob_in_s3_is_healed() {
    if let Some(world) = World::s3().await {
        heals_from_the_first_that_has_it(world).await;
    }
}

#[tokio::test]
async fn what_is_gone_is_not_healed() {
    let world = World::memory().await;
    let digest = world.push("team/app", "content").await;
    world.lose(&digest).await;
    world.verify().await;
    let shelf = Shelf::with([(digest, vec![Bytes::from_static(b"content")])]);
    world.registry.delete_blob(&repository("team/app"), &digest, crate::world::NOW).await.unwrap();
    let scrubber = world.scrubber(vec![shelf.clone()]);
    assert_eq!(scrubber.verify(&everything()).await.unwrap().blobs, 0);
    let begun = world.registry.begin_healing(&repository("team/app"), &digest, crate::world::NOW).await;
    assert!(begun.is_err(), "a repository is not made by healing");
    assert!(shelf.asked.lock().unwrap().is_empty());
}
