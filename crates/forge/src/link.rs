//! What the Git repository of the same name allows.
//!
//! The images `team/app` and `team/app/worker` belong to the Git repository `team/app`, when there is one. When it is
//! private, only who may read it may pull them. Only the operator's token can tell a private repository from none, so without
//! that token nothing is asked.

use http::StatusCode;
use serde::Deserialize;

use crate::line::get;
use crate::owner::segment;
use crate::{Forge, Known, Unavailable};

/// What it means for a pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Nothing: there is none, or it is not private, or nobody can tell.
    Open,
    /// It is private, and this account may read it.
    Reader,
    /// It is private, and this account may not read it; or nobody is logged in.
    Closed,
}

impl Forge {
    /// What the Git repository of the images `owner`/`name`… lets the account `login` do; `name` has no slash.
    pub async fn link(
        &self,
        login: Option<&str>,
        owner: &str,
        name: &str,
    ) -> Result<Known<Link>, Unavailable> {
        if !self.has_operator_token() {
            return Ok(Known { value: Link::Open, until: i64::MAX });
        }
        let path = format!("/api/v1/repos/{}/{}", segment(owner), segment(name));
        let key = (login.map(str::to_ascii_lowercase), path.clone());
        let (forge, login) = (self.clone(), login.map(str::to_owned));
        let ask = async move { forge.said(forge.linked(login.as_deref(), &path).await) };
        self.0.links.get(&key, self.0.settings.now, ask).await
    }

    async fn linked(&self, login: Option<&str>, path: &str) -> Result<Link, Unavailable> {
        #[derive(Deserialize)]
        struct Repository {
            private: bool,
        }
        #[derive(Deserialize)]
        struct Permission {
            permission: String,
        }
        let answer = self.0.line.ask(get(path, self.operator())).await?;
        let repository: Repository = match answer.status {
            StatusCode::NOT_FOUND => return Ok(Link::Open),
            status if status.is_redirection() => return Ok(Link::Open),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let why = answer.message().unwrap_or_else(|| answer.status.to_string());
                return Err(Unavailable(format!(
                    "the forge does not take forge.token for {path}: {why}; it needs an administrator's token with \
                     read:repository, read:user and read:organization"
                )));
            }
            _ => answer.json()?,
        };
        if !repository.private {
            return Ok(Link::Open);
        }
        let Some(login) = login else { return Ok(Link::Closed) };
        let path = format!("{path}/collaborators/{}/permission", segment(login));
        let answer = self.0.line.ask(get(&path, self.operator())).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(Link::Closed);
        }
        let found: Permission = answer.json()?;
        Ok(if found.permission == "none" { Link::Closed } else { Link::Reader })
    }
}
