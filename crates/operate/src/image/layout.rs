//! Reads an OCI layout (image-spec, *Image Layout*), as it is, so that digests stay what they are.
//!
//! What docker saves of an image with many platforms names platforms that are not in the archive; then those that are in
//! it are taken.

use railhead_oci::Digest;
use railhead_oci::media::OCI_INDEX;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::archive::{Files, ImageError};
use super::docker::names;
use super::{Image, Manifest, Source};

/// How deep an index may lie in an index.
const DEPTH_MAX: usize = 4;

#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: Digest,
    size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    platform: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    annotations: Option<Value>,
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(default)]
    media_type: String,
    manifests: Option<Vec<Descriptor>>,
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
}

pub(super) fn read(files: &Files, wanted: Option<&str>) -> Result<Image, ImageError> {
    let index: Index = files.json("index.json")?;
    let chosen = choose(files, &index.manifests, wanted)?;
    let mut image = Image {
        source: Source::File { path: files.shown.clone() },
        blobs: Vec::new(),
        manifests: Vec::new(),
        notes: Vec::new(),
        scratch: files.scratch.clone(),
    };
    take(files, &mut image, chosen, 0)?;
    Ok(image)
}

fn choose<'a>(
    files: &Files,
    all: &'a [Descriptor],
    wanted: Option<&str>,
) -> Result<&'a Descriptor, ImageError> {
    let names_of = |descriptor: &'a Descriptor| {
        let keys = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];
        let annotations = descriptor.annotations.as_ref();
        keys.into_iter().filter_map(move |key| annotations?.get(key)?.as_str())
    };
    let found = match (all, wanted) {
        ([one], _) => Some(one),
        (_, Some(wanted)) => all.iter().find(|one| names_of(one).any(|name| names(name, wanted))),
        (_, None) => None,
    };
    found.ok_or_else(|| ImageError::Which {
        path: files.shown.clone(),
        names: all
            .iter()
            .map(|one| names_of(one).next().map_or(one.digest.to_string(), str::to_owned))
            .collect(),
    })
}

fn path_of(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().name(), digest.hex())
}

/// Takes a manifest and all below it into the image.
fn take(files: &Files, image: &mut Image, descriptor: &Descriptor, depth: usize) -> Result<(), ImageError> {
    if image.manifests.iter().any(|known| known.digest == descriptor.digest) {
        return Ok(());
    }
    let damaged = |what: String| ImageError::Damaged { path: files.shown.clone(), what };
    let name = path_of(&descriptor.digest);
    let bytes = files.document(&name)?;
    if Digest::of(descriptor.digest.algorithm(), &bytes) != descriptor.digest {
        return Err(damaged(format!("{name} has another digest")));
    }
    let document: Document = files.json(&name)?;
    let declared = [&document.media_type, &descriptor.media_type].into_iter().find(|kind| !kind.is_empty());
    let media_type = declared.cloned().unwrap_or_else(|| OCI_INDEX.to_owned());
    let Some(children) = document.manifests else {
        for (number, layer) in document.layers.iter().enumerate() {
            take_blob(files, image, layer, format!("layer {}", number + 1))?;
        }
        let mut platform = descriptor.platform.as_ref().and_then(platform_of);
        if let Some(config) = &document.config {
            take_blob(files, image, config, "the configuration".to_owned())?;
            if platform.is_none() {
                platform = files.json::<Value>(&path_of(&config.digest)).ok().and_then(|of| platform_of(&of));
            }
        }
        image.manifests.push(Manifest::new(media_type, bytes, platform));
        return Ok(());
    };
    if depth > DEPTH_MAX {
        return Err(damaged("its indexes lie too deep in each other".to_owned()));
    }
    let (there, absent): (Vec<_>, Vec<_>) =
        children.into_iter().partition(|child| files.has(&path_of(&child.digest)));
    for child in &there {
        take(files, image, child, depth + 1)?;
    }
    match there.as_slice() {
        [] => return Err(damaged(format!("nothing that {name} names is in it"))),
        _ if absent.is_empty() => image.manifests.push(Manifest::new(media_type, bytes, None)),
        [_] => {}
        _ => {
            let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": there });
            image.manifests.push(Manifest::new(OCI_INDEX, index.to_string(), None));
        }
    }
    if !absent.is_empty() {
        image.notes.push(format!(
            "{} of the {} manifests that the image names are not in the archive, so the digest is not that of the index",
            absent.len(),
            absent.len() + there.len()
        ));
    }
    Ok(())
}

fn take_blob(files: &Files, image: &mut Image, named: &Descriptor, what: String) -> Result<(), ImageError> {
    if image.blobs.iter().any(|known| known.digest == named.digest) {
        return Ok(());
    }
    let damaged = |what: String| ImageError::Damaged { path: files.shown.clone(), what };
    let mut blob = files.blob(&path_of(&named.digest), what)?;
    let is_sha256 = named.digest.algorithm() == blob.digest.algorithm();
    if blob.size != named.size || is_sha256 && blob.digest != named.digest {
        return Err(damaged(format!("{} is not what its digest and size say", path_of(&named.digest))));
    }
    blob.digest = named.digest;
    image.blobs.push(blob);
    Ok(())
}

/// `linux/arm64/v8`; none when it is not known, as of an attestation.
pub(crate) fn platform_of(platform: &Value) -> Option<String> {
    let text = |name: &str| platform.get(name)?.as_str().filter(|text| !text.is_empty());
    let (os, architecture) = (text("os")?, text("architecture")?);
    if os == "unknown" {
        return None;
    }
    Some(
        text("variant").map_or_else(
            || format!("{os}/{architecture}"),
            |variant| format!("{os}/{architecture}/{variant}"),
        ),
    )
}
