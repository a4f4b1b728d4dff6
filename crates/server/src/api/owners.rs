//! Owners, and what the forge still has of them.

use railhead_access::OnForge as Standing;
use railhead_api::{OnForge, OwnerState, Owners};
use railhead_catalog::{Owner, OwnerKind};

use super::{Answer, Api, Call, Result, ok};

impl Api {
    pub(super) async fn all_owners(&self, call: &Call<'_>) -> Result<Answer> {
        let mut owners = Vec::new();
        for kind in [OwnerKind::Organisation, OwnerKind::User] {
            for owner in self.owners(call, kind).await? {
                owners.push(self.state_of(call, owner).await?);
            }
        }
        owners.sort_by_key(|owner| owner.name.to_ascii_lowercase());
        ok(&Owners { owners })
    }

    pub(super) async fn adopt_owner(&self, call: &Call<'_>, name: &str) -> Result<Answer> {
        let owner = self.access.adopt_owner(&call.actor(), name).await?;
        ok(&self.state_of(call, owner).await?)
    }

    async fn state_of(&self, call: &Call<'_>, owner: Owner) -> Result<OwnerState> {
        let (forge, renamed_to) = match self.access.on_forge(&call.actor(), &owner).await? {
            None => (None, None),
            Some(Standing::Renamed(name)) => (Some(OnForge::Renamed), Some(name)),
            Some(Standing::There) => (Some(OnForge::There), None),
            Some(Standing::Taken) => (Some(OnForge::Taken), None),
            Some(Standing::Gone) => (Some(OnForge::Gone), None),
            Some(Standing::Hidden) => (Some(OnForge::Hidden), None),
            Some(Standing::Unseen) => (Some(OnForge::Unseen), None),
        };
        Ok(OwnerState {
            organisation: owner.kind == OwnerKind::Organisation,
            used_bytes: owner.used_bytes,
            name: owner.name,
            forge,
            renamed_to,
        })
    }
}
