//! Damage on the disk: found beside a running server and on a stopped one, refused, told with what refers to it, and
//! healed from a mirror.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use railhead_oci::Digest;
use railhead_suites::http::Http;
use railhead_suites::image::{Image, MANIFEST};
use railhead_suites::railhead::{Options, binary};
use railhead_suites::{Railhead, Random};
use serde_json::Value;

use crate::{REPOSITORY, expect, login, make_owner};

const LAYERS: usize = 6;

#[test]
fn damage_is_found_refused_and_healed_from_a_mirror() {
    let scratch = tempfile::tempdir().unwrap();
    let (here, there) = (scratch.path().join("here"), scratch.path().join("there"));
    fs::create_dir_all(&here).unwrap();
    fs::create_dir_all(&there).unwrap();
    let mirror = Railhead::start(&there, Options::default());
    let token = make_owner(&mirror);
    let image = Image::random(&mut Random::new(11), LAYERS, 200_000);
    let scope = [format!("repository:{REPOSITORY}:pull,push")];
    push(&Http::login(mirror.address(), "olga", &token, &scope).unwrap(), &image);

    let configuration = configure(&here, &mirror, &token);
    let options = Options { arguments: vec!["--config".into(), configuration], ..Options::default() };
    let mut railhead = Railhead::start(&here, options);
    let http = login(&railhead);
    push(&http, &image);
    let layers: Vec<_> = image.layers.iter().map(|layer| Digest::sha256(layer)).collect();
    let damaged = damage(railhead.data(), &layers);

    // Beside the running server.
    let report = verify(&railhead, &["--report"], Some(7));
    assert_eq!(digests(&report), damaged, "all that was damaged, and nothing else");
    assert_eq!(report["strangers"].as_array().unwrap().len(), 1);
    for one in report["damaged"].as_array().unwrap() {
        assert_eq!(one["uses"][0]["repository"], REPOSITORY);
        assert_eq!(one["uses"][0]["tags"][0], "v1");
    }
    for layer in &layers {
        let answer = http.send("GET", &format!("/v2/{REPOSITORY}/blobs/{layer}"), &[], b"").unwrap();
        assert_eq!(answer.status, if damaged.contains(&layer.to_string()) { 404 } else { 200 }, "{layer}");
    }
    let metrics = http.send("GET", "/metrics", &[], b"").unwrap();
    let metrics = String::from_utf8(metrics.body).unwrap();
    assert!(metrics.contains(&format!("railhead_scrub_damaged_blobs {}", damaged.len())), "{metrics}");
    railhead.wait_for("the damage in the log", |log| log.find("a stored blob is damaged and is refused"));
    railhead.cli(["verify", "--known"]).refused(&["blobs are damaged"]);

    let healed = verify(&railhead, &[], Some(0));
    assert_eq!(digests(&healed), damaged);
    for one in healed["damaged"].as_array().unwrap() {
        assert!(one["healed_from"].as_str().unwrap().starts_with("the mirror http://127.0.0.1:"), "{one}");
    }
    pull(&http, &image);
    assert_eq!(digests(&verify(&railhead, &[REPOSITORY], Some(0))), BTreeSet::new());

    // On a stopped one, and a part of it.
    assert!(railhead.sigterm(), "SIGTERM must end the server with exit code 0");
    let damaged = damage(railhead.data(), &layers);
    assert_eq!(digests(&verify(&railhead, &["--report", "team"], Some(7))), damaged);
    let missing = damaged.first().unwrap();
    assert_eq!(digests(&verify(&railhead, &[missing], Some(0))).len(), 1);
    assert_eq!(verify(&railhead, &[], Some(0))["damaged"].as_array().unwrap().len(), damaged.len() - 1);
    railhead.cli(["verify", "sha256:0"]).refused(&["not a digest"]);
    railhead.cli(["verify", "nobody"]).refused(&["nobody"]);
    railhead.restart();
    let http = Http { address: railhead.address(), ..http };
    pull(&http, &image);
}

/// A configuration that heals from `mirror`, and does not scrub by itself, so that the test knows who finds what.
fn configure(directory: &Path, mirror: &Railhead, token: &str) -> String {
    let (file, secret) = (directory.join("railhead.toml"), directory.join("token"));
    fs::write(&secret, token).unwrap();
    let text = format!(
        "[scrub]\ndays = 0\nmirror = 'http://{}'\nmirror_user = 'olga'\nmirror_token_file = '{}'\n",
        mirror.address(),
        secret.display()
    );
    fs::write(&file, text).unwrap();
    file.display().to_string()
}

fn push(http: &Http, image: &Image) {
    for blob in std::iter::once(&image.config).chain(&image.layers) {
        let target = format!("/v2/{REPOSITORY}/blobs/uploads/?digest={}", Digest::sha256(blob));
        expect(&http.send("POST", &target, &[], blob).unwrap(), 201);
    }
    let target = format!("/v2/{REPOSITORY}/manifests/v1");
    expect(&http.send("PUT", &target, &[("Content-Type", MANIFEST)], &image.manifest()).unwrap(), 201);
}

fn pull(http: &Http, image: &Image) {
    for blob in std::iter::once(&image.config).chain(&image.layers) {
        let target = format!("/v2/{REPOSITORY}/blobs/{}", Digest::sha256(blob));
        let answer = http.send("GET", &target, &[], b"").unwrap();
        expect(&answer, 200);
        assert!(answer.body == *blob, "other bytes than were pushed");
    }
}

/// Flips a bit, cuts, removes, and swaps two; and adds a file that nobody knows. Which digests are damaged by that.
fn damage(data: &Path, layers: &[Digest]) -> BTreeSet<String> {
    let [flipped, cut, lost, one, other] = [0, 1, 2, 3, 4].map(|at| object(data, &layers[at]));
    let mut bytes = fs::read(&flipped).unwrap();
    bytes[1000] ^= 4;
    fs::write(&flipped, bytes).unwrap();
    let bytes = fs::read(&cut).unwrap();
    fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    fs::remove_file(&lost).unwrap();
    let aside = data.join("aside");
    fs::rename(&one, &aside).unwrap();
    fs::rename(&other, &one).unwrap();
    fs::rename(&aside, &other).unwrap();
    let stranger = Digest::sha256(b"stranger").hex();
    let directory = data.join("blobs/sha256").join(&stranger[..2]);
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join(format!("{stranger}.{}", "0f".repeat(16))), b"stranger").unwrap();
    layers[..5].iter().map(ToString::to_string).collect()
}

/// The file of a blob: the only one that begins with its digest.
fn object(data: &Path, digest: &Digest) -> PathBuf {
    let directory = data.join("blobs/sha256").join(&digest.hex()[..2]);
    let mut files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&digest.hex())).unwrap()
}

/// Runs `railhead verify` and reads its answer.
fn verify(railhead: &Railhead, arguments: &[&str], exit: Option<i32>) -> Value {
    let mut command = Command::new(binary());
    // Those of whoever runs the test are not for the product.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("RAILHEAD_")) {
        command.env_remove(name);
    }
    let output = command
        .args(["verify", "--output", "json", "--config"])
        .arg(railhead.data().with_file_name("railhead.toml"))
        .arg("--data")
        .arg(railhead.data())
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), exit, "verify {arguments:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn digests(report: &Value) -> BTreeSet<String> {
    let damaged = report["damaged"].as_array().unwrap().iter();
    damaged.map(|one| one["digest"].as_str().unwrap().to_owned()).collect()
}
