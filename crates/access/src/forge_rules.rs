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
//!
//! An owner that the forge has under another name is renamed on the way, and then the case is judged again: a pull under its
//! former name by the rights on what the repository is called now.

use railhead_catalog::{ForgeFacts, OwnerKind, Timestamp, Visibility};
use railhead_forge::{Forge, Known, Link, OwnerFacts, Right, Standing, Unavailable};
use railhead_oci::RepositoryName;

use crate::former_names::CurrentName;
use crate::identity::ForgeLogin;
use crate::{Access, Action, Decision, Denial, Error, Identity, Principal, Reason, Result};

/// A decision under way: until when all that it rests on counts.
struct Case<'a> {
    access: &'a Access,
    forge: &'a Forge,
    who: &'a Identity,
    action: Action,
    /// As the client calls it.
    asked: &'a RepositoryName,
    /// As it is called now.
    repository: &'a RepositoryName,
    known: ForgeFacts,
    /// Whether the forge has no owner of this name.
    no_owner: bool,
    until: i64,
}

/// How often a case is judged again because an owner was renamed: under its former name, and under its new one.
const AGAIN: usize = 3;

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
        let mut again = AGAIN;
        let denial = loop {
            again -= 1;
            let current = if action == Action::Pull { self.current_name(repository).await? } else { None };
            let name = current.as_ref().map_or(repository, |current| &current.name);
            let known = self.0.catalog.forge_facts(name).await?;
            let until = current.as_ref().map_or(i64::MAX, |current| current.until.0);
            let mut case = Case {
                access: self,
                forge,
                who,
                action,
                asked: repository,
                repository: name,
                known,
                no_owner: false,
                until,
            };
            if let Some(current) = &current
                && again > 0
                && case.is_taken(current).await?
            {
                continue;
            }
            let outcome = case.judge().await;
            if again > 0 && case.finds_new_name().await? {
                continue;
            }
            match outcome {
                Ok(()) => return Ok((Decision::Allowed, Timestamp(case.until))),
                Err(No::Denied(denial)) => break denial,
                Err(No::Unavailable(error)) => break Denial::unavailable(&error.to_string()),
                Err(No::Failed(error)) => return Err(error),
            }
        };
        let denial = denial.with("action", action.word()).with("repository", repository.as_str());
        Ok((Decision::Denied(Box::new(denial)), self.now()))
    }
}

impl Case<'_> {
    /// Whether somebody else has the former name on the forge: then it is one no more.
    async fn is_taken(&mut self, current: &CurrentName) -> Result<bool> {
        let login = self.who.forge.as_ref().map(|login| &login.shown);
        // While the forge does not answer, what is known goes on.
        let Ok(facts) = self.forge.owner(login, self.asked.owner()).await else { return Ok(false) };
        let taken = self.note(facts).is_some_and(|facts| Some(facts.id) != current.forge_id);
        if taken {
            self.access.end_former_name(self.asked.owner()).await?;
        }
        Ok(taken)
    }

    /// Whether the owner was found to have another name on the forge than here, and was renamed here.
    async fn finds_new_name(&self) -> Result<bool> {
        let (login, owner) = (self.who.forge.as_ref().map(|login| &login.shown), self.repository.owner());
        let facts = match self.known.forge_id {
            Some(number) if self.no_owner => {
                let facts = self.forge.renamed(login, owner).await;
                facts.ok().and_then(|facts| facts.value).filter(|facts| facts.id == number)
            }
            // Not known under this name, maybe under the one before. Nobody in particular has no such question asked, as then
            // everybody could have the forge asked about any name.
            None if self.known.owner.is_none() && self.action == Action::Pull && login.is_some() => {
                self.forge.owner(login, owner).await.ok().and_then(|facts| facts.value)
            }
            _ => None,
        };
        match facts {
            Some(facts) => self.access.follow(self.forge, &facts).await,
            None => Ok(false),
        }
    }

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
        if !self.who.bearer_grants(self.action, self.asked) {
            let (action, repository) = (self.action, self.asked);
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
        let standing = self.note(standing);
        self.no_owner |= standing == Standing::NoOwner;
        if standing != Standing::Yes {
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
        if let Some(current) = self.access.current_name(repository).await.map_err(No::Failed)? {
            let may = self.forge.may(Some(&login.shown), current.name.owner(), Right::Write).await?;
            if may.value == Standing::Yes {
                let message = format!(
                    "'{owner}' is called '{}' on the forge now: push to {}; below the former name images can only be pulled",
                    current.name.owner(),
                    current.name
                );
                return Err(Denial::new(Reason::Owner, message).into());
            }
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
        let organisation = self.forge.is_organisation(Some(&login.shown), &facts.login).await?;
        let kind = if organisation { OwnerKind::Organisation } else { OwnerKind::User };
        match self.access.mirror(self.forge, facts.id, &facts.login, kind).await {
            Ok(_) => Ok(()),
            Err(Error::Denied(denial)) => Err(No::Denied(*denial)),
            Err(error) => Err(No::Failed(error)),
        }
    }

    async fn right(&mut self, login: &ForgeLogin, right: Right) -> Result<Standing, No> {
        let standing = self.forge.may(Some(&login.shown), self.repository.owner(), right).await?;
        let standing = self.note(standing);
        self.no_owner |= standing == Standing::NoOwner;
        Ok(standing)
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
