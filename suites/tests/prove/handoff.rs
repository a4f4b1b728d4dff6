//! The handoff page is written from a proof, and its check names exactly what is not true any more.

use std::fs;

use railhead_suites::{Image, Operator, Random, layout};

use crate::said::Said;
use crate::sites::{Gitea, OWNER, Product, Site};

/// The page of a site.
const PAGE: &str = "registry.md";

/// Adds what a team knows of its site.
fn describe(site: &Site) {
    let file = fs::read_to_string(site.operator.path("railhead.toml")).unwrap();
    site.operator.site(&format!(
        "{}name = \"Coulomb\"\nlimits = [\"One volume of 10 GiB holds packages and Git.\"]\n\
         provenance = [\"https://git.example.com/coulomb/state-hub\"]\n\
         [owners]\napplication = \"railiance-apps\"\nrouting = \"railiance-cluster\"\n\
         [cluster]\nnamespace = \"state-hub\"\n[routes.main]{}",
        file.split("[routes.main]").next().unwrap(),
        file.split("[routes.main]").nth(1).unwrap()
    ));
}

fn replace(site: &Site, from: &str, to: &str) {
    let file = site.operator.path("railhead.toml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from));
    fs::write(file, text.replace(from, to)).unwrap();
}

/// Writes the page; its text.
fn write(site: &Site) -> String {
    let page = site.operator.path(PAGE);
    site.operator.run(["handoff", "--out", page.to_str().unwrap()]).ok();
    fs::read_to_string(page).unwrap()
}

fn check(site: &Site, more: &[&str]) -> Said {
    let words = ["handoff", "--check", PAGE];
    let words: Vec<&str> = words.iter().chain(more).copied().collect();
    Said::of(&site.operator, "handoff-check", &words, &[&site.token, &site.readonly])
}

/// A check by somebody who has no account.
fn check_as_nobody(site: &Site) -> Said {
    let nobody = Operator::nobody(&site.operator.path(""));
    Said::of(&nobody, "handoff-check", &["handoff", "--check", PAGE], &[&site.token])
}

const LOGIN: [&str; 2] = ["--user", OWNER];

#[test]
fn a_page_about_gitea() {
    let mut gitea = Gitea::start();
    let product = Product::start();
    describe(&gitea.site);
    let archive = archive(&gitea.site);
    let words = ["--image", &archive, "--keep"];
    gitea.site.prove("state-hub:v1", &[&words[..], &["--public"]].concat()).ok();
    let text = write(&gitea.site);
    let host = gitea.site.host.clone();
    for part in [
        &format!("| Registry host | `{host}` |"),
        &format!("| Images are named | `{host}/alice/IMAGE:TAG` |"),
        &format!("docker login {host} -u NAME"),
        "| Server | Gitea 1.25.4 |",
        "write:package",
        "No `imagePullSecret` is needed",
        "-----BEGIN CERTIFICATE-----",
        "the file image.tar",
        "One volume of 10 GiB",
        "https://git.example.com/coulomb/state-hub",
        "railiance-cluster",
    ] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    assert!(
        !text.contains(gitea.site.path("").to_str().unwrap()),
        "a path of this machine is in the page\n{text}"
    );

    // All of it is true, with a login and without one.
    let said = check(&gitea.site, &LOGIN).ok();
    assert_eq!(said.with("not-tried"), [""; 0], "{said}");
    let said = check_as_nobody(&gitea.site).ok();
    assert_eq!(said.with("not-tried"), ["login"], "{said}");

    // The owner becomes private. Without a login the rest is not known, with one it is as before.
    gitea.visibility("private");
    check(&gitea.site, &LOGIN).failed(&["who may pull"], 1);
    let said = check_as_nobody(&gitea.site).failed(&["who may pull"], 1);
    assert_eq!(said.with("not-tried"), ["login", "tag and digest", "image"], "{said}");
    gitea.visibility("public");
    check(&gitea.site, &LOGIN).ok();

    // A new certificate of the same authority is as good, one of another is not.
    let (address, own) = (gitea.forge.address(), gitea.authority.file());
    gitea.behind(address, &own);
    check(&gitea.site, &LOGIN).ok();
    let another = gitea.site.path("another");
    gitea.behind(address, &another);
    let said = check(&gitea.site, &LOGIN).failed(&["certificate"], 1);
    assert!(said.detail("certificate").contains("its authority is unknown here"), "{said}");
    gitea.unreachable();
    check(&gitea.site, &LOGIN).failed(&["registry host"], 1);

    // Another server has the same image under the same name.
    let account = ["--user", OWNER];
    let route = format!("main=http://{}", product.site.host);
    product
        .site
        .operator
        .run(
            [&["prove", &product.site.name("state-hub:v1"), "--route", &route][..], &account, &words]
                .concat(),
        )
        .ok();
    product.railhead.cli(["repo", "visibility", "alice/state-hub", "public"]).ok();
    gitea.behind(product.railhead.address(), &own);
    let said = check_as_nobody(&gitea.site).failed(&["server"], 1);
    assert!(said.detail("server").contains("the page says Gitea 1.25.4, and it is Railhead"), "{said}");

    // The tag names another image, and Gitea has the first under no other name; then the tag goes too.
    gitea.behind(address, &own);
    check(&gitea.site, &LOGIN).ok();
    gitea.site.prove("state-hub:v1", &["--keep", "--replace", "--public"]).ok();
    let said = check(&gitea.site, &LOGIN).failed(&["tag and digest", "image"], 1);
    assert!(said.detail("tag and digest").contains("v1 names sha256:"), "{said}");
    gitea.ask("DELETE", "/packages/alice/container/state-hub/v1", "");
    let said = check(&gitea.site, &LOGIN).failed(&["tag and digest", "image"], 1);
    assert_eq!(said.detail("tag and digest"), "the tag v1 is not there");
    assert_eq!(said.with("not-tried"), ["who may pull"], "{said}");
}

/// An image of a team in a file.
fn archive(site: &Site) -> String {
    let image = Image::random(&mut Random::from_clock(), 2, 100_000);
    let archive = site.path("image.tar");
    layout::docker_archive(&image, "state-hub:local", &archive);
    archive.display().to_string()
}

#[test]
fn a_page_about_railhead() {
    let product = Product::start();
    let site = &product.site;
    describe(site);
    site.prove("state-hub:v1", &["--keep", "--private"]).ok();
    let text = write(site);
    for part in [
        &format!(
            "railhead pull-secret create {} --user NAME --namespace state-hub --name registry-pull",
            site.host
        ),
        "railhead token create --user NAME --scope push:alice pull:alice",
        "| Who may pull | only who has logged in and may read it |",
        "plain `http`",
        "made by `railhead prove`",
    ] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    let said = check(site, &LOGIN).ok();
    assert_eq!(said.with("not-tried"), [""; 0], "{said}");
    let said = check_as_nobody(site).ok();
    assert!(
        said.outcome.stdout.contains("true, apart from what was not tried (login, tag and digest, image"),
        "{said}"
    );

    product.railhead.cli(["repo", "visibility", "alice/state-hub", "public"]).ok();
    check(site, &LOGIN).failed(&["who may pull"], 1);
    product.railhead.cli(["repo", "visibility", "alice/state-hub", "private"]).ok();

    // The image that clusters have pinned is still there when its tag is moved, and when it is deleted.
    site.prove("state-hub:v1", &["--keep", "--private", "--replace"]).ok();
    let said = check(site, &LOGIN).failed(&["tag and digest"], 1);
    assert!(said.detail("tag and digest").contains("v1 names sha256:"), "{said}");
    product.railhead.cli(["tag", "delete", "alice/state-hub", "v1", "--yes"]).ok();
    let said = check(site, &LOGIN).failed(&["tag and digest"], 1);
    assert_eq!(said.detail("tag and digest"), "the tag v1 is not there");
}

#[test]
fn what_people_change_in_the_page_or_in_the_site_file_is_named() {
    let product = Product::start();
    let site = &product.site;
    describe(site);
    site.prove("state-hub:v1", &["--keep", "--private"]).ok();
    let text = write(site);
    for (from, to, fact) in [
        ("railiance-cluster", "somebody-else", "owners"),
        ("10 GiB", "20 GiB", "limits"),
        ("git.example.com", "git2.example.com", "provenance"),
        ("\"state-hub\"", "\"state-hub-2\"", "pull secret"),
        ("name = \"Coulomb\"", "owner = \"team\"", "naming"),
    ] {
        replace(site, from, to);
        let said = check(site, &LOGIN).failed(&[fact], 1);
        assert!(said.detail(fact).contains("railhead.toml says"), "{said}");
        replace(site, to, from);
    }
    check(site, &LOGIN).ok();

    // Notes may be added; what was proven may not be changed.
    let page = site.operator.path(PAGE);
    fs::write(&page, text.replace("## Pull\n", "## Pull\n\nA note of the team.\n")).unwrap();
    check(site, &LOGIN).ok();
    fs::write(&page, text.replace("| Who may pull | only", "| Who may pull | hardly only")).unwrap();
    let said = check(site, &LOGIN).failed(&["text"], 1);
    assert!(said.detail("text").contains("| Who may pull | only who has logged in"), "{said}");
}

#[test]
fn a_page_is_written_only_from_a_proof_that_left_its_image() {
    let product = Product::start();
    let site = &product.site;
    let handoff = |words: &[&str]| site.operator.run([&["handoff"], words].concat());
    let hint = |said: &railhead_suites::program::Outcome| assert!(said.stderr.contains("hint: "), "{said}");
    let said = handoff(&[]);
    hint(&said);
    assert_eq!(said.code, Some(4), "{said}");
    site.prove("app:v1", &["--private"]).ok();
    assert_eq!(handoff(&[]).code, Some(4));
    site.prove("app:v1", &["--private", "--keep"]).ok();
    assert!(handoff(&[]).ok().stdout.starts_with("# Container registry: "));
    // What a newer proof found has to be mended first.
    site.prove("app:v2", &["--public"]).failed(&["anonymous pull"], 1);
    let said = handoff(&[]);
    hint(&said);
    assert_eq!(said.code, Some(5), "{said}");
    site.prove("app:v2", &["--private", "--keep"]).ok();
    handoff(&[]).ok();

    // What somebody else wrote is not replaced.
    fs::write(site.operator.path("mine.md"), "# Mine\n").unwrap();
    let said = handoff(&["--out", "mine.md"]);
    hint(&said);
    assert_eq!(said.code, Some(5), "{said}");
    let said = handoff(&["--check", "mine.md"]);
    hint(&said);
    assert_eq!(said.code, Some(2), "{said}");
    handoff(&["--out", "mine.md", "--force"]).ok();
    handoff(&["--out", "mine.md"]).ok();
    let elsewhere = Operator::at(&site.path("elsewhere"), "");
    let said = elsewhere.run(["handoff", "--check", "missing.md"]);
    assert_eq!(said.code, Some(4), "{said}");
}
