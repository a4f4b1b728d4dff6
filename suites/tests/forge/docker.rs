//! docker itself, with an engine of its own, before accounts of a forge.

use railhead_suites::engine::{self, Engine};
use railhead_suites::{Image, Outcome, Program, Random, layout};

use crate::place::{Place, becomes};
use crate::two_factor;

/// A docker with an engine and settings of its own. The engine speaks plain HTTP to registries on 127.0.0.0/8.
struct Docker {
    engine: Engine,
    home: tempfile::TempDir,
}

impl Docker {
    fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let settings = home.path().join("docker");
        std::fs::create_dir(&settings).unwrap();
        let find =
            |name: &str| Program::find(name).with("HOME", home.path()).with("DOCKER_CONFIG", &settings);
        let engine = engine::start(home.path(), &find, "");
        Self { engine, home }
    }

    fn run(&self, words: &[&str]) -> Outcome {
        self.engine.docker.run(words)
    }

    /// Loads a small image under this name.
    fn load(&self, name: &str) {
        let archive = self.home.path().join("image.tar");
        layout::docker_archive(&Image::random(&mut Random::new(9), 2, 3000), name, &archive);
        self.run(&["load", "-i", &archive.display().to_string()]).ok();
    }
}

#[test]
fn docker_logs_in_pushes_and_pulls_with_accounts_of_the_forge() {
    let place = Place::new(1, 60);
    for user in ["bob", "carol", "dave"] {
        place.forge.user(user);
    }
    place.forge.organisation("hidden", "private");
    place.forge.team("hidden", "writers", "write", &["bob"]);
    place.forge.team("hidden", "readers", "read", &["carol"]);
    // What 'hidden' is says the forge only to who may read it.
    let token = place.forge.token_of("bob", "ci", &["write:package", "read:user"]);
    two_factor::switch_on(&place.forge, "bob");
    let docker = Docker::start();
    let host = place.railhead.address().to_string();
    let login = |user: &str, secret: &str| {
        let words = ["login", "-u", user, "--password-stdin", &host];
        docker.engine.docker.run_with_input(words, secret)
    };
    let image = format!("{host}/hidden/team/app:v1");
    docker.load(&image);

    login("bob", place.forge.password()).refused(&["the forge does not take this login"]);
    login("bob", &token).ok();
    docker.run(&["push", &image]).ok();
    docker.run(&["logout", &host]).ok();
    docker.run(&["image", "rm", &image]).ok();

    docker.run(&["pull", &image]).refused(&["unauthorized", "denied"]);
    login("dave", place.forge.password()).ok();
    docker.run(&["pull", &image]).refused(&["not found", "does not exist", "unknown"]);
    login("carol", place.forge.password()).ok();
    docker.run(&["pull", &image]).ok();
    docker.run(&["push", &image]).refused(&["denied"]);
    docker.run(&["image", "rm", &image]).ok();

    // Under the owner's former name. docker shows nobody the warning; the log has it.
    place.forge.api("POST", "/orgs/hidden/rename", r#"{"new_name":"cellar"}"#, 204);
    becomes(0, || {
        let pulled = docker.run(&["pull", &image.replace("hidden", "cellar")]);
        (u16::from(!pulled.success), pulled.to_string())
    });
    docker.run(&["pull", &image]).ok();
    assert!(place.railhead.server().log().contains("under the former name of its owner"));
}
