//! The commands, end to end, by each way to the admin API.

#![allow(clippy::unwrap_used, reason = "a helper of a test that fails fails the test")]

mod common;

use common::{Place, Ran};

/// A way to reach the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way<'a> {
    Network(&'a str, &'a str),
    Directory,
}

fn run(place: &Place, way: Way<'_>, line: &str) -> Ran {
    match way {
        Way::Network(url, token) => {
            place.run_with(line, &[("RAILHEAD_SERVER", url), ("RAILHEAD_TOKEN", token)], "secret password\n")
        }
        Way::Directory => place.run_with(line, &[("RAILHEAD_DATA", "data")], "secret password\n"),
    }
}

/// What an administrator does, with names that start with `name` so that each way has its own.
fn administer(place: &Place, way: Way<'_>, name: &str) {
    let run = |line: &str| run(place, way, &line.replace('@', name));
    let created = run("user create @-ann --password-stdin");
    assert!(created.ok().contains("password and tokens"));
    let robot = run("user create @-bot");
    assert!(robot.err.contains("has no password, only tokens"), "{robot:?}");
    assert!(robot.ok().contains("login:   tokens"));
    run("user create @-ann").failed(5);
    run("user create @/ann").failed(2);
    run("user password @-bot --password-stdin").ok();
    run("user disable @-bot").ok();
    assert!(
        run("user list")
            .ok()
            .lines()
            .any(|line| line.starts_with(&format!("{name}-bot")) && line.contains("disabled"))
    );
    run("user enable @-bot").ok();
    run("org create @-Team").ok();
    assert!(run("org list").ok().contains(&format!("{name}-Team")));
    run("org member @-team @-ann writer").ok();
    assert!(run("org members @-team").ok().contains("writer"));
    run("org member @-team @-ann none").ok();
    assert!(!run("org members @-team").ok().contains("ann"));
    run("org member @-team nobody reader").failed(4);
    run("org member @-team @-ann king").failed(2);
    assert!(run("org limits @-team --quota 10GiB --layer -1").ok().contains("10 GiB"));
    assert!(run("owner limits @-team").ok().contains("layer: none"));
    run("owner limits nobody").failed(4);
    let secret = run("token create --user @-ann --scope push:@-team pull --expires 90d --quiet").ok();
    assert!(secret.starts_with("rh_") && secret.trim_end().len() == 52, "{secret}");
    let tokens = run("token list --user @-ann --output json").ok();
    assert!(!tokens.contains(secret.trim_end()));
    let tokens: serde_json::Value = serde_json::from_str(&tokens).unwrap();
    let id = tokens["tokens"][0]["id"].as_str().unwrap();
    run(&format!("token revoke {id}")).failed(2);
    run(&format!("token revoke {id} --yes")).ok();
    assert!(run("token list --user @-ann").ok().contains("revoked"));
    run("token create --user @-ann --scope fly").failed(2);
    run("token revoke 999999 --yes").failed(4);
    run("repo show @-team/app").failed(4);
    run("repo show Nonsense").failed(2);
    run("tag delete @-team/app v1 --yes").failed(4);
    assert!(run("gc --dry-run").ok().contains("lease:"));
    let swept: serde_json::Value = serde_json::from_str(&run("gc --now --output json").ok()).unwrap();
    assert_eq!((&swept["complete"], &swept["failed"]), (&true.into(), &0.into()));
    run("gc").failed(2);
    run("gc --now --dry-run").failed(2);
    let usage = run("usage").ok();
    assert!(
        usage.lines().any(|line| line.starts_with(&format!("{name}-Team")) && line.contains("10 GiB (0 %)"))
    );
    assert!(run("usage @-team").ok().starts_with("REPOSITORY"));
    run("usage nobody").failed(4);
    assert!(run("usage --recount").ok().contains("every sum is right"));
    assert!(run("usage @-team --recount --mend").ok().starts_with("one owner recounted"));
    run("usage --mend").failed(2);
    let audit = run("audit list --limit 500").ok();
    for act in ["user.create", "user.disable", "org.member", "owner.limits", "token.revoke"] {
        assert!(audit.contains(act), "{act}: {audit}");
    }
}

#[test]
fn administration_is_the_same_by_each_way() {
    let place = Place::new();
    let server = place.serve("");
    let way = Way::Network(&server.url, &server.token);
    administer(&place, way, "a");
    administer(&place, Way::Directory, "b");
    let users = run(&place, way, "user list").ok();
    assert_eq!(run(&place, Way::Directory, "user list").ok(), users);
    server.stop();
    assert_eq!(run(&place, Way::Directory, "user list").ok(), users);
    administer(&place, Way::Directory, "c");
    let json = run(&place, Way::Directory, "org list --output json").ok();
    let orgs: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(orgs["organisations"].as_array().unwrap().len(), 3);
}

#[test]
fn who_is_no_administrator_is_refused() {
    let place = Place::new();
    let server = place.serve("");
    run(&place, Way::Directory, "user create ann").ok();
    let secret = run(&place, Way::Directory, "token create --user ann --scope pull --quiet").ok();
    let narrow = Way::Network(&server.url, secret.trim_end());
    for line in
        ["user list", "org create x", "token list", "token create --user ann --scope admin", "audit list"]
    {
        let err = run(&place, narrow, line).failed(3);
        assert!(err.starts_with("error: "), "{line}: {err}");
    }
    let wrong = Way::Network(&server.url, "rh_wrong");
    run(&place, wrong, "user list").failed(3);
}

#[test]
fn a_registry_that_is_not_there_is_not_made_up() {
    let place = Place::new();
    insta::assert_snapshot!(place.run("user list --data nowhere").failed(4), @r"
    error: there is no data directory at nowhere
    hint: `railhead serve` makes one; name it with --data, or name a registry elsewhere with --server URL
    ");
    insta::assert_snapshot!(place.run("user list --server http://127.0.0.1:1").failed(2), @r"
    error: a token is needed for http://127.0.0.1:1
    hint: put it into RAILHEAD_TOKEN, or name a file with --token-file
    ");
    let err = run(&place, Way::Network("http://127.0.0.1:1", "x"), "user list").failed(6);
    assert!(err.starts_with("error: cannot connect to http://127.0.0.1:1"), "{err}");
    place.run("user list --server a.example").failed(2);
    place.run("user list --server http://a --data b").failed(2);
}

#[test]
fn one_process_has_a_data_directory() {
    let place = Place::new();
    let server = place.serve("");
    let err = place.run("serve --data data --listen 127.0.0.1:0").failed(5);
    assert!(err.contains(&format!("in use by process {}", server.pid())), "{err}");
    // A server whose socket is gone still has its directory.
    std::fs::remove_file(&server.socket).unwrap();
    let err = place.run("user list --data data").failed(6);
    assert!(err.contains("control socket"), "{err}");
}
