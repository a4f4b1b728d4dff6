//! How much owners may store.

use railhead_api::{Limits, LimitsChange};
use railhead_catalog::{Limit, Owner, OwnerKind};

use super::{Answer, Api, Call, Result, fault::Fault, ok};

impl Api {
    pub(super) async fn limits(&self, call: &Call<'_>, name: &str) -> Result<Answer> {
        let owner = self.owner_seen(call, name).await?;
        ok(&self.limits_of(owner))
    }

    /// The owner, for who may see how much it stores.
    pub(super) async fn owner_seen(&self, call: &Call<'_>, name: &str) -> Result<Owner> {
        let itself = call.who.account().is_some_and(|account| account.name.eq_ignore_ascii_case(name));
        let owner = self.registry.catalog().owner(name).await?;
        match &owner {
            _ if itself => {}
            // Those who may see its members may see its limits.
            Some(owner) if owner.kind == OwnerKind::Organisation => {
                self.access.members(&call.actor(), name, None, 1).await?;
            }
            _ => self.access.require_admin(&call.who).await?,
        }
        owner.ok_or_else(|| missing(name))
    }

    pub(super) async fn set_limits(&self, call: &Call<'_>, name: &str) -> Result<Answer> {
        let change: LimitsChange = call.read()?;
        self.access.require_admin(&call.who).await?;
        let owner = self.registry.catalog().owner(name).await?.ok_or_else(|| missing(name))?;
        let quota = change.quota_bytes.map_or(Ok(owner.quota), |bytes| limit(bytes).map(Some))?;
        let layer = change.layer_bytes.map_or(Ok(owner.layer_limit), |bytes| limit(bytes).map(Some))?;
        self.access.set_limits(&call.actor(), name, quota, layer).await?;
        ok(&self.limits_of(Owner { quota, layer_limit: layer, ..owner }))
    }

    fn limits_of(&self, owner: Owner) -> Limits {
        let limits = self.access.limits().of(&owner);
        Limits {
            quota_bytes: bytes(limits.quota),
            layer_bytes: bytes(limits.layer),
            used_bytes: owner.used_bytes,
            owner: owner.name,
        }
    }
}

fn missing(name: &str) -> Fault {
    Fault::not_found(format!("there is no user or organisation '{name}'"))
}

fn limit(bytes: i64) -> Result<Limit> {
    match u64::try_from(bytes) {
        Ok(bytes) => Ok(Limit::Bytes(bytes)),
        Err(_) if bytes == -1 => Ok(Limit::None),
        Err(_) => Err(Fault::invalid(format!("{bytes} is not a limit; -1 is no limit"))),
    }
}

pub(super) fn bytes(limit: Limit) -> i64 {
    match limit {
        Limit::None => -1,
        Limit::Bytes(bytes) => i64::try_from(bytes).unwrap_or(i64::MAX),
    }
}
