//! cosign: signatures beside the images they sign, with a key pair of the test and no transparency log.

use railhead_suites::registry::WRITER;
use railhead_suites::{Image, Layout, Random, Registry, layout};

use crate::home::Home;

#[test]
fn cosign_signs_and_verifies() {
    let registry = Registry::start();
    let home = Home::for_client_of(&registry);
    let [cosign, crane] = ["cosign", "crane"].map(|name| home.program(name).with("COSIGN_PASSWORD", ""));
    let repository = registry.name("cosign-app");
    let login = ["auth", "login", "-u", WRITER, "--password-stdin", registry.host()];
    crane.run_with_input(login, registry.secret()).ok();
    let source = Layout::of(home.directory().join("source"), &Image::random(&mut Random::new(31), 1, 10_000));
    let tagged = format!("{repository}:v1");
    crane.run(["push", &source.directory().display().to_string(), &tagged]).ok();
    let digest = crane.run(["digest", &tagged]).ok().stdout;
    let pinned = format!("{repository}@{}", digest.trim());

    let [prefix, public, secret] = ["pair", "pair.pub", "pair.key"].map(|name| home.path(name));
    cosign.run(["generate-key-pair", "--output-key-prefix", &prefix]).ok();
    let ca = registry.ca().ca_file().display().to_string();
    let offline = ["--tlog-upload=false", "--use-signing-config=false", "--yes"];
    cosign
        .run(
            ["sign", "--registry-cacert", &ca, "--key", &secret]
                .iter()
                .chain(&offline)
                .chain(&[pinned.as_str()]),
        )
        .ok();
    let verify =
        ["verify", "--registry-cacert", &ca, "--insecure-ignore-tlog=true", "--key", &public, &tagged];
    let verified = cosign.run(verify).ok();
    assert!(verified.stdout.contains(digest.trim()), "{verified}");

    let other = home.path("other");
    cosign.run(["generate-key-pair", "--output-key-prefix", &other]).ok();
    let mut wrong = verify;
    let other = format!("{other}.pub");
    wrong[5] = &other;
    cosign.run(wrong).refused(&["no matching", "signature", "failed to verify"]);
    let sent = layout::contents(source.directory());
    assert!(sent.contains(digest.trim()), "the signed manifest is the one that was made");
}
