//! Gitea and Forgejo: who somebody is there, and what the forge lets them do.
//!
//! The forge is asked, never copied. [`Forge::person`] makes a person of what somebody shows; [`Forge::may`] asks the forge's
//! own registry, with that person's own credentials, whether it would let them read or write the packages of an owner, so
//! that teams, visibility and the scopes of a token mean here exactly what they mean there; [`Forge::owner`] says who owns a
//! name; [`Forge::link`] what the repository of the same name allows.
//!
//! Invariants:
//! - An answer is used for [`Settings::cache`] and not longer, except when the forge does not answer: then for
//!   [`Settings::stale`] in all, and after that there is only [`Unavailable`].
//! - A question that is being asked is not asked twice; [`CONCURRENT`] run at once; each ends within [`Settings::timeout`].
//! - A forge that is down is found down by one question every [`RETRY`], whatever the number of clients.
//! - No secret is in an error, in `Debug` or in a log.

mod answer;
mod error;
mod kept;
mod line;
mod link;
mod login;
mod owner;
mod person;
mod rights;
mod settings;
mod teams;

use std::sync::Arc;

pub use error::Unavailable;
pub use kept::Known;
pub use line::{CONCURRENT, QUESTION, RETRY};
pub use link::Link;
pub use login::Login;
pub use owner::OwnerFacts;
pub use person::{Found, Person};
pub use rights::{Right, Standing};
pub use settings::{Kind, Settings, system_now};

use kept::Kept;
use line::Line;

/// People and rights that are remembered at once.
const PEOPLE: usize = 8192;
const RIGHTS: usize = 32_768;

/// A forge. Cloning shares its answers.
#[derive(Clone, Debug)]
pub struct Forge(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    line: Line,
    people: Kept<login::Key, Found>,
    /// Credentials that cannot read their own account: known, so that it is not tried again.
    narrow: quick_cache::sync::Cache<login::Key, ()>,
    names: Kept<i64, Option<String>>,
    nobody: Kept<(), Option<secrecy::SecretString>>,
    packages: Kept<(), bool>,
    rights: Kept<rights::Question, Standing>,
    teams: Kept<login::Key, Option<teams::Teams>>,
    owners: Kept<String, Option<OwnerFacts>>,
    links: Kept<(Option<String>, String), Link>,
}

impl Forge {
    /// A forge to ask. It is not asked anything yet.
    pub fn new(settings: Settings) -> Self {
        let (cache, stale) = (settings.cache, settings.stale);
        Self(Arc::new(Inner {
            line: Line::new(&settings),
            people: Kept::new(PEOPLE, cache, stale),
            narrow: quick_cache::sync::Cache::new(PEOPLE),
            names: Kept::new(PEOPLE, cache, stale),
            nobody: Kept::new(1, cache, stale),
            packages: Kept::new(1, cache, stale),
            rights: Kept::new(RIGHTS, cache, stale),
            teams: Kept::new(PEOPLE, cache, stale),
            owners: Kept::new(PEOPLE, cache, stale),
            links: Kept::new(RIGHTS, cache, stale),
            settings,
        }))
    }

    /// Where it is, for people.
    pub fn url(&self) -> String {
        self.0.settings.http.origin().to_string()
    }

    /// What it is, for people.
    pub fn kind(&self) -> Kind {
        self.0.settings.kind
    }

    /// Whether an operator's token was given, without which the links of repositories are not known.
    pub fn has_operator_token(&self) -> bool {
        self.0.settings.token.is_some()
    }

    /// Forgets every answer, so that the next questions are asked anew.
    pub fn forget(&self) {
        let inner = &*self.0;
        inner.people.forget();
        inner.names.forget();
        inner.packages.forget();
        inner.rights.forget();
        inner.teams.forget();
        inner.owners.forget();
        inner.links.forget();
    }

    /// What the forge says of itself, as `1.25.4`. Asked once at a start, to find a wrong URL early.
    pub async fn version(&self) -> Result<String, Unavailable> {
        #[derive(serde::Deserialize)]
        struct Version {
            version: String,
        }
        let answer = self.0.line.ask(line::get("/api/v1/version", None)).await?;
        let found: Version = answer.json()?;
        Ok(found.version)
    }
}
