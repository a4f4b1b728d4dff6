//! What a registry has: its own list, and where a forge is behind it the forge's packages, which name images that no tag names.

use std::collections::{BTreeMap, BTreeSet};

use http::header::AUTHORIZATION;
use http::{Request, StatusCode};
use railhead_api::segment;
use railhead_client::{Credentials, Registry, empty};
use railhead_oci::{Digest, RepositoryName};
use serde::Deserialize;

use crate::{Error, Result};

/// Names on one page.
const PAGE: usize = 100;
/// Packages on one page of a forge: it gives no more.
const PACKAGES: usize = 50;

/// Repositories, each with what is known of it before it is looked at.
pub(crate) type Found = BTreeMap<RepositoryName, Known>;

/// What is known of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// Manifests that are there though no tag may name them.
    pub(crate) manifests: BTreeSet<Digest>,
    /// Whether the forge says that its owner, and the Git repository that it is linked to, are public.
    pub(crate) is_public: bool,
}

/// A container package, as the forge's API tells of it.
#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    owner: Option<Owner>,
    repository: Option<Linked>,
}

#[derive(Deserialize)]
struct Owner {
    /// `public`; `limited` to who has an account; `private`.
    #[serde(default)]
    visibility: String,
}

/// The Git repository that a package is linked to.
#[derive(Deserialize)]
struct Linked {
    #[serde(default)]
    private: bool,
    #[serde(default)]
    internal: bool,
}

impl Package {
    /// Whether nothing that the forge says of it is other than public.
    fn is_public(&self) -> bool {
        let linked = self.repository.as_ref();
        self.owner.as_ref().is_some_and(|owner| owner.visibility == "public")
            && linked.is_none_or(|linked| !linked.private && !linked.internal)
    }
}

/// All repositories that the credentials may see, or those of `owners`.
pub(crate) async fn repositories(
    client: &Registry,
    credentials: Option<&Credentials>,
    owners: &[String],
) -> Result<Found> {
    let mut found = Found::new();
    let listed = catalog(client).await?;
    let is_forge = is_forge(client).await?;
    for text in listed.iter().flatten() {
        // A name that this release cannot write down it could not push either.
        if let Ok(name) = text.parse::<RepositoryName>() {
            found.entry(name).or_default();
        }
    }
    if is_forge {
        let mut names: BTreeSet<String> = owners.iter().cloned().collect();
        names.extend(found.keys().map(|name| name.owner().to_owned()));
        for owner in names {
            packages(client, credentials, &owner, &mut found).await?;
        }
    } else if listed.is_none() {
        return Err(Error::NotThere(format!(
            "list of repositories at {}: name those that are meant with --repository",
            client.http().origin()
        )));
    }
    if !owners.is_empty() {
        found.retain(|name, _| owners.iter().any(|owner| owner.eq_ignore_ascii_case(name.owner())));
    }
    Ok(found)
}

/// `GET /v2/_catalog`; `None` where the registry has no such list or does not give it.
async fn catalog(client: &Registry) -> Result<Option<Vec<String>>> {
    #[derive(Deserialize)]
    struct List {
        repositories: Option<Vec<String>>,
    }
    let (mut all, mut after) = (Vec::<String>::new(), String::new());
    loop {
        let last = if after.is_empty() { String::new() } else { format!("&last={}", segment(&after)) };
        let path = format!("/v2/_catalog?n={PAGE}{last}");
        let answer = client.ask("registry:catalog:*", || Ok((Request::get(&path), empty()))).await?;
        if answer.status != StatusCode::OK {
            return Ok(None);
        }
        let page: List = serde_json::from_slice(&answer.body).unwrap_or(List { repositories: None });
        let page = page.repositories.unwrap_or_default();
        let more = answer.header("link").is_some() || page.len() >= PAGE;
        match page.last() {
            // A registry that does not page gives the same names again.
            Some(last) if *last > after => last.clone_into(&mut after),
            _ => return Ok(Some(all)),
        }
        all.extend(page);
        if !more {
            return Ok(Some(all));
        }
    }
}

/// Whether a Gitea or Forgejo answers there.
async fn is_forge(client: &Registry) -> Result<bool> {
    let answer =
        client.http().ask(Request::get("/api/v1/version").body(empty()).map_err(wrong)?, 64 << 10).await?;
    let is_json = serde_json::from_slice::<serde_json::Value>(&answer.body)
        .is_ok_and(|body| body.get("version").is_some());
    Ok(answer.status == StatusCode::OK && is_json)
}

/// The container packages of an owner.
async fn packages(
    client: &Registry,
    credentials: Option<&Credentials>,
    owner: &str,
    found: &mut Found,
) -> Result<()> {
    for page in 1.. {
        let path = format!("/api/v1/packages/{}?type=container&limit={PACKAGES}&page={page}", segment(owner));
        let mut request = Request::get(path);
        if let Some(credentials) = credentials {
            request = request.header(AUTHORIZATION, credentials.basic()?);
        }
        let answer = client.http().ask(request.body(empty()).map_err(wrong)?, 64 << 20).await?;
        if answer.status != StatusCode::OK {
            // What tags name is listed all the same.
            tracing::warn!(owner, status = %answer.status, "the forge does not list the packages of this owner");
            return Ok(());
        }
        let Ok(packages) = serde_json::from_slice::<Vec<Package>>(&answer.body) else { return Ok(()) };
        let last = packages.len() < PACKAGES;
        for package in packages {
            let name = format!("{}/{}", owner.to_ascii_lowercase(), package.name);
            let Ok(name) = name.parse::<RepositoryName>() else { continue };
            let known = found.entry(name).or_default();
            known.is_public = package.is_public();
            known.manifests.extend(package.version.parse::<Digest>().ok());
        }
        if last {
            break;
        }
    }
    Ok(())
}

fn wrong(error: http::Error) -> Error {
    Error::Registry(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_public_when_all_that_is_said_of_it_is() {
        let public = |owner: &str, repository: &str| {
            let text =
                format!(r#"{{"name":"app","version":"v1","owner":{owner},"repository":{repository}}}"#);
            serde_json::from_str::<Package>(&text).unwrap().is_public()
        };
        let open = r#"{"login":"team","visibility":"public"}"#;
        assert!(public(open, "null"));
        assert!(public(open, r#"{"private":false,"internal":false}"#));
        for (owner, repository) in [
            (r#"{"visibility":"limited"}"#, "null"),
            (r#"{"visibility":"private"}"#, "null"),
            ("{}", "null"),
            ("null", "null"),
            (open, r#"{"private":true}"#),
            (open, r#"{"private":false,"internal":true}"#),
        ] {
            assert!(!public(owner, repository), "{owner} {repository}");
        }
        assert!(!serde_json::from_str::<Package>(r#"{"name":"app","version":"v1"}"#).unwrap().is_public());
    }
}
