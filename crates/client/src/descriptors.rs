//! What a manifest names, with sizes and media types.

use railhead_oci::Digest;
use railhead_oci::media::is_foreign_layer;
use serde::Deserialize;

/// A descriptor (image-spec, *OCI Content Descriptors*), as far as it matters here.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Its media type; empty where none stands.
    #[serde(default)]
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    #[serde(default)]
    pub size: Option<u64>,
    #[serde(default)]
    urls: Vec<String>,
    /// What it runs on.
    #[serde(default)]
    pub platform: Option<Platform>,
}

/// What an image runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Platform {
    /// The operating system.
    #[serde(default)]
    pub os: String,
    /// The processor.
    #[serde(default)]
    pub architecture: String,
    /// Which of that.
    #[serde(default)]
    pub variant: Option<String>,
}

impl Platform {
    /// Whether it is `os/architecture` or `os/architecture/variant`.
    pub fn is(&self, text: &str) -> bool {
        let short = format!("{}/{}", self.os, self.architecture);
        text == short || self.variant.as_ref().is_some_and(|variant| text == format!("{short}/{variant}"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Option<Vec<Descriptor>>,
    #[serde(default)]
    blobs: Option<Vec<Descriptor>>,
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
    #[serde(default)]
    fs_layers: Option<Vec<FsLayer>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FsLayer {
    blob_sum: Digest,
}

/// What a manifest names.
#[derive(Clone, Debug, Default)]
pub struct Descriptors {
    /// Its configuration.
    pub config: Option<Descriptor>,
    /// Its layers, without those that are kept elsewhere.
    pub layers: Vec<Descriptor>,
    /// What it lists: manifests, or blobs of a build cache.
    pub children: Vec<Descriptor>,
}

impl Descriptors {
    /// Of a manifest; of a document of another kind, nothing.
    pub fn read(bytes: &[u8]) -> Self {
        let Ok(document) = serde_json::from_slice::<Document>(bytes) else { return Self::default() };
        let layers = document.layers.into_iter().chain(document.blobs).flatten();
        let layers = layers.filter(|layer| layer.urls.is_empty() && !is_foreign_layer(&layer.media_type));
        let old = document.fs_layers.into_iter().flatten().map(|layer| Descriptor {
            media_type: String::new(),
            digest: layer.blob_sum,
            size: None,
            urls: Vec::new(),
            platform: None,
        });
        Self {
            config: document.config,
            layers: layers.chain(old).collect(),
            children: document.manifests.unwrap_or_default(),
        }
    }

    /// Configuration and layers, each once.
    pub fn blobs(&self) -> Vec<Descriptor> {
        let mut blobs: Vec<Descriptor> = Vec::new();
        for blob in self.config.iter().chain(&self.layers) {
            if blobs.iter().all(|known| known.digest != blob.digest) {
                blobs.push(blob.clone());
            }
        }
        blobs
    }
}
