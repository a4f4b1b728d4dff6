//! The directories of a file store: where a name is, and that what was made in one survives a power cut.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use railhead_oci::Algorithm;

use super::failed;
use crate::{ObjectKey, Result, StageId};

pub(super) const ALGORITHMS: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Sha512];

pub(super) struct Directories {
    pub(super) blobs: PathBuf,
    pub(super) uploads: PathBuf,
    /// Which directories `<algorithm>/<2 hex>` this process knows to be there for good. That one exists is not
    /// enough: another thread may just have made it, and not have synced its parent yet.
    durable: [[AtomicBool; 256]; ALGORITHMS.len()],
}

impl Directories {
    pub(super) fn open(data: &Path) -> Result<Self> {
        let (blobs, uploads) = (data.join("blobs"), data.join("uploads"));
        make(data)?;
        make(&uploads)?;
        make(&blobs)?;
        for algorithm in ALGORITHMS {
            make(&blobs.join(algorithm.name()))?;
        }
        sync(&blobs)?;
        sync(data)?;
        let durable = [const { [const { AtomicBool::new(false) }; 256] }; ALGORITHMS.len()];
        Ok(Self { blobs, uploads, durable })
    }

    pub(super) fn staged(&self, id: StageId) -> PathBuf {
        self.uploads.join(id.to_string())
    }

    pub(super) fn object(&self, key: ObjectKey) -> PathBuf {
        self.blobs.join(key.to_string())
    }

    /// Makes the directory that `object`, the path of `key`, is to be in.
    pub(super) fn make(&self, key: &ObjectKey, object: &Path) -> Result<()> {
        let (Some(directory), Some(digest)) = (object.parent(), key.digest()) else { return Ok(()) };
        let durable = &self.durable[digest.algorithm() as usize][usize::from(digest.hash()[0])];
        if !durable.load(Ordering::Acquire) {
            make(directory)?;
            sync(directory.parent().unwrap_or(directory))?;
            durable.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Syncs the directory that `object` is in.
    #[expect(clippy::unused_self, reason = "only paths of this store make sense")]
    pub(super) fn sync(&self, object: &Path) -> Result<()> {
        sync(object.parent().unwrap_or(object))
    }
}

impl std::fmt::Debug for Directories {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directories").field("blobs", &self.blobs).finish_non_exhaustive()
    }
}

fn make(directory: &Path) -> Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed("make", directory, error)),
        _ => Ok(()),
    }
}

fn sync(directory: &Path) -> Result<()> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| failed("sync", directory, error))
}
