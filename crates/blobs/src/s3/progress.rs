//! How far a staged object is, as the catalog keeps it between two writers.

use serde::{Deserialize, Serialize};

use crate::{Error, Result, StageId, StageState};

/// Length of every part but the last, in bytes: above S3's least (5 MiB), and always the same, as some stores want it.
pub(super) const PART: usize = 8 * 1024 * 1024;
/// The most parts that S3 takes for one object, which are 78 GiB.
pub(super) const PARTS_MAX: usize = 10_000;

/// What is in the bucket of one staged object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Progress {
    /// The multipart upload, begun with the first full part.
    pub(super) multipart: Option<String>,
    /// What S3 called each part.
    pub(super) parts: Vec<String>,
    /// How many bytes the object beside them has that are not a full part yet.
    pub(super) tail: u64,
}

impl Progress {
    pub(super) fn load(id: StageId, state: &StageState) -> Result<Self> {
        if state.0.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(&state.0).map_err(|source| Error::State { id, source })
    }

    pub(super) fn save(&self, id: StageId) -> Result<StageState> {
        serde_json::to_vec(self).map(StageState).map_err(|source| Error::State { id, source })
    }

    /// Length of the parts, in bytes.
    pub(super) const fn parts_len(&self) -> u64 {
        (self.parts.len() * PART) as u64
    }

    pub(super) const fn len(&self) -> u64 {
        self.parts_len() + self.tail
    }
}
