//! The figures: size and time of a backup, of a second one with 1 % changed, of a drill, of a rebuilt catalog.

use railhead_suites::{Image, Random};

use crate::rebuild::lose_catalog;
use crate::world::{World, json, push, railhead, repository};

#[test]
fn a_second_backup_costs_what_has_changed() {
    let mib: usize = std::env::var("SUITES_BACKUP_MIB").ok().map_or(64, |text| text.parse().unwrap());
    let images = 100;
    let size = (mib << 20) / images;
    let mut world = World::start();
    let (http, mut random) = (world.login(), Random::new(5));
    for at in 0..images {
        push(&http, &repository(at % 8), &format!("v{at}"), &Image::random(&mut random, 2, size / 2));
    }
    let to = world.path("backups");
    let to = to.to_str().unwrap();
    let first = json(&world.back_up(&[to, "--output", "json"]).ok());
    push(&http, &repository(0), "v0", &Image::random(&mut random, 2, size / 2));
    let second = json(&world.back_up(&[to, "--output", "json"]).ok());
    let (all, changed) = (first["copied_bytes"].as_u64().unwrap(), second["copied_bytes"].as_u64().unwrap());
    assert!(changed * 90 < all, "{changed} of {all} bytes");
    let words = ["restore", to, "--drill", "--sample", "all", "--output", "json"];
    let drill = json(&railhead(&world.path("none"), world.scratch.path(), &words).ok());
    println!(
        "backup: {all} bytes in {} ms; second with 1 % changed: {changed} bytes in {} ms; drill with every image: {} ms",
        first["millis"], second["millis"], drill["millis"]
    );
    assert!(world.railhead.sigterm(), "SIGTERM must end the server with exit code 0");
    let rebuild = |more: &[&str]| {
        lose_catalog(world.railhead.data());
        let words = [&["restore", to, "--catalog-only", "--output", "json"][..], more].concat();
        let rebuilt = json(&railhead(world.railhead.data(), world.scratch.path(), &words).ok());
        assert_eq!((&rebuilt["bound"], &rebuilt["restored"]["blobs"]), (&rebuilt["objects"], &0.into()));
        rebuilt
    };
    let (read, trusted) = (rebuild(&[]), rebuild(&["--trust-names"]));
    println!(
        "rebuilt catalog of {} objects: {} ms; by their names: {} ms",
        read["objects"], read["restored"]["millis"], trusted["restored"]["millis"]
    );
}
