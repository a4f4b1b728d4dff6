//! Who somebody is: passwords, tokens with few scopes, names.

use railhead_suites::http::Http;

use crate::place::{Place, becomes, expect, pull};

#[test]
fn every_kind_of_login_that_the_forge_takes_is_taken_with_its_scopes() {
    let place = Place::new(1, 60);
    place.forge.user("Bob");
    let token = |name: &str, scopes: &[&str]| place.forge.token_of("Bob", name, scopes);
    let (writer, reader) = (token("w", &["write:package"]), token("r", &["read:package"]));
    let (whole, useless) = (token("a", &["all"]), token("i", &["read:issue"]));
    let person = token("u", &["read:user"]);

    // The forge's rule for letter case: any in a login, lower case in an image's name.
    for (name, secret) in
        [("Bob", writer.as_str()), ("bob", &whole), ("BOB", place.forge.password()), ("token", &reader)]
    {
        expect(place.login(name, secret).login(), 200, &[]);
    }
    expect(place.login("bob", &writer).push("bob/app"), 201, &[]);
    expect(place.login("bob", &whole).push("bob/other/deep"), 201, &[]);
    expect(place.login("bob", &reader).pull("bob/app"), 200, &[]);

    // What a token's scopes lack, it lacks here.
    expect(place.login("bob", &reader).push("bob/app"), 403, &["write packages", "write:package"]);
    expect(place.login("bob", &person).login(), 200, &[]);
    expect(place.login("bob", &person).push("bob/app"), 403, &["write:package"]);
    expect(place.login("bob", &useless).login(), 401, &["read:package to pull", "write:package to push"]);

    expect(
        place.login("bob", "wrong").login(),
        401,
        &["the forge does not take this login", "invalid username"],
    );
    expect(place.login("alice", &writer).login(), 401, &["of another account than 'alice'"]);
    let answer = Http::basic(place.railhead.address(), "bob", "wrong").send("GET", "/v2/", &[], b"").unwrap();
    assert_eq!(answer.status, 401);
    assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer realm="));

    // Accounts are made there, not here.
    place.railhead.cli(["user", "create", "eve"]).refused(&["change them there"]);
    let log = place.railhead.server().log();
    for secret in [&writer, &reader, &whole, place.forge.password()] {
        assert!(!log.contains(secret), "a secret is in the log");
    }
}

#[test]
fn a_revoked_token_ends_also_the_bearer_tokens_that_were_asked_with_it() {
    let place = Place::new(1, 60);
    place.forge.user("bob");
    place.forge.organisation("hidden", "private");
    place.forge.team("hidden", "crew", "write", &["bob"]);
    let token = place.forge.token_of("bob", "ci", &["write:package", "read:organization", "read:user"]);
    let client = place.login("bob", &token);
    expect(client.push("hidden/app"), 201, &[]);
    let bearer = client.bearer("hidden/app", "pull").unwrap();
    expect(pull(&bearer, "hidden/app"), 200, &[]);
    place.forge.revoke_of("bob", "ci");
    let said = becomes(401, || pull(&bearer, "hidden/app"));
    assert!(said.contains("the forge does not take this login"), "{said}");
    expect(client.login(), 401, &[]);
}

#[test]
fn failed_logins_are_slowed_and_a_token_is_not_locked_out_by_them() {
    let place = Place::new(30, 60);
    place.forge.user("bob");
    let token = place.forge.token_of("bob", "ci", &["read:package"]);
    let mut last = 0;
    for n in 0..8 {
        last = place.login("bob", &format!("guess{n}")).login().0;
    }
    assert_eq!(last, 429, "guesses go on");
    expect(place.user("bob").login(), 429, &["too many failed logins"]);
    expect(place.login("bob", &token).login(), 200, &[]);
}

#[test]
fn without_the_forges_packages_wider_tokens_do() {
    let place = Place::with(1, 60, "[packages]\nENABLED = false\n", |_| Vec::new());
    place.forge.user("bob");
    place.forge.organisation("hidden", "private");
    place.forge.organisation("open", "public");
    place.forge.team("hidden", "crew", "write", &["bob"]);
    let narrow = place.forge.token_of("bob", "n", &["write:package"]);
    let wide = place.forge.token_of("bob", "w", &["write:package", "read:user", "read:organization"]);
    expect(place.login("bob", &narrow).login(), 401, &["read:user and read:organization"]);
    let client = place.login("bob", &wide);
    expect(client.push("bob/app"), 201, &[]);
    expect(client.push("hidden/app"), 201, &[]);
    expect(client.push("open/app"), 403, &[]);
    expect(place.nobody().pull("bob/app"), 200, &[]);
    expect(place.nobody().pull("hidden/app"), 401, &[]);
}
