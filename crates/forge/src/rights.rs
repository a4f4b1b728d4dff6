//! What somebody may do with the packages of an owner.
//!
//! The forge's own registry is asked, with the person's own credentials, for something that cannot be there: the tags of a
//! package with an impossible name, or the end of an upload that was never begun. It judges the right first, so "there is no
//! such thing" means yes, and nothing is changed by it. Where the forge has its packages switched off, teams are asked for.

use std::sync::Arc;

use http::{HeaderValue, StatusCode};

use crate::line::{get, request};
use crate::owner::segment;
use crate::{Forge, Known, Login, Unavailable, login};

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    /// See and pull.
    Read,
    /// Push and delete.
    Write,
}

/// Whether the forge lets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Yes,
    /// It does not: for want of a right, or of a scope of the token.
    No,
    /// There is no such user or organisation that they could see.
    NoOwner,
    /// It has its packages off, and the token may not ask for teams.
    NeedsScopes,
}

/// A question of rights: who, about which owner in lower case, to do what.
pub(crate) type Question = (Option<login::Key>, String, Right);

/// A package that nobody has. A package of this name would change nothing.
const NOTHING: &str = "railhead-asks";

impl Forge {
    /// Whether `who`, or nobody in particular, may do that with the packages of `owner`, which is the first part of a
    /// repository's name.
    pub async fn may(
        &self,
        who: Option<&Arc<Login>>,
        owner: &str,
        right: Right,
    ) -> Result<Known<Standing>, Unavailable> {
        let question = (who.map(|login| login.key()), owner.to_owned(), right);
        let (forge, who, owner) = (self.clone(), who.map(Arc::clone), owner.to_owned());
        let ask = async move { forge.said(forge.standing(who.as_ref(), &owner, right).await) };
        self.0.rights.get(&question, self.0.settings.now, ask).await
    }

    async fn standing(
        &self,
        who: Option<&Arc<Login>>,
        owner: &str,
        right: Right,
    ) -> Result<Standing, Unavailable> {
        let shown = match who {
            Some(login) => login.header(),
            None => self.nobody().await?,
        };
        let Some(shown) = shown else {
            // The registry gives nobody a token: it is off, or the forge shows nothing without a login.
            return if who.is_none() && !self.has_packages().await? {
                self.by_teams(None, owner, right).await
            } else {
                Ok(Standing::No)
            };
        };
        let answer = self.0.line.ask(question(owner, right, shown)).await?;
        match answer.status {
            StatusCode::OK => Ok(Standing::Yes),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ok(Standing::No),
            StatusCode::NOT_FOUND if answer.is_of_registry() => Ok(Standing::Yes),
            // A renamed owner: the forge sends browsers on to the new name.
            status if status.is_redirection() => Ok(Standing::NoOwner),
            StatusCode::NOT_FOUND if self.has_packages().await? => Ok(Standing::NoOwner),
            StatusCode::NOT_FOUND => self.by_teams(who, owner, right).await,
            _ => Err(answer.unexpected()),
        }
    }

    /// Whether the forge's own registry is on, which is what rights are asked of.
    pub async fn has_packages(&self) -> Result<bool, Unavailable> {
        let forge = self.clone();
        let ask = async move {
            let answer = forge.0.line.ask(get("/v2/", None)).await?;
            match answer.status {
                StatusCode::OK | StatusCode::UNAUTHORIZED => Ok(true),
                StatusCode::NOT_FOUND => Ok(false),
                _ => Err(answer.unexpected()),
            }
        };
        Ok(self.0.packages.get(&(), self.0.settings.now, ask).await?.value)
    }

    /// Whether `who` is an owner of `organisation`, so that it may change more than its packages. `None`: nothing tells.
    pub async fn owns(
        &self,
        who: &Arc<Login>,
        login: &str,
        organisation: &str,
    ) -> Result<Option<bool>, Unavailable> {
        #[derive(serde::Deserialize)]
        struct Permissions {
            is_owner: bool,
        }
        let path = format!("/api/v1/users/{}/orgs/{}/permissions", segment(login), segment(organisation));
        for shown in [who.header(), self.operator()].into_iter().flatten() {
            let answer = self.0.line.ask(get(&path, Some(shown))).await?;
            match answer.status {
                StatusCode::OK => return Ok(Some(answer.json::<Permissions>()?.is_owner)),
                StatusCode::FORBIDDEN if answer.is_about_scopes() => {}
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                    return Ok(Some(false));
                }
                _ => return Err(answer.unexpected()),
            }
        }
        Ok(None)
    }
}

fn question(owner: &str, right: Right, shown: HeaderValue) -> http::Request<railhead_client::Body> {
    let owner = segment(owner);
    match right {
        Right::Read => get(&format!("/v2/{owner}/{NOTHING}/tags/list"), Some(shown)),
        Right::Write => {
            request("DELETE", &format!("/v2/{owner}/{NOTHING}/blobs/uploads/{NOTHING}"), Some(shown))
        }
    }
}
