//! Images on disk, in the forms that clients read and write: OCI image layouts and docker archives.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use railhead_oci::{Algorithm, Digest, Hasher};
use serde_json::{Value, json};

use crate::image::{INDEX, Image, LAYER, MANIFEST, descriptor, tar_header};
use crate::program::Program;

/// An OCI image layout (image-spec, *image-layout*) under construction.
pub struct Layout {
    directory: PathBuf,
    entries: Vec<Value>,
}

impl Layout {
    /// An empty layout in `directory`, which is made.
    pub fn create(directory: PathBuf) -> Self {
        fs::create_dir_all(directory.join("blobs/sha256")).unwrap();
        fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        Self { directory, entries: Vec::new() }
    }

    /// A layout in `directory` with `image` under the tag `latest`.
    pub fn of(directory: PathBuf, image: &Image) -> Self {
        let mut layout = Self::create(directory);
        let manifest = layout.image(image);
        layout.tag("latest", &manifest);
        layout
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Adds `content` and gives its descriptor.
    pub fn blob(&self, media_type: &str, content: &[u8]) -> Value {
        let described = descriptor(media_type, content);
        fs::write(self.path(&described), content).unwrap();
        described
    }

    /// Adds the blobs and the manifest of `image` and gives the manifest's descriptor, with its platform.
    pub fn image(&self, image: &Image) -> Value {
        for content in image.layers.iter().chain([&image.config]) {
            self.blob("", content);
        }
        let mut described = self.blob(MANIFEST, &image.manifest());
        let (os, architecture) = image.platform;
        described["platform"] = json!({"os": os, "architecture": architecture});
        described
    }

    /// Adds what `BuildKit` pushes for two platforms with provenance: an index of the images and of an attestation for each.
    pub fn buildkit_index(&self, images: &[Image]) -> Value {
        let described: Vec<Value> = images.iter().map(|image| self.image(image)).collect();
        let attestations = described.iter().map(|subject| {
            let mut attestation = self.image(&Image::attestation(subject));
            attestation["annotations"] = json!({
                "vnd.docker.reference.digest": subject["digest"],
                "vnd.docker.reference.type": "attestation-manifest",
            });
            attestation
        });
        let children: Vec<Value> = described.iter().cloned().chain(attestations).collect();
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children});
        self.blob(INDEX, index.to_string().as_bytes())
    }

    /// Adds an artifact of `layers`, which may have a `subject`, and gives its manifest's descriptor.
    pub fn artifact(&self, artifact_type: &str, layers: &[Value], subject: Option<&Value>) -> Value {
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": artifact_type,
            "config": self.blob("application/vnd.oci.empty.v1+json", b"{}"),
            "layers": layers,
        });
        if let Some(subject) = subject {
            manifest["subject"] = subject.clone();
        }
        self.blob(MANIFEST, manifest.to_string().as_bytes())
    }

    /// Adds a layer of `size` random bytes without ever holding it in memory, and gives its descriptor.
    pub fn big_layer(&self, random: &mut impl Read, size: u64) -> Value {
        let part = self.directory.join("big-layer");
        let mut to =
            Hashed { file: File::create(&part).unwrap(), hasher: Hasher::new(Algorithm::Sha256), size: 0 };
        to.write_all(&tar_header("big", size)).unwrap();
        let mut chunk = vec![0; 1 << 20];
        let mut left = size;
        while left > 0 {
            let length = chunk.len().min(usize::try_from(left).unwrap());
            random.read_exact(&mut chunk[..length]).unwrap();
            to.write_all(&chunk[..length]).unwrap();
            left -= length as u64;
        }
        let padding = size.next_multiple_of(512) - size + 1024;
        to.write_all(&vec![0; usize::try_from(padding).unwrap()]).unwrap();
        let described =
            json!({"mediaType": LAYER, "digest": to.hasher.finish().to_string(), "size": to.size});
        fs::rename(&part, self.path(&described)).unwrap();
        described
    }

    /// Gives `manifest` the tag `name` and writes `index.json`.
    pub fn tag(&mut self, name: &str, manifest: &Value) {
        let mut entry = manifest.clone();
        entry["annotations"] = json!({"org.opencontainers.image.ref.name": name});
        self.entries.push(entry);
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": self.entries});
        fs::write(self.directory.join("index.json"), index.to_string()).unwrap();
    }

    /// The layout as one tar archive, for clients that import that.
    pub fn archive(&self, to: &Path) {
        let here = self.directory.to_str().unwrap();
        Program::find("tar").run(["-C", here, "-cf", to.to_str().unwrap(), "."]).ok();
    }

    fn path(&self, described: &Value) -> PathBuf {
        let digest: Digest = described["digest"].as_str().unwrap().parse().unwrap();
        self.directory.join("blobs/sha256").join(digest.hex())
    }
}

struct Hashed {
    file: File,
    hasher: Hasher,
    size: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.file.write(bytes)?;
        self.hasher.update(&bytes[..length]);
        self.size += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Writes `image` as `docker save` does, under `reference`, to the tar file `to`.
pub fn docker_archive(image: &Image, reference: &str, to: &Path) {
    let scratch = tempfile::tempdir().unwrap();
    let config = format!("{}.json", Digest::sha256(&image.config).hex());
    fs::write(scratch.path().join(&config), &image.config).unwrap();
    let layers: Vec<String> = (0..image.layers.len()).map(|at| format!("{at}/layer.tar")).collect();
    for (name, layer) in layers.iter().zip(&image.layers) {
        let path = scratch.path().join(name);
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::write(path, layer).unwrap();
    }
    let manifest = json!([{"Config": config, "RepoTags": [reference], "Layers": layers}]);
    fs::write(scratch.path().join("manifest.json"), manifest.to_string()).unwrap();
    let here = scratch.path().to_str().unwrap();
    Program::find("tar").run(["-C", here, "-cf", to.to_str().unwrap(), "."]).ok();
}

/// The SHA-256 digest of every file below `directory`: what a client really holds, whatever form it keeps it in.
pub fn contents(directory: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.append(&mut contents(&path));
        } else if path.is_file() {
            found.insert(digest_of_file(&path));
        }
    }
    found
}

/// The SHA-256 digest of one file.
pub fn digest_of_file(path: &Path) -> String {
    let mut from = BufReader::new(File::open(path).unwrap());
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut chunk = vec![0; 1 << 20];
    loop {
        match from.read(&mut chunk).unwrap() {
            0 => return hasher.finish().to_string(),
            length => hasher.update(&chunk[..length]),
        }
    }
}

/// What is in the tar file `archive`, as [`contents`] gives it.
pub fn contents_of_archive(archive: &Path) -> BTreeSet<String> {
    let scratch = tempfile::tempdir().unwrap();
    let here = scratch.path().to_str().unwrap();
    Program::find("tar").run(["-C", here, "-xf", archive.to_str().unwrap()]).ok();
    contents(scratch.path())
}

/// The digests of the layers that `manifest` names in the layout `directory`, after zstd has unpacked them.
pub fn unpacked_layers(directory: &Path, manifest: &Value) -> Vec<String> {
    let scratch = tempfile::tempdir().unwrap();
    let layers = manifest["layers"].as_array().unwrap().iter().enumerate();
    let unpacked = layers.map(|(at, layer)| {
        let digest: Digest = layer["digest"].as_str().unwrap().parse().unwrap();
        let [from, to] =
            [directory.join("blobs/sha256").join(digest.hex()), scratch.path().join(at.to_string())];
        Program::find("zstd").run(["-qd".as_ref(), from.as_os_str(), "-o".as_ref(), to.as_os_str()]).ok();
        digest_of_file(&to)
    });
    unpacked.collect()
}
