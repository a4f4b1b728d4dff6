//! Images as they are pushed: blobs, and manifests that name them, children before parents.
//!
//! An image is made on the spot ([`Image::made`]) or read out of an archive or a layout ([`read`]). Content stays where
//! it is, in memory or in the file, and is read once a push.

mod archive;
mod docker;
pub mod elf;
mod layout;
mod made;
mod programs;

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use railhead_oci::{Algorithm, Digest, Hasher};
use serde::{Deserialize, Serialize};

pub use archive::{ImageError, read};
pub(crate) use layout::platform_of;
pub use made::{random, referrer};
pub use programs::from_program;

/// Where content is.
#[derive(Clone, Debug)]
pub enum Content {
    /// In memory.
    Memory(Bytes),
    /// In a part of a file.
    Part {
        /// The file.
        file: Arc<PathBuf>,
        /// Where the part begins.
        offset: u64,
    },
}

/// A blob to push.
#[derive(Clone, Debug)]
pub struct Blob {
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// What it is, for a person.
    pub what: String,
    /// Where it is.
    pub content: Content,
}

impl Blob {
    /// A blob in memory.
    pub(crate) fn memory(what: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let (digest, size) = (Digest::sha256(&bytes), bytes.len() as u64);
        Self { digest, size, what: what.into(), content: Content::Memory(bytes) }
    }

    /// A part of a file, hashed now.
    pub(crate) fn part(
        what: impl Into<String>,
        file: &Arc<PathBuf>,
        offset: u64,
        size: u64,
    ) -> io::Result<Self> {
        let content = Content::Part { file: file.clone(), offset };
        let mut blob = Self { digest: Digest::sha256(b""), size, what: what.into(), content };
        let mut hasher = Hasher::new(Algorithm::Sha256);
        let mut buffer = vec![0; 1 << 20];
        let mut reader = blob.open()?;
        let mut left = size;
        while left > 0 {
            let read = reader.read(&mut buffer)?;
            if read == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is shorter than it says"));
            }
            hasher.update(&buffer[..read]);
            left -= read as u64;
        }
        blob.digest = hasher.finish();
        Ok(blob)
    }

    /// Its bytes, from the beginning.
    pub fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match &self.content {
            Content::Memory(bytes) => Box::new(io::Cursor::new(bytes.clone())),
            Content::Part { file, offset } => {
                let mut file = File::open(file.as_path())?;
                file.seek(SeekFrom::Start(*offset))?;
                Box::new(file.take(self.size))
            }
        })
    }
}

/// Whether no other image can have the blob: it was made for this one, and is not the empty configuration.
pub(crate) fn is_unique(source: &Source, blob: &Blob) -> bool {
    matches!(source, Source::Made { .. }) && blob.digest != Digest::sha256(b"{}")
}

/// A manifest to push.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub bytes: Bytes,
    /// Their digest.
    pub digest: Digest,
    /// `linux/amd64`; none of an index.
    pub platform: Option<String>,
}

impl Manifest {
    pub(crate) fn new(
        media_type: impl Into<String>,
        bytes: impl Into<Bytes>,
        platform: Option<String>,
    ) -> Self {
        let bytes = bytes.into();
        Self { media_type: media_type.into(), digest: Digest::sha256(&bytes), bytes, platform }
    }
}

/// Where an image is from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "from")]
pub enum Source {
    /// Made on the spot.
    Made {
        /// What makes it unlike any other.
        id: String,
    },
    /// A file or a directory.
    File {
        /// Its path.
        path: PathBuf,
    },
    /// The local images of docker or podman.
    Program {
        /// The program.
        program: String,
        /// The image's name there.
        name: String,
    },
}

/// A file or a directory that goes when nobody holds it any more.
pub(crate) type Scratch = Arc<dyn std::fmt::Debug + Send + Sync>;

/// An image.
#[derive(Clone, Debug)]
pub struct Image {
    /// Where it is from.
    pub source: Source,
    /// Each blob once, in the order in which they are pushed.
    pub blobs: Vec<Blob>,
    /// Children before the parents that name them; the last is the image.
    pub manifests: Vec<Manifest>,
    /// What was found that a person should know.
    pub notes: Vec<String>,
    /// Holds the file that the content is in, as long as it is needed.
    pub(crate) scratch: Option<Scratch>,
}

impl Image {
    /// The manifest that the tag is to name.
    pub fn root(&self) -> Option<&Manifest> {
        self.manifests.last()
    }

    /// The platforms that it runs on.
    pub fn platforms(&self) -> Vec<String> {
        self.manifests.iter().filter_map(|manifest| manifest.platform.clone()).collect()
    }

    /// Bytes of all its blobs.
    pub fn size(&self) -> u64 {
        self.blobs.iter().map(|blob| blob.size).sum()
    }

    /// The largest blob's bytes.
    pub fn largest(&self) -> u64 {
        self.blobs.iter().map(|blob| blob.size).max().unwrap_or(0)
    }

    /// The image in the archive or layout at `path`.
    pub fn at(path: &Path, wanted: Option<&str>) -> Result<Self, ImageError> {
        let mut image = read(path, wanted)?;
        image.source = Source::File { path: path.to_owned() };
        Ok(image)
    }
}
