//! What can be told of content that nobody knows any more.
//!
//! A manifest is lost with the catalog, but an image's configuration is a blob: it tells what the image runs on, when it was
//! built, and often by its labels from which source.

use std::collections::BTreeMap;

use railhead_blobs::Store;
use railhead_oci::Digest;
use serde::{Deserialize, Serialize};

use super::remains::Present;
use crate::Result;

/// JSON that is longer is not looked into.
const JSON_MAX: u64 = 1 << 20;
/// As much of other content is looked at: the mark of a tar archive is within.
const HEAD: u64 = 512;
/// Letters of a label that are told.
const LABEL_MAX: usize = 200;
/// Labels that say what an image is (image-spec, *Pre-Defined Annotation Keys*). Others may hold anything.
const LABELS: [&str; 5] = [
    "org.opencontainers.image.title",
    "org.opencontainers.image.ref.name",
    "org.opencontainers.image.version",
    "org.opencontainers.image.revision",
    "org.opencontainers.image.source",
];

/// What content looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looks {
    /// An image's configuration.
    Configuration,
    /// A layer: a tar archive, packed or not.
    Layer,
    /// Neither.
    Other,
}

/// A configuration of an image whose manifest is lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LostImage {
    /// The digest of the configuration.
    pub digest: Digest,
    /// When the store wrote it.
    pub written: jiff::Timestamp,
    /// When it was built, as it says.
    pub created: Option<jiff::Timestamp>,
    /// What it runs on, as in `linux/amd64`.
    pub platform: String,
    /// How many layers it has.
    pub layers: usize,
    /// The labels that say what it is.
    pub labels: BTreeMap<String, String>,
}

/// An image's configuration (image-spec, *Image Configuration*), as far as it tells something here.
#[derive(Deserialize)]
struct Configuration {
    architecture: String,
    os: String,
    created: Option<String>,
    rootfs: Rootfs,
    config: Option<Inner>,
}

#[derive(Deserialize)]
struct Rootfs {
    diff_ids: Vec<String>,
}

#[derive(Default, Deserialize)]
struct Inner {
    #[serde(rename = "Labels")]
    labels: Option<BTreeMap<String, String>>,
}

/// Looks into an object.
pub(super) async fn look(
    store: &Store,
    digest: &Digest,
    present: &Present,
) -> Result<(Looks, Option<LostImage>)> {
    let whole = present.size <= JSON_MAX;
    let end = if whole { present.size } else { HEAD };
    let bytes = match store.read(&present.key, 0..end, present.size).await {
        Ok(reader) => match reader.collect().await {
            Ok(bytes) => bytes,
            Err(error) if error.damage().is_some() => return Ok((Looks::Other, None)),
            Err(error) => return Err(error.into()),
        },
        Err(error) if error.damage().is_some() => return Ok((Looks::Other, None)),
        Err(error) => return Err(error.into()),
    };
    if is_layer(&bytes) {
        return Ok((Looks::Layer, None));
    }
    let written = jiff::Timestamp::try_from(present.written).unwrap_or_default();
    let image = configuration(*digest, written, &bytes);
    Ok((if image.is_some() { Looks::Configuration } else { Looks::Other }, image))
}

fn is_layer(bytes: &[u8]) -> bool {
    let packed = [&[0x1f, 0x8b][..], &[0x28, 0xb5, 0x2f, 0xfd]].iter().any(|mark| bytes.starts_with(mark));
    packed || bytes.get(257..262) == Some(b"ustar")
}

fn configuration(digest: Digest, written: jiff::Timestamp, bytes: &[u8]) -> Option<LostImage> {
    let read: Configuration = serde_json::from_slice(bytes).ok()?;
    let labels = read.config.unwrap_or_default().labels.unwrap_or_default();
    let labels = labels
        .into_iter()
        .filter(|(name, _)| LABELS.contains(&name.as_str()))
        .map(|(name, text)| (name, text.chars().take(LABEL_MAX).collect()));
    Some(LostImage {
        digest,
        written,
        created: read.created.and_then(|created| created.parse().ok()),
        platform: format!("{}/{}", read.os, read.architecture).chars().take(LABEL_MAX).collect(),
        layers: read.rootfs.diff_ids.len(),
        labels: labels.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Option<LostImage> {
        configuration(Digest::sha256(bytes), jiff::Timestamp::UNIX_EPOCH, bytes)
    }

    #[test]
    fn a_configuration_tells_what_it_is_and_no_secret() {
        let image = read(
            br#"{"architecture":"arm64","os":"linux","created":"2026-05-19T10:00:00Z","rootfs":{"diff_ids":["sha256:x","y"]},
            "config":{"Env":["PASSWORD=hunter2"],"Labels":{"org.opencontainers.image.source":"https://git.example.com/a/b",
            "deploy.password":"hunter2"}}}"#,
        )
        .unwrap();
        let text = serde_json::to_string(&image).unwrap();
        assert!(text.contains("git.example.com/a/b") && !text.contains("hunter2"), "{text}");
        assert_eq!((image.platform.as_str(), image.layers), ("linux/arm64", 2));
        assert_eq!(image.created, Some("2026-05-19T10:00:00Z".parse().unwrap()));
        for other in ["", "{}", "[]", r#"{"os":"linux","architecture":"amd64"}"#] {
            assert_eq!(read(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn layers_are_known_by_their_marks() {
        let mut tar = vec![0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        for layer in [&tar[..], b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd\x00"] {
            assert!(is_layer(layer));
        }
        assert!(!is_layer(b"{}") && !is_layer(&[0; 512]));
    }
}
