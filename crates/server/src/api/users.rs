//! Users.

use railhead_api::{User, UserCreate, UserEnabled, UserPassword, Users};
use railhead_catalog::{OwnerKind, User as Row};

use super::{Answer, Api, Call, PAGE, Result, created, fault::Fault, ok, time};

impl Api {
    pub(super) async fn users(&self, call: &Call<'_>) -> Result<Answer> {
        let mut users = Vec::new();
        for owner in self.owners(call, OwnerKind::User).await? {
            // A user that was deleted since the list was made is none of them.
            if let Some(row) = self.registry.catalog().user_by_id(owner.id).await? {
                users.push(user(row)?);
            }
        }
        ok(&Users { users })
    }

    pub(super) async fn create_user(&self, call: &Call<'_>) -> Result<Answer> {
        let UserCreate { name, admin, password } = call.read()?;
        self.access.create_user(&call.actor(), &name, password.map(Into::into), admin).await?;
        created(&self.user(&name).await?)
    }

    pub(super) async fn set_password(&self, call: &Call<'_>, name: &str) -> Result<Answer> {
        let UserPassword { password } = call.read()?;
        self.access.set_password(&call.actor(), name, Some(password.into())).await?;
        ok(&self.user(name).await?)
    }

    pub(super) async fn set_enabled(&self, call: &Call<'_>, name: &str) -> Result<Answer> {
        let UserEnabled { enabled } = call.read()?;
        self.access.set_disabled(&call.actor(), name, !enabled).await?;
        ok(&self.user(name).await?)
    }

    async fn user(&self, name: &str) -> Result<User> {
        let row = self.registry.catalog().user(name).await?;
        user(row.ok_or_else(|| Fault::not_found(format!("there is no user '{name}'")))?)
    }

    /// Every owner of a kind, by name.
    pub(super) async fn owners(
        &self,
        call: &Call<'_>,
        kind: OwnerKind,
    ) -> Result<Vec<railhead_catalog::Owner>> {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.access.owners(&call.actor(), after.as_deref(), PAGE).await?;
            after = page.last().map(|owner| owner.name.clone());
            let full = page.len() == PAGE as usize;
            all.extend(page.into_iter().filter(|owner| owner.kind == kind));
            if !full {
                return Ok(all);
            }
        }
    }
}

fn user(row: Row) -> Result<User> {
    Ok(User {
        created: time(row.owner.created_at)?,
        name: row.owner.name,
        admin: row.admin,
        disabled: row.disabled,
        password: row.password_hash.is_some(),
    })
}
