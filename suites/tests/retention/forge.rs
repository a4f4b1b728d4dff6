//! The packages of a real Gitea, by the same rules.

use std::net::SocketAddr;

use railhead_suites::breaker::Script;
use railhead_suites::forge::{FORGE_USER, Options};
use railhead_suites::http::Http;
use railhead_suites::railhead::program;
use railhead_suites::{Breaker, Forge, Random};

use crate::{pulls, push};

#[test]
fn packages_of_gitea_go_by_the_same_rules() {
    let scratch = tempfile::tempdir().unwrap();
    // It tells its clients to ask for tokens at this name, which only the route below knows.
    let forge =
        Forge::start(scratch.path(), &Options { root_url: "http://forge.test:3000/", ..Options::default() });
    let token = forge.token("retention", "write:package");
    let http = Http::login(forge.address(), FORGE_USER, &token, &[]).unwrap();
    let mut random = Random::new(11);
    let (base, path) = (random.bytes(100_000), format!("/v2/{FORGE_USER}/app"));
    for tag in ["v1", "v2", "v3"] {
        push(&http, &path, tag, &base, &mut random);
    }
    let catalog = rusqlite::Connection::open(scratch.path().join("gitea.db")).unwrap();
    catalog.busy_timeout(std::time::Duration::from_secs(20)).unwrap();
    for (tag, days) in [("v1", 30), ("v2", 20), ("v3", 10)] {
        let statement =
            "UPDATE package_version SET created_unix = created_unix - ?2 WHERE lower_version = ?1";
        assert_eq!(catalog.execute(statement, rusqlite::params![tag, days * 86_400]).unwrap(), 1);
    }
    let config = scratch.path().join("railhead.toml");
    let site = |door: SocketAddr, release: &str| {
        let text = format!(
            "[site]\nhost = 'forge.test:3000'\n[routes.http]\nurl = 'http://forge.test:3000'\nconnect = '{door}'\n\
             {release}[retention]\nkeep_newest = 1\n"
        );
        std::fs::write(&config, text).unwrap();
    };
    site(forge.address(), "");
    let run = |words: &[&str]| {
        let program = program(&scratch.path().join("none")).with("RAILHEAD_TOKEN", &token);
        let reached = [FORGE_USER, "--registry", "forge.test:3000", "--user", FORGE_USER, "--output", "json"];
        program.with("RAILHEAD_CONFIG", &config).run(words.iter().chain(&reached))
    };
    let outcome = run(&["retention", "plan"]).ok();
    assert!(!format!("{outcome}").contains(&token));
    let plan: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!((plan["lost_tags"].as_u64(), plan["freed_blobs"].as_u64()), (Some(2), Some(4)), "{plan}");
    let freed = plan["freed_bytes"].as_u64().unwrap();
    assert!(freed > 100_000 && freed < 110_000, "two layers of 50 kB, not the base: {freed}");

    // A door that leads only /v2 to the forge: the API is asked where Git is, or nowhere.
    let door = Breaker::start(Script::http(forge.address()).answer("", "/api/*", "404 Not Found", &[], ""));
    site(door.address(), "");
    run(&["retention", "plan"]).refused(&["`git` in [release]"]);
    site(door.address(), &format!("[release]\ngit = 'http://{}'\n", forge.address()));
    let same: serde_json::Value = serde_json::from_str(&run(&["retention", "plan"]).ok().stdout).unwrap();
    assert_eq!(same["hash"], plan["hash"]);

    let hash = plan["hash"].as_str().unwrap();
    let refused = run(&["retention", "apply", "0123456789abcdef", "--yes"]);
    assert!(format!("{refused}").contains("the world has moved"), "{refused}");
    assert!(pulls(&http, &path, "v1"));
    let applied = run(&["retention", "apply", hash, "--yes"]).ok();
    assert!(applied.stdout.contains("\"versions\": 2"), "{applied}");
    assert!(!pulls(&http, &path, "v1") && !pulls(&http, &path, "v2") && pulls(&http, &path, "v3"));

    // The report shows it.
    let report = program(&scratch.path().join("none")).with("RAILHEAD_CONFIG", &config).run(["report"]).ok();
    let told = format!("a decision what is kept for how long: by plan {hash} 2 tags went, 1 stay");
    assert!(report.stdout.contains(&told), "{report}");
}
