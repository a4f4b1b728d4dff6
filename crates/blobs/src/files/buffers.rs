//! Buffers for reading files: used again, so that the kernel need not find and clear fresh memory for every piece.
//!
//! Bound: no more buffers lie idle than there are readers, and never more than [`IDLE_MAX`].

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Length of a buffer in bytes. Large enough that a system call is nothing beside its copying, small enough that
/// the copy is still in the core's cache when it is sent.
pub(super) const LEN: usize = 256 * 1024;
const IDLE_MAX: usize = 32;

static IDLE: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());
static READERS: AtomicUsize = AtomicUsize::new(0);

/// A buffer of which the first `filled` bytes are content. It goes back when dropped.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    filled: usize,
}

impl Buffer {
    pub(super) fn take() -> Self {
        let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self { bytes: idle.unwrap_or_else(|| vec![0; LEN].into_boxed_slice()), filled: 0 }
    }

    pub(super) fn space(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    pub(super) const fn fill(&mut self, len: usize) {
        self.filled = len;
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < READERS.load(Ordering::Relaxed).clamp(1, IDLE_MAX) {
            idle.push(std::mem::take(&mut self.bytes));
        }
    }
}

/// Counts a reader for as long as it lives.
#[derive(Debug)]
pub(super) struct Counted(());

impl Counted {
    pub(super) fn new() -> Self {
        READERS.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let readers = READERS.fetch_sub(1, Ordering::Relaxed) - 1;
        let surplus = {
            let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
            let keep = readers.clamp(1, IDLE_MAX).min(idle.len());
            idle.split_off(keep)
        };
        // Given back to the system without the lock.
        drop(surplus);
    }
}
