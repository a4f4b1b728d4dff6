//! Which manifests were asked for, gathered in memory and written from time to time: retention keeps what is in use.
//!
//! A question for the head counts as well, for that is all that a node asks that has the image. When the process is
//! killed, what was gathered since the last writing is lost; retention counts in days.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};

use railhead_catalog::Timestamp;
use railhead_oci::{Digest, RepositoryName};

/// Manifests that are remembered between two writings. What is beyond that is not noted.
const MOST: usize = 65_536;

/// Pulls that are not written yet.
#[derive(Debug, Default)]
pub(crate) struct Pulls(Mutex<HashMap<(RepositoryName, Digest), Timestamp>>);

impl Pulls {
    /// Notes a pull. Never waits for a database.
    pub(crate) fn note(&self, name: &RepositoryName, digest: &Digest, now: Timestamp) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = waiting.len() >= MOST;
        match waiting.entry((name.clone(), *digest)) {
            Entry::Occupied(mut entry) => *entry.get_mut() = now,
            Entry::Vacant(entry) if !full => drop(entry.insert(now)),
            Entry::Vacant(_) => {}
        }
    }

    /// Takes what was gathered.
    pub(crate) fn take(&self) -> Vec<((RepositoryName, Digest), Timestamp)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_pull_counts_and_each_is_given_once() {
        let (pulls, name) = (Pulls::default(), "team/app".parse().unwrap());
        for at in [1, 2] {
            pulls.note(&name, &Digest::sha256(b"a"), Timestamp(at));
        }
        assert_eq!(pulls.take(), [((name, Digest::sha256(b"a")), Timestamp(2))]);
        assert_eq!(pulls.take(), []);
    }
}
