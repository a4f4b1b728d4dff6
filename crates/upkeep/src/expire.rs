//! Uploads that nobody has touched for too long are ended; the quota that they reserved is given back.

use std::time::Duration;

use railhead_catalog::Timestamp;
use railhead_registry::{Error, Registry, Result};

/// Uploads looked at in one step.
const PAGE: u32 = 100;

/// Ends the uploads that were last touched more than `after` before `now`. Gives their number.
pub async fn expire_uploads(registry: &Registry, after: Duration, now: Timestamp) -> Result<usize> {
    let after = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
    let before = Timestamp(now.0.saturating_sub(after));
    let mut ended = 0;
    loop {
        let stale = registry.catalog().stale_uploads(before, PAGE).await?;
        let mut busy = 0;
        for upload in &stale {
            match registry.end_upload(upload.id).await {
                Ok(()) => ended += 1,
                // Its client came back this very moment.
                Err(Error::UploadBusy) => busy += 1,
                Err(error) => return Err(error),
            }
        }
        if stale.len() < PAGE as usize || busy > 0 {
            return Ok(ended);
        }
    }
}
