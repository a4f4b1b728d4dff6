//! Who is asking and what they may do: accounts, tokens, visibility, limits → a decision.
//!
//! The way of a request: [`Access::remembered`], else [`Access::authenticate`] makes an [`Identity`] of a header's
//! text; [`Access::remembered_decision`], else [`Access::decide`] says whether it may do an [`Action`] on a
//! repository, by the table in `rules`. [`Access::issue`] gives bearer tokens; `admin` changes accounts.
//!
//! Invariants:
//! - A change made through [`Access`] counts for every later call, remembered or not (see `generation`).
//! - No secret is in an error, in `Debug`, in a log or in the audit; secrets are [`secrecy::SecretString`].
//! - A narrower credential never makes a wider one.

mod access;
mod action;
mod admin;
mod audit;
mod authenticate;
mod bearer;
mod by_forge;
mod by_workload;
mod decide;
mod error;
mod forge_rules;
mod former_names;
mod generation;
mod identity;
mod issue;
mod lifetime;
mod password;
mod remember;
mod rules;
mod scope;
mod seal;
mod secret;
mod settings;
mod tag_rules;
mod throttle;
mod uses;
mod webhook;

pub use access::Access;
pub use action::{Action, ActionError};
pub use admin::{Actor, Bootstrap, OnForge, TokenInfo};
pub use audit::{Act, Audit, Outcome};
pub use error::{Denial, Error, Reason, Result};
pub use former_names::CurrentName;
pub use identity::{Account, Identity, Principal};
pub use issue::{IssuedBearer, SCOPES_MAX};
pub use lifetime::{LifetimeError, parse_lifetime};
/// The header of a question that a Railhead asks what it takes for a forge.
pub use railhead_forge::QUESTION as FORGE_QUESTION;
pub use rules::Decision;
pub use scope::{Over, TokenScope, TokenScopeError};
pub use secret::{PREFIX as TOKEN_PREFIX, is_token};
pub use settings::{Clock, Limits, PasswordCost, Renamed, Settings, Throttling};
pub use tag_rules::TagRules;
pub use webhook::Hooked;
