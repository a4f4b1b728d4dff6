//! Reading a file, as cheap as copying can be.
//!
//! Order: a piece is read on the thread that polls as long as the page cache has it, with a flag that makes the
//! kernel refuse rather than wait for the disk; only then is it read on a thread for blocking work. The file is not
//! mapped into memory: a damaged disk would end the process.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::buffers::{Buffer, Counted};
use super::{blocking, failed};
use crate::reader::Source;
use crate::{Error, Reader, Result};

/// Up to this length, in bytes, content is read whole into memory of its own and the file is closed at once.
const SMALL: u64 = 64 * 1024;

/// Reads `range`, which lies within the file, of `file`, which is at `path`.
pub(super) async fn read(file: File, path: PathBuf, range: Range<u64>) -> Result<Reader> {
    let len = range.end - range.start;
    if len > SMALL {
        return Ok(Reader(Source::Files(FileReader::new(file, path, range))));
    }
    let mut bytes = vec![0; len as usize];
    let mut filled =
        read_cached(&file, &mut bytes, range.start).map_err(|error| failed("read", &path, error))?;
    if filled.is_none_or(|filled| filled < bytes.len()) {
        (bytes, filled) = blocking(move || {
            file.read_exact_at(&mut bytes, range.start).map_err(|error| failed("read", &path, error))?;
            Ok((bytes, None))
        })
        .await?;
    }
    debug_assert!(filled.is_none_or(|filled| filled == bytes.len()));
    Ok(Reader::whole(bytes.into()))
}

/// Reads what the page cache has; `None` if that is nothing.
#[cfg(target_os = "linux")]
fn read_cached(file: &File, space: &mut [u8], offset: u64) -> io::Result<Option<usize>> {
    use rustix::io::{Errno, ReadWriteFlags, preadv2};

    match preadv2(file, &mut [io::IoSliceMut::new(space)], offset, ReadWriteFlags::NOWAIT) {
        Ok(read) => Ok(Some(read)),
        // Not cached; or a file system that cannot tell.
        Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Elsewhere there is no such flag.
#[cfg(not(target_os = "linux"))]
fn read_cached(_: &File, _: &mut [u8], _: u64) -> io::Result<Option<usize>> {
    Ok(None)
}

/// A part of a file, for a system call that moves it to a socket without a copy in this process.
#[derive(Clone, Debug)]
pub struct FileRegion {
    /// The file.
    pub file: Arc<File>,
    /// Where it starts, in bytes.
    pub offset: u64,
    /// How long it is, in bytes; never 0.
    pub len: u64,
}

/// What a read that does not wait came to.
enum Next {
    Read(Buffer),
    /// It would have had to wait; the buffer is still empty.
    Wait(Buffer),
}

/// Reads a range of a file that is longer than [`SMALL`].
#[derive(Debug)]
pub(crate) struct FileReader {
    file: Arc<File>,
    path: PathBuf,
    offset: u64,
    end: u64,
    /// A read that had to go to the disk.
    waiting: Option<JoinHandle<io::Result<Buffer>>>,
    advised: bool,
    _counted: Counted,
}

impl FileReader {
    fn new(file: File, path: PathBuf, range: Range<u64>) -> Self {
        let Range { start: offset, end } = range;
        let file = Arc::new(file);
        Self { file, path, offset, end, waiting: None, advised: false, _counted: Counted::new() }
    }

    pub(crate) const fn remaining(&self) -> u64 {
        self.end - self.offset
    }

    /// The next `most` bytes at most as a place in the file, when the page cache has them, as far as that can be seen
    /// cheaply: by their first and their last byte.
    pub(crate) fn take_region(&mut self, most: u64) -> Option<FileRegion> {
        let len = self.remaining().min(most);
        if len == 0 || self.waiting.is_some() {
            return None;
        }
        for place in [self.offset, self.offset + len - 1] {
            if read_cached(&self.file, &mut [0], place).ok().flatten() != Some(1) {
                return None;
            }
        }
        let region = FileRegion { file: Arc::clone(&self.file), offset: self.offset, len };
        self.offset += len;
        Some(region)
    }

    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        if self.offset == self.end {
            return Poll::Ready(None);
        }
        let read = match self.waiting.as_mut() {
            None => self.read_cached(),
            Some(waiting) => match ready!(Pin::new(waiting).poll(cx)) {
                Ok(read) => read.map(Next::Read),
                Err(error) => return self.fail(Error::CutOff(error)),
            },
        };
        self.waiting = None;
        match read {
            Ok(Next::Read(buffer)) if buffer.as_ref().is_empty() => {
                self.fail(failed("read", &self.path, io::ErrorKind::UnexpectedEof.into()))
            }
            Ok(Next::Read(buffer)) => {
                self.offset += buffer.as_ref().len() as u64;
                Poll::Ready(Some(Ok(Bytes::from_owner(buffer))))
            }
            Ok(Next::Wait(buffer)) => {
                self.waiting = Some(self.read_disk(buffer));
                self.poll_next(cx)
            }
            Err(error) => self.fail(failed("read", &self.path, error)),
        }
    }

    /// How much of a buffer the next read may fill.
    fn next_len(&self, buffer: &mut Buffer) -> usize {
        self.remaining().min(buffer.space().len() as u64) as usize
    }

    fn read_cached(&self) -> io::Result<Next> {
        let mut buffer = Buffer::take(self.remaining())?;
        let len = self.next_len(&mut buffer);
        let Some(read) = read_cached(&self.file, &mut buffer.space()[..len], self.offset)? else {
            return Ok(Next::Wait(buffer));
        };
        buffer.fill(read);
        Ok(Next::Read(buffer))
    }

    fn read_disk(&mut self, mut buffer: Buffer) -> JoinHandle<io::Result<Buffer>> {
        let len = self.next_len(&mut buffer);
        let (file, offset) = (Arc::clone(&self.file), self.offset);
        let advise = !std::mem::replace(&mut self.advised, true);
        tokio::task::spawn_blocking(move || {
            if advise {
                // Only advice: the content is read all the same.
                let _ = advise_sequential(&file);
            }
            let read = file.read_at(&mut buffer.space()[..len], offset)?;
            buffer.fill(read);
            Ok(buffer)
        })
    }

    fn fail(&mut self, error: Error) -> Poll<Option<Result<Bytes>>> {
        self.waiting = None;
        self.offset = self.end;
        Poll::Ready(Some(Err(error)))
    }
}

/// Lets the kernel read ahead further than it does by itself.
#[cfg(target_os = "linux")]
fn advise_sequential(file: &File) -> io::Result<()> {
    Ok(rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::Sequential)?)
}

#[cfg(not(target_os = "linux"))]
fn advise_sequential(_: &File) -> io::Result<()> {
    Ok(())
}
