//! Images of every kind, pushed as they are, and everything that is served of them.

use std::collections::BTreeMap;

use railhead_oci::Digest;
use railhead_suites::Random;
use railhead_suites::http::Http;
use railhead_suites::image::{INDEX, Image, MANIFEST, descriptor};
use serde_json::{Value, json};

/// What is there, by repository and reference.
pub type Served = BTreeMap<(String, String), Vec<u8>>;

/// Pushes into the repositories of one registry, and remembers what.
pub struct Pusher<'a> {
    pub http: &'a Http,
    pub served: Served,
}

impl<'a> Pusher<'a> {
    pub fn new(http: &'a Http) -> Self {
        Self { http, served: Served::new() }
    }

    pub fn blob(&self, repository: &str, content: &[u8]) {
        let path = format!("/v2/{repository}/blobs/uploads/?digest={}", Digest::sha256(content));
        let fields = [("Content-Type", "application/octet-stream")];
        let answer = self.http.send("POST", &path, &fields, content).unwrap();
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    }

    /// Under a tag, or by its digest.
    pub fn manifest(&mut self, repository: &str, tag: Option<&str>, kind: &str, content: &[u8]) -> Value {
        let digest = Digest::sha256(content).to_string();
        let reference = tag.unwrap_or(&digest);
        let path = format!("/v2/{repository}/manifests/{reference}");
        let answer = self.http.send("PUT", &path, &[("Content-Type", kind)], content).unwrap();
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
        for reference in [reference, &digest] {
            self.served.insert((repository.to_owned(), reference.to_owned()), content.to_vec());
        }
        descriptor(kind, content)
    }

    pub fn image(&mut self, repository: &str, tag: Option<&str>, image: &Image) -> Value {
        for blob in std::iter::once(&image.config).chain(&image.layers) {
            self.blob(repository, blob);
        }
        self.manifest(repository, tag, MANIFEST, &image.manifest())
    }

    /// Two platforms with an attestation each, as `BuildKit` pushes them.
    pub fn platforms(&mut self, repository: &str, tag: &str, random: &mut Random) -> Value {
        let mut children = Vec::new();
        for platform in [("linux", "amd64"), ("linux", "arm64")] {
            let mut image = self.image(repository, None, &Image::random_for(random, platform, 2, 20_000));
            image["platform"] = json!({"os": platform.0, "architecture": platform.1});
            let mut attestation = self.image(repository, None, &Image::attestation(&image));
            attestation["platform"] = json!({"os": "unknown", "architecture": "unknown"});
            attestation["annotations"] = json!({"vnd.docker.reference.digest": image["digest"]});
            children.extend([image, attestation]);
        }
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children});
        self.manifest(repository, Some(tag), INDEX, index.to_string().as_bytes())
    }

    /// Something about `subject`, pushed by its digest.
    pub fn referrer(&mut self, repository: &str, subject: &Value, kind: &str) -> Value {
        let (empty, text) = (b"{}".as_slice(), format!("{kind} of {}", subject["digest"]));
        self.blob(repository, empty);
        self.blob(repository, text.as_bytes());
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": kind,
            "config": descriptor("application/vnd.oci.empty.v1+json", empty),
            "layers": [descriptor("text/plain", text.as_bytes())],
            "subject": subject, "annotations": {"made": "by the test"},
        });
        let mut pushed = self.manifest(repository, None, MANIFEST, manifest.to_string().as_bytes());
        pushed["artifactType"] = kind.into();
        pushed
    }

    /// The list of referrers that clients keep where the registry does not.
    pub fn fallback(&mut self, repository: &str, subject: &Value, referrers: &[Value]) {
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": referrers});
        let tag = subject["digest"].as_str().unwrap().replace(':', "-");
        self.manifest(repository, Some(&tag), INDEX, index.to_string().as_bytes());
    }

    /// A signature as cosign keeps it: an image under a tag that names what it signs.
    pub fn signature(&mut self, repository: &str, subject: &Value, random: &mut Random) {
        let tag = format!("{}.sig", subject["digest"].as_str().unwrap().replace(':', "-"));
        self.image(repository, Some(&tag), &Image::random(random, 1, 300));
    }
}

/// Everything is served as it was pushed, by tag and by digest, with every blob.
#[track_caller]
pub fn is_served(http: &Http, served: &Served) {
    let get = |path: &str| http.send("GET", path, &[("Accept", "*/*")], b"").unwrap();
    for ((repository, reference), content) in served {
        let answer = get(&format!("/v2/{repository}/manifests/{reference}"));
        assert_eq!((answer.status, &answer.body), (200, content), "{repository} {reference}");
        let facts = railhead_oci::Manifest::read(answer.header("content-type"), content).unwrap();
        for digest in facts.blobs {
            let blob = get(&format!("/v2/{repository}/blobs/{digest}"));
            assert_eq!((blob.status, Digest::sha256(&blob.body)), (200, digest), "{repository} {digest}");
        }
    }
}
