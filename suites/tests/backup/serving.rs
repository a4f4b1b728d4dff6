//! Backups while eight clients push without pause: each is one moment of the registry, whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use railhead_suites::{Image, Random};

use crate::world::{REPOSITORIES, World, everything, json, login, push, railhead, repository, serve};

#[test]
fn a_backup_while_eight_clients_push_is_one_moment_and_whole() {
    let world = World::filled(1, 20_000);
    let (ended, images) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..REPOSITORIES)
        .map(|at| {
            let (http, ended, images) = (world.login(), Arc::clone(&ended), Arc::clone(&images));
            thread::spawn(move || {
                let mut random = Random::new(100 + at as u64);
                while !ended.load(Ordering::Relaxed) {
                    let image = Image::random(&mut random, 2, 30_000);
                    // Few tags, so that they move under the backup's eyes.
                    push(&http, &repository(at), &format!("t{}", random.below(3)), &image);
                    images.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let to = world.path("backups");
    let to = to.to_str().unwrap();
    let made: Vec<_> = (0..4).map(|_| json(&world.back_up(&[to, "--output", "json"]).ok())).collect();
    ended.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().unwrap();
    }
    let last = json(&world.back_up(&[to, "--output", "json"]).ok());
    assert!(made.iter().all(|made| made["missing"].as_array().unwrap().is_empty()), "{made:#?}");

    let before = everything(&world.login());
    let mut references = 0;
    for id in made.iter().chain([&last]).map(|made| made["id"].as_str().unwrap()) {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        railhead(&data, home.path(), &["restore", to, "--backup", id]).ok();
        let restored = serve(home.path());
        // Tokens are restored too: the same one logs in.
        let found = everything(&login(&restored, &world.token));
        references += found.len();
        if id == last["id"].as_str().unwrap() {
            assert_eq!(found, before, "every reference of the last backup, digest by digest");
        }
    }
    let images = images.load(Ordering::Relaxed);
    println!(
        "5 backups while {REPOSITORIES} clients pushed {images} images; {references} references compared"
    );
}

#[test]
fn a_drill_pulls_and_leaves_nothing_but_evidence() {
    let world = World::filled(3, 20_000);
    let to = world.path("backups");
    let to = to.to_str().unwrap();
    world.back_up(&[to]).ok();
    let scratch = world.path("room");
    std::fs::create_dir(&scratch).unwrap();
    let words = ["restore", to, "--drill", "--sample", "all", "--scratch", scratch.to_str().unwrap()];
    let drilled =
        railhead(&world.path("nowhere"), world.scratch.path(), &[&words[..], &["--output", "json"]].concat());
    let drilled = json(&drilled.ok());
    assert_eq!(drilled["pulled"]["tags"], 3 * REPOSITORIES);
    assert_eq!(drilled["pulled"]["failed"].as_array().unwrap().len(), 0);
    assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0, "the scratch copy is gone");
    assert!(!world.path("nowhere").exists(), "a drill does not touch the data directory");
    let kinds: Vec<String> = std::fs::read_dir(world.path("evidence"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().split('-').next().unwrap().to_owned())
        .collect();
    assert!(kinds.contains(&"backup".to_owned()) && kinds.contains(&"drill".to_owned()), "{kinds:?}");

    // A damaged backup does not pass.
    let blob = walk(&world.path("backups/blobs")).pop().unwrap();
    std::fs::write(&blob, b"other bytes").unwrap();
    railhead(&world.path("nowhere"), world.scratch.path(), &words).refused(&["would not bring back"]);
}

#[test]
fn a_drill_that_pulls_nothing_is_no_success_and_images_without_a_tag_count() {
    let world = World::start();
    let to = world.path("backups");
    let to = to.to_str().unwrap();
    let drill = || {
        let words = ["restore", to, "--drill", "--output", "json"];
        railhead(&world.path("nowhere"), world.scratch.path(), &words)
    };
    let evidence = || {
        let mut kept = walk(&world.path("evidence")).into_iter();
        let newest = kept.rfind(|path| path.file_name().unwrap().to_str().unwrap().starts_with("drill-"));
        serde_json::from_slice::<serde_json::Value>(&std::fs::read(newest.unwrap()).unwrap()).unwrap()
    };
    world.back_up(&[to]).ok();
    drill().refused(&["there is no image in this backup"]);
    let kept = evidence();
    assert_eq!((&kept["ok"], &kept["result"]["outcome"]), (&false.into(), &"nothing-to-pull".into()));

    let image = Image::random(&mut Random::new(5), 2, 10_000);
    let digest = railhead_oci::Digest::sha256(&image.manifest()).to_string();
    push(&world.login(), &repository(0), &digest, &image);
    world.back_up(&[to]).ok();
    let pulled = json(&drill().ok())["pulled"].clone();
    assert_eq!(
        (&pulled["of_tags"], &pulled["untagged"], &pulled["blobs"]),
        (&0.into(), &1.into(), &3.into())
    );
    assert_eq!(evidence()["ok"], true);
}

pub fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}
