//! The blobs of several backups together, one 256th after the other, so that any number of blobs fits into memory.

use std::collections::BTreeMap;

use railhead_oci::Digest;

use crate::Result;
use crate::scratch::Lines;
use crate::spool::alike;

/// A blob that backups name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    /// Its size in bytes.
    pub(crate) size: u64,
    /// Which of the lists name it.
    pub(crate) by: Vec<usize>,
}

/// Lists in the order of digests, read side by side.
pub(crate) struct Merged(Vec<Side>);

struct Side {
    lines: Lines,
    next: Option<(Digest, u64)>,
}

impl Merged {
    pub(crate) fn new(lists: Vec<Lines>) -> Result<Self> {
        let sides = lists.into_iter().map(|mut lines| {
            let next = lines.next_blob()?;
            Ok(Side { lines, next })
        });
        sides.collect::<Result<_>>().map(Self)
    }

    /// The blobs of the next directory; empty behind the last.
    pub(crate) fn next_shard(&mut self) -> Result<BTreeMap<Digest, Named>> {
        let mut shard: BTreeMap<Digest, Named> = BTreeMap::new();
        let Some(first) = self.0.iter().filter_map(|side| side.next).map(|(digest, _)| digest).min() else {
            return Ok(shard);
        };
        for (at, side) in self.0.iter_mut().enumerate() {
            while let Some((digest, size)) = side.next.filter(|(digest, _)| alike(digest, &first)) {
                let named = shard.entry(digest).or_default();
                named.size = size;
                named.by.push(at);
                side.next = side.lines.next_blob()?;
            }
        }
        Ok(shard)
    }
}
