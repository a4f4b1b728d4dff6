//! Collection: what it has before it, and a run now.

use std::time::{Duration, Instant};

use railhead_api::{Amount, CollectionRun, CollectionState, Hold};

use super::{Answer, Api, Call, Result, amount, ok, time, time_if};

/// How long a run may keep the asker waiting, who then asks again.
const MOST: Duration = Duration::from_secs(20);

impl Api {
    pub(super) async fn collection(&self, call: &Call<'_>) -> Result<Answer> {
        self.access.require_admin(&call.who).await?;
        let now = self.access.now();
        let catalog = self.registry.catalog();
        let outlook = catalog.collection_outlook(now).await?;
        let holds = catalog.holds(now).await?.into_iter();
        let hold =
            |hold: railhead_catalog::Hold| Ok(Hold { name: hold.name, expires: time(hold.expires_at)? });
        let settings = self.registry.settings();
        ok(&CollectionState {
            due: amount(outlook.due),
            freeable: amount(outlook.freeable),
            waiting: amount(outlook.waiting),
            next_due: time_if(outlook.next_due)?,
            removing: amount(outlook.forgotten),
            holds: holds.map(hold).collect::<Result<_>>()?,
            lease_seconds: settings.lease.as_secs(),
            grace_seconds: settings.grace.max(settings.lease).as_secs(),
        })
    }

    pub(super) async fn collect(&self, call: &Call<'_>) -> Result<Answer> {
        self.access.require_admin(&call.who).await?;
        let begun = Instant::now();
        let run = self.collector.run(MOST).await?;
        let done = CollectionRun {
            links: run.links,
            removed: Amount { count: run.objects, bytes: run.bytes },
            failed: run.failed,
            held: run.held,
            complete: run.complete,
            milliseconds: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        ok(&done)
    }
}
