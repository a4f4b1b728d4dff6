//! Bytes to push: random, so that nothing compresses or deduplicates them, and made again from a seed, so that
//! gigabytes of layers need no memory.

use sha2::{Digest as _, Sha256};

/// Bytes in one write of a client, as docker copies them.
pub const WRITE: usize = 32 << 10;

/// A stream of random words (`SplitMix64`): a nanosecond for 8 bytes, far cheaper than what is measured.
pub struct Stream {
    state: u64,
}

impl Stream {
    /// Fills `buffer`, whose length is a multiple of eight.
    pub fn fill(&mut self, buffer: &mut [u8]) {
        for word in buffer.chunks_exact_mut(8) {
            self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
        }
    }
}

/// A layer that can be made again and again.
#[derive(Clone, Debug)]
pub struct Layer {
    seed: u64,
    /// Length in bytes, a multiple of eight.
    pub length: usize,
    /// `sha256:…` of its bytes.
    pub digest: String,
}

impl Layer {
    /// The layer number `number` of `length` bytes; numbers and lengths that differ give other bytes.
    pub fn new(number: u64, length: usize) -> Self {
        let seed = number.wrapping_mul(0xd134_2543_de82_ef95) ^ ((length as u64) << 24);
        let mut layer = Self { seed, length, digest: String::new() };
        let mut hash = Sha256::new();
        let mut buffer = vec![0; WRITE];
        let mut stream = layer.stream();
        let mut left = length;
        while left > 0 {
            let part = &mut buffer[..left.min(WRITE)];
            stream.fill(part);
            hash.update(&*part);
            left -= part.len();
        }
        layer.digest = name(hash);
        layer
    }

    /// Its bytes from the beginning.
    pub fn stream(&self) -> Stream {
        Stream { state: self.seed }
    }

    /// All its bytes at once.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.length];
        self.stream().fill(&mut bytes);
        bytes
    }
}

/// `sha256:…` of `bytes`.
pub fn digest(bytes: &[u8]) -> String {
    name(Sha256::new_with_prefix(bytes))
}

/// A finished hash as a digest.
pub fn name(hash: Sha256) -> String {
    use std::fmt::Write as _;
    hash.finalize().iter().fold(String::from("sha256:"), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// An image of one layer: its parts, ready to push.
pub struct Image {
    /// The configuration's bytes.
    pub config: Vec<u8>,
    /// The only layer's bytes.
    pub layer: Vec<u8>,
    /// The manifest's bytes.
    pub manifest: Vec<u8>,
}

/// Media type of the manifests pushed here.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Length of those manifests: 1 KiB, the length of the file that nginx serves beside them.
pub const MANIFEST_LENGTH: usize = 1024;

impl Image {
    /// The image number `number`, with a layer of 1 KiB.
    pub fn new(number: u64) -> Self {
        let layer = Layer::new(number, 1024).bytes();
        let config = format!(
            r#"{{"architecture":"amd64","os":"linux","config":{{"Env":["BENCH={number}"]}},"rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
            digest(&layer)
        )
        .into_bytes();
        let mut image = Self { config, layer, manifest: Vec::new() };
        image.manifest = image.annotated(number);
        image
    }

    /// A manifest of [`MANIFEST_LENGTH`] bytes with the same parts and an annotation of its own.
    pub fn annotated(&self, number: u64) -> Vec<u8> {
        let mut manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"{}","size":{}}}],"annotations":{{"bench.number":"{number}","bench.filler":""#,
            digest(&self.config),
            self.config.len(),
            digest(&self.layer),
            self.layer.len()
        )
        .into_bytes();
        let end = b"\"}}";
        manifest.resize(MANIFEST_LENGTH - end.len(), b'.');
        manifest.extend_from_slice(end);
        manifest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_is_the_same_in_pieces_and_at_once() {
        let layer = Layer::new(7, (32 << 10) + 8);
        assert_eq!(layer.digest, digest(&layer.bytes()));
        assert_ne!(layer.digest, Layer::new(8, layer.length).digest);
    }

    #[test]
    fn an_annotated_manifest_is_json_of_one_length_with_another_annotation() {
        let image = Image::new(3);
        let other: serde_json::Value = serde_json::from_slice(&image.annotated(12)).unwrap();
        assert_eq!(other["annotations"]["bench.number"], "12");
        assert_eq!(image.annotated(12).len(), MANIFEST_LENGTH);
        assert_eq!(other["layers"][0]["size"], 1024);
    }
}
