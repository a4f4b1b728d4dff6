//! Where the bytes are, and whether the sums are right.

use railhead_api::{Difference, OwnerUsage, Recount, RecountStart, RepositoryUsage, Usage, UsageOfOwner};
use railhead_catalog::{OwnerShare, RepositoryShare};
use serde_json::json;

use super::{Answer, Api, Call, Result, limits, ok};

/// Rows of a page: each of them is added up on the spot.
const PAGE: u32 = 100;

impl Api {
    pub(super) async fn usage(&self, call: &Call<'_>) -> Result<Answer> {
        self.access.require_admin(&call.who).await?;
        let (after, limit) = (call.parameter("after")?, call.limit()?.min(PAGE));
        let shares = self.registry.catalog().owner_shares(after.as_deref(), limit).await?;
        let next = shares.last().filter(|_| shares.len() == limit as usize);
        let next = next.map(|last| last.owner.name.clone());
        ok(&Usage { owners: shares.into_iter().map(|share| self.owner_usage(share)).collect(), next })
    }

    pub(super) async fn usage_of_owner(&self, call: &Call<'_>, name: &str) -> Result<Answer> {
        let owner = self.owner_seen(call, name).await?;
        let (after, limit) = (call.parameter("after")?, call.limit()?.min(PAGE));
        let shares = self.registry.catalog().repository_shares(owner.id, after.as_deref(), limit).await?;
        let next = shares.last().filter(|_| shares.len() == limit as usize);
        let next = next.map(|last| last.name.to_string());
        ok(&UsageOfOwner { repositories: shares.iter().map(repository_usage).collect(), next })
    }

    pub(super) async fn recount(&self, call: &Call<'_>, name: &str) -> Result<Answer> {
        let RecountStart { mend } = call.read()?;
        self.access.require_admin(&call.who).await?;
        let owner = self.owner_seen(call, name).await?;
        let catalog = self.registry.catalog();
        let found = if mend {
            catalog.settle_usage(owner.id).await?
        } else {
            catalog.discrepancies(owner.id).await?
        };
        let differences: Vec<_> = found
            .into_iter()
            .map(|one| Difference {
                sum: one.sum.to_owned(),
                of: one.of,
                stored: one.stored,
                counted: one.counted,
            })
            .collect();
        let mended = mend && !differences.is_empty();
        if mended {
            let detail = json!({ "differences": differences.len() });
            self.wrote(call, "usage.mend", &owner.name, Some(detail)).await?;
        }
        ok(&Recount { differences, mended })
    }

    fn owner_usage(&self, share: OwnerShare) -> OwnerUsage {
        let limits = self.access.limits().of(&share.owner);
        OwnerUsage {
            repositories: share.repositories,
            used_bytes: share.owner.used_bytes,
            shared_bytes: share.shared_bytes,
            unique_bytes: share.owner.used_bytes.saturating_sub(share.shared_bytes),
            reserved_bytes: share.owner.reserved_bytes,
            quota_bytes: limits::bytes(limits.quota),
            owner: share.owner.name,
        }
    }
}

fn repository_usage(share: &RepositoryShare) -> RepositoryUsage {
    RepositoryUsage {
        name: share.name.to_string(),
        bytes: share.bytes,
        shared_bytes: share.shared_bytes,
        unique_bytes: share.bytes.saturating_sub(share.shared_bytes),
        waiting_bytes: share.waiting_bytes,
    }
}
