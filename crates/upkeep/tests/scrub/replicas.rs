//! Two processes on one Postgres: one walks, and the other takes over when it has not been heard of for its turn.

use std::time::Duration;

use railhead_catalog::{ScrubRound, Timestamp};
use railhead_upkeep::scrub::Scrubber;

use crate::world::{NOW, World};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// Of blobs of a hundred bytes; so one is due each day.
const BLOBS: u8 = 10;

fn at(days: i64, minutes: i64) -> Timestamp {
    NOW.plus_millis(days * DAY + minutes * MINUTE)
}

async fn filled(world: &World) {
    for number in 0..BLOBS {
        world.push("team/app", vec![number; 100]).await;
    }
}

async fn hashed(scrubber: &Scrubber, now: Timestamp) -> u64 {
    let before = scrubber.totals().blobs;
    scrubber.tick(now).await.unwrap();
    scrubber.totals().blobs - before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_walks_and_the_other_takes_over_when_it_was_killed() {
    let Some(world) = World::shared().await else { return };
    filled(&world).await;
    let (first, second) = (world.replica().await, world.replica().await);
    assert_eq!(hashed(&first, at(0, 0)).await, 0, "nothing is due, but the turn is taken");
    assert_eq!(
        second.tick(at(0, 1)).await.unwrap(),
        Duration::from_mins(1),
        "it asks again, and does nothing"
    );

    assert_eq!(hashed(&first, at(2, 0)).await, 2);
    assert_eq!(hashed(&second, at(2, 29)).await, 0, "the first may still be at a large blob");
    let (walking, watching) = (first.totals(), second.totals());
    assert_eq!((walking.position, watching.position), (200, 200), "both show where the round is");

    // Killed: nothing is heard of it any more. The other goes on behind what was written down.
    assert_eq!(hashed(&second, at(2, 31)).await, 1, "the third blob is due a moment later than the second");
    assert_eq!(hashed(&second, at(5, 0)).await, 2);

    // It was not killed, only away: what it remembers of its turn counts no more.
    assert_eq!(hashed(&first, at(5, 10)).await, 0);
    let catalog = world.registry.catalog();
    let stale = ScrubRound { started_at: Some(at(0, 0)), blobs: 2, bytes: 200, ..ScrubRound::default() };
    assert!(!catalog.save_scrub("nobody", &stale).await.unwrap());
    assert_eq!(catalog.scrub_round().await.unwrap().blobs, 5, "nothing is done again");

    assert_eq!(hashed(&second, at(10, 0)).await, 5);
    let round = catalog.scrub_round().await.unwrap();
    assert_eq!((round.blobs, round.ended_at), (u64::from(BLOBS), Some(at(10, 0))));
    assert_eq!(first.totals().blobs + second.totals().blobs, u64::from(BLOBS), "each was hashed once");
    // The next round begins with whoever comes first.
    assert_eq!(hashed(&first, at(12, 0)).await, 0);
    assert_eq!(catalog.scrub_round().await.unwrap().started_at, Some(at(12, 0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_come_at_the_same_moment_do_nothing_twice() {
    let Some(world) = World::shared().await else { return };
    filled(&world).await;
    let damaged = world.push("team/app", "will be lost").await;
    world.lose(&damaged).await;
    let (first, second) = (world.replica().await, world.replica().await);
    // The last blob is due before the last hour, and with that hour the next round would begin.
    for hour in 0..10 * 24 {
        let (one, other) = tokio::join!(first.tick(at(0, hour * 60)), second.tick(at(0, hour * 60)));
        one.unwrap();
        other.unwrap();
    }
    let (first, second) = (first.totals(), second.totals());
    assert_eq!(first.blobs + second.blobs, u64::from(BLOBS), "a lost blob has no content to hash");
    assert_eq!(first.found + second.found, 1);
    assert_eq!((first.damaged, second.damaged), (1, 1), "both show what is damaged");
    let round = world.registry.catalog().scrub_round().await.unwrap();
    assert_eq!((round.blobs, round.damaged), (u64::from(BLOBS) + 1, 1));
}
