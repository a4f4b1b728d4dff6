//! A forge that is gone.

use crate::place::{Place, becomes, expect};

#[test]
fn what_was_decided_goes_on_for_a_while_and_public_pulls_go_on() {
    let mut place = Place::new(1, 6);
    place.forge.user("bob");
    place.forge.organisation("hidden", "private");
    place.forge.team("hidden", "crew", "write", &["bob"]);
    let bob = place.user("bob");
    expect(bob.push("bob/app"), 201, &[]);
    expect(bob.push("hidden/app"), 201, &[]);
    expect(place.nobody().pull("bob/app"), 200, &[]);
    expect(bob.pull("hidden/app"), 200, &[]);
    place.forge.kill9();
    let from = std::time::Instant::now();
    // Older than the cache, younger than what is stale.
    while from.elapsed().as_millis() < 2500 {
        expect(bob.pull("hidden/app"), 200, &[]);
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let said = becomes(503, || bob.pull("hidden/app"));
    assert!(said.contains("UNAVAILABLE") && said.contains("the forge does not answer"), "{said}");
    expect(bob.login(), 503, &["has to wait until the forge answers again"]);
    expect(bob.push("bob/app"), 503, &[]);
    expect(place.login("bob", "wrong").login(), 503, &[]);
    // A login that nobody can check does not spoil a pull for everybody.
    expect(bob.pull("bob/app"), 200, &[]);
    expect(place.nobody().pull("bob/app"), 200, &[]);
    expect(place.nobody().pull("hidden/app"), 401, &[]);
    // Also after a restart, when nothing is remembered.
    place.railhead.sigterm();
    place.railhead.restart();
    let bob = place.user("bob");
    expect(bob.pull("bob/app"), 200, &[]);
    expect(bob.pull("hidden/app"), 503, &[]);
    let told = place.railhead.server().log().matches("the forge does not answer; what it said").count();
    assert_eq!(told, 1, "{}", place.railhead.server().log());

    place.forge.restart();
    becomes(200, || bob.pull("hidden/app"));
    expect(bob.push("hidden/app"), 201, &[]);
}
