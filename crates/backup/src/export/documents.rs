//! The documents of the archive. Names are written as each of the programs that import it looks for them.

use railhead_client::Descriptors;
use railhead_oci::media::{DOCKER_CONFIG, OCI_CONFIG};
use railhead_oci::{Digest, Reference};
use serde_json::{Value, json};

use super::{Content, Image, Wanted};

pub(super) const LAYOUT: &str = "{\"imageLayoutVersion\":\"1.0.0\"}";
/// The platform of docker's document when an image has several: docker knows only one.
const USUAL: [&str; 2] = ["linux", "amd64"];

pub(super) fn path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().name(), digest.hex())
}

/// What nodes know an image by.
pub(super) fn name(wanted: &Wanted) -> String {
    match &wanted.reference {
        Reference::Tag(tag) => format!("{}:{tag}", wanted.name),
        Reference::Digest(digest) => format!("{}@{digest}", wanted.name),
    }
}

/// `index.json`: containerd takes the name from its own annotation, others from the one of the image-spec.
pub(super) fn index(images: &[Image<'_>], content: &Content) -> Vec<u8> {
    let manifests: Vec<Value> = images
        .iter()
        .map(|image| {
            let name = name(image.wanted);
            let size = content.manifests.get(&image.digest).map_or(0, |(_, bytes)| bytes.len());
            let reference = image.wanted.reference.to_string();
            let single = images.len() == 1;
            json!({
                "mediaType": image.media_type,
                "digest": image.digest,
                "size": size,
                "annotations": {
                    "io.containerd.image.name": name,
                    // One image is found by its tag; among several only the whole name tells which.
                    "org.opencontainers.image.ref.name": if single { reference } else { name.clone() },
                },
            })
        })
        .collect();
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
    });
    index.to_string().into_bytes()
}

/// `manifest.json`, as `docker save` writes it.
pub(super) fn docker(images: &[Image<'_>], content: &Content) -> Vec<u8> {
    let entries: Vec<Value> = images.iter().filter_map(|image| entry(image, content)).collect();
    Value::from(entries).to_string().into_bytes()
}

fn entry(image: &Image<'_>, content: &Content) -> Option<Value> {
    let named = chosen(&image.digest, content, 0)?;
    let config = named.config.as_ref()?;
    // A chart or another artifact is nothing that docker could load.
    if ![OCI_CONFIG, DOCKER_CONFIG].contains(&config.media_type.as_str()) {
        return None;
    }
    let tags = match &image.wanted.reference {
        Reference::Tag(_) => json!([name(image.wanted)]),
        Reference::Digest(_) => Value::Null,
    };
    let layers: Vec<String> = named.layers.iter().map(|layer| path(&layer.digest)).collect();
    Some(json!({ "Config": path(&config.digest), "RepoTags": tags, "Layers": layers }))
}

/// The image itself, or of an index the one for the usual platform, or else the first.
fn chosen(digest: &Digest, content: &Content, depth: usize) -> Option<Descriptors> {
    let (_, bytes) = content.manifests.get(digest)?;
    let named = Descriptors::read(bytes);
    if named.children.is_empty() || depth > 4 {
        return Some(named);
    }
    let usual = named.children.iter().find(|child| {
        child.platform.as_ref().is_some_and(|on| [on.os.as_str(), on.architecture.as_str()] == USUAL)
    });
    chosen(&usual.or(named.children.first())?.digest, content, depth + 1)
}
