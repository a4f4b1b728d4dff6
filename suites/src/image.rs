//! Images made on the spot: random layers, a config that names them, and the manifest of both.
//!
//! Layers are plain tar archives, so that every client moves the same bytes: a layer's digest is its diff id.

use railhead_oci::Digest;
use serde_json::{Value, json};

use crate::random::Random;

/// Media type of an OCI image manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an OCI image index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of an OCI image config.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Media type of an OCI layer that is not compressed.
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// One image for one platform.
#[derive(Clone, Debug)]
pub struct Image {
    /// The platform's operating system and architecture.
    pub platform: (&'static str, &'static str),
    /// Its layers, each a tar archive of one file.
    pub layers: Vec<Vec<u8>>,
    /// Its config, which names the layers by digest.
    pub config: Vec<u8>,
}

impl Image {
    /// An image for linux/amd64 with `count` layers of about `size` bytes each.
    pub fn random(random: &mut Random, count: usize, size: usize) -> Self {
        Self::random_for(random, ("linux", "amd64"), count, size)
    }

    /// The same for any platform.
    pub fn random_for(
        random: &mut Random,
        platform: (&'static str, &'static str),
        count: usize,
        size: usize,
    ) -> Self {
        let layers: Vec<Vec<u8>> =
            (0..count).map(|at| tar(&format!("file-{at}"), &random.bytes(size))).collect();
        let diff_ids: Vec<String> = layers.iter().map(|layer| Digest::sha256(layer).to_string()).collect();
        let (os, architecture) = platform;
        let config = json!({
            "architecture": architecture,
            "os": os,
            "created": "2026-01-01T00:00:00Z",
            "config": {"Labels": {"seed": random.next().to_string()}},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": vec![json!({"created": "2026-01-01T00:00:00Z"}); count],
        });
        Self { platform, layers, config: config.to_string().into_bytes() }
    }

    /// A `BuildKit` attestation of the image whose manifest is `subject`: an in-toto statement as its only layer.
    pub fn attestation(subject: &Value) -> Self {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": "https://slsa.dev/provenance/v0.2",
            "subject": [{"name": "pkg:docker/app", "digest": {"sha256": hex(subject)}}],
            "predicate": {"builder": {"id": ""}, "buildType": "https://mobyproject.org/buildkit@v1"},
        });
        let layer = statement.to_string().into_bytes();
        let config = json!({
            "architecture": "unknown",
            "os": "unknown",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [Digest::sha256(&layer).to_string()]},
        });
        let config = config.to_string().into_bytes();
        Self { platform: ("unknown", "unknown"), layers: vec![layer], config }
    }

    /// Its manifest.
    pub fn manifest(&self) -> Vec<u8> {
        let attestation = self.platform.0 == "unknown";
        let layers: Vec<Value> =
            self.layers.iter().map(|layer| layer_descriptor(layer, attestation)).collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG, &self.config),
            "layers": layers,
        });
        manifest.to_string().into_bytes()
    }

    /// Digests of the config and of the layers.
    pub fn content(&self) -> Vec<String> {
        let blobs = std::iter::once(&self.config).chain(&self.layers);
        blobs.map(|blob| Digest::sha256(blob).to_string()).collect()
    }
}

fn layer_descriptor(layer: &[u8], attestation: bool) -> Value {
    if !attestation {
        return descriptor(LAYER, layer);
    }
    let mut described = descriptor("application/vnd.in-toto+json", layer);
    described["annotations"] = json!({"in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2"});
    described
}

/// The descriptor of `content`.
pub fn descriptor(media_type: &str, content: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": Digest::sha256(content).to_string(), "size": content.len()})
}

fn hex(descriptor: &Value) -> &str {
    descriptor["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:")).unwrap()
}

/// A tar archive (ustar) with one file.
pub fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut archive = tar_header(name, content.len() as u64).to_vec();
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(512) + 1024, 0);
    archive
}

/// The header of a file of `size` bytes in a tar archive (ustar).
pub fn tar_header(name: &str, size: u64) -> [u8; 512] {
    let mut header = [0; 512];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{size:011o}\0"));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}
