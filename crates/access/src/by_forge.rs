//! Logins that a forge judges.
//!
//! Order: the throttle, unless the forge has answered of late; the forge; the owner's row in the catalog; the identity, which
//! is remembered as long as the forge's answer counts. A login that the forge cannot be asked about is nobody's: it pulls
//! what is public, and is told why the rest has to wait.

use std::net::IpAddr;
use std::sync::Arc;

use railhead_catalog::{Error as CatalogError, OwnerId, OwnerKind, Timestamp};
use railhead_forge::{Forge, Found, Login, OwnerFacts, Person};
use secrecy::ExposeSecret as _;

use crate::authenticate::{account, disabled};
use crate::identity::ForgeLogin;
use crate::{Access, Denial, Error, Identity, Principal, Reason, Result, secret};

/// What the forge says of a login.
enum Judged {
    /// It is somebody's.
    Somebody { principal: Principal, login: ForgeLogin, until: Timestamp },
    /// It is not taken, and why.
    Refused(String),
    /// It is right, and its account cannot be one here.
    Barred(Denial),
    /// It cannot be asked, and why.
    Unknown(String),
}

impl Access {
    pub(crate) async fn by_forge(
        &self,
        forge: &Forge,
        header: &str,
        login: Login,
        from: IpAddr,
    ) -> Result<Arc<Identity>> {
        if secret::is_token(login.secret.expose_secret()) {
            return Err(Denial::new(
                Reason::Credentials,
                format!(
                    "Railhead's own tokens no longer count: log in with an account of the forge at {}",
                    forge.url()
                ),
            )
            .into());
        }
        let (shared, login) = (&self.0, Arc::new(login));
        let known = forge.knows(&login);
        let before = forge.has_refused(&login);
        if !known {
            self.may_ask(&login, from)?;
        }
        let generation = shared.generation.current(&shared.catalog, self.now()).await?;
        match self.judge_login(forge, &login).await? {
            Judged::Somebody { principal, login, until } => {
                shared.throttle.succeeded(&login.shown.name);
                let identity = Arc::new(Identity {
                    forge: Some(login),
                    ..Identity::of(shared.next_serial(), principal, generation)
                });
                self.keep(header, &identity, until);
                Ok(identity)
            }
            Judged::Refused(message) => {
                // A client that shows one revoked token for ever must not lock out all others at its address.
                if !known && !before {
                    self.count_refusal(&login, from);
                }
                Err(Denial::new(Reason::Credentials, message).into())
            }
            Judged::Barred(denial) => Err(denial.into()),
            Judged::Unknown(why) => Ok(Arc::new(Identity {
                unverified: Some(why.into()),
                ..Identity::of(shared.next_serial(), Principal::Anonymous, generation)
            })),
        }
    }

    /// Fills in who the holder of a bearer token is, from what is sealed in it; gives until when that may be remembered.
    pub(crate) async fn bearer_of_forge(
        &self,
        forge: &Forge,
        identity: &mut Identity,
        account: Option<i64>,
        sealed: Option<&str>,
    ) -> Result<Timestamp> {
        let end = identity.expires.unwrap_or(Timestamp(i64::MAX));
        let again = || Denial::new(Reason::Credentials, "the login has ended; log in again");
        let Some(sealed) = sealed else {
            // One for nobody is as good as ever; one of an account from before the forge is not.
            return if account.is_none() { Ok(end) } else { Err(again().into()) };
        };
        let login = Arc::new(self.0.seal.open(sealed).ok_or_else(again)?);
        match self.judge_login(forge, &login).await? {
            Judged::Somebody { principal, login, until } => {
                identity.principal = principal;
                identity.forge = Some(login);
                Ok(end.min(until))
            }
            Judged::Refused(message) => Err(Denial::new(Reason::Credentials, message).into()),
            Judged::Barred(denial) => Err(denial.into()),
            Judged::Unknown(why) => {
                identity.unverified = Some(why.into());
                // Not remembered: the forge may answer the next time.
                Ok(Timestamp(0))
            }
        }
    }

    async fn judge_login(&self, forge: &Forge, login: &Arc<Login>) -> Result<Judged> {
        let known = match forge.person(login).await {
            Ok(known) => known,
            Err(error) => return Ok(Judged::Unknown(error.to_string())),
        };
        let person = match known.value {
            Found::Person(person) => person,
            Found::Refused(message) => return Ok(Judged::Refused(message)),
        };
        let principal = match self.mirrored(forge, &person).await {
            Ok(principal) => principal,
            Err(Error::Denied(denial)) => {
                return Ok(Judged::Barred(Denial::new(Reason::Credentials, denial.message)));
            }
            Err(error) => return Err(error),
        };
        let login = ForgeLogin { shown: Arc::clone(login), person };
        Ok(Judged::Somebody { principal, login, until: Timestamp(known.until) })
    }

    /// The account of the catalog that is this person.
    async fn mirrored(&self, forge: &Forge, person: &Person) -> Result<Principal> {
        let id = self.mirror(forge, person.id, &person.login, OwnerKind::User).await?;
        Ok(account(id, &person.login, person.admin))
    }

    /// The row of an owner of the forge, made or renamed if need be.
    pub(crate) async fn mirror(
        &self,
        forge: &Forge,
        id: i64,
        name: &str,
        kind: OwnerKind,
    ) -> Result<OwnerId> {
        match self.0.catalog.mirror_owner(id, name, kind, self.now()).await {
            Ok(found) if found.disabled => Err(disabled().into()),
            Ok(found) => {
                if let Some(from) = found.renamed_from {
                    self.was_renamed(forge, &from, name);
                }
                Ok(found.owner)
            }
            Err(CatalogError::AlreadyExists(_)) => Err(Denial::new(
                Reason::Owner,
                format!(
                    "the name '{name}' belonged to another account of {} before, whose repositories are kept; the \
                     operator has to remove them first",
                    forge.kind()
                ),
            )
            .into()),
            Err(CatalogError::InvalidName { .. }) => Err(Denial::new(
                Reason::Owner,
                format!("the name '{name}' cannot be the first part of an image's name, so it cannot be used here"),
            )
            .into()),
            Err(error) => Err(error.into()),
        }
    }

    /// Renames an owner that the forge has under another name than it has here; false when it has the same, or none here.
    pub(crate) async fn follow(&self, forge: &Forge, owner: &OwnerFacts) -> Result<bool> {
        match self.0.catalog.rename_mirrored(owner.id, &owner.login, self.now()).await {
            Ok(Some(from)) => {
                self.was_renamed(forge, &from, &owner.login);
                Ok(true)
            }
            // Where the name is taken here, or cannot be one, the owner stays under its former one until the operator decides.
            Ok(None) | Err(CatalogError::AlreadyExists(_) | CatalogError::InvalidName { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn was_renamed(&self, forge: &Forge, from: &str, to: &str) {
        tracing::info!(from, to, "the forge renamed an owner; its repositories are renamed with it");
        // An older answer with the former name must not rename it back, nor be of who has that name now.
        forge.forget();
        self.0.settings.renamed.happened();
        self.0.generation.bump();
    }

    /// Refuses a disabled account.
    pub(crate) async fn not_disabled(&self, id: OwnerId) -> Result<()> {
        match self.0.catalog.user_by_id(id).await? {
            Some(user) if user.disabled => Err(disabled().into()),
            Some(_) => Ok(()),
            None => Err(Denial::credentials().into()),
        }
    }

    fn may_ask(&self, login: &Login, from: IpAddr) -> Result<()> {
        if !login.is_token() {
            return Ok(self.not_throttled(&login.name, from)?);
        }
        let wait = self.0.throttle.wait_from(from, self.now());
        wait.map_or(Ok(()), |wait| Err(Denial::too_many(wait).into()))
    }

    fn count_refusal(&self, login: &Login, from: IpAddr) {
        if login.is_token() {
            self.0.throttle.failed_from(from, self.now());
        } else {
            self.wrong_password(&login.name, None, from);
        }
    }
}
