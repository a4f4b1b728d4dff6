//! Who may do what where, by the forge.
//!
//! | act | who may |
//! | --- | --- |
//! | pull | everybody, when the forge shows the owner to everybody; else who may read the owner's packages |
//! | push, delete | who may write the owner's packages |
//! | admin | the user itself, an owner of the organisation, an administrator of the forge |
//!
//! A pull has two more obstacles, and the strictest wins: a private Git repository of the same name wants a reader of it, and
//! a repository that was set private here wants somebody who may write. What was public here before the forge is no more
//! public than its owner.
//!
//! Order: what everybody may, then the person's right, then the grants of a bearer token. A later step only takes away.

use railhead_catalog::{ForgeFacts, OwnerKind, Timestamp, Visibility};
use railhead_forge::{Forge, Known, Link, OwnerFacts, Right, Standing, Unavailable};
use railhead_oci::RepositoryName;

use crate::identity::ForgeLogin;
use crate::{Access, Action, Decision, Denial, Error, Identity, Principal, Reason, Result};

/// A decision under way: until when all that it rests on counts.
struct Case<'a> {
    access: &'a Access,
    forge: &'a Forge,
    who: &'a Identity,
    action: Action,
    repository: &'a RepositoryName,
    known: ForgeFacts,
    until: i64,
}

/// Why a case has no yes.
enum No {
    Denied(Denial),
    Unavailable(Unavailable),
    Failed(Error),
}

impl From<Unavailable> for No {
    fn from(error: Unavailable) -> Self {
        Self::Unavailable(error)
    }
}

impl From<Denial> for No {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

impl<E: Into<Error>> From<Failed<E>> for No {
    fn from(error: Failed<E>) -> Self {
        Self::Failed(error.0.into())
    }
}

/// A failure that is no answer of the forge.
struct Failed<E>(E);

impl Access {
    pub(crate) async fn judge_by_forge(
        &self,
        forge: &Forge,
        who: &Identity,
        action: Action,
        repository: &RepositoryName,
    ) -> Result<(Decision, Timestamp)> {
        if *who.principal() == Principal::Operator {
            return Ok((Decision::Allowed, Timestamp(i64::MAX)));
        }
        let known = self.0.catalog.forge_facts(repository).await?;
        let mut case = Case { access: self, forge, who, action, repository, known, until: i64::MAX };
        let denial = match case.judge().await {
            Ok(()) => return Ok((Decision::Allowed, Timestamp(case.until))),
            Err(No::Denied(denial)) => denial,
            Err(No::Unavailable(error)) => Denial::unavailable(&error.to_string()),
            Err(No::Failed(error)) => return Err(error),
        };
        let denial = denial.with("action", action.word()).with("repository", repository.as_str());
        Ok((Decision::Denied(Box::new(denial)), self.now()))
    }
}

impl Case<'_> {
    async fn judge(&mut self) -> Result<(), No> {
        let public = if self.action == Action::Pull { self.is_public().await } else { Ok(false) };
        if matches!(public, Ok(true)) {
            return Ok(());
        }
        let Some(login) = self.who.forge.as_ref() else {
            if let Some(why) = &self.who.unverified {
                return Err(Denial::unavailable(why).into());
            }
            // A forge that is down must not tell what is private from what is missing.
            if let Err(No::Failed(error)) = public {
                return Err(No::Failed(error));
            }
            let message = "log in to do this; without a login only public repositories can be pulled";
            return Err(Denial::new(Reason::Unauthenticated, message).into());
        };
        self.same_owner(login).await?;
        match self.action {
            Action::Pull => self.may_pull(login).await?,
            Action::Push | Action::Delete => self.may_change(login).await?,
            Action::Admin => self.may_administer(login).await?,
        }
        if self.action == Action::Push {
            self.ensure_owner(login).await?;
        }
        if self.who.is_bearer() && self.action == Action::Admin {
            let message = "a bearer token cannot do this; use a token of the forge or the password";
            return Err(Denial::new(Reason::TokenScope, message).into());
        }
        if !self.who.bearer_grants(self.action, self.repository) {
            let (action, repository) = (self.action, self.repository);
            let message = format!(
                "the bearer token was not asked for {action} on {repository}; ask for one with that scope"
            );
            return Err(Denial::new(Reason::NeedsScope, message).into());
        }
        Ok(())
    }

    /// Whether everybody may pull. What was public goes on being so while the forge does not answer.
    async fn is_public(&mut self) -> Result<bool, No> {
        let Some(repository) = self.known.repository.clone() else { return Ok(false) };
        if repository.decided == Some(Visibility::Private) {
            return Ok(false);
        }
        let public = match self.ask_public().await {
            Ok(public) => public,
            Err(No::Unavailable(_)) if repository.was_public => {
                self.until = self.access.now().plus_millis(2000).0;
                return Ok(true);
            }
            Err(no) => return Err(no),
        };
        if public != repository.was_public {
            self.access.0.catalog.note_public(repository.id, public).await.map_err(Failed)?;
        }
        Ok(public)
    }

    async fn ask_public(&mut self) -> Result<bool, No> {
        let standing = self.forge.may(None, self.repository.owner(), Right::Read).await?;
        if self.note(standing) != Standing::Yes {
            return Ok(false);
        }
        let facts = self.forge.owner(None, self.repository.owner()).await?;
        if let (Some(facts), Some(number)) = (self.note(facts), self.known.forge_id)
            && facts.id != number
        {
            return Ok(false);
        }
        Ok(self.link(None).await? == Link::Open)
    }

    /// Refuses when the name is another owner's on the forge than it was, and that one has left images behind.
    async fn same_owner(&mut self, login: &ForgeLogin) -> Result<(), No> {
        let owner = self.repository.owner();
        let Some(number) = self.known.forge_id.filter(|_| !login.person.login.eq_ignore_ascii_case(owner))
        else {
            // An account's own row was made or found when it logged in.
            return Ok(());
        };
        let facts = self.forge.owner(Some(&login.shown), owner).await?;
        match self.note(facts) {
            Some(facts) if facts.id != number => self.mirror(login, &facts).await,
            _ => Ok(()),
        }
    }

    async fn may_pull(&mut self, login: &ForgeLogin) -> Result<(), No> {
        let hidden = || Denial::new(Reason::Visibility, "there is no such repository");
        let owner = self.repository.owner();
        match self.right(login, Right::Read).await? {
            Standing::Yes => {}
            Standing::NeedsScopes => return Err(needs_scopes().into()),
            Standing::No | Standing::NoOwner => return Err(hidden().into()),
        }
        if self.link(Some(&login.person.login)).await? == Link::Closed {
            return Err(hidden().into());
        }
        let decided = self.known.repository.as_ref().and_then(|repository| repository.decided);
        let mine = login.person.login.eq_ignore_ascii_case(owner);
        if decided == Some(Visibility::Private)
            && !mine
            && self.right(login, Right::Write).await? != Standing::Yes
        {
            return Err(hidden().into());
        }
        Ok(())
    }

    async fn may_change(&mut self, login: &ForgeLogin) -> Result<(), No> {
        let (action, repository, owner) = (self.action, self.repository, self.repository.owner());
        match self.right(login, Right::Write).await? {
            Standing::Yes => return Ok(()),
            Standing::NeedsScopes => return Err(needs_scopes().into()),
            Standing::NoOwner => {}
            Standing::No => {
                if self.right(login, Right::Read).await? == Standing::Yes {
                    return Err(Denial::new(
                        Reason::Role,
                        format!(
                            "{action} on {repository} needs the right to write packages of '{owner}' on the forge, and a \
                             token with the scope write:package"
                        ),
                    )
                    .into());
                }
            }
        }
        if action == Action::Delete {
            return Err(Denial::new(Reason::Visibility, "there is no such repository").into());
        }
        // The same for an owner that is not there and for one that they may not see.
        Err(Denial::new(
            Reason::Owner,
            format!(
                "the forge shows you no user or organisation '{owner}'; push below your own name, or below that of an \
                 organisation of yours, with a token that has the scope write:package"
            ),
        )
        .into())
    }

    async fn may_administer(&mut self, login: &ForgeLogin) -> Result<(), No> {
        self.may_change(login).await?;
        let owner = self.repository.owner();
        if self.who.account().is_some_and(|account| account.admin)
            || login.person.login.eq_ignore_ascii_case(owner)
        {
            return Ok(());
        }
        match self.forge.owns(&login.shown, &login.person.login, owner).await? {
            Some(true) => Ok(()),
            Some(false) => Err(Denial::new(
                Reason::Role,
                format!("this needs an owner of the organisation '{owner}' on the forge"),
            )
            .into()),
            None => Err(Denial::new(
                Reason::TokenScope,
                "the token does not show whether you own the organisation; it needs read:user and read:organization",
            )
            .into()),
        }
    }

    /// Makes the row of the owner, below which something is to be pushed.
    async fn ensure_owner(&mut self, login: &ForgeLogin) -> Result<(), No> {
        let owner = self.repository.owner();
        if self.known.forge_id.is_some() || login.person.login.eq_ignore_ascii_case(owner) {
            return Ok(());
        }
        let facts = self.forge.owner(Some(&login.shown), owner).await?;
        let Some(facts) = self.note(facts) else {
            // The forge lets them write, and shows nobody whom: an organisation that hides, and a narrow token.
            if self.known.owner.is_some() {
                return Ok(());
            }
            return Err(Denial::new(
                Reason::Owner,
                format!(
                    "the forge does not say what '{owner}' is: push once with a token that has read:user, or let the \
                     operator of Railhead set forge.token_file"
                ),
            )
            .into());
        };
        self.mirror(login, &facts).await
    }

    async fn mirror(&self, login: &ForgeLogin, facts: &OwnerFacts) -> Result<(), No> {
        let organisation = self.forge.is_organisation(&login.shown, &facts.login).await?;
        let kind = if organisation { OwnerKind::Organisation } else { OwnerKind::User };
        match self.access.mirror(self.forge, facts.id, &facts.login, kind).await {
            Ok(_) => Ok(()),
            Err(Error::Denied(denial)) => Err(No::Denied(*denial)),
            Err(error) => Err(No::Failed(error)),
        }
    }

    async fn right(&mut self, login: &ForgeLogin, right: Right) -> Result<Standing, No> {
        let standing = self.forge.may(Some(&login.shown), self.repository.owner(), right).await?;
        Ok(self.note(standing))
    }

    async fn link(&mut self, login: Option<&str>) -> Result<Link, No> {
        let (owner, image) = (self.repository.owner(), self.repository.image());
        let name = image.split('/').next().unwrap_or(image);
        let link = self.forge.link(login, owner, name).await?;
        Ok(self.note(link))
    }

    /// Takes what is known, and remembers how long it is.
    fn note<T>(&mut self, known: Known<T>) -> T {
        self.until = self.until.min(known.until);
        known.value
    }
}

fn needs_scopes() -> Denial {
    Denial::new(
        Reason::TokenScope,
        "the packages of the forge are off, so your rights are asked for by your teams: the token needs the scopes \
         read:user and read:organization",
    )
}
