//! A clock that jumps, between backups and under one: what is newest stays newest, and what should stay stays.

use std::fs::File;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use railhead_backup::{Error, Keep, Lock, Progress, Purpose, Times, prune};
use railhead_catalog::testing::Place;

use crate::world::{Shelf, World};

const DAY: i64 = 24 * 3600;
/// A Wednesday.
const TODAY: i64 = 20_600;

async fn back_up_on(world: &World, shelf: &Shelf, day: i64) -> String {
    let now = move || Timestamp::from_second(day * DAY + 3600).unwrap();
    world.back_up_with(&shelf.vault, |plan| plan.now = &now).await.unwrap().id
}

#[tokio::test]
async fn the_newest_backup_is_the_last_one_that_was_made() {
    let (world, shelf) = (World::filled(Place::sqlite().unwrap()).await, Shelf::new());
    for (at, day) in [TODAY, TODAY + 3650, 0, TODAY + 1].into_iter().enumerate() {
        world.image("team/app", Some("now"), &[&format!("layer {at}")]).await;
        let id = back_up_on(&world, &shelf, day).await;
        assert!(id.starts_with(&format!("{:06}-", at + 1)), "{id}");
        assert_eq!(shelf.vault.snapshot(None, None).await.unwrap().id, id);
        let other = World::sqlite().await;
        assert_eq!(other.restore(&shelf.vault).await.unwrap().id, id);
        assert_eq!(other.knows().await, world.knows().await);
    }
    assert!(shelf.verify().await.is_whole());
}

#[tokio::test]
async fn a_clock_that_jumps_under_a_backup_changes_nothing() {
    for jump in [-3650 * DAY, 3650 * DAY] {
        let (world, shelf) = (World::filled(Place::sqlite().unwrap()).await, Shelf::new());
        let clock = AtomicI64::new(TODAY * DAY);
        let now = || Timestamp::from_second(clock.load(Ordering::Relaxed)).unwrap();
        let watch = |_: &Progress| clock.store(TODAY * DAY + jump, Ordering::Relaxed);
        let made = world
            .back_up_with(&shelf.vault, |plan| {
                plan.now = &now;
                plan.watch = &watch;
            })
            .await
            .unwrap();
        assert_ne!(clock.load(Ordering::Relaxed), TODAY * DAY, "it has jumped");
        assert_eq!(made.time, Timestamp::from_second(TODAY * DAY).unwrap(), "it says when it was begun");
        assert!(made.missing.is_empty() && shelf.verify().await.is_whole());
        let next = world.back_up_with(&shelf.vault, |plan| plan.now = &now).await.unwrap();
        assert_eq!(shelf.vault.snapshot(None, None).await.unwrap().id, next.id);
    }
}

#[tokio::test]
async fn pruning_removes_what_is_old_and_not_what_a_wrong_clock_made() {
    let (world, shelf) = (World::filled(Place::sqlite().unwrap()).await, Shelf::new());
    // Two weeks of days, with the clock in another year on two of them.
    let mut made = Vec::new();
    for day in 0..14 {
        world.image("team/app", Some("now"), &[&format!("layer {day}")]).await;
        let seen = match day {
            9 => TODAY + 3650,
            11 => 0,
            day => TODAY + day,
        };
        made.push(back_up_on(&world, &shelf, seen).await);
    }
    let keep = Keep { daily: 4, ..Keep::default() };
    let (home, times) = (shelf.home.path(), Times::default());
    let pruned = prune(&shelf.vault, &keep, home, times, false).await.unwrap();
    let ids = |days: &[usize]| days.iter().map(|day| made[*day].clone()).collect::<Vec<_>>();
    // Four right days, and the two of which nobody can say what day it was.
    assert_eq!(pruned.kept, ids(&[13, 12, 11, 10, 9, 8]));
    assert_eq!(pruned.out_of_order, ids(&[11, 9]));
    assert!(shelf.verify().await.is_whole());
    let other = World::sqlite().await;
    assert_eq!(other.restore(&shelf.vault).await.unwrap().lost, []);
    assert_eq!(other.knows().await, world.knows().await);
}

#[tokio::test]
async fn a_lock_is_not_taken_away_because_the_clock_of_the_place_has_jumped() {
    let shelf = Shelf::new();
    let times = Times { renew: Duration::from_millis(50), old: Duration::from_mins(5) };
    for ahead in [false, true] {
        let lock = Lock::take(&shelf.vault, Purpose::Backup, times).await.unwrap();
        let file = shelf.files().into_keys().next().unwrap();
        let year = Duration::from_hours(24 * 365);
        let seen = if ahead { SystemTime::now() + year } else { SystemTime::now() - year };
        File::options().write(true).open(shelf.path(&file)).unwrap().set_modified(seen).unwrap();
        let refused = Lock::take(&shelf.vault, Purpose::Backup, times).await;
        assert!(matches!(refused, Err(Error::Locked { .. })), "{refused:?}");
        lock.check().unwrap();
        lock.release().await;
        assert!(shelf.files().is_empty(), "no lock is left");
    }
}
