//! Looks at the object of one blob.

use std::sync::atomic::Ordering;

use railhead_blobs::ObjectKey;
use railhead_catalog::{BlobRecord, Timestamp};
use railhead_oci::Hasher;
use railhead_registry::Result;

use super::pace::Pace;
use super::{Finding, NAMED, Scrubber};

/// How often a blob may get another object while it is looked at, before it is left to the next round.
const MOVES: usize = 5;

/// How what was found begins when an object has the right size and other bytes.
pub(super) const WRONG_CONTENT: &str = "content of ";

/// What there is to say of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Its object is what it should be.
    Whole,
    /// The same, and it was thought damaged before.
    Recovered,
    /// It is not: what was found instead. The blob, as it is known now.
    Damaged(BlobRecord, String),
    /// There is no such blob any more, or it is pushed again and again this very moment.
    Gone,
}

/// How closely to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// Every byte.
    Content,
    /// Only whether it is there with the right size.
    Size,
}

impl Scrubber {
    /// Looks at a blob, and notes what it finds.
    pub(super) async fn examine(
        &self,
        blob: &BlobRecord,
        depth: Depth,
        pace: &mut Pace,
    ) -> Result<Condition> {
        let mut blob = blob.clone();
        let mut suspected = false;
        for _ in 0..MOVES {
            let found = self.look(&blob, depth, pace).await?;
            let Some(found) = found else {
                if suspected {
                    tracing::warn!(digest = %blob.digest, "a blob was read wrong once and right once; is the disk or the memory failing?");
                }
                // Its size alone does not clear a blob whose content was found wrong.
                if blob.damaged && depth == Depth::Content {
                    return self.recover(&blob).await;
                }
                return Ok(if blob.damaged { self.known(blob).await? } else { Condition::Whole });
            };
            match self.registry.catalog().blob(&blob.digest).await? {
                None => return Ok(Condition::Gone),
                Some(now) if now.key != blob.key => (blob, suspected) = (now, false),
                Some(now) if !suspected => (blob, suspected) = (now, true),
                Some(now) => return self.condemn(now, found).await,
            }
        }
        Ok(Condition::Gone)
    }

    async fn recover(&self, blob: &BlobRecord) -> Result<Condition> {
        if !self.registry.note_whole(&blob.digest, &blob.key).await? {
            return Ok(Condition::Gone);
        }
        tracing::info!(digest = %blob.digest, "a blob that was found damaged is whole, and is served again");
        self.counters.recovered.fetch_add(1, Ordering::Relaxed);
        Ok(Condition::Recovered)
    }

    async fn condemn(&self, blob: BlobRecord, found: String) -> Result<Condition> {
        if !self.registry.note_damage(&blob.digest, &blob.key, &found, Timestamp::now()).await? {
            return Ok(Condition::Gone);
        }
        if !blob.damaged {
            self.counters.found.fetch_add(1, Ordering::Relaxed);
            self.report(&blob, &found).await?;
        }
        Ok(Condition::Damaged(blob, found))
    }

    /// A blob that was found damaged earlier, as it was noted then.
    async fn known(&self, blob: BlobRecord) -> Result<Condition> {
        let noted = self.registry.catalog().damage(&blob.digest).await?;
        Ok(noted.map_or(Condition::Gone, |noted| Condition::Damaged(noted.blob, noted.found)))
    }

    async fn report(&self, blob: &BlobRecord, found: &str) -> Result<()> {
        let uses = self.registry.catalog().blob_uses(&blob.digest, NAMED).await?;
        let references = uses.iter().flat_map(|of| {
            let named = of.tags.iter().map(move |tag| format!("{}:{tag}", of.repository));
            let bare = of.tags.is_empty().then(|| of.repository.to_string());
            named.chain(bare)
        });
        tracing::error!(
            digest = %blob.digest,
            size = blob.size,
            key = blob.key,
            found,
            references = references.take(NAMED as usize).collect::<Vec<_>>().join(" "),
            "a stored blob is damaged and is refused from now on"
        );
        Ok(())
    }

    /// What the object is instead of what it should be; `None` when it is right.
    async fn look(&self, blob: &BlobRecord, depth: Depth, pace: &mut Pace) -> Result<Option<String>> {
        let Ok(key) = blob.key.parse::<ObjectKey>() else {
            return Ok(Some("the key of its object is none".to_owned()));
        };
        let end = if depth == Depth::Content { blob.size } else { 0 };
        let mut reader = match self.registry.store().read(&key, 0..end, blob.size).await {
            Ok(reader) => reader,
            Err(error) => return error.damage().map(Some).ok_or_else(|| error.into()),
        };
        if depth == Depth::Size {
            return Ok(None);
        }
        let mut hasher = Hasher::new(blob.digest.algorithm());
        while let Some(piece) = reader.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => return error.damage().map(Some).ok_or_else(|| error.into()),
            };
            hasher.update(&piece);
            let bytes = piece.len() as u64;
            // Given back before the wait.
            drop(piece);
            self.counters.bytes.fetch_add(bytes, Ordering::Relaxed);
            pace.spend(bytes).await;
        }
        self.counters.blobs.fetch_add(1, Ordering::Relaxed);
        let found = hasher.finish();
        Ok((found != blob.digest).then(|| format!("{WRONG_CONTENT}{found}")))
    }

    /// A damaged blob with what refers to it.
    pub(super) async fn finding(&self, blob: &BlobRecord, found: String) -> Result<Finding> {
        Ok(Finding {
            digest: blob.digest,
            size: blob.size,
            key: blob.key.clone(),
            found,
            uses: self.registry.catalog().blob_uses(&blob.digest, NAMED).await?,
            healed_from: None,
        })
    }
}
