//! Where an image was built from: what it says of it under `org.opencontainers.image.source`, as an annotation of its manifest
//! or else as a label of its configuration. A list is asked first, then the first image that it lists.
//!
//! Whoever pushes writes it, so it is shown only when it is an address of the web. What cannot be read says nothing.

use railhead_oci::{Digest, Manifest, ManifestKind, Reference, RepositoryName};
use serde::Deserialize;

use super::Api;

const KEY: &str = "org.opencontainers.image.source";
/// The largest configuration that is read, in bytes.
const CONFIG_MAX: u64 = 1 << 20;
/// The longest address that is shown, in bytes.
const ADDRESS_MAX: usize = 1000;

/// What an image's configuration says.
#[derive(Deserialize)]
struct Image {
    #[serde(default)]
    config: Option<Config>,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default, rename = "Labels")]
    labels: Option<std::collections::BTreeMap<String, String>>,
}

impl Api {
    /// The source of the image under `reference`.
    pub(super) async fn source(&self, name: &RepositoryName, reference: Reference) -> Option<String> {
        let manifest = self.read_manifest(name, reference).await?;
        let said = manifest.annotations.get(KEY).and_then(|said| address(said));
        let image = match (said, manifest.kind) {
            (Some(said), _) => return Some(said),
            (None, ManifestKind::Index) => {
                self.read_manifest(name, Reference::Digest(*manifest.children.first()?)).await?
            }
            (None, _) => manifest,
        };
        match image.annotations.get(KEY).and_then(|said| address(said)) {
            Some(said) => Some(said),
            // An image's configuration is what it needs first.
            None if image.kind == ManifestKind::Image => self.label(name, image.blobs.first()?).await,
            None => None,
        }
    }

    async fn read_manifest(&self, name: &RepositoryName, reference: Reference) -> Option<Manifest> {
        let found = self.registry.manifest(name, &reference).await.ok()?;
        Manifest::read(std::str::from_utf8(&found.media_type).ok(), &found.bytes).ok()
    }

    async fn label(&self, name: &RepositoryName, config: &Digest) -> Option<String> {
        let blob = self.registry.blob(name, config, self.access.now()).await.ok()?;
        if blob.size > CONFIG_MAX {
            return None;
        }
        let mut body = self.registry.read_blob(name, &blob, 0..blob.size).await.ok()?;
        let mut bytes = Vec::new();
        while let Some(piece) = std::future::poll_fn(|cx| body.poll_next(cx)).await {
            bytes.extend_from_slice(&piece.ok()?);
        }
        labelled(&bytes)
    }
}

fn labelled(config: &[u8]) -> Option<String> {
    let image: Image = serde_json::from_slice(config).ok()?;
    address(image.config?.labels?.get(KEY)?)
}

fn address(said: &str) -> Option<String> {
    let is_web = said.starts_with("https://") || said.starts_with("http://");
    let is_plain = said.bytes().all(|byte| byte.is_ascii_graphic());
    (is_web && is_plain && said.len() <= ADDRESS_MAX).then(|| said.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_an_address_of_the_web() {
        let label = |value: &str| {
            let config = serde_json::json!({ "config": { "Labels": { KEY: value } } });
            labelled(config.to_string().as_bytes())
        };
        let good = "https://git.example.com/team/app";
        assert_eq!(label(good).as_deref(), Some(good));
        let long = format!("https://{}", "x".repeat(ADDRESS_MAX));
        for wrong in ["", "team/app", "javascript:alert(1)", "https://a b", "https://a\u{1b}[2J", &long] {
            assert_eq!(label(wrong), None, "{wrong}");
        }
        for config in ["", "{}", "[]", r#"{"config":null}"#, r#"{"config":{"Labels":null}}"#] {
            assert_eq!(labelled(config.as_bytes()), None, "{config}");
        }
    }
}
