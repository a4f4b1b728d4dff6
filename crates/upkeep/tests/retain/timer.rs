//! What happens without anybody asking. Time passes by telling what time it is, by either clock.

use std::time::{Duration, Instant};

use railhead_catalog::testing::Place;
use railhead_upkeep::Retention;

use crate::cases::{bytes, day, keep_newest, open, pulls, push};
use crate::world::World;

const EVERY: Duration = Duration::from_hours(48);

/// Another process on the same registry.
fn process(world: &World) -> Retention {
    Retention::new(world.registry.clone())
}

pub async fn the_turn_comes_once_for_all_replicas_and_survives_a_restart(place: &Place) {
    let (world, first) = open(place).await;
    let second = process(&world);
    assert!(
        !first.is_due(EVERY, day(10)).await.unwrap(),
        "not at the very start: somebody may look at a plan"
    );
    assert!(!second.is_due(EVERY, day(11)).await.unwrap());
    let (one, other) = tokio::join!(first.is_due(EVERY, day(12)), second.is_due(EVERY, day(12)));
    assert!(one.unwrap() != other.unwrap(), "one of them does it");
    // Started again every day, it still comes every second day.
    for (days, due) in [(13, false), (14, true), (15, false), (16, true)] {
        assert_eq!(process(&world).is_due(EVERY, day(days)).await.unwrap(), due, "day {days}");
    }
    assert!(first.is_due(EVERY, day(100)).await.unwrap(), "off for long");
    assert!(!first.is_due(EVERY, day(101)).await.unwrap(), "and it is not made up for");
}

pub async fn a_clock_that_is_set_back_delays_the_turn(place: &Place) {
    let (_world, retention) = open(place).await;
    for (days, due) in [(10, false), (1000, true), (11, false), (12, false), (13, true)] {
        assert_eq!(retention.is_due(EVERY, day(days)).await.unwrap(), due, "day {days}");
    }
}

pub async fn the_trash_outlives_a_clock_that_leaps(place: &Place) {
    let (world, retention) = open(place).await;
    let start = Instant::now();
    let moment = |days: u64| start + Duration::from_hours(24 * days);
    retention.end_trash(day(10), moment(0)).await.unwrap();
    let hash = retention.plan(&keep_newest(1), day(10)).await.unwrap().hash;
    retention.apply(&keep_newest(1), &hash, None, day(10)).await.unwrap();
    let before = bytes(&world).await;
    assert_eq!(retention.end_trash(day(10), moment(0)).await.unwrap(), 0);

    // It leaps by a month, and somebody pushes, so that the leapt time has been seen. The trash lasts three days.
    push(&world, "guest/app", "later", day(40)).await;
    assert_eq!(retention.end_trash(day(40), moment(0)).await.unwrap(), 0);
    assert_eq!(retention.end_trash(day(42), moment(2)).await.unwrap(), 0);
    world.collect(day(42)).await;
    assert!(bytes(&world).await > before, "collection leaves the trash alone as well");
    // Set right again, all of it comes back.
    retention.undo_plan(&hash, day(12)).await.unwrap();
    assert!(pulls(&world, "team/app", "v1", day(12)).await && pulls(&world, "team/app", "v2", day(12)).await);

    // Left as it is, it is believed when three days have passed by the other clock, too.
    let hash = retention.plan(&keep_newest(1), day(43)).await.unwrap().hash;
    retention.apply(&keep_newest(1), &hash, None, day(43)).await.unwrap();
    assert_eq!(retention.end_trash(day(44), moment(4)).await.unwrap(), 0);
    assert_eq!(retention.end_trash(day(46), moment(6)).await.unwrap(), 3);
}

pub async fn the_trash_waits_for_a_registry_that_sees_something(place: &Place) {
    let (world, retention) = open(place).await;
    let hash = retention.plan(&keep_newest(1), day(10)).await.unwrap().hash;
    retention.apply(&keep_newest(1), &hash, None, day(10)).await.unwrap();
    // A server that starts under a clock that is wrong has no other clock to compare with.
    let started = process(&world);
    assert_eq!(started.end_trash(day(400), Instant::now()).await.unwrap(), 0, "nothing was seen for a year");
    push(&world, "guest/app", "later", day(399)).await;
    assert_eq!(started.end_trash(day(400), Instant::now()).await.unwrap(), 2);
    assert_eq!(started.end_trash(day(400), Instant::now()).await.unwrap(), 0);
}
