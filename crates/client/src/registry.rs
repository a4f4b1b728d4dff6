//! What a registry's client does: log in, push, pull. Blobs are in [`blobs`].

mod blobs;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::request::Builder;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use railhead_api::segment;
use railhead_oci::{Digest, RepositoryName};
use secrecy::{ExposeSecret as _, SecretString};

use crate::http1::{Answer, Body, Http, empty, full};
use crate::{Challenge, Error, Origin, Patience, Result};

/// The largest answer that is read into memory, in bytes.
const ANSWER_MAX: usize = 256 << 20;
/// The largest manifest that is read, in bytes: eight times what registries have to take.
const MANIFEST_MAX: usize = 32 << 20;
/// What a client takes as a manifest.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json, */*";

/// Who logs in.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The user; any text when the secret is a token.
    pub user: String,
    /// Password or token.
    pub secret: SecretString,
}

impl Credentials {
    /// The value of an `Authorization` header (RFC 7617).
    pub fn basic(&self) -> Result<HeaderValue> {
        secret_header(format!("Basic {}", self.basic_text().expose_secret()))
    }

    /// What stands behind `Basic` (RFC 7617).
    pub(crate) fn basic_text(&self) -> SecretString {
        STANDARD.encode(format!("{}:{}", self.user, self.secret.expose_secret())).into()
    }
}

/// What a push made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The digest.
    pub digest: Digest,
    /// Where the registry says it is.
    pub location: Option<String>,
    /// Whether the registry lists it as a referrer of its subject (spec, *Pushing Manifests with Subject*).
    pub has_subject: bool,
}

/// A client of one registry. Cloning shares connections and short tokens.
#[derive(Clone, Debug)]
pub struct Registry {
    http: Http,
    credentials: Option<Credentials>,
    /// Short tokens by scope.
    tokens: Arc<Mutex<HashMap<String, SecretString>>>,
    /// Ways to origins that a realm may name.
    known: Arc<[Http]>,
    /// Where a forge's API is, when that is not where its registry is.
    api: Option<Http>,
    patience: Option<Patience>,
}

impl Registry {
    /// A client that logs in when the registry asks for it.
    pub fn new(http: Http, credentials: Option<Credentials>) -> Self {
        Self { http, credentials, tokens: Arc::default(), known: Arc::default(), api: None, patience: None }
    }

    /// One that waits for a registry that is busy, and asks no faster than it may.
    #[must_use]
    pub fn patient(mut self, patience: Patience) -> Self {
        self.patience = Some(patience);
        self
    }

    /// The same registry for who has not logged in.
    #[must_use]
    pub fn anonymous(&self) -> Self {
        Self { credentials: None, tokens: Arc::default(), ..self.clone() }
    }

    /// The same; every answer must begin within `timeout`.
    #[must_use]
    pub fn within(&self, timeout: Duration) -> Self {
        Self { http: self.http.within(timeout), ..self.clone() }
    }

    /// With ways to other origins: a realm on one of them is asked over it, so that its name need not resolve.
    #[must_use]
    pub fn knowing(mut self, known: impl IntoIterator<Item = Http>) -> Self {
        self.known = known.into_iter().collect();
        self
    }

    /// With a forge's API at `api`: where only `/v2` of a host leads to the forge, it is not where the registry is.
    #[must_use]
    pub fn with_api(mut self, api: Http) -> Self {
        self.api = Some(api);
        self
    }

    /// What carries questions to a forge's API.
    pub fn api(&self) -> &Http {
        self.api.as_ref().unwrap_or(&self.http)
    }

    /// What carries its requests.
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// Who logs in.
    pub fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// What the registry wants of who has not logged in; `None` when it wants nothing, or nothing that is known.
    pub async fn challenge(&self) -> Result<Option<Challenge>> {
        let answer = self.http.ask(Request::get("/v2/").body(empty())?, ANSWER_MAX).await?;
        let values = answer.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        Ok(Challenge::preferred(&Challenge::parse_all(values)).cloned())
    }

    /// `GET /v2/`: whether the registry is there and takes the credentials.
    pub async fn ping(&self) -> Result<Answer> {
        self.ask("", || Ok((Request::get("/v2/"), empty()))).await
    }

    /// Sends what `make` makes, and again with a token when the registry asks for one. `scope` is what to ask for
    /// beforehand, as `repository:team/app:pull`; empty when not known. The answer may be of any status.
    pub async fn ask(&self, scope: &str, make: impl Fn() -> Result<(Builder, Body)>) -> Result<Answer> {
        self.http.read(self.send(scope, make).await?, ANSWER_MAX).await
    }

    /// As [`Self::ask`], but gives the answer as soon as its head is there.
    pub async fn send(
        &self,
        scope: &str,
        make: impl Fn() -> Result<(Builder, Body)>,
    ) -> Result<Response<Incoming>> {
        match &self.patience {
            Some(patience) => patience.with(|| self.authorised(scope, &make)).await,
            None => self.authorised(scope, &make).await,
        }
    }

    /// Sends with the token for `scope`, and again with a new one when the registry asks for that.
    async fn authorised(
        &self,
        scope: &str,
        make: &impl Fn() -> Result<(Builder, Body)>,
    ) -> Result<Response<Incoming>> {
        let known = self.tokens.lock().unwrap_or_else(PoisonError::into_inner).get(scope).cloned();
        let first = self.once(make, known.as_ref().map(bearer).transpose()?).await?;
        if first.status() != StatusCode::UNAUTHORIZED {
            return Ok(first);
        }
        let headers = first.headers().get_all(WWW_AUTHENTICATE);
        let challenges = Challenge::parse_all(headers.iter().filter_map(|value| value.to_str().ok()));
        let Some(challenge) = Challenge::preferred(&challenges) else { return Ok(first) };
        let authorization = match (challenge.scheme.as_str(), &self.credentials) {
            ("bearer", _) => {
                let Some(token) = self.token(challenge, scope).await? else { return Ok(first) };
                self.tokens
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(scope.to_owned(), token.clone());
                bearer(&token)?
            }
            ("basic", Some(credentials)) => credentials.basic()?,
            _ => return Ok(first),
        };
        // A connection is free for the next request when its answer was read.
        self.http.read(first, ANSWER_MAX).await?;
        self.once(make, Some(authorization)).await
    }

    async fn once(
        &self,
        make: &impl Fn() -> Result<(Builder, Body)>,
        authorization: Option<HeaderValue>,
    ) -> Result<Response<Incoming>> {
        let (mut request, body) = make()?;
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        self.http.send(request.body(body)?).await
    }

    /// Asks the realm for a short token; `None` when it gives none.
    async fn token(&self, challenge: &Challenge, scope: &str) -> Result<Option<SecretString>> {
        let Some(realm) = challenge.parameter("realm") else { return Ok(None) };
        let (http, path) = self.realm(realm)?;
        let mut uri = path;
        let mut joint = if uri.contains('?') { '&' } else { '?' };
        // What the caller knows it needs and what the registry says that it needs: a mount needs its source too, and
        // no registry asks for that.
        let mut parameters = vec![("service", challenge.parameter("service").unwrap_or(""))];
        for wanted in scope.split(' ').chain(challenge.parameter("scope").unwrap_or("").split(' ')) {
            if !parameters.contains(&("scope", wanted)) {
                parameters.push(("scope", wanted));
            }
        }
        for (name, value) in parameters.into_iter().filter(|(_, value)| !value.is_empty()) {
            // Writing to a string cannot fail.
            let _ = write!(uri, "{joint}{name}={}", segment(value));
            joint = '&';
        }
        let mut request = Request::get(uri);
        if let Some(credentials) = &self.credentials {
            request = request.header(AUTHORIZATION, credentials.basic()?);
        }
        let answer = http.ask(request.body(empty())?, 1 << 20).await?;
        if !answer.status.is_success() {
            return Ok(None);
        }
        let read: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let token =
            read.get("token").or_else(|| read.get("access_token")).and_then(serde_json::Value::as_str);
        Ok(token.map(|token| token.to_owned().into()))
    }

    /// The client for a realm, and the path and query there.
    fn realm(&self, realm: &str) -> Result<(Http, String)> {
        if realm.starts_with('/') {
            return Ok((self.http.clone(), realm.to_owned()));
        }
        let uri: http::Uri = realm.parse().map_err(http::Error::from)?;
        let origin: Origin =
            format!("{}://{}", uri.scheme_str().unwrap_or(""), uri.authority().map_or("", |at| at.as_str()))
                .parse()?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        // Over a unix socket the realm's host is only a name for the same registry.
        let same = match self.http.origin() {
            Origin::Socket(_) => true,
            own @ Origin::Web { .. } => own.authority() == origin.authority(),
        };
        if same {
            return Ok((self.http.clone(), path));
        }
        if let Some(known) = self.known.iter().find(|known| known.origin().to_string() == origin.to_string())
        {
            return Ok((known.clone(), path));
        }
        Ok((Http::new(origin, self.http.trust().cloned(), self.http.timeout()), path))
    }

    /// Pushes a manifest under a tag or its digest.
    pub async fn put_manifest(
        &self,
        name: &RepositoryName,
        reference: &str,
        media_type: &str,
        bytes: Bytes,
    ) -> Result<Pushed> {
        let path = format!("/v2/{name}/manifests/{reference}");
        let make = || Ok((Request::put(&path).header(CONTENT_TYPE, media_type), full(bytes.clone())));
        let answer = self.ask(&push(name), make).await?;
        let answer = self.require(answer, &[StatusCode::CREATED], || format!("PUT {path}"))?;
        let location = answer.header("location").map(str::to_owned);
        let has_subject = answer.header("oci-subject").is_some();
        Ok(Pushed { digest: Digest::sha256(&bytes), location, has_subject })
    }

    /// A manifest with its headers; `None` when there is none. A pull by digest compares it.
    pub async fn manifest(&self, name: &RepositoryName, reference: &str) -> Result<Option<Answer>> {
        self.manifest_by(Method::GET, name, reference).await
    }

    /// The headers of a manifest; `None` when there is none.
    pub async fn head_manifest(&self, name: &RepositoryName, reference: &str) -> Result<Option<Answer>> {
        self.manifest_by(Method::HEAD, name, reference).await
    }

    async fn manifest_by(
        &self,
        method: Method,
        name: &RepositoryName,
        reference: &str,
    ) -> Result<Option<Answer>> {
        let path = format!("/v2/{name}/manifests/{reference}");
        let make =
            || Ok((Request::builder().method(method.clone()).uri(&path).header(ACCEPT, MANIFESTS), empty()));
        let answer = self.http.read(self.send(&pull(name), make).await?, MANIFEST_MAX).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let answer = self.require(answer, &[StatusCode::OK], || format!("{method} {path}"))?;
        if method == Method::GET
            && let Ok(digest) = reference.parse::<Digest>()
        {
            self.compare(&digest, &answer, &path)?;
        }
        Ok(Some(answer))
    }

    /// One page of tags behind `after`.
    pub async fn tags(&self, name: &RepositoryName, page: u32, after: Option<&str>) -> Result<Vec<String>> {
        Ok(self.tag_page(name, page, after).await?.0)
    }

    /// The same, and whether the registry says that there are more.
    pub(crate) async fn tag_page(
        &self,
        name: &RepositoryName,
        page: u32,
        after: Option<&str>,
    ) -> Result<(Vec<String>, bool)> {
        #[derive(serde::Deserialize)]
        struct List {
            tags: Option<Vec<String>>,
        }
        let after = after.map(|after| format!("&last={}", segment(after))).unwrap_or_default();
        let path = format!("/v2/{name}/tags/list?n={page}{after}");
        let answer = self.ask(&pull(name), || Ok((Request::get(&path), empty()))).await?;
        let answer = self.require(answer, &[StatusCode::OK], || format!("GET {path}"))?;
        match serde_json::from_slice::<List>(&answer.body) {
            // The reference implementation answers `null` where there is none.
            Ok(list) => Ok((list.tags.unwrap_or_default(), answer.header("link").is_some())),
            Err(error) => {
                Err(self.unexpected(&answer, format!("GET {path}"), format!("not a list of tags: {error}")))
            }
        }
    }

    /// Deletes a manifest, a tag, or a blob: `kind` is `manifests` or `blobs`.
    pub async fn delete(&self, name: &RepositoryName, kind: &str, reference: &str) -> Result<()> {
        let path = format!("/v2/{name}/{kind}/{reference}");
        let answer =
            self.ask(&format!("repository:{name}:delete"), || Ok((Request::delete(&path), empty()))).await?;
        self.require(answer, &[StatusCode::ACCEPTED], || format!("DELETE {path}")).map(|_| ())
    }

    fn session(&self, answer: Answer, asked: &str) -> Result<String> {
        let answer = self.require(answer, &[StatusCode::ACCEPTED], || format!("{asked} of an upload"))?;
        let Some(location) = answer.header("location") else {
            return Err(self.unexpected(&answer, asked.to_owned(), "without a Location".to_owned()));
        };
        let uri: http::Uri = location.parse().map_err(http::Error::from)?;
        Ok(uri.path_and_query().map_or("/", |path| path.as_str()).to_owned())
    }

    fn compare(&self, digest: &Digest, answer: &Answer, path: &str) -> Result<()> {
        let found = Digest::of(digest.algorithm(), &answer.body);
        if found == *digest {
            return Ok(());
        }
        Err(self.unexpected(answer, format!("GET {path}"), format!("and the content has digest {found}")))
    }

    pub(crate) fn require(
        &self,
        answer: Answer,
        wanted: &[StatusCode],
        asked: impl Fn() -> String,
    ) -> Result<Answer> {
        if wanted.contains(&answer.status) {
            return Ok(answer);
        }
        let text: String = String::from_utf8_lossy(&answer.body).chars().take(400).collect();
        Err(self.unexpected(&answer, asked(), format!("and said: {text}")))
    }

    pub(crate) fn unexpected(&self, answer: &Answer, asked: String, what: String) -> Error {
        Error::Unexpected { to: self.http.origin().to_string(), asked, status: answer.status, what }
    }
}

fn pull(name: &RepositoryName) -> String {
    format!("repository:{name}:pull")
}

fn push(name: &RepositoryName) -> String {
    format!("repository:{name}:pull,push")
}

pub(crate) fn bearer(token: &SecretString) -> Result<HeaderValue> {
    secret_header(format!("Bearer {}", token.expose_secret()))
}

pub(crate) fn secret_header(text: String) -> Result<HeaderValue> {
    let mut value = HeaderValue::try_from(text).map_err(http::Error::from)?;
    value.set_sensitive(true);
    Ok(value)
}
