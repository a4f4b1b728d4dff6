//! Writing a staged file.
//!
//! Invariant: `written` counts whole calls of [`FileWriter::write`]; bytes of a call that failed are cut off again,
//! or, if not even that is possible, when the file is opened next.

use std::fs::File;
use std::os::unix::fs::FileExt;

use railhead_oci::Digest;

use super::{FileStore, blocking, failed, len, missing};
use crate::{Error, ObjectKey, Result, StageId};

#[derive(Debug)]
pub(crate) struct FileWriter {
    store: FileStore,
    id: StageId,
    file: File,
    written: u64,
}

impl FileWriter {
    pub(super) fn open(store: FileStore, id: StageId, offset: u64) -> Result<Self> {
        let path = store.0.staged(id);
        let file = File::options()
            .write(true)
            .open(&path)
            .map_err(|error| missing(error, "open", &path, Error::NotStaged { id }))?;
        let found = len(&file, &path)?;
        if found < offset {
            return Err(Error::WrongOffset { id, expected: offset, found });
        }
        if found > offset {
            file.set_len(offset).map_err(|error| failed("shorten", &path, error))?;
        }
        Ok(Self { store, id, file, written: offset })
    }

    /// Writes to the page cache, which is a copy of memory, so on the thread that asks.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all_at(bytes, self.written).map_err(|error| {
            // Gives back the room that the part before the failure took. That it fails too changes nothing.
            let _ = self.file.set_len(self.written);
            failed("write", &self.store.0.staged(self.id), error)
        })?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    pub(crate) const fn written(&self) -> u64 {
        self.written
    }

    pub(crate) async fn commit(self, digest: Digest) -> Result<ObjectKey> {
        let Self { store, id, file, written } = self;
        blocking(move || store.commit_file(&file, id, digest, written)).await
    }
}
