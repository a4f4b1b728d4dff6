//! Who somebody is.
//!
//! Two questions can tell. `GET /api/v1/user` says all, and needs the scope `read:user`. The forge's own registry gives a
//! token to whoever may use packages, and that token names the account by its number; the number's name is asked for with the
//! operator's token, or as nobody. What neither tells is refused, with the scopes that would help.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::line::get;
use crate::{Forge, Known, Login, Unavailable};

/// The name that goes with a token when its holder does not know the account's.
const ANY_NAME: &str = "token";

/// An account of the forge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Its number, which it keeps when it is renamed.
    pub id: i64,
    /// Its name as it is written there.
    pub login: String,
    /// Whether it administers the forge, and came with something that may.
    pub admin: bool,
}

/// What the forge says to a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is this account's.
    Person(Person),
    /// It is not taken, and why, for the one who tried.
    Refused(String),
}

#[derive(Deserialize)]
struct User {
    id: i64,
    login: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    is_admin: bool,
}

/// What a token of the forge's registry says.
#[derive(Deserialize)]
struct Claims {
    #[serde(rename = "UserID")]
    user: i64,
    #[serde(rename = "Scope", default)]
    scope: String,
}

/// What the forge's registry says to a login.
enum Registry {
    Claims(Claims),
    Refused,
    /// It has none.
    Off,
}

impl Forge {
    /// Who it is that shows `login`.
    pub async fn person(&self, login: &std::sync::Arc<Login>) -> Result<Known<Found>, Unavailable> {
        let (forge, login) = (self.clone(), std::sync::Arc::clone(login));
        let key = login.key();
        let ask = async move { forge.said(forge.identify(&login).await) };
        self.0.people.get(&key, self.0.settings.now, ask).await
    }

    /// Whether the forge need not be asked who that is.
    pub fn knows(&self, login: &Login) -> bool {
        self.0.people.fresh(&login.key(), (self.0.settings.now)()).is_some()
    }

    /// Whether the forge has refused it before, however long ago.
    pub fn has_refused(&self, login: &Login) -> bool {
        matches!(self.0.people.last(&login.key()), Some(Found::Refused(_)))
    }

    /// Logs an answer that cannot be used.
    pub(crate) fn said<T>(&self, outcome: Result<T, Unavailable>) -> Result<T, Unavailable> {
        if let Err(error) = &outcome {
            self.0.line.wrong(error);
        }
        outcome
    }

    async fn identify(&self, login: &Login) -> Result<Found, Unavailable> {
        if self.0.narrow.get(&login.key()).is_some() {
            match self.by_registry(login).await? {
                found @ Found::Person(_) => return Ok(found),
                // It may have been revoked: the forge's own words are better than a guess.
                Found::Refused(_) => {}
            }
        }
        let Some(header) = login.header() else {
            return Ok(Found::Refused("the name or password cannot be sent to the forge".to_owned()));
        };
        let answer = self.0.line.ask(get("/api/v1/user", Some(header))).await?;
        match answer.status {
            StatusCode::OK => self.named(login, answer.json()?).await,
            StatusCode::FORBIDDEN if answer.is_about_scopes() => {
                self.0.narrow.insert(login.key(), ());
                self.by_registry(login).await
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ok(Found::Refused(match answer.message() {
                Some(message) => format!("the forge does not take this login: {message}"),
                None => "the forge does not take this login".to_owned(),
            })),
            _ => Err(answer.unexpected()),
        }
    }

    async fn named(&self, login: &Login, user: User) -> Result<Found, Unavailable> {
        if user.id <= 0 {
            return Ok(Found::Refused(of_a_job()));
        }
        // With a password people may give their address of mail as the name.
        let mail = login.name.contains('@') && login.name.eq_ignore_ascii_case(&user.email);
        if !mail && !names(&login.name, &user.login) {
            return Ok(Found::Refused(another(&login.name)));
        }
        let admin = user.is_admin && self.is_whole(login).await?;
        Ok(Found::Person(Person { id: user.id, login: user.login, admin }))
    }

    /// Whether the login may do all that its account may. Without the forge's registry nothing tells.
    async fn is_whole(&self, login: &Login) -> Result<bool, Unavailable> {
        let Registry::Claims(claims) = self.registry(login).await? else { return Ok(false) };
        // A password has no scope at all.
        let whole = |scope: &str| matches!(scope, "" | "all" | "sudo" | "write:admin");
        Ok(claims.scope.split(',').any(whole))
    }

    async fn by_registry(&self, login: &Login) -> Result<Found, Unavailable> {
        let claims = match self.registry(login).await? {
            Registry::Claims(claims) => claims,
            Registry::Refused => {
                return Ok(Found::Refused(
                    "the token has no scope by which the forge says whose it is: it needs read:package to pull, \
                     write:package to push"
                        .to_owned(),
                ));
            }
            Registry::Off => {
                return Ok(Found::Refused(
                    "the token needs the scopes read:user and read:organization: the packages of the forge are \
                     off, and without them it says with no other whose a token is"
                        .to_owned(),
                ));
            }
        };
        if claims.user <= 0 {
            return Ok(Found::Refused(of_a_job()));
        }
        let Some(name) = self.name_of(claims.user).await? else {
            return Ok(Found::Refused(
                "the forge does not tell whose this token is: add the scope read:user to it, or let the operator of \
                 Railhead set forge.token_file"
                    .to_owned(),
            ));
        };
        if names(&login.name, &name) {
            Ok(Found::Person(Person { id: claims.user, login: name, admin: false }))
        } else {
            Ok(Found::Refused(another(&login.name)))
        }
    }

    async fn registry(&self, login: &Login) -> Result<Registry, Unavailable> {
        let answer = self.0.line.ask(get("/v2/token", login.header())).await?;
        match answer.status {
            StatusCode::OK => claims(&token(&answer)?).map(Registry::Claims),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ok(Registry::Refused),
            StatusCode::NOT_FOUND => Ok(Registry::Off),
            _ => Err(answer.unexpected()),
        }
    }

    /// The name of an account, when the forge tells it.
    async fn name_of(&self, id: i64) -> Result<Option<String>, Unavailable> {
        let forge = self.clone();
        let ask = async move { forge.search(id).await };
        Ok(self.0.names.get(&id, self.0.settings.now, ask).await?.value)
    }

    async fn search(&self, id: i64) -> Result<Option<String>, Unavailable> {
        #[derive(Deserialize)]
        struct Page {
            data: Vec<User>,
        }
        let path = format!("/api/v1/users/search?uid={id}&limit=1");
        let answer = self.0.line.ask(get(&path, self.operator())).await?;
        match answer.status {
            StatusCode::OK => {
                let page: Page = answer.json()?;
                Ok(page.data.into_iter().find(|user| user.id == id).map(|user| user.login))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ok(None),
            _ => Err(answer.unexpected()),
        }
    }

    /// What the operator shows.
    pub(crate) fn operator(&self) -> Option<http::HeaderValue> {
        bearer("token", self.0.settings.token.as_ref()?)
    }

    /// What nobody shows: a token of the forge's registry for those without a login, where it gives one.
    pub(crate) async fn nobody(&self) -> Result<Option<http::HeaderValue>, Unavailable> {
        let forge = self.clone();
        let ask = async move {
            let answer = forge.0.line.ask(get("/v2/token", None)).await?;
            match answer.status {
                StatusCode::OK => token(&answer).map(Some),
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => Ok(None),
                _ => Err(answer.unexpected()),
            }
        };
        let known = self.0.nobody.get(&(), self.0.settings.now, ask).await?;
        Ok(known.value.as_ref().and_then(|token| bearer("Bearer", token)))
    }
}

/// Whether a login under `name` is one of `login`.
fn names(name: &str, login: &str) -> bool {
    matches!(name, "" | ANY_NAME) || name.eq_ignore_ascii_case(login)
}

fn another(name: &str) -> String {
    format!(
        "this login is of another account than '{name}'; log in with that account's name, or with 'token'"
    )
}

fn of_a_job() -> String {
    "this token is of a job, not of a person: let the job ask its forge for an OIDC token and log in with that".to_owned()
}

fn bearer(scheme: &str, token: &SecretString) -> Option<http::HeaderValue> {
    let mut value = http::HeaderValue::try_from(format!("{scheme} {}", token.expose_secret())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The token in an answer of the forge's registry.
fn token(answer: &crate::answer::Answer) -> Result<SecretString, Unavailable> {
    #[derive(Deserialize)]
    struct Given {
        token: String,
    }
    Ok(answer.json::<Given>()?.token.into())
}

/// What the token says. It came from the forge itself just now, so that its signature proves nothing more.
fn claims(token: &SecretString) -> Result<Claims, Unavailable> {
    let payload = token.expose_secret().split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims = payload.and_then(|payload| serde_json::from_slice(&payload).ok());
    claims.ok_or_else(|| Unavailable("the token of the forge's registry does not say whose it is".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_of_the_account_that_it_names_or_of_none() {
        for (name, login, fits) in
            [("bob", "Bob", true), ("", "bob", true), ("token", "bob", true), ("alice", "bob", false)]
        {
            assert_eq!(names(name, login), fits, "{name} {login}");
        }
    }

    #[test]
    fn the_forges_token_says_whose_it_is() {
        let token = |payload: &str| SecretString::from(format!("h.{}.s", URL_SAFE_NO_PAD.encode(payload)));
        let found = claims(&token(r#"{"UserID":2,"Scope":"write:package","exp":1}"#)).unwrap();
        assert_eq!((found.user, found.scope.as_str()), (2, "write:package"));
        for wrong in [token("{}"), token("<html>"), SecretString::from("no token")] {
            assert!(claims(&wrong).is_err());
        }
    }
}
