//! Looks ahead: what each owner will hold, with and without the rules.

use std::collections::BTreeMap;

use railhead_catalog::Timestamp;
use railhead_retention::{Forecast, Holding, Outlook, forecast};

use super::look::Look;
use super::{Retention, RetentionError, Wish};

/// Owners that are read in one step.
const PAGE: u32 = 200;

impl Retention {
    /// What each owner and the registry will hold in so many `days`, if they are like the last `past_days`. `free` is
    /// how many bytes there is room for.
    pub async fn forecast(
        &self,
        wish: &Wish,
        days: u32,
        past_days: u32,
        free: Option<u64>,
        now: Timestamp,
    ) -> Result<Forecast, RetentionError> {
        let Look { plan, freed, .. } = self.look(&Wish { all: false, ..wish.clone() }, now).await?;
        let mut outlook = Outlook { now: now.0, first: None, days, past_days, free };
        let growth = self.registry.catalog().growth(Timestamp(outlook.begin()), now).await?;
        outlook.first = growth.first.map(|at| at.0);
        let new: BTreeMap<String, u64> =
            growth.owners.into_iter().map(|(owner, bytes)| (owner.to_lowercase(), bytes)).collect();
        let of = |all: &BTreeMap<String, u64>, owner: &str| all.get(owner).copied().unwrap_or_default();
        let owners = self.owners().await?.into_iter().map(|(owner, bytes)| {
            let holding = Holding { bytes, rules_free: of(&freed, &owner), new_bytes: of(&new, &owner) };
            (owner, holding)
        });
        let all = Holding { bytes: growth.held, rules_free: plan.freed_bytes, new_bytes: growth.new_bytes };
        Ok(forecast(&owners.collect(), all, &outlook))
    }

    /// Each owner in lower case, as names of repositories have it, and what it holds.
    async fn owners(&self) -> Result<Vec<(String, u64)>, RetentionError> {
        let (mut all, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.registry.catalog().owner_shares(after.as_deref(), PAGE).await?;
            let full = page.len() == PAGE as usize;
            after = page.last().map(|share| share.owner.name.clone());
            all.extend(
                page.into_iter().map(|share| (share.owner.name.to_lowercase(), share.owner.used_bytes)),
            );
            if !full {
                return Ok(all);
            }
        }
    }
}
