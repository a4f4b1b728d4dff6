//! Content to push: random layers, images, indexes.

use bytes::Bytes;
use railhead_oci::Digest;
use serde_json::{Value, json};

/// Bytes that look random and are the same for the same seed.
pub fn random_bytes(seed: u64, length: usize) -> Bytes {
    // SplitMix64: enough to be incompressible and distinct.
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bytes.extend_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

/// An image in parts.
#[derive(Clone, Debug)]
pub struct Image {
    /// The config blob.
    pub config: Bytes,
    /// The layers.
    pub layers: Vec<Bytes>,
    /// The manifest.
    pub manifest: Bytes,
    /// Its media type.
    pub media_type: &'static str,
}

impl Image {
    /// The manifest's digest.
    pub fn digest(&self) -> Digest {
        Digest::sha256(&self.manifest)
    }

    /// Config and layers.
    pub fn blobs(&self) -> impl Iterator<Item = &Bytes> {
        std::iter::once(&self.config).chain(&self.layers)
    }
}

/// An image with one layer of so many bytes, different for each seed; `extra` is merged into its manifest.
pub fn image(seed: u64, layer_bytes: usize, extra: Value) -> Image {
    let config = Bytes::from(
        json!({ "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": [] }, "seed": seed })
            .to_string(),
    );
    let layer = random_bytes(seed, layer_bytes);
    let mut manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &layer)],
    });
    if let (Some(fields), Value::Object(extra)) = (manifest.as_object_mut(), extra) {
        fields.extend(extra);
    }
    Image {
        config,
        layers: vec![layer],
        manifest: manifest.to_string().into(),
        media_type: "application/vnd.oci.image.manifest.v1+json",
    }
}

/// An index of these manifests.
pub fn index_of(children: &[(&str, &Bytes)]) -> Bytes {
    let manifests: Vec<Value> =
        children.iter().map(|(media_type, bytes)| descriptor(media_type, bytes)).collect();
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
    })
    .to_string()
    .into()
}

fn descriptor(media_type: &str, bytes: &Bytes) -> Value {
    json!({ "mediaType": media_type, "digest": Digest::sha256(bytes), "size": bytes.len() })
}
