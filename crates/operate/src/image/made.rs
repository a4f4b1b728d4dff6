//! An image made on the spot: it runs on two platforms, and one of its layers never was anywhere, so that no cache on the
//! way can answer for the registry.

use jiff::Timestamp;
use railhead_oci::media::{OCI_CONFIG, OCI_EMPTY, OCI_IMAGE, OCI_INDEX};
use serde_json::{Value, json};

use super::elf::{Machine, program};
use super::{Blob, Image, Manifest, Source};

/// Bytes of the layer that never was anywhere.
const RANDOM: usize = 64 << 10;
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// What the manifest that refers to the image is called.
pub const REFERRER: &str = "application/vnd.railhead.proof.v1+json";

impl Image {
    /// A new image. `id` is hexadecimal and not used before; `random` fills the layer.
    pub fn made(id: &str, random: &[u8]) -> std::io::Result<Self> {
        let now = Timestamp::now().to_string();
        let filler = Blob::memory("the random layer", tar("railhead-proof.random", 0o644, random)?);
        let (mut blobs, mut manifests) = (vec![filler.clone()], Vec::new());
        for machine in Machine::ALL {
            let word = machine.word();
            let line = format!("railhead proof {id}\n");
            let layer = tar("railhead-proof", 0o755, &program(machine, &line))?;
            let layer = Blob::memory(format!("the program for {word}"), layer);
            let config = json!({
                "created": now,
                "architecture": word,
                "os": "linux",
                "config": { "Entrypoint": ["/railhead-proof"], "Labels": labels(id) },
                "rootfs": { "type": "layers", "diff_ids": [layer.digest, filler.digest] },
                "history": [
                    { "created": now, "created_by": "railhead prove (program)" },
                    { "created": now, "created_by": "railhead prove (random bytes)" },
                ],
            });
            let config = Blob::memory(format!("the configuration for {word}"), config.to_string());
            let manifest = json!({
                "schemaVersion": 2,
                "mediaType": OCI_IMAGE,
                "config": descriptor(OCI_CONFIG, &config),
                "layers": [descriptor(LAYER, &layer), descriptor(LAYER, &filler)],
            });
            blobs.extend([layer, config]);
            manifests.push(Manifest::new(OCI_IMAGE, manifest.to_string(), Some(format!("linux/{word}"))));
        }
        manifests.push(index(id, &manifests));
        let source = Source::Made { id: id.to_owned() };
        Ok(Self { source, blobs, manifests, notes: Vec::new(), scratch: None })
    }
}

/// Random bytes for [`Image::made`], and an id.
pub fn random() -> Result<(String, Vec<u8>), getrandom::Error> {
    let (mut id, mut bytes) = ([0; 4], vec![0; RANDOM]);
    getrandom::fill(&mut id)?;
    getrandom::fill(&mut bytes)?;
    Ok((format!("{:08x}", u32::from_be_bytes(id)), bytes))
}

fn labels(id: &str) -> Value {
    json!({
        "org.opencontainers.image.title": "railhead-proof",
        "org.opencontainers.image.description": "Made by railhead prove; may be deleted",
        "org.opencontainers.image.version": id,
    })
}

fn descriptor(media_type: &str, blob: &Blob) -> Value {
    json!({ "mediaType": media_type, "digest": blob.digest, "size": blob.size })
}

fn index(id: &str, manifests: &[Manifest]) -> Manifest {
    let entries: Vec<Value> = manifests
        .iter()
        .map(|manifest| {
            let platform = manifest.platform.as_deref().unwrap_or_default();
            let (os, architecture) = platform.split_once('/').unwrap_or((platform, ""));
            json!({
                "mediaType": manifest.media_type,
                "digest": manifest.digest,
                "size": manifest.bytes.len(),
                "platform": { "os": os, "architecture": architecture },
            })
        })
        .collect();
    let index = json!({
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": entries,
        "annotations": labels(id),
    });
    Manifest::new(OCI_INDEX, index.to_string(), None)
}

/// A manifest that refers to `subject`, and its two blobs (image-spec, *Guidelines for Artifact Usage*).
pub fn referrer(subject: &Manifest, id: &str) -> (Manifest, [Blob; 2]) {
    let config = Blob::memory("the empty configuration", "{}");
    let statement = json!({ "proof": id, "subject": subject.digest });
    let layer = Blob::memory("the referrer's statement", statement.to_string());
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE,
        "artifactType": REFERRER,
        "config": descriptor(OCI_EMPTY, &config),
        "layers": [descriptor(REFERRER, &layer)],
        "subject": {
            "mediaType": subject.media_type,
            "digest": subject.digest,
            "size": subject.bytes.len(),
        },
    });
    (Manifest::new(OCI_IMAGE, manifest.to_string(), None), [config, layer])
}

/// An archive with one file.
fn tar(name: &str, mode: u32, content: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_entry_type(tar::EntryType::Regular);
    let mut archive = tar::Builder::new(Vec::with_capacity(content.len() + 4096));
    archive.append_data(&mut header, name, content)?;
    archive.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_image_names_all_that_it_has() {
        let image = Image::made("0011aabb", &[7; 100]).unwrap();
        assert_eq!(image.platforms(), ["linux/amd64", "linux/arm64"]);
        assert_eq!(image.blobs.len(), 5);
        let root: Value = serde_json::from_slice(&image.root().unwrap().bytes).unwrap();
        for (entry, manifest) in root["manifests"].as_array().unwrap().iter().zip(&image.manifests) {
            assert_eq!(entry["digest"], manifest.digest.to_string());
            let manifest: Value = serde_json::from_slice(&manifest.bytes).unwrap();
            let layers = manifest["layers"].as_array().unwrap().iter().chain([&manifest["config"]]);
            for named in layers {
                let blob = image.blobs.iter().find(|blob| named["digest"] == blob.digest.to_string());
                assert_eq!(named["size"], blob.unwrap().size);
            }
        }
        let other = Image::made("0011aabc", &[8; 100]).unwrap();
        assert!(image.blobs.iter().all(|one| other.blobs.iter().all(|two| one.digest != two.digest)));
    }
}
