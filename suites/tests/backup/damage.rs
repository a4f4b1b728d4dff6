//! Damage that is seeded is damage that is found: all of it, and nothing else.

use std::collections::BTreeSet;

use railhead_suites::Random;

use crate::serving::walk;
use crate::world::{World, json, railhead};

#[test]
fn all_damage_is_found_named_and_mended_by_the_next_backup() {
    let world = World::filled(4, 20_000);
    let to = world.path("backups");
    let place = to.to_str().unwrap();
    world.back_up(&[place]).ok();
    let mut random = Random::new(23);
    let mut seeded = BTreeSet::new();
    for path in walk(&to.join("blobs")).into_iter().chain(walk(&to.join("parts"))) {
        if random.below(3) > 0 {
            continue;
        }
        let mut content = std::fs::read(&path).unwrap();
        match random.below(4) {
            0 => std::fs::remove_file(&path).unwrap(),
            1 => std::fs::write(&path, &content[..content.len() / 2]).unwrap(),
            _ => {
                let at = random.below(content.len() as u64) as usize;
                content[at] ^= 1 << random.below(8);
                std::fs::write(&path, &content).unwrap();
            }
        }
        seeded.insert(path.strip_prefix(&to).unwrap().to_str().unwrap().to_owned());
    }
    let found = world.back_up(&["verify", place, "--output", "json"]);
    assert!(!found.success);
    let found: BTreeSet<String> = json(&found)["damages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|damage| damage["file"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(found, seeded);
    println!("{} damages seeded, {} found", seeded.len(), found.len());

    // What is whole is restored all the same, and what is not is named.
    let home = tempfile::tempdir().unwrap();
    let lost = railhead(&home.path().join("data"), home.path(), &["restore", place]);
    assert!(!lost.success && lost.stdout.contains("lost: "), "{lost}");

    world.back_up(&["verify", place, "--remove-damaged"]).refused(&["damaged"]);
    world.back_up(&[place, "--keep", "1"]).ok();
    world.back_up(&["verify", place]).ok();
}

#[test]
fn commands_say_what_is_wrong_and_what_to_do() {
    let world = World::filled(1, 1000);
    let nothing = world.path("nothing");
    let nothing = nothing.to_str().unwrap();
    world.back_up(&["verify", nothing]).refused(&["no backup at", "railhead backup TO"]);
    world.back_up(&["s3://bucket/x"]).refused(&["backup.s3.endpoint", "RAILHEAD_BACKUP_S3_ENDPOINT"]);
    world.back_up(&["ftp://host/x"]).refused(&["ftp://", "s3://BUCKET"]);
    world.back_up(&[nothing, "--recipient", "age1wrong"]).refused(&["age1wrong"]);
    let to = world.path("backups");
    let to = to.to_str().unwrap();
    world.back_up(&[to]).ok();
    world.back_up(&["prune", to]).refused(&["--keep"]);
    let here = railhead(world.railhead.data(), world.scratch.path(), &["restore", to]);
    here.refused(&["in use", "empty directory"]);
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    railhead(&data, home.path(), &["restore", to, "--backup", "77"])
        .refused(&["no backup '77'", "backup list"]);
    railhead(&data, home.path(), &["restore", to]).ok();
    railhead(&data, home.path(), &["restore", to]).refused(&["not empty"]);
    let listed = world.back_up(&["list", to]).ok();
    assert!(listed.stdout.contains("000001-") && listed.stdout.contains("SEALED"), "{listed}");
}
