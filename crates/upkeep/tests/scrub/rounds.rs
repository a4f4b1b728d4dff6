//! The walk in the background: even, in its time, and on after a restart.

use std::time::Duration;

use bytes::Bytes;
use railhead_catalog::Timestamp;

use crate::world::{NOW, Shelf, World};

const DAY: i64 = 86_400_000;

fn day(days: i64) -> Timestamp {
    NOW.plus_millis(days * DAY)
}

#[tokio::test]
async fn a_round_is_even_goes_on_after_a_restart_and_hashes_each_blob_once() {
    let mut world = World::memory().await;
    for number in 0..10_u8 {
        world.push("team/app", vec![number; 100]).await;
    }
    // A round takes ten days, so a blob is due each day.
    let scrubber = world.scrubber(Vec::new());
    let wait = scrubber.tick(day(0)).await.unwrap();
    assert_eq!((scrubber.totals().blobs, wait), (0, Duration::from_mins(1)), "nothing is due yet");
    scrubber.tick(day(1)).await.unwrap();
    assert_eq!(scrubber.totals().blobs, 1);
    scrubber.tick(day(4)).await.unwrap();
    assert_eq!(scrubber.totals().blobs, 4);
    assert_eq!(scrubber.totals().position, 400);
    scrubber.tick(day(4)).await.unwrap();
    assert_eq!(scrubber.totals().blobs, 4, "asking again changes nothing");

    world.restarted().await;
    let scrubber = world.scrubber(Vec::new());
    scrubber.tick(day(6)).await.unwrap();
    assert_eq!(scrubber.totals().blobs, 2, "it goes on where it was");
    // Down for weeks: what is late is made up for, and the round has ended.
    scrubber.tick(day(30)).await.unwrap();
    assert_eq!(scrubber.totals().blobs, 6);
    let round = world.registry.catalog().scrub_round().await.unwrap();
    assert_eq!((round.blobs, round.bytes, round.ended_at), (10, 1000, Some(day(30))));
    assert_eq!((scrubber.totals().ended_at, scrubber.totals().position), (day(30).0 / 1000, 1000));

    // The next round begins, as the last one began more than ten days ago.
    scrubber.tick(day(31)).await.unwrap();
    let round = world.registry.catalog().scrub_round().await.unwrap();
    assert_eq!((round.started_at, round.blobs, round.ended_at), (Some(day(31)), 0, Some(day(30))));
    scrubber.tick(day(36)).await.unwrap();
    assert_eq!(world.registry.catalog().scrub_round().await.unwrap().blobs, 5);
}

#[tokio::test]
async fn a_round_that_ended_early_waits_for_its_time() {
    let world = World::memory().await;
    world.push("team/app", "only").await;
    let scrubber = world.scrubber(Vec::new());
    for at in [day(0), day(9), day(9), day(10)] {
        scrubber.tick(at).await.unwrap();
    }
    assert_eq!(
        scrubber.totals().blobs,
        1,
        "due when nine tenths of its bytes are, and then not before the next round"
    );
    for seconds in 1..20 {
        scrubber.tick(day(10).plus_millis(seconds * 1000)).await.unwrap();
    }
    assert_eq!(scrubber.totals().blobs, 1);
}

#[tokio::test]
async fn a_clock_that_is_set_back_stops_nothing() {
    let world = World::memory().await;
    for number in 0..10_u8 {
        world.push("team/app", vec![number; 100]).await;
    }
    let scrubber = world.scrubber(Vec::new());
    scrubber.tick(day(1000)).await.unwrap();
    scrubber.tick(day(0)).await.unwrap();
    scrubber.tick(day(5)).await.unwrap();
    assert_eq!(scrubber.totals().blobs, 5);
}

#[tokio::test]
async fn an_empty_registry_has_rounds_too() {
    let world = World::memory().await;
    let scrubber = world.scrubber(Vec::new());
    scrubber.tick(day(0)).await.unwrap();
    let ended = world.registry.catalog().scrub_round().await.unwrap().ended_at;
    assert_eq!(ended, Some(day(0)));
    assert_eq!(scrubber.tick(day(0)).await.unwrap(), Duration::from_mins(1), "and no hurry");
}

#[tokio::test]
async fn the_walk_finds_and_heals() {
    let world = World::memory().await;
    let mut digests = Vec::new();
    for number in 0..4_u8 {
        digests.push(world.push("team/app", vec![number; 100]).await);
    }
    world.overwrite(&digests[0], vec![9; 100]).await;
    world.lose(&digests[1]).await;
    let shelf = Shelf::with([(digests[0], vec![Bytes::from(vec![0; 100])])]);
    let scrubber = world.scrubber(vec![shelf.clone()]);
    scrubber.tick(day(0)).await.unwrap();
    scrubber.tick(day(11)).await.unwrap();
    let totals = scrubber.totals();
    assert_eq!((totals.found, totals.healed, totals.damaged), (2, 1, 1));
    assert!(world.is_served("team/app", &digests[0]).await);
    assert!(!world.is_served("team/app", &digests[1]).await);
    assert_eq!(world.registry.catalog().scrub_round().await.unwrap().damaged, 2);
}
