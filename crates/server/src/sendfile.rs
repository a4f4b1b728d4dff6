//! Blobs from files go to a plain socket by `sendfile`, without a copy in this process.
//!
//! The HTTP library only knows bytes. So a body hands out *stand-ins*: slices of a region of memory that nothing is
//! ever read from or written to, as long as the part of the file that they stand for, which is queued. The library
//! carries them in order to [`FileStream`], which tells a stand-in by its address and sends the queued part instead.
//!
//! Invariants:
//! - The library passes the pieces of a body of known length on as they are, in one `writev`; it is told to
//!   (`writev(true)`), and a test watches that every byte of a blob arrives.
//! - What is queued and what stands for it have the same length at any moment. A write that finds them apart ends the
//!   connection: a client never gets a stand-in's bytes.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use railhead_blobs::FileRegion;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// Memory whose addresses stand for files. It is reserved, never touched, and so takes no room.
fn stand_in() -> &'static Bytes {
    static MEMORY: OnceLock<Bytes> = OnceLock::new();
    MEMORY.get_or_init(|| Bytes::from(vec![0; FileQueue::REGION_MAX as usize]))
}

fn is_stand_in(slice: &[u8]) -> bool {
    stand_in().as_ptr_range().contains(&slice.as_ptr())
}

/// Parts of files that wait to be sent on one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileQueue(Arc<Mutex<VecDeque<FileRegion>>>);

impl FileQueue {
    /// Most bytes of one part.
    pub(crate) const REGION_MAX: u64 = 1 << 20;

    /// Queues a part of a file and gives what stands for it.
    pub(crate) fn push(&self, region: FileRegion) -> Bytes {
        let bytes = stand_in().slice(..region.len.min(Self::REGION_MAX) as usize);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(region);
        bytes
    }

    fn front(&self) -> Option<FileRegion> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).front().cloned()
    }

    /// Counts `sent` bytes of the first part as sent.
    fn advance(&self, sent: u64) {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(region) = queue.front_mut() {
            region.offset += sent;
            region.len = region.len.saturating_sub(sent);
            if region.len == 0 {
                queue.pop_front();
            }
        }
    }
}

/// A socket that sends stand-ins as what they stand for.
#[derive(Debug)]
pub(crate) struct FileStream {
    socket: TcpStream,
    files: FileQueue,
}

impl FileStream {
    pub(crate) const fn new(socket: TcpStream, files: FileQueue) -> Self {
        Self { socket, files }
    }

    /// Sends from the first queued part, at most the `wanted` bytes that its stand-in still has.
    fn poll_send(&self, cx: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        let apart =
            || io::Error::other("a body and the file behind it are out of step; the connection is cut");
        let Some(region) = self.files.front() else { return Poll::Ready(Err(apart())) };
        let count = usize::try_from(region.len).map_or(wanted, |len| len.min(wanted));
        loop {
            ready!(self.socket.poll_write_ready(cx))?;
            let sent = self.socket.try_io(Interest::WRITABLE, || {
                let mut offset = region.offset;
                Ok(rustix::fs::sendfile(&self.socket, &region.file, Some(&mut offset), count)?)
            });
            match sent {
                // The file has become shorter since it was opened.
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Ok(sent) => {
                    self.files.advance(sent as u64);
                    return Poll::Ready(Ok(sent));
                }
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncRead for FileStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl AsyncWrite for FileStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let plain = slices.iter().take_while(|slice| slice.is_empty() || !is_stand_in(slice)).count();
        let first = slices.iter().find(|slice| !slice.is_empty());
        match first {
            Some(slice) if is_stand_in(slice) => self.poll_send(cx, slice.len()),
            _ => Pin::new(&mut self.socket).poll_write_vectored(cx, &slices[..plain]),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
