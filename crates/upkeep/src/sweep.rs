//! After a kill: staged bytes without an upload, objects that the catalog does not know, and those that it had forgotten
//! and that were not removed yet, are removed.
//!
//! The registry writes an object before the catalog names it, and the catalog forgets it before it is removed, so a
//! kill can leave an object too many, never one too few. Only what was there before this process started is looked
//! at; what requests make meanwhile is none of the sweep's business.

use std::time::SystemTime;

use railhead_catalog::Timestamp;
use railhead_registry::{Registry, Result};

/// Entries of the store looked at in one step.
const PAGE: usize = 1000;

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Staged objects without an upload.
    pub staged: usize,
    /// Objects that the catalog does not know, or has forgotten.
    pub objects: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Sweeps what is older than `started`.
pub async fn sweep(registry: &Registry, started: SystemTime) -> Result<Swept> {
    let mut swept = Swept::default();
    sweep_staged(registry, started, &mut swept).await?;
    sweep_objects(registry, started, &mut swept).await?;
    sweep_forgotten(registry, &mut swept).await?;
    Ok(swept)
}

/// Does not wait for the next run of collection: a restart shall leave nothing of the kill.
async fn sweep_forgotten(registry: &Registry, swept: &mut Swept) -> Result<()> {
    loop {
        let step = registry.remove_forgotten_objects(Timestamp::now()).await?;
        swept.objects += usize::try_from(step.count).unwrap_or(usize::MAX);
        swept.bytes += step.bytes;
        if !step.more {
            return Ok(());
        }
    }
}

async fn sweep_staged(registry: &Registry, started: SystemTime, swept: &mut Swept) -> Result<()> {
    let mut after = None;
    loop {
        let page = registry.store().list_staged(after.as_ref(), PAGE).await?;
        for staged in &page {
            if staged.modified >= started {
                continue;
            }
            if registry.forget_staged(&staged.id).await? {
                swept.staged += 1;
                swept.bytes += staged.size;
            }
        }
        let Some(last) = page.last().filter(|_| page.len() == PAGE) else { return Ok(()) };
        after = Some(last.id);
    }
}

async fn sweep_objects(registry: &Registry, started: SystemTime, swept: &mut Swept) -> Result<()> {
    let mut after = None;
    loop {
        let page = registry.store().list(after.as_ref(), PAGE).await?;
        for object in page.iter().filter(|object| object.modified < started) {
            if registry.forget_orphan(&object.key).await? {
                swept.objects += 1;
                swept.bytes += object.size;
            }
        }
        let Some(last) = page.last().filter(|_| page.len() == PAGE) else { return Ok(()) };
        after = Some(last.key);
    }
}
