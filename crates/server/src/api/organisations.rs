//! Organisations and their members.

use railhead_api::{
    Deleted, Member, MemberChange, Members, Organisation, OrganisationCreate, Organisations, Role,
};
use railhead_catalog::{Owner, OwnerKind, Role as Stored};

use super::{Answer, Api, Call, PAGE, Result, created, ok, time};

impl Api {
    pub(super) async fn organisations(&self, call: &Call<'_>) -> Result<Answer> {
        let owners = self.owners(call, OwnerKind::Organisation).await?;
        let organisations = owners.into_iter().map(organisation).collect::<Result<_>>()?;
        ok(&Organisations { organisations })
    }

    pub(super) async fn create_organisation(&self, call: &Call<'_>) -> Result<Answer> {
        let OrganisationCreate { name } = call.read()?;
        created(&organisation(self.access.create_organisation(&call.actor(), &name).await?)?)
    }

    pub(super) async fn members(&self, call: &Call<'_>, organisation: &str) -> Result<Answer> {
        let mut members = Vec::new();
        let mut after = None;
        loop {
            let page = self.access.members(&call.actor(), organisation, after, PAGE).await?;
            after = page.last().map(|member| member.user);
            let full = page.len() == PAGE as usize;
            members
                .extend(page.into_iter().map(|member| Member { user: member.name, role: role(member.role) }));
            if !full {
                break;
            }
        }
        members.sort_by(|left, right| left.user.cmp(&right.user));
        ok(&Members { members })
    }

    pub(super) async fn set_member(&self, call: &Call<'_>, organisation: &str, user: &str) -> Result<Answer> {
        let MemberChange { role } = call.read()?;
        let stored = match role {
            Role::Reader => Stored::Reader,
            Role::Writer => Stored::Writer,
            Role::Owner => Stored::Owner,
        };
        self.access.set_member(&call.actor(), organisation, user, Some(stored)).await?;
        ok(&Member { user: user.to_owned(), role })
    }

    pub(super) async fn remove_member(
        &self,
        call: &Call<'_>,
        organisation: &str,
        user: &str,
    ) -> Result<Answer> {
        self.access.set_member(&call.actor(), organisation, user, None).await?;
        ok(&Deleted { deleted: user.to_owned() })
    }
}

fn organisation(owner: Owner) -> Result<Organisation> {
    Ok(Organisation { created: time(owner.created_at)?, name: owner.name })
}

const fn role(role: Stored) -> Role {
    match role {
        Stored::Reader => Role::Reader,
        Stored::Writer => Role::Writer,
        Stored::Owner => Role::Owner,
    }
}
