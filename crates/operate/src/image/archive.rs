//! Reads an image out of what `docker save`, `podman save`, `skopeo copy` or `buildah push` wrote: a docker-archive, an
//! oci-archive, or the directory of an OCI layout.
//!
//! An archive's content is not unpacked: a blob is a part of the file. Only a compressed archive is unpacked first.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::{Blob, Image, Scratch, docker, layout};

/// The largest document of an archive that is read into memory, in bytes.
const DOCUMENT_MAX: u64 = 16 << 20;

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The system refused.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no archive of images.
    #[error(
        "{} is neither a docker-archive nor an OCI archive or layout: {what}",
        path.display()
    )]
    Form {
        /// The file.
        path: PathBuf,
        /// What is missing.
        what: String,
    },
    /// A document in it cannot be read.
    #[error("{document} in {} cannot be read", path.display())]
    Document {
        /// The file.
        path: PathBuf,
        /// The document in it.
        document: String,
        /// Why.
        source: serde_json::Error,
    },
    /// Something in it is not what its digest says.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What.
        what: String,
    },
    /// It has several images, or not the one that was asked for.
    #[error("{} has {}; say which one is meant", path.display(), names.join(", "))]
    Which {
        /// The file.
        path: PathBuf,
        /// What it has.
        names: Vec<String>,
    },
    /// A program that has images failed.
    #[error("{program} did not give the image '{name}': {said}")]
    Program {
        /// The program.
        program: String,
        /// The image.
        name: String,
        /// The last line that it said.
        said: String,
    },
    /// No program has the image.
    #[error("'{name}' is no file, and no program here has it: {tried}")]
    Nowhere {
        /// The image.
        name: String,
        /// What was tried.
        tried: String,
    },
}

/// Where the files of an archive or a layout are.
pub(super) struct Files {
    /// The archive or the directory as the person named it.
    pub(super) shown: PathBuf,
    parts: BTreeMap<PathBuf, Part>,
    /// Holds an archive that was unpacked.
    pub(super) scratch: Option<Scratch>,
}

#[derive(Clone)]
struct Part {
    file: Arc<PathBuf>,
    offset: u64,
    size: u64,
}

/// Reads the image at `path`; `wanted` is its name there, needed when there are several.
pub fn read(path: &Path, wanted: Option<&str>) -> Result<Image, ImageError> {
    let files = Files::open(path)?;
    if files.has("index.json") && files.has("oci-layout") {
        layout::read(&files, wanted)
    } else if files.has("manifest.json") {
        docker::read(&files, wanted)
    } else {
        Err(ImageError::Form {
            path: path.to_owned(),
            what: "it has no index.json with oci-layout, and no manifest.json".to_owned(),
        })
    }
}

impl Files {
    fn open(path: &Path) -> Result<Self, ImageError> {
        let failed = |source| ImageError::Read { path: path.to_owned(), source };
        let mut files = Self { shown: path.to_owned(), parts: BTreeMap::new(), scratch: None };
        if path.is_dir() {
            files.walk(path, Path::new("")).map_err(failed)?;
            return Ok(files);
        }
        let mut begin = Vec::new();
        File::open(path).and_then(|file| file.take(6).read_to_end(&mut begin)).map_err(failed)?;
        let form = |what: &str| ImageError::Form { path: path.to_owned(), what: what.to_owned() };
        match begin.as_slice() {
            [0x1f, 0x8b, ..] => {
                let scratch = unzip(path).map_err(failed)?;
                let file = Arc::new(scratch.to_path_buf());
                files.scratch = Some(Arc::new(scratch));
                files.index(&file).map_err(failed)?;
            }
            [0x28, 0xb5, 0x2f, 0xfd, ..] => return Err(form("it is compressed by zstd; unpack it first")),
            [b'B', b'Z', b'h', ..] => return Err(form("it is compressed by bzip2; unpack it first")),
            [0xfd, b'7', b'z', b'X', b'Z', 0] => {
                return Err(form("it is compressed by xz; unpack it first"));
            }
            _ => {
                let unreadable = |error: io::Error| match error.kind() {
                    // What the archive's reader says about a file that is none.
                    io::ErrorKind::Other | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                        form(&format!("it is no tar archive ({error})"))
                    }
                    _ => failed(error),
                };
                files.index(&Arc::new(path.to_owned())).map_err(unreadable)?;
            }
        }
        Ok(files)
    }

    fn walk(&mut self, root: &Path, below: &Path) -> io::Result<()> {
        for entry in std::fs::read_dir(root.join(below))? {
            let entry = entry?;
            let name = below.join(entry.file_name());
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.walk(root, &name)?;
            } else if kind.is_file() {
                let part = Part { file: Arc::new(entry.path()), offset: 0, size: entry.metadata()?.len() };
                self.parts.insert(name, part);
            }
        }
        Ok(())
    }

    /// Notes where the files of an archive are. Old archives name a layer again by a link.
    fn index(&mut self, file: &Arc<PathBuf>) -> io::Result<()> {
        let mut archive = tar::Archive::new(File::open(file.as_path())?);
        let mut links = Vec::new();
        for entry in archive.entries_with_seek()? {
            let entry = entry?;
            let name = plain(&entry.path()?);
            match entry.header().entry_type() {
                kind if kind.is_file() || kind.is_gnu_sparse() => {
                    let part =
                        Part { file: file.clone(), offset: entry.raw_file_position(), size: entry.size() };
                    self.parts.insert(name, part);
                }
                kind if kind.is_symlink() => {
                    if let Some(target) = entry.link_name()? {
                        links.push((name.clone(), name.parent().unwrap_or(Path::new("")).join(target)));
                    }
                }
                kind if kind.is_hard_link() => {
                    if let Some(target) = entry.link_name()? {
                        links.push((name, target.into_owned()));
                    }
                }
                _ => {}
            }
        }
        for (name, target) in links {
            if let Some(part) = self.parts.get(&plain(&target)).cloned() {
                self.parts.insert(name, part);
            }
        }
        Ok(())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.parts.contains_key(Path::new(name))
    }

    /// A document, as a whole.
    pub(super) fn document(&self, name: &str) -> Result<Vec<u8>, ImageError> {
        let part = self.part(name)?;
        let failed = |source| ImageError::Read { path: self.shown.clone(), source };
        if part.size > DOCUMENT_MAX {
            let what = format!("{name} has {} bytes", part.size);
            return Err(ImageError::Damaged { path: self.shown.clone(), what });
        }
        let mut bytes = Vec::with_capacity(part.size as usize);
        let reader = Blob::part(name, &part.file, part.offset, part.size).and_then(|blob| blob.open());
        reader.and_then(|mut reader| reader.read_to_end(&mut bytes)).map_err(failed)?;
        Ok(bytes)
    }

    /// A document of this type.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, ImageError> {
        serde_json::from_slice(&self.document(name)?).map_err(|source| ImageError::Document {
            path: self.shown.clone(),
            document: name.to_owned(),
            source,
        })
    }

    /// A blob, hashed.
    pub(super) fn blob(&self, name: &str, what: String) -> Result<Blob, ImageError> {
        let part = self.part(name)?;
        Blob::part(what, &part.file, part.offset, part.size)
            .map_err(|source| ImageError::Read { path: self.shown.clone(), source })
    }

    fn part(&self, name: &str) -> Result<&Part, ImageError> {
        self.parts.get(&plain(Path::new(name))).ok_or_else(|| ImageError::Damaged {
            path: self.shown.clone(),
            what: format!("{name} is not in it"),
        })
    }
}

/// A path without `.` and `..`, which cannot lead out of the archive.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir => {
                plain.pop();
            }
            _ => {}
        }
    }
    plain
}

fn unzip(path: &Path) -> io::Result<tempfile::TempPath> {
    let mut unpacked = tempfile::NamedTempFile::with_prefix("railhead-image-")?;
    let mut reader = flate2::read::MultiGzDecoder::new(File::open(path)?);
    io::copy(&mut reader, &mut unpacked)?;
    Ok(unpacked.into_temp_path())
}
