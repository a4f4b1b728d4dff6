//! Names that change hands.

use crate::place::{Place, becomes, expect, pull};

#[test]
fn a_renamed_owner_takes_its_images_along_and_who_gets_the_name_gets_nothing() {
    // Without a time in which the former name goes on, which is what the next test is about.
    let variables = |_: &_| vec![("RAILHEAD_FORGE_FORMER_NAME_DAYS", "0".to_owned())];
    let place = Place::with(1, 60, "", variables);
    place.forge.user("bob");
    place.forge.organisation("crew", "public");
    let bob = place.user("bob");
    expect(bob.push("bob/app"), 201, &[]);
    expect(place.user("alice").push("crew/app"), 201, &[]);
    place.forge.api("POST", "/admin/users/bob/rename", r#"{"new_username":"Robert"}"#, 204);
    let robert = place.user("robert");
    becomes(200, || robert.pull("robert/app"));
    expect(robert.push("robert/app"), 201, &[]);
    expect(place.nobody().pull("robert/app"), 200, &[]);
    expect(place.nobody().pull("bob/app"), 401, &[]);

    // Somebody else becomes bob: what was below that name is not his.
    place.forge.api("DELETE", "/admin/users/Robert?purge=true", "", 204);
    place.forge.user("bob");
    let second = place.user("bob");
    becomes(201, || second.push("bob/new"));
    expect(second.pull("bob/app"), 404, &[]);

    // The images of an account that is gone are kept, and are nobody's: not of who gets its name either.
    becomes(401, || place.nobody().pull("robert/app"));
    place.forge.user("Robert");
    let thief = place.user("Robert");
    let said = becomes(401, || thief.pull("robert/app"));
    assert!(said.contains("belonged to another account"), "{said}");
    expect(place.nobody().pull("robert/app"), 401, &[]);
    let listed = place.railhead.cli(["repo", "list", "--output", "json"]).ok();
    assert!(listed.stdout.contains("robert/app"), "{listed}");
    place.railhead.cli(["repo", "delete", "robert/app", "--yes"]).ok();
    becomes(201, || thief.push("robert/app"));

    // The same for an organisation.
    place.forge.api("DELETE", "/orgs/crew", "", 204);
    place.forge.organisation("crew", "public");
    let said = becomes(403, || place.user("alice").push("crew/app"));
    assert!(said.contains("belonged to another"), "{said}");
    expect(place.nobody().pull("crew/app"), 401, &[]);

    // Until the operator decides that it is theirs.
    let list = || {
        let listed = place.railhead.cli(["owner", "list", "--output", "json"]).ok();
        let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
        listed["owners"].as_array().unwrap().clone()
    };
    let state =
        |name: &str| list().iter().find(|owner| owner["name"] == name).map(|owner| owner["forge"].clone());
    assert_eq!(state("crew"), Some("taken".into()), "{:?}", list());
    assert_eq!(state("bob"), Some("there".into()));
    place.railhead.cli(["owner", "adopt", "crew"]).ok();
    assert_eq!(state("crew"), Some("there".into()));
    becomes(200, || place.nobody().pull("crew/app"));
    expect(place.user("alice").push("crew/app"), 201, &[]);
    place.railhead.cli(["owner", "adopt", "nobody-there"]).refused(&["nobody-there"]);
}

#[test]
fn the_former_name_of_an_owner_can_be_pulled_from_for_a_while_and_says_so() {
    let place = Place::new(1, 60);
    for user in ["bob", "carol", "dave"] {
        place.forge.user(user);
    }
    place.forge.organisation("crew", "public");
    place.forge.organisation("hidden", "private");
    place.forge.team("hidden", "readers", "read", &["carol"]);
    for (who, image) in [("bob", "bob/app"), ("alice", "crew/app"), ("alice", "hidden/app")] {
        expect(place.user(who).push(image), 201, &[]);
    }
    place.forge.api("POST", "/admin/users/bob/rename", r#"{"new_username":"Robert"}"#, 204);
    place.forge.api("POST", "/orgs/crew/rename", r#"{"new_name":"Band"}"#, 204);
    place.forge.api("POST", "/orgs/hidden/rename", r#"{"new_name":"Cellar"}"#, 204);

    // A pull under the former name is enough for the renaming to be noticed here, whoever pulls.
    for (image, now) in [("bob/app", "robert/app"), ("crew/app", "band/app")] {
        becomes(200, || place.nobody().pull(image));
        expect(place.nobody().pull(now), 200, &[]);
        let bearer = place.nobody().bearer(image, "pull").unwrap();
        for what in ["manifests/v1", "tags/list?n=1"] {
            let target = format!("/v2/{image}/{what}");
            let answer = bearer.send("GET", &target, &[("Accept", "*/*")], b"").unwrap();
            let warning = answer.header("warning").unwrap_or_default();
            assert!(
                warning
                    .starts_with(&format!("299 - \"{image} is called {now} now; the former name ends on 20")),
                "{answer:?}"
            );
        }
        let answer = bearer.send("GET", &format!("/v2/{image}/tags/list"), &[], b"").unwrap();
        assert_eq!(answer.text(), format!(r#"{{"name":"{image}","tags":["v1"]}}"#));
        let by_name = place.nobody().bearer(now, "pull").unwrap();
        let answer =
            by_name.send("GET", &format!("/v2/{now}/manifests/v1"), &[("Accept", "*/*")], b"").unwrap();
        assert_eq!((answer.status, answer.header("warning")), (200, None));
    }
    // What is hidden stays hidden under either name; who may read the owner sees it under both.
    for image in ["hidden/app", "cellar/app"] {
        becomes(200, || place.user("carol").pull(image));
        expect(place.user("dave").pull(image), 404, &[]);
        expect(place.nobody().pull(image), 401, &[]);
    }
    // Pushes go to the name of now only.
    expect(place.user("Robert").push("bob/app"), 403, &["'bob' is called 'robert'", "push to robert/app"]);
    expect(place.user("dave").push("bob/app"), 403, &["the forge shows you no user or organisation 'bob'"]);
    expect(place.user("Robert").delete("bob/app"), 404, &[]);
    let log = place.railhead.server().log();
    let said = |image: &str| {
        let line = |line: &&str| line.contains("under the former name of its owner") && line.contains(image);
        log.lines().filter(line).count()
    };
    assert_eq!((said("bob/app"), said("crew/app"), said("hidden/app")), (1, 1, 1), "{log}");

    // It is over when somebody else takes the name on the forge, also before that one has ever come here.
    let bearer = place.nobody().bearer("bob/app", "pull").unwrap();
    expect(pull(&bearer, "bob/app"), 200, &[]);
    let second = serde_json::json!({"username": "bob", "email": "second@forge.test", "password": place.forge.password(),
        "must_change_password": false});
    place.forge.api("POST", "/admin/users", &second.to_string(), 201);
    becomes(401, || pull(&bearer, "bob/app"));
    let second = place.user("bob");
    becomes(404, || second.pull("bob/app"));
    expect(second.push("bob/app"), 201, &[]);
    expect(place.nobody().pull("robert/app"), 200, &[]);
}
