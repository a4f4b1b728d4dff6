//! Buffers for reading and writing files: used again, so that the kernel need not find and clear fresh memory for every piece.
//!
//! Bounds: no more than [`LARGE_MAX`] large buffers exist in the process, whoever holds them, so thousands of slow
//! clients cost small buffers only; and no more than two lie idle for every transfer, as many as a server holds for one
//! connection. Large buffers are pages of their own, given back to the system at once, whatever the allocator does.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use memmap2::MmapMut;

/// Length of a large buffer in bytes. Large enough that a system call is nothing beside its copying, small enough
/// that the copy is still in the core's cache when it is sent.
const LARGE: usize = 256 * 1024;
/// Length of a small one.
const SMALL: usize = 32 * 1024;
/// 6 MiB in all: more transfers than that share the processors anyway, and make do with small buffers.
const LARGE_MAX: usize = 24;

static IDLE: Mutex<Vec<MmapMut>> = Mutex::new(Vec::new());
static LARGE_COUNT: AtomicUsize = AtomicUsize::new(0);
static TRANSFERS: AtomicUsize = AtomicUsize::new(0);

/// A buffer of which the first `filled` bytes are content. A large one goes back when dropped.
#[derive(Debug)]
pub(super) struct Buffer {
    memory: Memory,
    filled: usize,
}

#[derive(Debug)]
enum Memory {
    Large(MmapMut),
    Small(Box<[u8]>),
    /// It went back already.
    Gone,
}

impl Buffer {
    /// A buffer that is fit for a read of `wanted` bytes, though it may be shorter.
    pub(super) fn take(wanted: u64) -> io::Result<Self> {
        let memory = if wanted > SMALL as u64 { large()? } else { None };
        let memory = memory.map_or_else(|| Memory::Small(vec![0; SMALL].into()), Memory::Large);
        Ok(Self { memory, filled: 0 })
    }

    pub(super) fn space(&mut self) -> &mut [u8] {
        match &mut self.memory {
            Memory::Large(pages) => pages,
            Memory::Small(bytes) => bytes,
            Memory::Gone => &mut [],
        }
    }

    pub(super) const fn fill(&mut self, len: usize) {
        self.filled = len;
    }

    /// Takes in `bytes` behind what is there, or nothing when they would fill it up.
    pub(super) fn push(&mut self, bytes: &[u8]) -> bool {
        let filled = self.filled;
        let Some(space) = self.space().get_mut(filled..).filter(|space| bytes.len() < space.len()) else {
            return false;
        };
        space[..bytes.len()].copy_from_slice(bytes);
        self.filled += bytes.len();
        true
    }
}

/// A large buffer, if one more may be used.
fn large() -> io::Result<Option<MmapMut>> {
    let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    if idle.is_some() {
        return Ok(idle);
    }
    if LARGE_COUNT.fetch_add(1, Ordering::Relaxed) < LARGE_MAX {
        let pages = MmapMut::map_anon(LARGE);
        return pages.map(Some).inspect_err(|_| {
            LARGE_COUNT.fetch_sub(1, Ordering::Relaxed);
        });
    }
    LARGE_COUNT.fetch_sub(1, Ordering::Relaxed);
    Ok(None)
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        match &self.memory {
            Memory::Large(pages) => &pages[..self.filled],
            Memory::Small(bytes) => &bytes[..self.filled],
            Memory::Gone => &[],
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Memory::Large(pages) = std::mem::replace(&mut self.memory, Memory::Gone) else { return };
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < idle_max() {
            idle.push(pages);
        } else {
            LARGE_COUNT.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn idle_max() -> usize {
    TRANSFERS.load(Ordering::Relaxed).saturating_mul(2).max(2)
}

/// Counts a transfer for as long as it lives.
#[derive(Debug)]
pub(super) struct Counted(());

impl Counted {
    pub(super) fn new() -> Self {
        TRANSFERS.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        TRANSFERS.fetch_sub(1, Ordering::Relaxed);
        let surplus = {
            let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
            let keep = idle_max().min(idle.len());
            idle.split_off(keep)
        };
        // Given back to the system without the lock.
        LARGE_COUNT.fetch_sub(surplus.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_more_large_buffers_than_the_bound_and_none_is_lost() {
        let transfers: Vec<_> = (0..LARGE_MAX * 2).map(|_| Counted::new()).collect();
        for _ in 0..2 {
            let buffers: Vec<_> = (0..LARGE_MAX * 2).map(|_| Buffer::take(u64::MAX).unwrap()).collect();
            let large = buffers.iter().filter(|buffer| matches!(buffer.memory, Memory::Large(_))).count();
            assert_eq!(large, LARGE_MAX);
        }
        drop(transfers);
        assert_eq!(IDLE.lock().unwrap().len(), 2);
        assert_eq!(LARGE_COUNT.load(Ordering::Relaxed), 2);
    }
}
