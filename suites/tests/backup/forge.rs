//! A real Gitea, whose packages nobody backs up: all its images over the API, and back into another Gitea and into Railhead.

use railhead_suites::forge::{FORGE_USER, Options};
use railhead_suites::http::Http;
use railhead_suites::railhead::program;
use railhead_suites::{Forge, Image, Random};

use crate::world::{json, push, railhead};

#[test]
fn images_of_gitea_are_backed_up_and_restored_into_any_registry() {
    let scratch = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(|name| {
        let home = scratch.path().join(name);
        std::fs::create_dir(&home).unwrap();
        // It tells its clients to ask for tokens at this name, which only the routes below know.
        let root_url = format!("http://{name}.test:3000/");
        Forge::start(&home, &Options { root_url: &root_url, ..Options::default() })
    });
    let tokens = [&one, &two].map(|forge| forge.token("backup", "write:package"));
    let login = |forge: &Forge, token: &str| Http::login(forge.address(), FORGE_USER, token, &[]).unwrap();
    let (http, mut random) = (login(&one, &tokens[0]), Random::new(31));
    let mut names = Vec::new();
    for (name, tag) in [("app", "v1"), ("app", "v2"), ("tool", "v1"), ("deep/er", "latest")] {
        let name = format!("{FORGE_USER}/{name}");
        push(&http, &name, tag, &Image::random(&mut random, 2, 30_000));
        names.push(format!("{name}:{tag}"));
    }
    for (owner, visibility) in [("open", "public"), ("known", "limited"), ("closed", "private")] {
        one.organisation(owner, visibility);
        two.organisation(owner, visibility);
        push(&http, &format!("{owner}/app"), "v1", &Image::random(&mut random, 1, 10_000));
        names.push(format!("{owner}/app:v1"));
    }
    let to = scratch.path().join("backups");
    let to = to.to_str().unwrap();
    let run = |token: &str, words: &[&str]| {
        std::fs::write(scratch.path().join("railhead.toml"), "[site]\nevidence = \"evidence\"\n").unwrap();
        let program = program(&scratch.path().join("none")).with("RAILHEAD_TOKEN", token);
        program.with("RAILHEAD_CONFIG", scratch.path().join("railhead.toml")).run(words)
    };
    let route =
        |name: &str, forge: &Forge| format!("http=http://{name}.test:3000,connect={}", forge.address());
    let [first, second] = ["one.test:3000", "two.test:3000"];
    let reached = ["--user", FORGE_USER, "--route"];
    let way = route("one", &one);
    let words = [&["backup", to, "--registry", first][..], &reached, &[&way, "--output", "json"]].concat();
    let made = json(&run(&tokens[0], &words).ok());
    assert_eq!((&made["counts"]["repositories"], &made["counts"]["tags"]), (&6.into(), &7.into()), "{made}");
    assert!(!run(&tokens[0], &["backup", "list", to]).ok().stdout.contains(&tokens[0]));

    let way = route("two", &two);
    let words = [&["restore", to, "--registry", second][..], &reached, &[&way]].concat();
    run(&tokens[1], &words).ok();
    let (before, after) = (http, login(&two, &tokens[1]));
    for name in &names {
        let (repository, tag) = name.rsplit_once(':').unwrap();
        let target = format!("/v2/{repository}/manifests/{tag}");
        let fields = [("Accept", railhead_suites::image::MANIFEST)];
        let [one, two] = [&before, &after].map(|http| http.send("GET", &target, &fields, b"").unwrap());
        assert_eq!((one.status, two.status), (200, 200), "{name}");
        assert_eq!(one.body, two.body, "{name}");
    }
    // And into a Railhead of one's own, as the owner's, for those who could pull it before.
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    railhead(&data, home.path(), &["restore", to]).ok();
    let listed = railhead(&data, home.path(), &["repo", "list"]).ok().stdout;
    assert!(listed.contains("alice/deep/er") && listed.contains("alice/tool"), "{listed}");
    for (name, visibility) in
        [("alice/app", "public"), ("open/app", "public"), ("known/app", "private"), ("closed/app", "private")]
    {
        let shown = json(&railhead(&data, home.path(), &["repo", "show", name, "--output", "json"]).ok());
        assert_eq!(shown["visibility"], visibility, "{shown}");
    }
}
