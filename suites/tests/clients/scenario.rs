//! What every client of images must be able to do, and must not.

use std::collections::BTreeSet;

use railhead_suites::program::Outcome;
use railhead_suites::registry::{STRANGER, WRITER};
use railhead_suites::{Image, Random, Registry};

/// How a client says that it was turned away. A repository that one may not know about looks like a missing one.
pub const REFUSALS: &[&str] = &[
    "unauthorized",
    "denied",
    "401",
    "403",
    "404",
    "not found",
    "name unknown",
    "name_unknown",
    "authentication required",
    "invalid username",
    "no basic auth credentials",
];

/// A client of images.
pub trait Client {
    /// Its name, as it stands in repositories.
    const NAME: &'static str;
    /// Whether `login` itself asks the registry; other clients notice a wrong password at their first push.
    const LOGIN_ASKS: bool = true;

    /// Takes up the credentials.
    fn login(&self, user: &str, secret: &str) -> Outcome;
    /// Forgets them.
    fn logout(&self);
    /// Pushes `image` as `name`.
    fn push(&self, image: &Image, name: &str) -> Outcome;
    /// Forgets every image, and pulls `name` anew.
    fn pull(&self, name: &str) -> Outcome;
    /// The digests of all that it holds of the image `name`.
    fn held(&self, name: &str) -> BTreeSet<String>;
}

/// Push, pull and refusals on one private repository, which is then made public.
pub fn run<C: Client>(registry: &Registry, client: &C) {
    // Two, since a client that finds everything in place writes nothing, and is rightly not refused.
    let [image, other] = [7, 8].map(|seed| Image::random(&mut Random::new(seed), 3, 200_000));
    let repository = format!("{}-app", C::NAME);
    let name = format!("{}:v1", registry.name(&repository));

    wrong_password(client, &image, &name);
    client.login(WRITER, registry.secret()).ok();
    let push = client.push(&image, &name).ok();
    let pull = client.pull(&name).ok();
    assert_holds(client, &name, &image);

    if let Some(secret) = registry.stranger() {
        client.login(STRANGER, secret).ok();
        client.pull(&name).refused(REFUSALS);
        client.push(&other, &name).refused(REFUSALS);
    }
    client.logout();
    client.pull(&name).refused(REFUSALS);
    if registry.publish(&repository) {
        client.pull(&name).ok();
        assert_holds(client, &name, &image);
        client.push(&other, &name).refused(REFUSALS);
    }
    println!("{}: push {} ms, pull {} ms", C::NAME, push.took.as_millis(), pull.took.as_millis());
}

fn wrong_password<C: Client>(client: &C, image: &Image, name: &str) {
    let login = client.login(WRITER, "wrong");
    if C::LOGIN_ASKS {
        login.refused(REFUSALS);
    } else {
        login.ok();
        client.push(image, name).refused(REFUSALS);
    }
}

fn assert_holds<C: Client>(client: &C, name: &str, image: &Image) {
    let held = client.held(name);
    for digest in image.content() {
        assert!(held.contains(&digest), "{} holds {held:?} of {name}, without {digest}", C::NAME);
    }
}
