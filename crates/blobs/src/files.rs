//! A store in a directory: `blobs/<algorithm>/<2 hex>/<hex>.<stage id>` and `uploads/<stage id>`.
//!
//! Order of a commit: the file is synced, renamed into place, and its new directory synced, and only then is the key
//! given out; so an object that the catalog knows is there, whole, after a power cut. What is cut off before leaves a
//! file that a listing shows and no key names.
//!
//! What costs microseconds (open, stat, write to the page cache) runs on the thread that asks, since handing it over
//! costs more; what may wait for a disk (sync, rename, remove, list) runs on the threads for blocking work.

mod buffers;
mod directories;
mod listing;
mod reader;
mod writer;

use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use railhead_oci::Digest;

use self::directories::Directories;
pub(crate) use self::reader::FileReader;
pub use self::reader::FileRegion;
pub(crate) use self::writer::FileWriter;
use crate::{Error, Object, ObjectKey, Reader, Result, StageId, Staged};

/// A store in a directory. Cloning gives the same store.
#[derive(Clone, Debug)]
pub struct FileStore(Arc<Directories>);

impl FileStore {
    /// The store in the directory `data`, which is made if it is not there. Blocks.
    pub fn open(data: &Path) -> Result<Self> {
        Directories::open(data).map(Arc::new).map(Self)
    }

    pub(crate) fn stage(&self, id: StageId) -> Result<()> {
        create(&self.0.staged(id)).map(drop)
    }

    pub(crate) fn open_staged(&self, id: StageId, offset: u64) -> Result<FileWriter> {
        FileWriter::open(self.clone(), id, offset)
    }

    /// Why the staged file cannot be written to.
    fn failed(&self, id: StageId, error: io::Error) -> Error {
        failed("write", &self.0.staged(id), error)
    }

    pub(crate) fn staged_len(&self, id: StageId) -> Result<Option<u64>> {
        let path = self.0.staged(id);
        match fs::metadata(&path) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("look at", &path, error)),
        }
    }

    pub(crate) async fn read_staged(&self, id: StageId, range: Range<u64>) -> Result<Reader> {
        let path = self.0.staged(id);
        let file =
            File::open(&path).map_err(|error| missing(error, "open", &path, Error::NotStaged { id }))?;
        let found = len(&file, &path)?;
        if found < range.end {
            return Err(Error::WrongOffset { id, expected: range.end, found });
        }
        reader::read(file, path, range).await
    }

    pub(crate) async fn commit(&self, id: StageId, digest: Digest, size: u64) -> Result<ObjectKey> {
        let store = self.clone();
        blocking(move || {
            let key = ObjectKey::named(digest, id);
            let path = store.0.staged(id);
            let file = match File::open(&path) {
                Ok(file) => file,
                // Renamed by an earlier commit whose answer got lost.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    store.probe(key, size).map_err(|_| Error::NotStaged { id })?;
                    store.0.sync(&store.0.object(key))?;
                    return Ok(key);
                }
                Err(error) => return Err(failed("open", &path, error)),
            };
            store.commit_file(&file, id, digest, size)
        })
        .await
    }

    /// The one way into `blobs/`. Blocks.
    fn commit_file(&self, file: &File, id: StageId, digest: Digest, size: u64) -> Result<ObjectKey> {
        let from = self.0.staged(id);
        let found = len(file, &from)?;
        if found != size {
            return Err(Error::WrongOffset { id, expected: size, found });
        }
        file.sync_all().map_err(|error| failed("sync", &from, error))?;
        let key = ObjectKey::named(digest, id);
        let to = self.0.object(key);
        self.0.make(&key, &to)?;
        fs::rename(&from, &to).map_err(|error| missing(error, "move", &from, Error::NotStaged { id }))?;
        self.0.sync(&to)?;
        Ok(key)
    }

    pub(crate) async fn discard(&self, id: StageId) -> Result<()> {
        let path = self.0.staged(id);
        blocking(move || unlink(&path)).await
    }

    pub(crate) async fn put(&self, id: StageId, digest: Digest, bytes: Bytes) -> Result<ObjectKey> {
        let store = self.clone();
        blocking(move || {
            let path = store.0.staged(id);
            let mut file = create(&path)?;
            let put = file
                .write_all(&bytes)
                .map_err(|error| failed("write", &path, error))
                .and_then(|()| store.commit_file(&file, id, digest, bytes.len() as u64));
            if put.is_err() {
                // The failure is what the caller has to hear of; a leftover is found by the sweep of staged objects.
                let _ = fs::remove_file(&path);
            }
            put
        })
        .await
    }

    pub(crate) async fn read(&self, key: ObjectKey, range: Range<u64>, size: u64) -> Result<Reader> {
        let path = self.0.object(key);
        let file =
            File::open(&path).map_err(|error| missing(error, "open", &path, Error::Missing { key }))?;
        let found = len(&file, &path)?;
        if found != size {
            return Err(Error::WrongSize { key, expected: size, found });
        }
        reader::read(file, path, range).await
    }

    pub(crate) fn probe(&self, key: ObjectKey, size: u64) -> Result<()> {
        let path = self.0.object(key);
        let metadata =
            fs::metadata(&path).map_err(|error| missing(error, "look at", &path, Error::Missing { key }))?;
        let found = metadata.len();
        if found == size { Ok(()) } else { Err(Error::WrongSize { key, expected: size, found }) }
    }

    pub(crate) async fn remove(&self, key: ObjectKey) -> Result<()> {
        let path = self.0.object(key);
        blocking(move || unlink(&path)).await
    }

    pub(crate) async fn list(&self, after: Option<ObjectKey>, limit: usize) -> Result<Vec<Object>> {
        let store = self.clone();
        blocking(move || listing::objects(&store.0, after, limit)).await
    }

    pub(crate) async fn list_staged(&self, after: Option<StageId>, limit: usize) -> Result<Vec<Staged>> {
        let store = self.clone();
        blocking(move || listing::staged(&store.0, after, limit)).await
    }
}

/// A new staged file, which nobody else can read.
fn create(path: &Path) -> Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true).mode(0o600);
    options.open(path).map_err(|error| failed("create", path, error))
}

fn len(file: &File, path: &Path) -> Result<u64> {
    file.metadata().map(|metadata| metadata.len()).map_err(|error| failed("look at", path, error))
}

fn unlink(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path, error)),
        _ => Ok(()),
    }
}

fn failed(verb: &str, path: &Path, error: io::Error) -> Error {
    Error::io(format!("{verb} {}", path.display()), error)
}

/// As [`failed`], but `absent` when there is no such file.
fn missing(error: io::Error, verb: &str, path: &Path, absent: Error) -> Error {
    if error.kind() == io::ErrorKind::NotFound { absent } else { failed(verb, path, error) }
}

/// Runs what may wait for a disk.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::CutOff)?
}
