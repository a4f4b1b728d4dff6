//! What somebody may do: owners, teams, visibility, links.

use crate::place::{Place, becomes, expect};

#[test]
fn rights_are_those_of_organisations_and_teams() {
    let place = Place::new(1, 60);
    for user in ["bob", "carol", "dave"] {
        place.forge.user(user);
    }
    for visibility in ["public", "limited", "private"] {
        place.forge.organisation(&format!("Org-{visibility}"), visibility);
        place.forge.team(&format!("Org-{visibility}"), "readers", "read", &["carol"]);
    }
    let writers: Vec<_> = ["public", "limited", "private"]
        .map(|visibility| place.forge.team(&format!("Org-{visibility}"), "writers", "write", &["bob"]))
        .into();
    let [bob, carol, dave] = ["bob", "carol", "dave"].map(|name| place.user(name));
    for (visibility, anyone, stranger) in [("public", 200, 200), ("limited", 401, 200), ("private", 401, 404)]
    {
        let app = format!("org-{visibility}/app");
        expect(bob.push(&app), 201, &[]);
        expect(carol.pull(&app), 200, &[]);
        expect(carol.push(&app), 403, &[]);
        assert_eq!(dave.pull(&app).0, stranger, "{visibility}");
        assert_eq!(place.nobody().pull(&app).0, anyone, "{visibility}");
    }
    // A stranger learns nothing of what is private: a missing one looks the same.
    assert_eq!(dave.pull("org-private/app").1, dave.pull("org-private/none").1);
    expect(dave.push("org-private/app"), 403, &["the forge shows you no user or organisation"]);
    expect(dave.push("nobody-there/app"), 403, &["the forge shows you no user or organisation"]);
    expect(dave.push("bob/app"), 403, &["write packages"]);
    // The first team of an organisation is that of its owners; alice made it.
    expect(place.user("alice").delete("org-public/app"), 202, &[]);

    // A member that was removed, and an owner that became private, count within the bound.
    place.forge.api("DELETE", &format!("/teams/{}/members/bob", writers[2]), "", 204);
    becomes(404, || bob.pull("org-private/app"));
    place.forge.api("PATCH", "/orgs/org-limited", r#"{"visibility":"private"}"#, 200);
    becomes(404, || dave.pull("org-limited/app"));
    expect(carol.pull("org-limited/app"), 200, &[]);
}

#[test]
fn the_strictest_of_owner_link_and_own_visibility_wins() {
    let place = Place::with(1, 60, "", |forge| {
        let scopes = ["read:user", "read:organization", "read:repository"];
        vec![("RAILHEAD_FORGE_TOKEN", forge.token_of("alice", "railhead", &scopes))]
    });
    for user in ["bob", "carol", "dave"] {
        place.forge.user(user);
    }
    let body = r#"{"name":"secret","private":true}"#;
    place.forge.api("POST", "/admin/users/bob/repos", body, 201);
    place.forge.api("PUT", "/repos/bob/secret/collaborators/carol", r#"{"permission":"read"}"#, 204);
    let [bob, carol, dave] = ["bob", "carol", "dave"].map(|name| place.user(name));
    for image in ["bob/secret", "bob/secret/worker", "bob/open"] {
        expect(bob.push(image), 201, &[]);
    }
    for image in ["bob/secret", "bob/secret/worker"] {
        expect(carol.pull(image), 200, &[]);
        expect(dave.pull(image), 404, &[]);
        expect(place.nobody().pull(image), 401, &[]);
    }
    expect(place.nobody().pull("bob/open"), 200, &[]);
    place.railhead.cli(["repo", "visibility", "bob/open", "private"]).ok();
    becomes(401, || place.nobody().pull("bob/open"));
    expect(dave.pull("bob/open"), 404, &[]);
    expect(bob.pull("bob/open"), 200, &[]);
    place.railhead.cli(["repo", "visibility", "bob/open", "public"]).ok();
    expect(place.nobody().pull("bob/open"), 200, &[]);

    // A narrow token of a private account is named by the operator's token.
    place.forge.api(
        "PATCH",
        "/admin/users/dave",
        r#"{"visibility":"private","login_name":"dave","source_id":0}"#,
        200,
    );
    let narrow = place.forge.token_of("dave", "ci", &["write:package"]);
    expect(place.login("dave", &narrow).push("dave/app"), 201, &[]);
    expect(place.nobody().pull("dave/app"), 401, &[]);
    // A repository of the forge that becomes private takes its images along.
    place.forge.api("POST", "/admin/users/carol/repos", r#"{"name":"app"}"#, 201);
    expect(carol.push("carol/app"), 201, &[]);
    expect(place.nobody().pull("carol/app"), 200, &[]);
    place.forge.api("PATCH", "/repos/carol/app", r#"{"private":true}"#, 200);
    becomes(401, || place.nobody().pull("carol/app"));
}
