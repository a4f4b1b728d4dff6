//! A real disk that is too small: the backup says so, costs nobody anything, and goes on when there is room.

use std::fs;

use railhead_suites::small_disk::{SmallDisk, in_own_namespace};
use railhead_suites::{Image, Random};

use crate::serving::walk;
use crate::world::{REPOSITORIES, World, everything, json, login, push, railhead, repository, serve};

#[test]
fn a_place_that_is_full_costs_nothing_and_can_be_pruned() {
    in_own_namespace("full::a_place_that_is_full_costs_nothing_and_can_be_pruned", || {
        let world = World::filled(1, 600_000);
        let place = world.path("small");
        let disk = SmallDisk::mount(&place, 3);
        let to = place.join("backups");
        let to = to.to_str().unwrap();
        for _ in 0..2 {
            let full = world.back_up(&[to]);
            assert!(!full.success, "{full}");
            assert!(full.stderr.contains("there is no room left") && full.stderr.contains("hint:"), "{full}");
            assert!(world.back_up(&["list", to]).ok().stdout.contains("there is no backup"));
            assert!(walk(&place.join("backups/locks")).is_empty(), "the lock is given back");
        }
        let before = everything(&world.login());
        assert_eq!(before.len(), REPOSITORIES, "everything is served meanwhile");

        disk.resize(16);
        let made = json(&world.back_up(&[to, "--output", "json"]).ok());
        let (copied, of) =
            (made["copied_blobs"].as_u64().unwrap(), made["counts"]["blobs"].as_u64().unwrap());
        assert!(copied < of, "it goes on from what was there: {made}");
        world.back_up(&["verify", to]).ok();

        // Not one byte is left: the next one fails, what there is stays whole, and pruning makes room.
        push(&world.login(), &repository(0), "more", &Image::random(&mut Random::new(3), 2, 40_000));
        world.back_up(&[to]).ok();
        push(&world.login(), &repository(0), "most", &Image::random(&mut Random::new(4), 2, 40_000));
        let ballast = place.join("ballast");
        SmallDisk::fill(&ballast);
        let full = world.back_up(&[to]);
        assert!(!full.success && full.stderr.contains("there is no room left"), "{full}");
        let verified = json(&world.back_up(&["verify", to, "--output", "json"]).ok());
        assert_eq!(verified["backups"].as_array().unwrap().len(), 2);
        let pruned = json(&world.back_up(&["prune", to, "--keep", "1", "--output", "json"]).ok());
        assert_eq!(pruned["removed"].as_array().unwrap().len(), 1);

        fs::remove_file(ballast).unwrap();
        world.back_up(&[to]).ok();
        world.back_up(&["verify", to]).ok();
        let home = tempfile::tempdir().unwrap();
        railhead(&home.path().join("data"), home.path(), &["restore", to]).ok();
        let restored = serve(home.path());
        assert_eq!(everything(&login(&restored, &world.token)), everything(&world.login()));
    });
}
