//! A registry with images, and everything that it serves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use railhead_oci::Digest;
use railhead_suites::http::Http;
use railhead_suites::image::{Image, MANIFEST};
use railhead_suites::program::Outcome;
use railhead_suites::railhead::{Options, program};
use railhead_suites::registry::{TEAM, WRITER};
use railhead_suites::{Railhead, Random};
use serde_json::Value;
use tempfile::TempDir;

/// A repository of the tests.
pub fn repository(at: usize) -> String {
    format!("{TEAM}/app-{at}")
}

/// How many repositories the tests have.
pub const REPOSITORIES: usize = 8;

/// A server, its token, and a directory for what the test needs besides.
pub struct World {
    pub railhead: Railhead,
    pub token: String,
    pub scratch: TempDir,
}

impl World {
    /// A server with accounts and no images.
    pub fn start() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let railhead = Railhead::start(scratch.path(), Options::default());
        railhead.user(WRITER, "correct horse battery staple");
        railhead.organisation(TEAM, &[(WRITER, "writer")]);
        let token = railhead.token(WRITER, &["pull", "push"]);
        Self { railhead, token, scratch }
    }

    /// The same with `count` images of `size` bytes in each repository.
    pub fn filled(count: usize, size: usize) -> Self {
        let world = Self::start();
        let mut random = Random::new(7);
        let http = world.login();
        for at in 0..REPOSITORIES {
            for tag in 0..count {
                push(&http, &repository(at), &format!("t{tag}"), &Image::random(&mut random, 2, size / 2));
            }
        }
        world
    }

    pub fn login(&self) -> Http {
        login(&self.railhead, &self.token)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// `railhead backup …`, with its evidence in the scratch directory.
    pub fn back_up(&self, words: &[&str]) -> Outcome {
        railhead(self.railhead.data(), self.scratch.path(), &[&["backup"], words].concat())
    }
}

/// Runs the command line on a data directory; what it writes beside goes into `home`.
pub fn railhead(data: &Path, home: &Path, words: &[&str]) -> Outcome {
    let config = home.join("railhead.toml");
    if !config.exists() {
        std::fs::write(&config, "[site]\nevidence = \"evidence\"\n").unwrap();
    }
    program(data).with("RAILHEAD_CONFIG", &config).run(words)
}

pub fn login(railhead: &Railhead, token: &str) -> Http {
    let scopes: Vec<String> =
        (0..REPOSITORIES).map(|at| format!("repository:{}:pull,push", repository(at))).collect();
    Http::login(railhead.address(), WRITER, token, &scopes).unwrap()
}

/// Pushes an image; the digest of its manifest.
pub fn push(http: &Http, repository: &str, tag: &str, image: &Image) -> Digest {
    for content in image.layers.iter().chain([&image.config]) {
        let digest = Digest::sha256(content);
        let target = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        let fields = [("Content-Type", "application/octet-stream")];
        let answer = http.send("POST", &target, &fields, content).unwrap();
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    }
    let manifest = image.manifest();
    let target = format!("/v2/{repository}/manifests/{tag}");
    let answer = http.send("PUT", &target, &[("Content-Type", MANIFEST)], &manifest).unwrap();
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    Digest::sha256(&manifest)
}

/// Every tag of every repository with its digest; and every manifest and blob behind it is there, byte for byte.
pub fn everything(http: &Http) -> BTreeMap<String, Digest> {
    let mut all = BTreeMap::new();
    for at in 0..REPOSITORIES {
        let repository = repository(at);
        let answer = http.send("GET", &format!("/v2/{repository}/tags/list?n=10000"), &[], b"").unwrap();
        let list: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        for tag in list["tags"].as_array().into_iter().flatten() {
            let tag = tag.as_str().unwrap();
            let (digest, manifest) = manifest(http, &repository, tag);
            let named = manifest["layers"].as_array().unwrap().iter().chain([&manifest["config"]]);
            for blob in named {
                let expected = blob["digest"].as_str().unwrap();
                let target = format!("/v2/{repository}/blobs/{expected}");
                let answer = http.send("GET", &target, &[], b"").unwrap();
                assert_eq!(answer.status, 200, "{target}");
                assert_eq!(Digest::sha256(&answer.body).to_string(), expected);
            }
            all.insert(format!("{repository}:{tag}"), digest);
        }
    }
    all
}

fn manifest(http: &Http, repository: &str, reference: &str) -> (Digest, Value) {
    let target = format!("/v2/{repository}/manifests/{reference}");
    let answer = http.send("GET", &target, &[("Accept", MANIFEST)], b"").unwrap();
    assert_eq!(answer.status, 200, "{target}");
    (Digest::sha256(&answer.body), serde_json::from_slice(&answer.body).unwrap())
}

/// The answer of a command with `--output json`.
pub fn json(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome}"))
}

/// A server on what was restored into `home`'s data directory.
pub fn serve(home: &Path) -> Railhead {
    Railhead::start(home, Options::default())
}
