//! A part of the blobs, now, for who asks.

use std::time::{Duration, Instant};

use railhead_catalog::{BlobRecord, BlobScope};
use railhead_oci::Digest;
use railhead_registry::Result;

use super::look::{Condition, Depth};
use super::pace::Pace;
use super::{Finding, Scrubber};

/// Blobs that are asked of the catalog at a time.
const PAGE: u32 = 200;

/// What to look at, and how.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Which blobs.
    pub scope: BlobScope,
    /// Behind which digest to go on.
    pub after: Option<Digest>,
    /// Only this one.
    pub digest: Option<Digest>,
    /// Whether to hash every byte, or only to see whether each object is there with the right size.
    pub hash: bool,
    /// Whether to heal what is damaged.
    pub heal: bool,
    /// Bytes a second at most; 0 is as fast as it goes.
    pub per_second: u64,
    /// When to stop between two blobs, to be asked again.
    pub most: Duration,
}

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Blobs that were looked at.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs that were thought damaged and are whole.
    pub recovered: u64,
    /// The damaged ones, those that were healed included.
    pub findings: Vec<Finding>,
    /// The digest to go on behind; `None` when all is looked at.
    pub next: Option<Digest>,
}

impl Scrubber {
    /// Looks at blobs until all that was asked for is looked at, or the time is over.
    pub async fn verify(&self, asked: &Asked) -> Result<Verified> {
        let begun = Instant::now();
        let mut pace = Pace::new(asked.per_second);
        let mut verified = Verified::default();
        if let Some(digest) = &asked.digest {
            if let Some(blob) = self.registry.catalog().blob(digest).await? {
                self.verify_one(&blob, asked, &mut pace, &mut verified).await?;
            }
            self.count_damaged().await?;
            return Ok(verified);
        }
        let mut after = asked.after;
        loop {
            let listed = self.registry.catalog().blobs_of(asked.scope, after.as_ref(), PAGE).await?;
            for blob in &listed {
                self.verify_one(blob, asked, &mut pace, &mut verified).await?;
                after = Some(blob.digest);
                if begun.elapsed() >= asked.most {
                    verified.next = after;
                    self.count_damaged().await?;
                    return Ok(verified);
                }
            }
            if listed.len() < PAGE as usize {
                self.count_damaged().await?;
                return Ok(verified);
            }
        }
    }

    async fn verify_one(
        &self,
        blob: &BlobRecord,
        asked: &Asked,
        pace: &mut Pace,
        verified: &mut Verified,
    ) -> Result<()> {
        let depth = if asked.hash { Depth::Content } else { Depth::Size };
        let condition = self.examine(blob, depth, pace).await?;
        verified.blobs += 1;
        verified.bytes += blob.size;
        match condition {
            Condition::Whole => {}
            Condition::Gone => {
                verified.blobs -= 1;
                verified.bytes -= blob.size;
            }
            Condition::Recovered => verified.recovered += 1,
            Condition::Damaged(blob, found) => {
                let mut finding = self.finding(&blob, found).await?;
                if asked.heal {
                    finding.healed_from = self.heal(&blob.digest).await?;
                }
                verified.findings.push(finding);
            }
        }
        Ok(())
    }
}
