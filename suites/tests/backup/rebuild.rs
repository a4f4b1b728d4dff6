//! The catalog is lost, the store and a backup are there; and stored content is damaged, and a backup has it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use railhead_suites::{Image, Random};

use crate::serving::walk;
use crate::stops::kill;
use crate::world::{REPOSITORIES, World, everything, json, login, push, railhead, repository};

/// Takes away the catalog of a registry that is stopped or was killed.
pub fn lose_catalog(data: &Path) {
    for entry in fs::read_dir(data).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("catalog.sqlite") {
            fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn a_lost_catalog_is_rebuilt_and_everything_of_the_backup_is_pulled() {
    let mut world = World::filled(2, 200_000);
    let to = world.path("backups");
    let to = to.to_str().unwrap();
    world.back_up(&[to]).ok();
    let before = everything(&world.login());
    let newest = Image::random(&mut Random::new(41), 2, 50_000);
    push(&world.login(), &repository(0), "newest", &newest);
    world.railhead.kill9();
    let data = world.railhead.data().to_owned();
    let home = world.scratch.path().to_owned();
    let run = |words: &[&str]| railhead(&data, &home, words);
    lose_catalog(&data);
    let objects = walk(&data.join("blobs"));

    // A server on what is left would take every object for one that nobody knows.
    for words in [&["serve"][..], &["user", "create", "eve"]] {
        run(words).refused(&["catalog is lost", "--catalog-only"]);
    }
    assert_eq!(walk(&data.join("blobs")), objects, "nothing is removed");

    // The disk has lost one object too, and kill -9 comes at any moment.
    fs::remove_file(&objects[0]).unwrap();
    let mut random = Random::from_clock();
    let words = ["restore", to, "--catalog-only"];
    let mut kills = 0;
    for _ in 0..6 {
        let after = Duration::from_millis(10 + random.below(150));
        kills += usize::from(kill(&data, &home, &words, after));
    }
    let rebuilt = run(&[&words[..], &["--output", "json"]].concat());
    if rebuilt.success {
        let rebuilt = json(&rebuilt);
        assert_eq!(rebuilt["restored"]["tags"], 2 * REPOSITORIES);
        assert_eq!(rebuilt["found"]["objects"], 3, "two layers and a configuration: {rebuilt}");
        assert_eq!((&rebuilt["found"]["newer"], &rebuilt["damaged"]), (&3.into(), &serde_json::json!([])));
    } else {
        // A kill may have come behind the end.
        rebuilt.refused(&["not empty", "move the old catalog aside"]);
    }
    println!("{kills} rebuilds killed");

    for _ in 0..2 {
        let verified = json(&run(&["verify", "--output", "json"]).ok());
        assert_eq!(
            (&verified["damaged"], &verified["strangers"]),
            (&serde_json::json!([]), &serde_json::json!([]))
        );
        run(&["usage", "--recount"]).ok();
        world.railhead.restart();
        assert_eq!(everything(&login(&world.railhead, &world.token)), before);
        assert!(world.railhead.sigterm(), "SIGTERM must end the server with exit code 0");
    }
    world.railhead.restart();
    let http = login(&world.railhead, &world.token);
    let digest = push(&http, &repository(0), "newest", &newest);
    assert_eq!(everything(&http)[&format!("{}:newest", repository(0))], digest);
}

#[test]
fn damage_is_healed_from_a_backup_sealed_or_not() {
    for sealed in [false, true] {
        let mut world = World::filled(1, 50_000);
        let to = world.path("backups");
        let to = to.to_str().unwrap();
        let key = world.path("key");
        let mut words = vec![to.to_owned()];
        let mut identity = String::new();
        if sealed {
            let made = railhead_suites::Program::find("age-keygen").run(["-o", key.to_str().unwrap()]).ok();
            let public = fs::read_to_string(&key).unwrap();
            let recipient = public.lines().find_map(|line| line.strip_prefix("# public key: "));
            let recipient = recipient.unwrap_or_else(|| panic!("no public key: {made}"));
            words.extend(["--recipient".to_owned(), recipient.to_owned()]);
            identity = format!("backup_identity_file = '{}'\n", key.display());
        }
        world.back_up(&words.iter().map(String::as_str).collect::<Vec<_>>()).ok();
        let before = everything(&world.login());
        assert!(world.railhead.sigterm(), "SIGTERM must end the server with exit code 0");
        let data = world.railhead.data().to_owned();
        for (at, object) in walk(&data.join("blobs/sha256")).iter().enumerate().step_by(3) {
            let mut content = fs::read(object).unwrap();
            content[0] ^= 1;
            if at == 0 { fs::remove_file(object).unwrap() } else { fs::write(object, content).unwrap() }
        }
        let run = |scrub: &str, words: &[&str]| {
            let text = format!("[site]\nevidence = 'evidence'\n[scrub]\ndays = 0\n{scrub}");
            fs::write(world.path("railhead.toml"), text).unwrap();
            railhead(&data, world.scratch.path(), words)
        };
        run("", &["verify"]).refused(&["are damaged", "scrub.backup"]);
        let place = format!("backup = '{to}'\n");
        if sealed {
            run(&place, &["verify"]).refused(&["are damaged"]);
        }
        let healed = json(&run(&format!("{place}{identity}"), &["verify", "--output", "json"]).ok());
        let healed = healed["damaged"].as_array().unwrap().clone();
        assert!(healed.len() >= REPOSITORIES, "{healed:?}");
        for one in &healed {
            assert_eq!(one["healed_from"], format!("the backups at {to}"));
        }
        run("backup_identity_file = 'x'\n", &["verify"]).refused(&["without scrub.backup"]);
        fs::write(world.path("railhead.toml"), "[site]\nevidence = 'evidence'\n").unwrap();
        world.railhead.restart();
        assert_eq!(everything(&login(&world.railhead, &world.token)), before);
    }
}
