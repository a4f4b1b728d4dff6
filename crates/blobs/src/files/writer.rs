//! Writing a staged file.
//!
//! Small frames are gathered in a buffer: one write of 256 KiB costs the kernel half of what sixteen of 16 KiB do,
//! since it then takes larger pages, and far more than the copy.
//!
//! Invariant: the file has exactly `flushed` bytes, or, after a failure, more that the next opening cuts off;
//! [`FileWriter::written`] counts whole calls of [`FileWriter::write`] that succeeded.

use std::fs::File;
use std::io::{self, IoSlice};

use railhead_oci::Digest;
use rustix::io::{Errno, pwritev};

use super::buffers::{Buffer, Counted};
use super::{FileStore, blocking, failed, len, missing};
use crate::{Error, ObjectKey, Result, StageId};

#[derive(Debug)]
pub(crate) struct FileWriter {
    store: FileStore,
    id: StageId,
    file: File,
    flushed: u64,
    /// What is written behind `flushed` next. Not there before the first small frame.
    gathered: Option<Buffer>,
    _counted: Counted,
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
        Ok(Self { store, id, file, flushed: offset, gathered: None, _counted: Counted::new() })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let gathered = match &mut self.gathered {
            Some(gathered) => gathered,
            gathered => {
                gathered.insert(Buffer::take(u64::MAX).map_err(|error| self.store.failed(self.id, error))?)
            }
        };
        if gathered.push(bytes) { Ok(()) } else { self.flush_with(bytes) }
    }

    pub(crate) fn written(&self) -> u64 {
        self.flushed + self.gathered().len() as u64
    }

    fn gathered(&self) -> &[u8] {
        self.gathered.as_ref().map_or(&[], AsRef::as_ref)
    }

    /// Writes what was gathered, and `bytes` behind it, to the page cache: a copy of memory, so on the thread that asks.
    fn flush_with(&mut self, bytes: &[u8]) -> Result<()> {
        let gathered = self.gathered();
        let len = (gathered.len() + bytes.len()) as u64;
        write_all(&self.file, [gathered, bytes], self.flushed).map_err(|error| {
            // Gives back the room that the part before the failure took. That it fails too changes nothing.
            let _ = self.file.set_len(self.flushed);
            self.store.failed(self.id, error)
        })?;
        self.flushed += len;
        if let Some(gathered) = &mut self.gathered {
            gathered.fill(0);
        }
        Ok(())
    }

    pub(crate) fn pause(mut self) -> Result<()> {
        self.flush_with(&[])
    }

    pub(crate) async fn commit(mut self, digest: Digest) -> Result<ObjectKey> {
        blocking(move || {
            self.flush_with(&[])?;
            self.store.commit_file(&self.file, self.id, digest, self.flushed)
        })
        .await
    }
}

fn write_all(file: &File, parts: [&[u8]; 2], mut offset: u64) -> io::Result<()> {
    let mut slices = parts.map(IoSlice::new);
    let mut left = &mut slices[..];
    // Skips what is empty.
    IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        match pwritev(file, left, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                IoSlice::advance_slices(&mut left, written);
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
