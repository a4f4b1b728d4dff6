//! What a registry has: its own list of repositories, and where it is a forge's the forge's packages, which name images that no
//! tag names.
//!
//! Lists come in pages. A registry that does not page gives the same names again, and one that means ill gives ever new ones:
//! both come to an end.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use http::{Request, StatusCode};
use railhead_api::segment;
use railhead_oci::{Digest, RepositoryName, Tag};
use serde::Deserialize;

use crate::http1::empty;
use crate::{Error, Registry, Result};

/// Names on one page.
const PAGE: u32 = 100;
/// Names in one list.
const NAMES_MAX: usize = 1 << 20;

/// What is known of a repository before it is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Manifests that are there though no tag may name them.
    pub manifests: BTreeSet<Digest>,
    /// Whether the forge says that its owner, and the Git repository that it is linked to, are public.
    pub is_public: bool,
}

/// What a registry has.
#[derive(Debug, Default)]
pub struct Found {
    /// Repositories, each with what is known of it.
    pub repositories: BTreeMap<RepositoryName, Known>,
    /// Owners whose packages the forge does not list, with why: of those only what tags name is known.
    pub unlisted: Vec<(String, Error)>,
}

impl Registry {
    /// All repositories that the account may see, or those of `owners`; `None` where the registry has no list of them.
    pub async fn find(&self, owners: &[String]) -> Result<Option<Found>> {
        let mut found = Found::default();
        let listed = self.repositories().await?;
        // A name that this release cannot write down it could not push either.
        for name in listed.iter().flatten().filter_map(|text| text.parse::<RepositoryName>().ok()) {
            found.repositories.entry(name).or_default();
        }
        if self.is_forge().await? {
            let mut names: BTreeSet<String> = owners.iter().map(|owner| owner.to_ascii_lowercase()).collect();
            names.extend(found.repositories.keys().map(|name| name.owner().to_owned()));
            for owner in names {
                match self.packages(&owner).await {
                    Ok(versions) => {
                        for version in versions {
                            let known = found.repositories.entry(version.repository).or_default();
                            known.is_public = version.is_public;
                            known.manifests.extend(version.version.parse::<Digest>().ok());
                        }
                    }
                    Err(error @ Error::Unexpected { .. }) => found.unlisted.push((owner, error)),
                    Err(error) => return Err(error),
                }
            }
        } else if listed.is_none() {
            return Ok(None);
        }
        if !owners.is_empty() {
            let is_wanted =
                |name: &RepositoryName| owners.iter().any(|owner| owner.eq_ignore_ascii_case(name.owner()));
            found.repositories.retain(|name, _| is_wanted(name));
            found.unlisted.retain(|(name, _)| owners.iter().any(|owner| owner.eq_ignore_ascii_case(name)));
        }
        Ok(Some(found))
    }

    /// `GET /v2/_catalog`; `None` where the registry has no such list or does not give it.
    pub async fn repositories(&self) -> Result<Option<Vec<String>>> {
        #[derive(Deserialize)]
        struct List {
            repositories: Option<Vec<String>>,
        }
        let mut all = Names::default();
        loop {
            let last = all.after().map(|last| format!("&last={}", segment(last))).unwrap_or_default();
            let path = format!("/v2/_catalog?n={PAGE}{last}");
            let answer = self.ask("registry:catalog:*", || Ok((Request::get(&path), empty()))).await?;
            if answer.status != StatusCode::OK {
                return Ok(None);
            }
            let page: List = serde_json::from_slice(&answer.body).unwrap_or(List { repositories: None });
            let page = page.repositories.unwrap_or_default();
            let more = answer.header("link").is_some() || page.len() >= PAGE as usize;
            if !all.take(page, self)? || !more {
                return Ok(Some(all.names));
            }
        }
    }

    /// All tags of a repository.
    pub async fn all_tags(&self, name: &RepositoryName) -> Result<Vec<Tag>> {
        let mut all = Names::default();
        loop {
            let (page, linked) = self.tag_page(name, PAGE, all.after()).await?;
            let more = linked || page.len() >= PAGE as usize;
            if !all.take(page, self)? || !more {
                return Ok(all.names.iter().filter_map(|tag| tag.parse().ok()).collect());
            }
        }
    }
}

/// Names that came so far, in the order in which they came.
#[derive(Default)]
struct Names {
    names: Vec<String>,
    seen: HashSet<String>,
}

impl Names {
    /// Behind which one the next page begins.
    fn after(&self) -> Option<&str> {
        self.names.last().map(String::as_str)
    }

    /// Takes a page in; false when nothing on it is new.
    fn take(&mut self, page: Vec<String>, registry: &Registry) -> Result<bool> {
        let before = self.names.len();
        self.names.extend(page.into_iter().filter(|name| self.seen.insert(name.clone())));
        if self.names.len() > NAMES_MAX {
            let to = registry.http().origin().to_string();
            return Err(Error::Endless { to, what: "names", limit: NAMES_MAX });
        }
        Ok(self.names.len() > before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ok, registry, server};

    #[tokio::test]
    async fn lists_end_whatever_a_registry_does_with_pages() {
        let list = |tags: &[&str]| ok(&serde_json::json!({ "name": "a/b", "tags": tags }).to_string());
        // It gives everything every time, in an order of its own.
        let all = list(&["v10", "latest", "V2", "v1"]);
        let (url, asked) = server(move |_| all.clone()).await;
        let name = "a/b".parse().unwrap();
        let tags = registry(&url).all_tags(&name).await.unwrap();
        assert_eq!(tags.iter().map(Tag::as_str).collect::<Vec<_>>(), ["v10", "latest", "V2", "v1"]);
        assert_eq!(asked.lock().unwrap().len(), 1, "a page that is not full is the last one");
        // It has small pages, and says that there are more.
        let (first, second) = (list(&["b", "c"]), list(&["A"]));
        let first =
            first.replace("200 OK\r\n", "200 OK\r\nlink: </v2/a/b/tags/list?last=c>; rel=\"next\"\r\n");
        let (url, _) =
            server(move |head| if head.contains("last=c") { second.clone() } else { first.clone() }).await;
        assert_eq!(registry(&url).all_tags(&name).await.unwrap().len(), 3);
        // It has none, and says so as the reference implementation does.
        let (url, _) = server(|_| ok(r#"{"name": "a/b", "tags": null}"#)).await;
        assert_eq!(registry(&url).all_tags(&name).await.unwrap(), []);
        // It does not know pages, and has more than one.
        let many: Vec<String> = (0..250).map(|at| format!("t{at}")).collect();
        let many = ok(&serde_json::json!({ "tags": many }).to_string());
        let (url, asked) = server(move |_| many.clone()).await;
        assert_eq!(registry(&url).all_tags(&name).await.unwrap().len(), 250);
        assert_eq!(asked.lock().unwrap().len(), 2, "the second page brings nothing new");
    }
}
