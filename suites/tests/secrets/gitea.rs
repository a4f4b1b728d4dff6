//! With a real Gitea.

use railhead_suites::Forge;
use railhead_suites::forge::{FORGE_USER, Options};

use crate::place::{Place, mode, silent};

/// A name that no resolver knows.
const HOST: &str = "forge.test";

fn place(forge: &Forge) -> Place {
    let more = format!("connect = \"{}\"\n[cluster]\nnamespace = \"team\"\n", forge.address());
    Place::new(HOST, &format!("http://{HOST}"), &more)
}

#[test]
fn a_secret_pulls_until_its_token_is_revoked_and_again_after_a_rotation() {
    let scratch = tempfile::tempdir().unwrap();
    let forge =
        Forge::start(scratch.path(), &Options { root_url: "http://forge.test/", ..Options::default() });
    let place = place(&forge);
    let [writer, first, second] = [("w", "write:package"), ("r1", "read:package"), ("r2", "read:package")]
        .map(|(name, scope)| forge.token(name, scope));
    let secrets = [first.as_str(), second.as_str(), writer.as_str()];
    let image = format!("{HOST}/{FORGE_USER}/app:v1");
    place.publish(&image, FORGE_USER, &writer);

    // A token that the registry does not take never gets into a Secret.
    let create = format!("pull-secret create --user {FORGE_USER} --out {{}}/pull.yaml --image {image}");
    place.run(&create, "0123456789012345678901234567890123456789", "").refused(&["does not take the token"]);
    assert!(!place.path("pull.yaml").exists());

    let made = silent(place.run(&create, &first, "").ok(), &secrets);
    assert!(made.stderr.contains("does not end before it is revoked: Gitea"), "{made}");
    assert!(made.stderr.contains("everybody may pull, so no Secret is needed"), "{made}");
    assert_eq!(mode(&place.path("pull.yaml")), 0o600);
    place.run(&create, &first, "").refused(&["is there already"]);

    let verify = format!("pull-secret verify {image} --file {{}}/pull.yaml");
    let good = silent(place.run(&verify, "", "").ok(), &secrets);
    for part in
        ["ok         entry", "ok         login", "ok         pull manifest", "ok         pull blob", "pulls"]
    {
        assert!(good.stdout.contains(part), "{part}: {good}");
    }

    forge.revoke("r1");
    let revoked = silent(place.run(&verify, "", ""), &secrets);
    assert!(revoked.stdout.contains("a login that is refused is worse than none"), "{revoked}");
    revoked.refused(&["it is wrong, revoked or has ended"]);

    let rotate = "pull-secret rotate --file {}/pull.yaml";
    place.run(rotate, &first, "").refused(&["does not take the token"]);
    silent(place.run(rotate, &second, "").ok(), &secrets);
    assert_eq!(mode(&place.path("pull.yaml")), 0o600);
    silent(place.run(&verify, "", "").ok(), &secrets);

    let checks = place.evidence("pull-secret-check", &secrets);
    let ok: Vec<_> = checks.iter().map(|check| check["ok"].as_bool().unwrap()).collect();
    assert_eq!(ok, [true, false, true]);
    assert_eq!(place.evidence("pull-secret", &secrets).len(), 2);
    let report = place.run("report", "", "").ok();
    assert!(
        report.stdout.contains(&format!("the pull secret pulls {image}; its token has no end")),
        "{report}"
    );
}

#[test]
fn an_entry_of_another_host_is_told_from_a_wrong_login() {
    let scratch = tempfile::tempdir().unwrap();
    let forge =
        Forge::start(scratch.path(), &Options { root_url: "http://forge.test/", ..Options::default() });
    let place = place(&forge);
    let writer = forge.token("w", "write:package");
    let image = format!("{HOST}/{FORGE_USER}/app:v1");
    place.publish(&image, FORGE_USER, &writer);
    // People take the port of something else for the registry's.
    let create = format!("pull-secret create {HOST}:3000 --user {FORGE_USER} --unchecked");
    let made = place.run(&create, &writer, "").ok();
    let verify = format!("pull-secret verify {image} --file -");
    let outcome = silent(place.run(&verify, "", &made.stdout), &[&writer]);
    assert!(outcome.stdout.contains("the port is not the same"), "{outcome}");
    outcome.refused(&["so a kubelet pulls without a login"]);
    // As a cluster gives it, to be applied again, with another login beside it.
    let made = place.run(&create.replace(":3000", ""), &writer, "").ok();
    let again = place.run("pull-secret rotate --file - --output json", &writer, &made.stdout).ok();
    assert!(again.stderr.contains("had this token already"), "{again}");
    place.run(&verify, "", &again.stdout).ok();
}
