//! Who owns a name.

use std::sync::Arc;

use http::StatusCode;
use serde::Deserialize;

use crate::answer::Answer;
use crate::line::get;
use crate::{Forge, Known, Login, Unavailable};

/// What the forge says of a user or an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerFacts {
    /// Its number, which it keeps when it is renamed.
    pub id: i64,
    /// Its name as it is written there.
    pub login: String,
    /// `public`, `limited` (to those who are logged in) or `private`.
    pub visibility: String,
}

#[derive(Deserialize)]
struct User {
    id: i64,
    login: String,
    #[serde(default)]
    visibility: String,
}

impl Forge {
    /// The owner of `name`, when the forge shows it: to the operator, where there is a token for that, or to everybody, or to
    /// `who`. `None` when it shows it to none of them.
    pub async fn owner(
        &self,
        who: Option<&Arc<Login>>,
        name: &str,
    ) -> Result<Known<Option<OwnerFacts>>, Unavailable> {
        let (forge, wanted) = (self.clone(), name.to_owned());
        let ask = async move { forge.said(forge.look_up(&wanted, forge.operator()).await) };
        let known = self.0.owners.get(&name.to_ascii_lowercase(), self.0.settings.now, ask).await?;
        // A token that may not read even its own account is not shown others.
        let who = who.filter(|login| self.0.narrow.get(&login.key()).is_none());
        let (None, Some(login)) = (&known.value, who) else { return Ok(known) };
        // A private organisation shows itself to its members. Kept apart, as others must not learn of it.
        let key = format!("{}\0{:02x?}", name.to_ascii_lowercase(), login.key());
        let (forge, wanted, login) = (self.clone(), name.to_owned(), Arc::clone(login));
        let ask = async move { forge.said(forge.look_up(&wanted, login.header()).await) };
        self.0.owners.get(&key, self.0.settings.now, ask).await
    }

    /// Who was called `name` before, when the forge has that owner under another name now and shows it: to the operator, to
    /// everybody, or to `who`.
    pub async fn renamed(
        &self,
        who: Option<&Arc<Login>>,
        name: &str,
    ) -> Result<Known<Option<OwnerFacts>>, Unavailable> {
        let shown_to = who.map(|login| format!("{:02x?}", login.key())).unwrap_or_default();
        let key = format!("{}\0renamed\0{shown_to}", name.to_ascii_lowercase());
        let (forge, name, login) = (self.clone(), name.to_owned(), who.map(Arc::clone));
        let ask = async move {
            // Without an operator's token as nobody.
            let login = login.and_then(|login| login.header()).map(Some);
            for shown in std::iter::once(forge.operator()).chain(login) {
                let found = forge.said(forge.follow(&name, shown).await)?;
                if found.is_some() {
                    return Ok(found);
                }
            }
            Ok(None)
        };
        self.0.owners.get(&key, self.0.settings.now, ask).await
    }

    async fn look_up(
        &self,
        name: &str,
        shown: Option<http::HeaderValue>,
    ) -> Result<Option<OwnerFacts>, Unavailable> {
        let answer = self.0.line.ask(get(&format!("/api/v1/users/{}", segment(name)), shown)).await?;
        match answer.status {
            StatusCode::OK => facts(&answer, name).map(Some),
            StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ok(None),
            // A renamed owner.
            status if status.is_redirection() => Ok(None),
            _ => Err(answer.unexpected()),
        }
    }

    /// Goes where the forge sends who asks for `name`.
    async fn follow(
        &self,
        name: &str,
        shown: Option<http::HeaderValue>,
    ) -> Result<Option<OwnerFacts>, Unavailable> {
        let path = format!("/api/v1/users/{}", segment(name));
        let answer = self.0.line.ask(get(&path, shown.clone())).await?;
        let location = answer.location.filter(|_| answer.status.is_redirection());
        match location.as_deref().and_then(owner_in) {
            Some(now) => self.look_up(now, shown).await,
            None => Ok(None),
        }
    }

    /// Whether `name` is an organisation and not a user, as far as `who` or everybody can see.
    pub async fn is_organisation(&self, who: Option<&Login>, name: &str) -> Result<bool, Unavailable> {
        let path = format!("/api/v1/orgs/{}", segment(name));
        for shown in [self.operator(), None, who.and_then(Login::header)] {
            let answer = self.0.line.ask(get(&path, shown)).await?;
            match answer.status {
                StatusCode::OK => return Ok(true),
                StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {}
                _ => return Err(answer.unexpected()),
            }
        }
        Ok(false)
    }
}

/// What the forge says of the owner `name`.
fn facts(answer: &Answer, name: &str) -> Result<OwnerFacts, Unavailable> {
    let User { id, login, visibility } = answer.json()?;
    if login.eq_ignore_ascii_case(name) {
        Ok(OwnerFacts { id, login, visibility })
    } else {
        Err(Unavailable(format!("the forge answers with another owner than '{name}'")))
    }
}

/// The name in the place that the forge sends on to, whatever host and path are before it.
fn owner_in(location: &str) -> Option<&str> {
    let path = location.split(['?', '#']).next()?;
    let name = path.rsplit_once("/api/v1/users/")?.1;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (!name.is_empty() && name.bytes().all(plain)).then_some(name)
}

/// `text` as one segment of a path, percent-encoded.
pub(crate) fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renamed_owner_is_found_where_the_forge_sends_on_to() {
        for (location, name) in [
            ("/api/v1/users/Robert", Some("Robert")),
            ("https://forge.test/git/api/v1/users/a.b-c_d?x=/api/v1/users/eve", Some("a.b-c_d")),
            ("/user/login?redirect_to=/api/v1/users/bob", None),
            ("/api/v1/users/", None),
            ("/api/v1/users/bob/repos", None),
            ("/api/v1/users/%62ob", None),
        ] {
            assert_eq!(owner_in(location), name, "{location}");
        }
    }
}
