//! The visibility of repositories, and reading the audit.

use railhead_catalog::{AuditFilter, AuditRecord, Visibility};
use railhead_oci::RepositoryName;
use serde_json::json;

use super::Actor;
use crate::{Access, Action, Decision, Result};

impl Access {
    /// Makes a repository public or private, for those who may administer it.
    pub async fn set_visibility(
        &self,
        by: &Actor,
        name: &RepositoryName,
        visibility: Visibility,
    ) -> Result<()> {
        self.require(by, Action::Admin, name).await?;
        let found = self.0.catalog.repository(name).await?;
        let repository =
            found.ok_or_else(|| railhead_catalog::Error::NotFound(format!("repository '{name}'")))?.id;
        let catalog = self.0.catalog.clone();
        self.change(async move { catalog.set_visibility(repository, visibility).await }).await?;
        let detail = json!({ "visibility": visibility });
        self.wrote(by, "repository.visibility", name.as_str(), Some(detail)).await
    }

    /// Refuses an actor who may not do `action` on `repository`.
    pub async fn require(&self, by: &Actor, action: Action, repository: &RepositoryName) -> Result<()> {
        match self.decide(&by.who, action, repository).await? {
            Decision::Allowed => Ok(()),
            Decision::Denied(denial) => Err(denial.into()),
        }
    }

    /// Reads the audit, newest first. Administrators only.
    pub async fn audit_records(
        &self,
        by: &Actor,
        filter: AuditFilter,
        limit: u32,
    ) -> Result<Vec<AuditRecord>> {
        self.require_admin(&by.who).await?;
        self.audit().flush(self.now()).await?;
        Ok(self.0.catalog.audit(filter, limit).await?)
    }
}
