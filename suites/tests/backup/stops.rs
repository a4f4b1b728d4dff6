//! kill -9 in the middle of a backup and of a restore, and a place that is full: the same command goes on where it was.

use std::process::Stdio;
use std::thread;
use std::time::Duration;

use railhead_suites::Random;
use railhead_suites::railhead::program;

use crate::world::{World, everything, json, login, railhead, serve};

/// Starts a command and kills it after a while that is drawn by lot; whether it was killed.
pub fn kill(data: &std::path::Path, home: &std::path::Path, words: &[&str], after: Duration) -> bool {
    let config = home.join("railhead.toml");
    let mut command = program(data).with("RAILHEAD_CONFIG", &config).command(words);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Not a pause to wait for something: the moment of the kill is what is drawn by lot.
    thread::sleep(after);
    child.kill().unwrap();
    !child.wait().unwrap().success()
}

#[test]
fn kill_9_in_the_middle_costs_nothing() {
    let world = World::filled(3, 2_000_000);
    let to = world.path("backups");
    let to = to.to_str().unwrap();
    let mut random = Random::from_clock();
    railhead(world.railhead.data(), world.scratch.path(), &["config", "show"]).ok();
    let mut kills = 0;
    for _ in 0..8 {
        let after = Duration::from_millis(10 + random.below(300));
        kills += usize::from(kill(world.railhead.data(), world.scratch.path(), &["backup", to], after));
    }
    // The locks of the dead hinder nobody.
    let made = json(&world.back_up(&[to, "--output", "json"]).ok());
    world.back_up(&["verify", to]).ok();

    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    railhead(&data, home.path(), &["config", "show"]).ok();
    let mut stopped = 0;
    for _ in 0..8 {
        let after = Duration::from_millis(10 + random.below(300));
        stopped += usize::from(kill(&data, home.path(), &["restore", to], after));
    }
    let restored = railhead(&data, home.path(), &["restore", to]);
    if !restored.success {
        // A kill may have come behind the end.
        restored.refused(&["not empty"]);
    }
    let railhead = serve(home.path());
    assert_eq!(everything(&login(&railhead, &world.token)), everything(&world.login()));
    println!(
        "{kills} backups and {stopped} restores killed; the last backup copied {} blobs",
        made["copied_blobs"]
    );
}

#[test]
fn nobody_serves_what_is_half_restored() {
    let world = World::filled(1, 10_000);
    let to = world.path("backups");
    let to = to.to_str().unwrap();
    world.back_up(&[to]).ok();
    // A sealed place that cannot be opened stops a restore in its middle.
    let sealed = world.path("sealed");
    let sealed = sealed.to_str().unwrap();
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    world.back_up(&[sealed, "--recipient", recipient]).ok();
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    railhead(&data, home.path(), &["restore", sealed]).refused(&["sealed", "--identity"]);
    railhead(&data, home.path(), &["serve"]).refused(&["stopped before its end", "goes on where it was"]);
    railhead(&data, home.path(), &["repo", "list"]).refused(&["stopped before its end"]);
    railhead(&data, home.path(), &["restore", to]).refused(&["not empty", "backup 000001"]);
}
