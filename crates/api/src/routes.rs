//! The one page that shows the admin API's surface: every [`Route`], its method and its path, read and written here.
//!
//! A repository's name has slashes, and a segment of a name can never be `-`: so `/-/` ends the name, without any
//! percent-encoded slash for a proxy to trip over.

use std::borrow::Cow;
use std::fmt::Write as _;

/// What every path starts with.
pub const PREFIX: &str = "/api/v1";

/// In the place of a token's id: the token that is shown.
const CURRENT: &str = "current";

/// One thing to ask for. Names are as they stand in the path, decoded, not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it; the types of bodies and answers refer back to these")]
pub enum Route<'a> {
    Status,
    Users,
    UserCreate,
    UserPassword { user: Cow<'a, str> },
    UserEnabled { user: Cow<'a, str> },
    Organisations,
    OrganisationCreate,
    Members { organisation: Cow<'a, str> },
    MemberSet { organisation: Cow<'a, str>, user: Cow<'a, str> },
    MemberRemove { organisation: Cow<'a, str>, user: Cow<'a, str> },
    Owners,
    OwnerAdopt { owner: Cow<'a, str> },
    Limits { owner: Cow<'a, str> },
    LimitsSet { owner: Cow<'a, str> },
    Tokens,
    TokenCreate,
    TokenCurrent,
    TokenRevoke { id: Cow<'a, str> },
    Repositories,
    Repository { name: Cow<'a, str> },
    RepositoryDelete { name: Cow<'a, str> },
    RepositoryVisibility { name: Cow<'a, str> },
    RepositoryManifests { name: Cow<'a, str> },
    Tags { name: Cow<'a, str> },
    TagDelete { name: Cow<'a, str>, tag: Cow<'a, str> },
    Audit,
    Collection,
    CollectionRun,
    Usage,
    UsageOfOwner { owner: Cow<'a, str> },
    Recount { owner: Cow<'a, str> },
    RetentionPlan,
    RetentionApply,
    RetentionUndo,
    RetentionTrash,
    RetentionEmpty,
    RetentionForecast,
    Scrub,
    Damage,
    Verify,
}

/// Why a request is no [`Route`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// Nothing has this path.
    Path,
    /// The path exists; these are its methods, as in an `Allow` header.
    Method(String),
}

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

impl<'a> Route<'a> {
    /// Reads a method and a path behind [`PREFIX`].
    pub fn parse(method: &str, path: &'a str) -> Result<Self, NoRoute> {
        if let Some(route) = Self::find(method, path) {
            return Ok(route);
        }
        let allowed: Vec<_> = METHODS.into_iter().filter(|other| Self::find(other, path).is_some()).collect();
        if allowed.is_empty() { Err(NoRoute::Path) } else { Err(NoRoute::Method(allowed.join(", "))) }
    }

    fn find(method: &str, path: &'a str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        if let Some(rest) = path.strip_prefix("repositories/") {
            return Self::find_in_repository(method, rest);
        }
        let segments: Vec<_> = path.split('/').map(unsegment).collect::<Option<_>>()?;
        let mut names = segments.iter().skip(1).step_by(2).cloned();
        let mut name = || names.next().filter(|name| !name.is_empty());
        let nouns: Vec<&str> = segments.iter().step_by(2).map(AsRef::as_ref).collect();
        Some(match (method, segments.len(), nouns.as_slice()) {
            ("GET", 1, ["status"]) => Self::Status,
            ("GET", 1, ["users"]) => Self::Users,
            ("POST", 1, ["users"]) => Self::UserCreate,
            ("PUT", 3, ["users", "password"]) => Self::UserPassword { user: name()? },
            ("PUT", 3, ["users", "enabled"]) => Self::UserEnabled { user: name()? },
            ("GET", 1, ["orgs"]) => Self::Organisations,
            ("POST", 1, ["orgs"]) => Self::OrganisationCreate,
            ("GET", 3, ["orgs", "members"]) => Self::Members { organisation: name()? },
            ("PUT", 4, ["orgs", "members"]) => Self::MemberSet { organisation: name()?, user: name()? },
            ("DELETE", 4, ["orgs", "members"]) => Self::MemberRemove { organisation: name()?, user: name()? },
            ("GET", 1, ["owners"]) => Self::Owners,
            ("POST", 3, ["owners", "adopt"]) => Self::OwnerAdopt { owner: name()? },
            ("GET", 3, ["owners", "limits"]) => Self::Limits { owner: name()? },
            ("PUT", 3, ["owners", "limits"]) => Self::LimitsSet { owner: name()? },
            ("GET", 1, ["tokens"]) => Self::Tokens,
            ("POST", 1, ["tokens"]) => Self::TokenCreate,
            ("GET", 2, ["tokens"]) if segments[1] == CURRENT => Self::TokenCurrent,
            ("DELETE", 2, ["tokens"]) => Self::TokenRevoke { id: name()? },
            ("GET", 1, ["repositories"]) => Self::Repositories,
            ("GET", 1, ["audit"]) => Self::Audit,
            ("GET", 1, ["collection"]) => Self::Collection,
            ("POST", 1, ["collection"]) => Self::CollectionRun,
            ("GET", 1, ["scrub"]) => Self::Scrub,
            ("GET", 1, ["damage"]) => Self::Damage,
            ("POST", 1, ["verify"]) => Self::Verify,
            ("GET", 1, ["usage"]) => Self::Usage,
            ("GET", 2, ["usage"]) => Self::UsageOfOwner { owner: name()? },
            ("POST", 3, ["usage", "recount"]) => Self::Recount { owner: name()? },
            (_, 2, ["retention"]) => return Self::find_retention(method, &name()?),
            _ => return None,
        })
    }

    fn find_retention(method: &str, act: &str) -> Option<Self> {
        Some(match (method, act) {
            ("POST", "plan") => Self::RetentionPlan,
            ("POST", "apply") => Self::RetentionApply,
            ("POST", "undo") => Self::RetentionUndo,
            ("GET", "trash") => Self::RetentionTrash,
            ("POST", "empty") => Self::RetentionEmpty,
            ("POST", "forecast") => Self::RetentionForecast,
            _ => return None,
        })
    }

    fn find_in_repository(method: &str, rest: &'a str) -> Option<Self> {
        let (name, rest) = rest.split_once("/-/").unwrap_or((rest, ""));
        let name = unsegment(name).filter(|name| !name.is_empty())?;
        Some(match (method, rest.split_once('/').unwrap_or((rest, ""))) {
            ("GET", ("", "")) => Self::Repository { name },
            ("DELETE", ("", "")) => Self::RepositoryDelete { name },
            ("PUT", ("visibility", "")) => Self::RepositoryVisibility { name },
            ("GET", ("manifests", "")) => Self::RepositoryManifests { name },
            ("GET", ("tags", "")) => Self::Tags { name },
            ("DELETE", ("tags", tag)) if !tag.is_empty() => Self::TagDelete { name, tag: unsegment(tag)? },
            _ => return None,
        })
    }

    /// The method to ask with.
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Status
            | Self::Users
            | Self::Organisations
            | Self::Members { .. }
            | Self::Owners
            | Self::Limits { .. }
            | Self::Tokens
            | Self::TokenCurrent
            | Self::Repositories
            | Self::Repository { .. }
            | Self::RepositoryManifests { .. }
            | Self::Tags { .. }
            | Self::Audit
            | Self::Collection
            | Self::Usage
            | Self::UsageOfOwner { .. }
            | Self::RetentionTrash
            | Self::Scrub
            | Self::Damage => "GET",
            Self::UserCreate
            | Self::OrganisationCreate
            | Self::OwnerAdopt { .. }
            | Self::TokenCreate
            | Self::CollectionRun
            | Self::Recount { .. }
            | Self::RetentionPlan
            | Self::RetentionApply
            | Self::RetentionUndo
            | Self::RetentionEmpty
            | Self::RetentionForecast
            | Self::Verify => "POST",
            Self::UserPassword { .. }
            | Self::UserEnabled { .. }
            | Self::MemberSet { .. }
            | Self::LimitsSet { .. }
            | Self::RepositoryVisibility { .. } => "PUT",
            Self::MemberRemove { .. }
            | Self::TokenRevoke { .. }
            | Self::RepositoryDelete { .. }
            | Self::TagDelete { .. } => "DELETE",
        }
    }

    /// The path behind [`PREFIX`].
    pub fn path(&self) -> String {
        match self {
            Self::Status => "/status".to_owned(),
            Self::Users | Self::UserCreate => "/users".to_owned(),
            Self::UserPassword { user } => format!("/users/{}/password", segment(user)),
            Self::UserEnabled { user } => format!("/users/{}/enabled", segment(user)),
            Self::Organisations | Self::OrganisationCreate => "/orgs".to_owned(),
            Self::Members { organisation } => format!("/orgs/{}/members", segment(organisation)),
            Self::MemberSet { organisation, user } | Self::MemberRemove { organisation, user } => {
                format!("/orgs/{}/members/{}", segment(organisation), segment(user))
            }
            Self::Owners => "/owners".to_owned(),
            Self::OwnerAdopt { owner } => format!("/owners/{}/adopt", segment(owner)),
            Self::Limits { owner } | Self::LimitsSet { owner } => {
                format!("/owners/{}/limits", segment(owner))
            }
            Self::Tokens | Self::TokenCreate => "/tokens".to_owned(),
            Self::TokenCurrent => format!("/tokens/{CURRENT}"),
            Self::TokenRevoke { id } => format!("/tokens/{}", segment(id)),
            Self::Repositories => "/repositories".to_owned(),
            Self::Repository { name } | Self::RepositoryDelete { name } => {
                format!("/repositories/{}", slashed(name))
            }
            Self::RepositoryVisibility { name } => format!("/repositories/{}/-/visibility", slashed(name)),
            Self::RepositoryManifests { name } => format!("/repositories/{}/-/manifests", slashed(name)),
            Self::Tags { name } => format!("/repositories/{}/-/tags", slashed(name)),
            Self::TagDelete { name, tag } => {
                format!("/repositories/{}/-/tags/{}", slashed(name), segment(tag))
            }
            Self::Audit => "/audit".to_owned(),
            Self::Collection | Self::CollectionRun => "/collection".to_owned(),
            Self::Usage => "/usage".to_owned(),
            Self::UsageOfOwner { owner } => format!("/usage/{}", segment(owner)),
            Self::Recount { owner } => format!("/usage/{}/recount", segment(owner)),
            Self::RetentionPlan => "/retention/plan".to_owned(),
            Self::RetentionApply => "/retention/apply".to_owned(),
            Self::RetentionUndo => "/retention/undo".to_owned(),
            Self::RetentionTrash => "/retention/trash".to_owned(),
            Self::RetentionEmpty => "/retention/empty".to_owned(),
            Self::RetentionForecast => "/retention/forecast".to_owned(),
            Self::Scrub => "/scrub".to_owned(),
            Self::Damage => "/damage".to_owned(),
            Self::Verify => "/verify".to_owned(),
        }
    }
}

fn slashed(name: &str) -> String {
    name.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// `text` as one segment of a path or one value of a query, percent-encoded.
pub fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// What [`segment`] was given; `None` when it is not percent-encoded UTF-8.
pub fn unsegment(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                (digit(bytes.next()?)? << 4 | digit(bytes.next()?)?) as u8
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_reads_back_as_it_was_written() {
        let name: Cow<'_, str> = "Team".into();
        let user: Cow<'_, str> = "a b/ü%".into();
        let repository: Cow<'_, str> = "team/tags/app".into();
        let tag: Cow<'_, str> = "v1".into();
        let routes = [
            Route::Status,
            Route::Users,
            Route::UserCreate,
            Route::UserPassword { user: user.clone() },
            Route::UserEnabled { user: user.clone() },
            Route::Organisations,
            Route::OrganisationCreate,
            Route::Members { organisation: name.clone() },
            Route::MemberSet { organisation: name.clone(), user: user.clone() },
            Route::MemberRemove { organisation: name.clone(), user: user.clone() },
            Route::Owners,
            Route::OwnerAdopt { owner: name.clone() },
            Route::Limits { owner: name.clone() },
            Route::LimitsSet { owner: name.clone() },
            Route::Tokens,
            Route::TokenCreate,
            Route::TokenCurrent,
            Route::TokenRevoke { id: name.clone() },
            Route::Repositories,
            Route::Repository { name: repository.clone() },
            Route::RepositoryDelete { name: repository.clone() },
            Route::RepositoryVisibility { name: repository.clone() },
            Route::RepositoryManifests { name: repository.clone() },
            Route::Tags { name: repository.clone() },
            Route::TagDelete { name: repository, tag },
            Route::Audit,
            Route::Collection,
            Route::CollectionRun,
            Route::Usage,
            Route::UsageOfOwner { owner: user.clone() },
            Route::Recount { owner: user },
            Route::RetentionPlan,
            Route::RetentionApply,
            Route::RetentionUndo,
            Route::RetentionTrash,
            Route::RetentionEmpty,
            Route::RetentionForecast,
            Route::Scrub,
            Route::Damage,
            Route::Verify,
        ];
        for route in routes {
            let path = route.path();
            assert_eq!(Route::parse(route.method(), &path), Ok(route.clone()), "{path}");
        }
    }

    #[test]
    fn what_is_no_route_says_why() {
        assert_eq!(Route::parse("GET", "/nothing"), Err(NoRoute::Path));
        assert_eq!(Route::parse("GET", "status"), Err(NoRoute::Path));
        assert_eq!(Route::parse("GET", "/users/"), Err(NoRoute::Path));
        assert_eq!(Route::parse("PUT", "/users//password"), Err(NoRoute::Path));
        assert_eq!(Route::parse("GET", "/repositories/a/-/tags/"), Ok(Route::Tags { name: "a".into() }));
        assert_eq!(Route::parse("GET", "/users/a%2/password"), Err(NoRoute::Path));
        assert_eq!(Route::parse("GET", "/tokens/7"), Err(NoRoute::Method("DELETE".into())));
        assert_eq!(Route::parse("DELETE", "/users"), Err(NoRoute::Method("GET, POST".into())));
    }
}
