//! From an identity, an action and a repository to a [`Decision`]: remembered, or from the facts of the catalog.

use std::borrow::Cow;

use railhead_catalog::{OwnerKind, Role, Timestamp};
use railhead_oci::RepositoryName;

use crate::identity::Account;
use crate::rules::{Facts, Standing, everyone_may, judge};
use crate::{Access, Action, Decision, Denial, Error, Identity, Principal, Reason, Result};

impl Access {
    /// That `who` was lately found to be allowed. `None` means that [`Access::decide`] has to find out.
    pub fn remembered_decision(
        &self,
        who: &Identity,
        action: Action,
        repository: &RepositoryName,
    ) -> Option<Decision> {
        let now = self.now();
        let generation = self.0.generation.fresh(now)?;
        let alive = who.expires.is_none_or(|expires| now < expires);
        (alive && self.0.remembered.allowed(who, action, repository, generation, now))
            .then_some(Decision::Allowed)
    }

    /// Whether `who` may do `action` on `repository`, by the rules of [`crate::rules`].
    ///
    /// A pull of what is not there is allowed to those who could pull it: they get to know that it is not there.
    pub async fn decide(
        &self,
        who: &Identity,
        action: Action,
        repository: &RepositoryName,
    ) -> Result<Decision> {
        if let Some(decision) = self.remembered_decision(who, action, repository) {
            return Ok(decision);
        }
        let generation = self.0.generation.current(&self.0.catalog, self.now()).await?;
        let (decision, until) = self.find(who, action, repository, generation).await?;
        if decision.is_allowed() {
            self.0.remembered.keep_allowed(who, action, repository, generation, until);
        }
        Ok(decision)
    }

    /// The decision from the facts of the catalog or of the forge, and until when it counts.
    pub(crate) async fn find(
        &self,
        who: &Identity,
        action: Action,
        repository: &RepositoryName,
        generation: u64,
    ) -> Result<(Decision, Timestamp)> {
        let who = match self.up_to_date(who, generation).await {
            Ok(who) => who,
            Err(Error::Denied(denial)) => return Ok((Decision::Denied(denial), self.now())),
            Err(error) => return Err(error),
        };
        if let Some(grants) = &who.grants {
            return Box::pin(self.judge_workload(&who, grants, action, repository, generation)).await;
        }
        if let Some(forge) = &self.0.settings.forge {
            // Boxed, as the next: what is seldom and large would make every request's future large.
            return Box::pin(self.judge_by_forge(forge, &who, action, repository)).await;
        }
        let facts = self.facts(&who, action, repository).await?;
        Ok((judge(&who, action, repository, facts), Timestamp(i64::MAX)))
    }

    /// Whether `who` may see `repository` in a list of repositories: what it may pull, and for a bearer token with
    /// the catalog's scope also what that token does not name.
    pub async fn may_see(&self, who: &Identity, repository: &RepositoryName) -> Result<bool> {
        if !who.may_list() || !who.is_bearer() {
            return Ok(self.decide(who, Action::Pull, repository).await?.is_allowed());
        }
        let generation = self.0.generation.current(&self.0.catalog, self.now()).await?;
        // Not remembered, as it would be taken for a decision about the bearer token.
        let whole = Identity { bearer: None, ..who.clone() };
        Ok(self.find(&whole, Action::Pull, repository, generation).await?.0.is_allowed())
    }

    /// `who`, unless it has expired; looked at anew when something changed since: its token may be revoked, its
    /// account disabled.
    async fn up_to_date<'a>(&self, who: &'a Identity, generation: u64) -> Result<Cow<'a, Identity>> {
        if who.expires.is_some_and(|expires| expires <= self.now()) {
            return Err(Denial::new(Reason::Credentials, "the login has expired; log in again").into());
        }
        let Some(account) = who.account().filter(|_| who.generation != generation) else {
            return Ok(Cow::Borrowed(who));
        };
        if who.forge.is_some() {
            self.not_disabled(account.id).await?;
            return Ok(Cow::Owned(Identity { generation, ..who.clone() }));
        }
        let (principal, token) = self.alive(account.id, who.token_id(), who.password_mark.as_deref()).await?;
        Ok(Cow::Owned(Identity { principal, token, generation, ..who.clone() }))
    }

    async fn facts(&self, who: &Identity, action: Action, repository: &RepositoryName) -> Result<Facts> {
        let catalog = &self.0.catalog;
        let visibility = catalog.repository(repository).await?.map(|repository| repository.visibility);
        let nobody = Facts { owner_exists: true, standing: Standing::Stranger, visibility };
        let Some(account) = who.account().filter(|_| !everyone_may(action, visibility)) else {
            return Ok(nobody);
        };
        let owner = catalog.owner(repository.owner()).await?;
        let standing = match &owner {
            _ if account.admin => Standing::Owner,
            None => Standing::Stranger,
            Some(owner) if owner.kind == OwnerKind::User && owner.id == account.id => Standing::Owner,
            Some(owner) if owner.kind == OwnerKind::User => Standing::Stranger,
            Some(owner) => self.role(account, owner.id).await?.map_or(Standing::Stranger, standing),
        };
        Ok(Facts { owner_exists: owner.is_some(), standing, visibility })
    }

    /// The role of `account` in an organisation.
    pub(crate) async fn role(
        &self,
        account: &Account,
        organisation: railhead_catalog::OwnerId,
    ) -> Result<Option<Role>> {
        let memberships = self.0.catalog.memberships(account.id).await?;
        Ok(memberships.iter().find(|member| member.organisation == organisation).map(|member| member.role))
    }

    /// Refuses everyone but administrators whose token is not narrowed, and the operator.
    pub async fn require_admin(&self, who: &Identity) -> Result<()> {
        let who = self.whole(who).await?;
        match who.principal() {
            Principal::Operator => Ok(()),
            Principal::Account(account) if account.admin => Ok(()),
            _ => Err(Denial::new(Reason::Role, "this needs an administrator").into()),
        }
    }

    /// `who` as it is now, when nothing narrows it. What administers must not come from a bearer token or a token
    /// for less: a leaked one of CI could make itself a wider one.
    pub(crate) async fn whole<'a>(&self, who: &'a Identity) -> Result<Cow<'a, Identity>> {
        who.verified()?;
        if who.is_anonymous() {
            return Err(Denial::new(Reason::Unauthenticated, "log in to do this").into());
        }
        let generation = self.0.generation.current(&self.0.catalog, self.now()).await?;
        let who = self.up_to_date(who, generation).await?;
        if who.is_whole() {
            Ok(who)
        } else {
            Err(Denial::new(
                Reason::TokenScope,
                "the token has no scope for this; it needs admin over everything, or log in with the password",
            )
            .into())
        }
    }
}

const fn standing(role: Role) -> Standing {
    match role {
        Role::Reader => Standing::Reader,
        Role::Writer => Standing::Writer,
        Role::Owner => Standing::Owner,
    }
}
