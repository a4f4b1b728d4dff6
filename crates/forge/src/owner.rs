//! Who owns a name.

use std::sync::Arc;

use http::StatusCode;
use serde::Deserialize;

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
        let ask = async move {
            let outcome = forge.look_up(&wanted, forge.operator()).await;
            forge.said(outcome)
        };
        let known = self.0.owners.get(&name.to_ascii_lowercase(), self.0.settings.now, ask).await?;
        // A token that may not read even its own account is not shown others.
        let who = who.filter(|login| self.0.narrow.get(&login.key()).is_none());
        let (None, Some(login)) = (&known.value, who) else { return Ok(known) };
        // A private organisation shows itself to its members. Kept apart, as others must not learn of it.
        let key = format!("{}\0{:02x?}", name.to_ascii_lowercase(), login.key());
        let (forge, wanted, login) = (self.clone(), name.to_owned(), Arc::clone(login));
        let ask = async move {
            let outcome = forge.look_up(&wanted, login.header()).await;
            forge.said(outcome)
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
            StatusCode::OK => {
                let User { id, login, visibility } = answer.json()?;
                if !login.eq_ignore_ascii_case(name) {
                    return Err(Unavailable(format!("the forge answers with another owner than '{name}'")));
                }
                Ok(Some(OwnerFacts { id, login, visibility }))
            }
            StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ok(None),
            // A renamed owner.
            status if status.is_redirection() => Ok(None),
            _ => Err(answer.unexpected()),
        }
    }

    /// Whether `name` is an organisation and not a user, as far as `who` or everybody can see.
    pub async fn is_organisation(&self, who: &Login, name: &str) -> Result<bool, Unavailable> {
        let path = format!("/api/v1/orgs/{}", segment(name));
        for shown in [self.operator(), None, who.header()] {
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

/// `text` as one segment of a path, percent-encoded.
pub(crate) fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
