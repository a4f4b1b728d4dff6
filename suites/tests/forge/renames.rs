//! Names that change hands.

use crate::place::{Place, becomes, expect};

#[test]
fn a_renamed_owner_takes_its_images_along_and_who_gets_the_name_gets_nothing() {
    let place = Place::new(1, 60);
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
}
