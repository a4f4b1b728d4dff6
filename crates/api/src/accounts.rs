//! Users, organisations, roles, tokens, limits.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An account of a person or a robot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// As it was written when it was created; in a repository's name it is lower case.
    pub name: String,
    /// May do everything.
    pub admin: bool,
    /// May not do anything.
    pub disabled: bool,
    /// Can log in by password; otherwise by tokens alone.
    pub password: bool,
    /// When it was created.
    pub created: Timestamp,
}

/// `POST /users`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserCreate {
    /// The name to have.
    pub name: String,
    /// Whether it may do everything.
    #[serde(default)]
    pub admin: bool,
    /// The password; without one the user has tokens only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

impl fmt::Debug for UserCreate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserCreate")
            .field("name", &self.name)
            .field("admin", &self.admin)
            .finish_non_exhaustive()
    }
}

/// `PUT /users/{name}/password`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserPassword {
    /// The new password.
    pub password: String,
}

impl fmt::Debug for UserPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserPassword").finish_non_exhaustive()
    }
}

/// `PUT /users/{name}/enabled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserEnabled {
    /// Whether the user may do anything from now on.
    pub enabled: bool,
}

/// `GET /users`, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Users {
    /// All of them.
    pub users: Vec<User>,
}

/// An owner that several people share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    /// As it was written when it was created.
    pub name: String,
    /// When it was created.
    pub created: Timestamp,
}

/// `POST /orgs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrganisationCreate {
    /// The name to have.
    pub name: String,
}

/// `GET /orgs`, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisations {
    /// All of them.
    pub organisations: Vec<Organisation>,
}

/// Who has repositories, or may have some.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerState {
    /// As it is written.
    pub name: String,
    /// Whether it is an organisation; otherwise it is a user.
    pub organisation: bool,
    /// Bytes that its repositories use.
    pub used_bytes: u64,
    /// What the forge says of it; absent without a forge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forge: Option<OnForge>,
    /// Its name on the forge, when that is another one now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_to: Option<String>,
}

/// What a forge says of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnForge {
    /// It is there.
    There,
    /// It has another name there now.
    Renamed,
    /// Another one has its name there: nobody reaches its repositories until the operator has decided.
    Taken,
    /// It is gone: nobody reaches its repositories until the operator has decided.
    Gone,
    /// It is gone or private; Railhead has no operator's token of the forge, which would tell.
    Hidden,
    /// It is from before the forge, and was not used since.
    Unseen,
}

/// `GET /owners`, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owners {
    /// All of them.
    pub owners: Vec<OwnerState>,
}

/// What a member of an organisation may do with its repositories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Pull.
    Reader,
    /// Pull and push.
    Writer,
    /// Pull, push, delete, and manage members and visibility.
    Owner,
}

impl Role {
    /// The word in commands and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Writer => "writer",
            Self::Owner => "owner",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Reader, Self::Writer, Self::Owner]
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| "a role is owner, writer or reader".to_owned())
    }
}

/// One member of an organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The user.
    pub user: String,
    /// What the user may do there.
    pub role: Role,
}

/// `PUT /orgs/{org}/members/{user}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberChange {
    /// The role to have.
    pub role: Role,
}

/// `GET /orgs/{org}/members`, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// All of them.
    pub members: Vec<Member>,
}

/// `GET /owners/{name}/limits`: how much an owner may store, and how much it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The owner.
    pub owner: String,
    /// Bytes that all repositories may have together; `-1` is no limit.
    pub quota_bytes: i64,
    /// Bytes of one layer; `-1` is no limit.
    pub layer_bytes: i64,
    /// Bytes stored now; shared content counts once an owner.
    pub used_bytes: u64,
}

/// `PUT /owners/{name}/limits`; what is absent stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsChange {
    /// As in [`Limits`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_bytes: Option<i64>,
    /// As in [`Limits`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer_bytes: Option<i64>,
}

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Names it in `revoke`; not secret.
    pub id: String,
    /// What it is for, in the words of who made it.
    pub name: String,
    /// Whom it acts for.
    pub user: String,
    /// What it may do, as in `push:team/app*`.
    pub scopes: Vec<String>,
    /// When it was created.
    pub created: Timestamp,
    /// When it ends; absent when it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Timestamp>,
    /// When it was last used, to the accuracy at which this is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Timestamp>,
}

/// `POST /tokens`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenCreate {
    /// Whom it acts for.
    pub user: String,
    /// What it is for; 1 to 100 characters.
    pub name: String,
    /// What it may do; at least one.
    pub scopes: Vec<String>,
    /// Seconds until it ends; absent when it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_seconds: Option<u64>,
}

/// The answer to [`TokenCreate`], and the only one that has the secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCreated {
    /// The token.
    pub token: Token,
    /// What to give to `docker login` as the password.
    pub secret: String,
}

impl fmt::Debug for TokenCreated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCreated").field("token", &self.token).finish_non_exhaustive()
    }
}

/// `GET /tokens?user=…`, the newest last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// All of them that the asker may see.
    pub tokens: Vec<Token>,
}
