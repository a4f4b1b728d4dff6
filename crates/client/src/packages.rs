//! The container packages of an owner on Gitea or Forgejo, whose API lists what the registry's own does not: manifests that no
//! tag names, and when each version was made.
//!
//! A version is a tag, or a manifest that was pushed by its digest. What is deleted is gone; the forge frees the room later, by a
//! cron job of its own. The account that the client logs in with is the one that asks.

use http::header::AUTHORIZATION;
use http::{Method, Request, StatusCode};
use railhead_api::segment;
use railhead_oci::RepositoryName;
use serde::Deserialize;

use crate::http1::{Answer, empty};
use crate::{Error, Registry, Result};

/// Versions on one page: the forge gives no more.
const PAGE: usize = 50;
/// The largest page that is read, in bytes.
const PAGE_MAX: usize = 16 << 20;
/// Pages of one owner; no owner has millions of versions, and a list without an end is none.
const PAGES_MAX: u32 = 40_000;

/// A version of a container package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The repository.
    pub repository: RepositoryName,
    /// Its tag or its digest.
    pub version: String,
    /// When it was made.
    pub created_at: jiff::Timestamp,
    /// Whether the forge says that its owner, and the Git repository that it is linked to, are public.
    pub is_public: bool,
}

/// What became of a link between a package and a Git repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageLink {
    /// It is made.
    Made,
    /// The package is linked already.
    There,
    /// There is no such Git repository, or this forge makes no links.
    Nothing,
}

#[derive(Deserialize, PartialEq, Eq)]
struct Listed {
    name: String,
    version: String,
    created_at: jiff::Timestamp,
    owner: Option<Owner>,
    repository: Option<Linked>,
}

#[derive(Deserialize, PartialEq, Eq)]
struct Owner {
    /// `public`; `limited` to who has an account; `private`.
    #[serde(default)]
    visibility: String,
}

/// The Git repository that a package is linked to.
#[derive(Deserialize, PartialEq, Eq)]
struct Linked {
    #[serde(default)]
    private: bool,
    #[serde(default)]
    internal: bool,
}

impl Listed {
    /// Whether nothing that the forge says of it is other than public.
    fn is_public(&self) -> bool {
        let linked = self.repository.as_ref();
        self.owner.as_ref().is_some_and(|owner| owner.visibility == "public")
            && linked.is_none_or(|linked| !linked.private && !linked.internal)
    }
}

impl Registry {
    /// Whether a Gitea or Forgejo serves this registry: it is its own, and its API answers [where it is](Registry::api). Behind one
    /// hostname with a forge another registry may stand, of whose images the forge knows nothing.
    pub async fn is_forge(&self) -> Result<bool> {
        let Some(challenge) = self.challenge().await? else { return Ok(false) };
        let service = challenge.parameter("service").unwrap_or_default();
        let realm = challenge.parameter("realm").unwrap_or_default();
        // Older releases name no service.
        if !matches!(service, "" | "container_registry") || !realm.ends_with("/v2/token") {
            return Ok(false);
        }
        let answer = self.forge(Method::GET, "/api/v1/version").await?;
        let is_json = serde_json::from_slice::<serde_json::Value>(&answer.body)
            .is_ok_and(|body| body.get("version").is_some());
        Ok(answer.status == StatusCode::OK && is_json)
    }

    /// All container packages of an owner. What has no name of the specification cannot be pulled, and is left out.
    pub async fn packages(&self, owner: &str) -> Result<Vec<Version>> {
        let (mut versions, mut before) = (Vec::new(), Vec::new());
        for page in 1..=PAGES_MAX {
            let path = format!("/api/v1/packages/{}?type=container&limit={PAGE}&page={page}", segment(owner));
            let answer = self.forge(Method::GET, &path).await?;
            let asked = || format!("GET {path}");
            let answer = self.require(answer, &[StatusCode::OK], asked)?;
            let listed: Vec<Listed> = serde_json::from_slice(&answer.body).map_err(|error| {
                self.unexpected(&answer, asked(), format!("and that is no list of packages: {error}"))
            })?;
            // Who does not page gives the same versions again.
            if listed == before {
                return Ok(versions);
            }
            let owner = owner.to_ascii_lowercase();
            versions.extend(listed.iter().filter_map(|one| {
                let repository = format!("{owner}/{}", one.name).parse().ok()?;
                let (version, created_at, is_public) = (one.version.clone(), one.created_at, one.is_public());
                Some(Version { repository, version, created_at, is_public })
            }));
            if listed.len() < PAGE {
                return Ok(versions);
            }
            before = listed;
        }
        let to = self.http().origin().to_string();
        Err(Error::Endless { to, what: "versions of packages", limit: PAGES_MAX as usize * PAGE })
    }

    /// Deletes a version of a package for good; false when there is none.
    pub async fn delete_package(&self, repository: &RepositoryName, version: &str) -> Result<bool> {
        let (owner, image) = (segment(repository.owner()), segment(repository.image()));
        let path = format!("/api/v1/packages/{owner}/container/{image}/{}", segment(version));
        let answer = self.forge(Method::DELETE, &path).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        self.require(answer, &[StatusCode::NO_CONTENT], || format!("DELETE {path}")).map(|_| true)
    }

    /// Links a container package with the Git repository `git` of the same owner, so that the forge shows each on the page of the
    /// other.
    pub async fn link_package(&self, repository: &RepositoryName, git: &str) -> Result<PackageLink> {
        let (owner, image) = (segment(repository.owner()), segment(repository.image()));
        let path = format!("/api/v1/packages/{owner}/container/{image}/-/link/{}", segment(git));
        let answer = self.forge(Method::POST, &path).await?;
        match answer.status {
            // What is linked already is no right argument.
            StatusCode::BAD_REQUEST => Ok(PackageLink::There),
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Ok(PackageLink::Nothing),
            _ => {
                let expected = [StatusCode::CREATED, StatusCode::NO_CONTENT];
                self.require(answer, &expected, || format!("POST {path}")).map(|_| PackageLink::Made)
            }
        }
    }

    /// Asks the forge's API.
    async fn forge(&self, method: Method, path: &str) -> Result<Answer> {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(credentials) = self.credentials() {
            request = request.header(AUTHORIZATION, credentials.basic()?);
        }
        self.api().ask(request.body(empty())?, PAGE_MAX).await
    }
}

#[cfg(test)]
mod tests {
    use super::Listed;
    use crate::testing::{ok, registry, server};

    #[test]
    fn a_package_is_public_when_all_that_is_said_of_it_is() {
        let public = |owner: &str, repository: &str| {
            let text = format!(
                r#"{{"name":"app","version":"v1","created_at":"2026-05-05T05:05:05Z","owner":{owner},"repository":{repository}}}"#
            );
            serde_json::from_str::<Listed>(&text).unwrap().is_public()
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
    }

    #[tokio::test]
    async fn a_registry_at_a_forges_host_is_not_the_forges() {
        for (service, expected) in [("container_registry", true), ("railhead", false)] {
            let (url, _) = server(move |head| {
                if head.contains(" /api/v1/version ") {
                    return ok(r#"{"version": "1.25.4"}"#);
                }
                format!(
                    "HTTP/1.1 401 Unauthorized\r\nconnection: close\r\ncontent-length: 0\r\n\
                     www-authenticate: Bearer realm=\"http://git.test/v2/token\",service=\"{service}\"\r\n\r\n"
                )
            })
            .await;
            assert_eq!(registry(&url).is_forge().await.unwrap(), expected, "{service}");
        }
    }

    #[tokio::test]
    async fn the_api_is_asked_where_it_is() {
        let (door, _) = server(|head| {
            let (status, more) = if head.contains(" /v2/ ") {
                ("401 Unauthorized", "www-authenticate: Bearer realm=\"http://git.test/v2/token\"\r\n")
            } else {
                ("404 Not Found", "")
            };
            format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n{more}\r\n")
        })
        .await;
        let (forge, asked) = server(|head| {
            ok(if head.contains(" /api/v1/version ") { r#"{"version": "1.25.4"}"# } else { "[]" })
        })
        .await;
        assert!(!registry(&door).is_forge().await.unwrap(), "nothing but /v2 is there");
        let knowing = registry(&door).with_api(registry(&forge).http().clone());
        assert!(knowing.is_forge().await.unwrap());
        assert!(knowing.packages("team").await.unwrap().is_empty());
        assert!(asked.lock().unwrap()[1].contains("/api/v1/packages/team"), "{asked:?}");
    }

    #[tokio::test]
    async fn versions_come_page_by_page_and_strange_names_are_left_out() {
        let page = |from: usize, count: usize| {
            let listed: Vec<_> = (from..from + count)
                .map(|at| {
                    let name = if at == 3 { "No Name".to_owned() } else { "app".to_owned() };
                    serde_json::json!({ "name": name, "version": format!("v{at}"), "created_at": "2026-01-01T00:00:00Z" })
                })
                .collect();
            ok(&serde_json::Value::from(listed).to_string())
        };
        let (url, asked) =
            server(move |head| if head.contains("page=1 ") { page(0, 50) } else { page(50, 7) }).await;
        let versions = registry(&url).packages("Team").await.unwrap();
        assert_eq!((versions.len(), asked.lock().unwrap().len()), (56, 2));
        assert_eq!(versions[0].repository.as_str(), "team/app");
        assert!(asked.lock().unwrap()[0].to_lowercase().contains("authorization: basic"));
    }
}
