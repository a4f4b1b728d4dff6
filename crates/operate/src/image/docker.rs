//! Reads the older form of `docker save`: `manifest.json`, a configuration, and layers as plain tar files.
//!
//! Such an archive has no manifest, so one is made. Its digest is not the one that `docker push` would make, because docker
//! compresses the layers.

use railhead_oci::media::{OCI_CONFIG, OCI_IMAGE, OCI_LAYER_GZIP};
use serde::Deserialize;
use serde_json::{Value, json};

use super::archive::{Files, ImageError};
use super::layout::platform_of;
use super::{Blob, Image, Manifest, Source};

const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

#[derive(Deserialize)]
struct Saved {
    #[serde(rename = "Config")]
    config: String,
    #[serde(rename = "RepoTags", default)]
    tags: Option<Vec<String>>,
    #[serde(rename = "Layers")]
    layers: Vec<String>,
}

pub(super) fn read(files: &Files, wanted: Option<&str>) -> Result<Image, ImageError> {
    let all: Vec<Saved> = files.json("manifest.json")?;
    let saved = choose(files, &all, wanted)?;
    let config_document: Value = files.json(&saved.config)?;
    let (mut blobs, mut layers): (Vec<Blob>, Vec<Value>) = (Vec::new(), Vec::new());
    for (number, name) in saved.layers.iter().enumerate() {
        let layer = files.blob(name, format!("layer {}", number + 1))?;
        let media_type = if is_gzip(&layer) { OCI_LAYER_GZIP } else { OCI_LAYER };
        layers.push(json!({ "mediaType": media_type, "digest": layer.digest, "size": layer.size }));
        if blobs.iter().all(|known| known.digest != layer.digest) {
            blobs.push(layer);
        }
    }
    let config = files.blob(&saved.config, "the configuration".to_owned())?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE,
        "config": { "mediaType": OCI_CONFIG, "digest": config.digest, "size": config.size },
        "layers": layers,
    });
    blobs.push(config);
    Ok(Image {
        source: Source::File { path: files.shown.clone() },
        blobs,
        manifests: vec![Manifest::new(OCI_IMAGE, manifest.to_string(), platform_of(&config_document))],
        notes: vec![
            "the archive has no manifest: one was made for its uncompressed layers, so the digest is not the one that \
             docker push makes"
                .to_owned(),
        ],
        scratch: files.scratch.clone(),
    })
}

fn choose<'a>(files: &Files, all: &'a [Saved], wanted: Option<&str>) -> Result<&'a Saved, ImageError> {
    let tags = |saved: &'a Saved| saved.tags.iter().flatten().map(String::as_str);
    let found = match (all, wanted) {
        ([one], _) => Some(one),
        (_, Some(wanted)) => all.iter().find(|saved| tags(saved).any(|tag| names(tag, wanted))),
        (_, None) => None,
    };
    found.ok_or_else(|| ImageError::Which {
        path: files.shown.clone(),
        names: all.iter().flat_map(tags).map(str::to_owned).collect(),
    })
}

/// Whether an archive's name is the one that a person gave, who may leave out the registry and `latest`.
pub(super) fn names(name: &str, wanted: &str) -> bool {
    if name == wanted {
        return true;
    }
    let has_tag = wanted.rsplit('/').next().is_some_and(|last| last.contains(':'));
    let wanted = if has_tag { wanted.to_owned() } else { format!("{wanted}:latest") };
    name == wanted || name.strip_suffix(&wanted).is_some_and(|before| before.ends_with('/'))
}

fn is_gzip(blob: &Blob) -> bool {
    let mut begin = [0; 2];
    let read = blob.open().and_then(|mut reader| reader.read_exact(&mut begin));
    read.is_ok() && begin == [0x1f, 0x8b]
}
