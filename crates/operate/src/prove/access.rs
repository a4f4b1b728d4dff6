//! Who may do what: the account, a wrong one, one that may only read, and nobody.

use bytes::Bytes;
use http::{Request, StatusCode};
use railhead_client::{Answer, Credentials, Registry, empty};
use railhead_oci::RepositoryName;
use railhead_oci::media::ACCEPT_MANIFESTS;

use super::bench::{Bench, Checked, Seen, Trouble, is_refusal, said};
use super::record::Verdict;
use crate::site::Visibility;

/// The largest answer of `/v2/`, in bytes.
const ANSWER_MAX: usize = 64 << 10;
/// No registry gave this to anybody.
const WRONG: &str = "railhead-proof-this-is-a-wrong-token";

impl Bench<'_> {
    /// `GET /v2/` with the account.
    pub(super) async fn login(&self) -> Checked {
        let Some(account) = &self.plan.account else {
            return Ok(Seen::not_tried(
                "no account was given; name one with --user, and its token in RAILHEAD_TOKEN",
            ));
        };
        let answer = self.main().ping().await?;
        match answer.status {
            StatusCode::OK => {
                if self.is_open().await? {
                    return Ok(Seen::fact(
                        "/v2/ asks nobody to log in; the push shows whether the account is taken",
                    ));
                }
                Ok(Seen::ok(format!("as {}", account.user)))
            }
            status if is_refusal(status) => Err(Trouble::of(
                format!(
                    "the registry refuses the account '{}' or its token ({})",
                    account.user,
                    said(&answer)
                ),
                Verdict::Denied,
            )),
            _ => Err(Trouble::answer("GET /v2/", &answer)),
        }
    }

    /// Nothing begins with a token that nobody was given.
    pub(super) async fn wrong_token(&self) -> Checked {
        let Some(account) = &self.plan.account else { return Ok(Seen::not_tried("no account was given")) };
        let wrong = Credentials { user: account.user.clone(), secret: WRONG.to_owned().into() };
        let registry = self.main_as(Some(wrong));
        let answer = registry.ping().await?;
        if answer.status.is_success() && !self.is_open().await? {
            return Err(Trouble::new(format!(
                "`docker login` takes a wrong token: the registry answered GET /v2/ with {}",
                answer.status
            )));
        }
        self.must_not_push(&registry, "with a wrong token").await
    }

    /// Nothing begins without a login.
    pub(super) async fn anonymous_push(&self) -> Checked {
        if self.plan.account.is_none() {
            return Ok(Seen::fact("everybody may push: all of this was done without a login"));
        }
        self.must_not_push(&self.main_as(None), "without a login").await
    }

    /// Whether `/v2/` asks nobody for a login.
    async fn is_open(&self) -> Result<bool, railhead_client::Error> {
        let request = Request::get("/v2/").body(empty())?;
        Ok(self.main().http().ask(request, ANSWER_MAX).await?.status == StatusCode::OK)
    }

    /// Nothing begins with a token that may only read.
    pub(super) async fn readonly_token(&self) -> Checked {
        let Some(readonly) = &self.plan.readonly else {
            return Ok(Seen::not_tried(
                "no token without the right to push was given; put one into RAILHEAD_TOKEN_READONLY",
            ));
        };
        let registry = self.main_as(Some(readonly.clone()));
        let mut seen = self.must_not_push(&registry, "with the token that may not push").await?;
        let can_read = registry.head_manifest(&self.plan.repository, self.plan.tag.as_str()).await;
        seen.detail +=
            if matches!(can_read, Ok(Some(_))) { "; it may pull" } else { "; it may not pull either" };
        Ok(seen)
    }

    /// Begins an upload, which has to be refused; `how` is as in "with a wrong token".
    async fn must_not_push(&self, registry: &Registry, how: &str) -> Checked {
        let name = &self.plan.repository;
        let scope = format!("repository:{name}:pull,push");
        let path = format!("/v2/{name}/blobs/uploads/");
        let make = || Ok((Request::post(&path).header("content-length", 0), empty()));
        let answer = registry.ask(&scope, make).await?;
        // Who may not know of a repository is told that it does not exist.
        if is_refusal(answer.status) || answer.status == StatusCode::NOT_FOUND {
            return Ok(Seen::ok(format!("refused with {}", said(&answer))));
        }
        if !answer.status.is_success() {
            return Ok(Seen::fact(format!(
                "an upload {how} is neither taken nor refused: {}",
                said(&answer)
            )));
        }
        if let Some(location) = answer.header("location").and_then(|to| to.parse::<http::Uri>().ok()) {
            let session = location.path_and_query().map_or("/", |path| path.as_str());
            // An upload that stays ends by itself; that it was begun is what counts.
            let _ = registry.cancel(name, session).await;
        }
        Err(Trouble::new(format!("an upload can be begun {how}: the registry answered {}", answer.status)))
    }

    /// Whether everybody may pull: the manifest and a blob of it.
    pub(super) async fn anonymous(&self, visibility: &mut Option<Visibility>) -> Checked {
        let registry = self.main_as(None);
        let name = &self.plan.repository;
        let (Some(root), Some(blob)) = (self.plan.image.root(), self.plan.image.blobs.first()) else {
            return Err(Trouble::new("the image is empty"));
        };
        let manifest = may_read(&registry, name, &format!("/v2/{name}/manifests/{}", root.digest)).await?;
        let content = may_read(&registry, name, &format!("/v2/{name}/blobs/{}", blob.digest)).await?;
        let found = match (manifest, content) {
            (true, true) => Visibility::Public,
            (false, false) => Visibility::Private,
            (true, false) => {
                return Err(Trouble::new("without a login the manifest can be read, and its blobs cannot"));
            }
            (false, true) => {
                return Err(Trouble::new(format!(
                    "without a login blob {} can be read, though its manifest cannot",
                    blob.digest
                )));
            }
        };
        let words = match found {
            Visibility::Public => "everybody may pull",
            Visibility::Private => "nobody may pull without a login",
        };
        *visibility = Some(found);
        match self.plan.expected {
            Some(expected) if expected == found => Ok(Seen::ok(format!("{words}, as expected"))),
            Some(expected) => {
                Err(Trouble::new(format!("{words}, but the image is meant to be {}", expected.word())))
            }
            None => Ok(Seen::fact(format!("{words}; nobody said whether that is meant"))),
        }
    }
}

/// Whether a client may read what is at `path` in the repository.
pub(crate) async fn may_read(
    registry: &Registry,
    name: &RepositoryName,
    path: &str,
) -> Result<bool, Trouble> {
    Ok(reading(registry, name, path).await? == Reading::May)
}

/// What a client is told about something in a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Here it is.
    May,
    /// Log in, or be somebody else.
    Refused,
    /// There is nothing, or nothing that the client may know of.
    Nothing,
}

/// Asks for what is at `path` in the repository, and does not read it.
pub(crate) async fn reading(
    registry: &Registry,
    name: &RepositoryName,
    path: &str,
) -> Result<Reading, Trouble> {
    let scope = format!("repository:{name}:pull");
    let make = || Ok((Request::get(path).header("accept", ACCEPT_MANIFESTS), empty()));
    let answer = registry.send(&scope, make).await?;
    let status = answer.status();
    if is_refusal(status) {
        return Ok(Reading::Refused);
    }
    if status == StatusCode::NOT_FOUND {
        return Ok(Reading::Nothing);
    }
    if status.is_success() || status.is_redirection() {
        return Ok(Reading::May);
    }
    let answer = Answer { status, headers: answer.headers().clone(), body: Bytes::new() };
    Err(Trouble::answer(&format!("GET {path}"), &answer))
}
