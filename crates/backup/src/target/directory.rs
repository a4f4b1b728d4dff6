//! Backups in a directory.

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Item, Sink, Target};
use crate::pieces::Pieces;
use crate::{Error, Result};

/// What a file is called until it is whole; a name that no file of a backup has.
const UNFINISHED: &str = ".unfinished-";
/// Bytes read in one step.
const PIECE: usize = 1 << 20;

/// A directory, for its owner alone.
#[derive(Clone, Debug)]
pub struct Directory(PathBuf);

impl Directory {
    /// The one at `path`; it is made by the first file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    async fn entries(&self, directory: &str, files: bool) -> Result<Vec<Item>> {
        let path = self.path(directory);
        let failed = |error| failed("list", &path, error);
        let mut listing = match fs::read_dir(&path).await {
            Ok(listing) => listing,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut items = Vec::new();
        while let Some(entry) = listing.next_entry().await.map_err(failed)? {
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.starts_with('.') {
                continue;
            }
            match entry.metadata().await {
                Ok(metadata) if metadata.is_file() == files => {
                    let modified = metadata.modified().map_err(failed)?;
                    items.push(Item { name, size: metadata.len(), modified });
                }
                Ok(_) => {}
                // It was removed meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
        items.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(items)
    }
}

#[async_trait]
impl Target for Directory {
    fn place(&self) -> String {
        self.0.display().to_string()
    }

    async fn list(&self, directory: &str) -> Result<Vec<Item>> {
        self.entries(directory, true).await
    }

    async fn directories(&self, directory: &str) -> Result<Vec<String>> {
        Ok(self.entries(directory, false).await?.into_iter().map(|item| item.name).collect())
    }

    async fn size(&self, name: &str) -> Result<Option<u64>> {
        let path = self.path(name);
        match fs::metadata(&path).await {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("look at", &path, error)),
        }
    }

    async fn read(&self, name: &str) -> Result<Box<dyn Pieces>> {
        let path = self.path(name);
        match File::open(&path).await {
            Ok(mut file) => {
                file.set_max_buf_size(PIECE);
                Ok(Box::new(Reader { file, path }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Error::Missing { file: name.to_owned() })
            }
            Err(error) => Err(failed("open", &path, error)),
        }
    }

    async fn create(&self, name: &str) -> Result<Box<dyn Sink>> {
        let path = self.path(name);
        let directory = path.parent().unwrap_or(&self.0).to_owned();
        make(&directory).map_err(|error| failed("make", &directory, error))?;
        let unfinished = directory.join(format!("{UNFINISHED}{}", crate::random_hex()?));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let mut file = options.open(&unfinished).await.map_err(|error| failed("make", &unfinished, error))?;
        file.set_max_buf_size(PIECE);
        Ok(Box::new(Writer { file, unfinished: Unfinished(Some(unfinished)), path, directory }))
    }

    async fn remove(&self, name: &str) -> Result<()> {
        let path = self.path(name);
        match fs::remove_file(&path).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", &path, error)),
            _ => Ok(()),
        }
    }

    async fn clear(&self, directory: &str) -> Result<()> {
        let path = self.path(directory);
        let failed = |error| failed("clear", &path, error);
        let mut listing = match fs::read_dir(&path).await {
            Ok(listing) => listing,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        while let Some(entry) = listing.next_entry().await.map_err(failed)? {
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                fs::remove_file(entry.path()).await.map_err(failed)?;
            }
        }
        Ok(())
    }
}

struct Reader {
    file: File,
    path: PathBuf,
}

#[async_trait]
impl Pieces for Reader {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let mut piece = Vec::with_capacity(PIECE);
        let read = self.file.read_buf(&mut piece).await.map_err(|error| failed("read", &self.path, error))?;
        Ok((read > 0).then(|| piece.into()))
    }
}

/// Removes the file when it is given up.
struct Unfinished(Option<PathBuf>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // One that stays is removed by the next pruning.
            let _ = std::fs::remove_file(path);
        }
    }
}

struct Writer {
    file: File,
    unfinished: Unfinished,
    path: PathBuf,
    directory: PathBuf,
}

#[async_trait]
impl Sink for Writer {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.file.write_all(&bytes).await.map_err(|error| failed("write", &self.path, error))
    }

    async fn finish(mut self: Box<Self>) -> Result<()> {
        let failed = |error| failed("write", &self.path, error);
        self.file.flush().await.map_err(failed)?;
        self.file.sync_all().await.map_err(failed)?;
        let Some(unfinished) = &self.unfinished.0 else { return Ok(()) };
        fs::rename(unfinished, &self.path).await.map_err(failed)?;
        self.unfinished.0 = None;
        sync(&self.directory).await.map_err(failed)
    }
}

async fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory).await?.sync_all().await
}

/// Makes a directory and those above it, and syncs each new one into its parent.
fn make(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        make(parent)?;
    }
    match std::fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    std::fs::File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

fn failed(act: &str, path: &Path, error: io::Error) -> Error {
    Error::io(format!("{act} {}", path.display()), error)
}
