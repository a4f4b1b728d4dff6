//! Reads blobs of any size, a piece at a time.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, LOCATION, RANGE};
use http::request::Builder;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use railhead_oci::{Digest, Hasher, RepositoryName};

use crate::http1::{Http, empty};
use crate::{Error, Origin, Registry, Result};

/// Redirects that are followed for one blob.
const REDIRECTS_MAX: usize = 5;
/// What is read of an answer that refuses.
const REFUSAL_MAX: usize = 64 << 10;

impl Registry {
    /// Reads a blob, gives each piece to `sink`, and compares the whole with the digest; its size in bytes.
    ///
    /// Redirects are followed, as registries send clients to their object storage; no credential goes there.
    pub async fn read_blob(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        mut sink: impl FnMut(&[u8]),
    ) -> Result<u64> {
        let mut download = self.open_blob(name, digest).await?;
        while let Some(piece) = download.next().await? {
            sink(&piece);
        }
        Ok(download.size)
    }

    /// Begins to read a blob; as [`Self::read_blob`], for a caller that waits between the pieces.
    pub async fn open_blob(&self, name: &RepositoryName, digest: &Digest) -> Result<Download> {
        let (http, answer) = self.blob_from(name, digest, 0).await?;
        let length =
            answer.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        Ok(Download {
            http,
            body: answer.into_body(),
            asked: format!("GET /v2/{name}/blobs/{digest}"),
            digest: *digest,
            hasher: Some(Hasher::new(digest.algorithm())),
            size: 0,
            length,
            again: None,
            skip: 0,
        })
    }

    /// Asks for a blob from an offset on. A registry that knows no ranges gives all of it.
    async fn blob_from(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        offset: u64,
    ) -> Result<(Http, Response<Incoming>)> {
        let asked = format!("GET /v2/{name}/blobs/{digest}");
        let scope = format!("repository:{name}:pull");
        let path = &asked["GET ".len()..];
        let range = (offset > 0).then(|| format!("bytes={offset}-"));
        let ranged = |request: Builder| match &range {
            Some(range) => request.header(RANGE, range),
            None => request,
        };
        let first = self.send(&scope, || Ok((ranged(Request::get(path)), empty()))).await?;
        let (http, answer) = self.follow(first, &ranged).await?;
        let status = answer.status();
        if status == StatusCode::OK || status == StatusCode::PARTIAL_CONTENT && offset > 0 {
            return Ok((http, answer));
        }
        let answer = http.read(answer, REFUSAL_MAX).await?;
        let text: String = String::from_utf8_lossy(&answer.body).chars().take(400).collect();
        let (to, what) = (http.origin().to_string(), format!("and said: {text}"));
        Err(Error::Unexpected { to, asked, status, what })
    }

    /// Goes where redirects lead, without credentials. A place that can be read on the way is no place for a blob that
    /// was asked for over TLS.
    async fn follow(
        &self,
        mut answer: Response<Incoming>,
        ranged: &impl Fn(Builder) -> Builder,
    ) -> Result<(Http, Response<Incoming>)> {
        let mut http = self.http().clone();
        for _ in 0..REDIRECTS_MAX {
            if !answer.status().is_redirection() {
                break;
            }
            let Some(to) = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok()) else { break };
            let uri: http::Uri = to.parse().map_err(http::Error::from)?;
            let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
            if let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) {
                let origin: Origin = format!("{scheme}://{authority}").parse()?;
                if self.http().origin().is_private() && !origin.is_private() {
                    break;
                }
                if origin.to_string() != http.origin().to_string() {
                    http = Http::new(origin, http.trust().cloned(), http.timeout());
                }
            }
            answer = http.send(ranged(Request::get(path)).body(empty())?).await?;
        }
        Ok((http, answer))
    }
}

/// A blob on its way.
#[derive(Debug)]
pub struct Download {
    http: Http,
    body: Incoming,
    asked: String,
    digest: Digest,
    /// Absent behind the end.
    hasher: Option<Hasher>,
    size: u64,
    length: Option<u64>,
    again: Option<Again>,
    /// Bytes that come once more, from a registry that knows no ranges.
    skip: u64,
}

/// How a blob is asked for again.
#[derive(Debug)]
struct Again {
    registry: Registry,
    name: RepositoryName,
    tries: u32,
}

impl Download {
    /// One that asks for the rest when the connection breaks in the middle, at most `tries` times.
    #[must_use]
    pub fn going_on(mut self, registry: &Registry, name: &RepositoryName, tries: u32) -> Self {
        self.again = Some(Again { registry: registry.clone(), name: name.clone(), tries });
        self
    }

    /// How many bytes the registry said that there are.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next piece, never an empty one. `None` comes only behind content that is what the digest says.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let piece = match next(&self.http, &mut self.body).await {
                Err(error) if error.is_passing() => {
                    if self.go_on().await? {
                        continue;
                    }
                    return Err(error);
                }
                other => other?,
            };
            let Some(hasher) = &mut self.hasher else { return Ok(None) };
            match piece {
                Some(mut piece) => {
                    let known = piece.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
                    self.skip -= known as u64;
                    let piece = piece.split_off(known);
                    if !piece.is_empty() {
                        hasher.update(&piece);
                        self.size += piece.len() as u64;
                        return Ok(Some(piece));
                    }
                }
                None => return self.end().map(|()| None),
            }
        }
    }

    /// Asks for the rest; false when it was asked for often enough.
    async fn go_on(&mut self) -> Result<bool> {
        let Some(again) = &mut self.again else { return Ok(false) };
        if again.tries == 0 {
            return Ok(false);
        }
        again.tries -= 1;
        let (http, answer) = again.registry.blob_from(&again.name, &self.digest, self.size).await?;
        self.skip = if answer.status() == StatusCode::OK { self.size } else { 0 };
        let starts = answer.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
        if self.skip == 0 && !starts.is_some_and(|range| range.starts_with(&format!("bytes {}-", self.size)))
        {
            return Ok(false);
        }
        (self.http, self.body) = (http, answer.into_body());
        Ok(true)
    }

    fn end(&mut self) -> Result<()> {
        let found = self.hasher.take().map(Hasher::finish);
        if found.is_none_or(|found| found == self.digest) {
            return Ok(());
        }
        let found = found.map_or_else(String::new, |found| found.to_string());
        Err(Error::Unexpected {
            to: self.http.origin().to_string(),
            asked: self.asked.clone(),
            status: StatusCode::OK,
            what: format!("and {} bytes came whose digest is {found}", self.size),
        })
    }
}

/// The next piece of a body, which has to come in time.
async fn next(http: &Http, body: &mut Incoming) -> Result<Option<Bytes>> {
    loop {
        let frame = tokio::time::timeout(http.timeout(), body.frame()).await.map_err(|_| Error::Timeout {
            to: http.origin().to_string(),
            seconds: http.timeout().as_secs(),
        })?;
        match frame {
            None => return Ok(None),
            Some(Err(source)) => {
                return Err(Error::Exchange { to: http.origin().to_string(), source });
            }
            // Trailers are no content.
            Some(Ok(frame)) => {
                if let Ok(piece) = frame.into_data() {
                    return Ok(Some(piece));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ok, registry, server};

    #[tokio::test]
    async fn a_redirect_is_followed_without_credentials() {
        let (store, stored) = server(|_| ok("content")).await;
        let (url, asked) = server(move |head| {
            if head.to_lowercase().contains("authorization:") {
                format!(
                    "HTTP/1.1 307 Temporary Redirect\r\nconnection: close\r\ncontent-length: 0\r\nlocation: {store}/x\r\n\r\n"
                )
            } else {
                "HTTP/1.1 401 Unauthorized\r\nconnection: close\r\ncontent-length: 0\r\nwww-authenticate: Basic realm=\"x\"\r\n\r\n"
                    .to_owned()
            }
        })
        .await;
        let mut read = Vec::new();
        let digest = Digest::sha256(b"content");
        let name = "a/b".parse().unwrap();
        let size = registry(&url).read_blob(&name, &digest, |piece| read.extend_from_slice(piece)).await;
        assert_eq!((size.unwrap(), read.as_slice()), (7, b"content".as_slice()));
        assert_eq!(asked.lock().unwrap().len(), 2);
        let stored = stored.lock().unwrap().join("").to_lowercase();
        assert!(stored.starts_with("get /x") && !stored.contains("authorization"), "{stored}");
    }

    #[tokio::test]
    async fn other_bytes_than_the_digest_says_are_an_error_that_names_it() {
        let (url, _) = server(|_| ok("kontent")).await;
        let digest = Digest::sha256(b"content");
        let name = "a/b".parse().unwrap();
        let error = registry(&url).read_blob(&name, &digest, |_| ()).await.unwrap_err().to_string();
        assert!(error.contains(&digest.to_string()) && error.contains("7 bytes"), "{error}");
    }

    #[tokio::test]
    async fn a_blob_that_breaks_off_is_continued_with_and_without_ranges() {
        let (digest, name) = (Digest::sha256(b"content"), "a/b".parse().unwrap());
        for knows_ranges in [true, false] {
            let (url, asked) = server(move |head| match head.to_lowercase().contains("range: bytes=3-") {
                false => "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 7\r\n\r\ncon".to_owned(),
                true if knows_ranges => {
                    "HTTP/1.1 206 Partial Content\r\nconnection: close\r\ncontent-length: 4\r\n\
                     content-range: bytes 3-6/7\r\n\r\ntent"
                        .to_owned()
                }
                true => ok("content"),
            })
            .await;
            let registry = registry(&url);
            let mut read = Vec::new();
            let mut download =
                registry.open_blob(&name, &digest).await.unwrap().going_on(&registry, &name, 1);
            assert_eq!(download.length(), Some(7));
            while let Some(piece) = download.next().await.unwrap() {
                read.extend_from_slice(&piece);
            }
            assert_eq!((read.as_slice(), asked.lock().unwrap().len()), (b"content".as_slice(), 2));
            let mut once = registry.open_blob(&name, &digest).await.unwrap();
            assert_eq!(once.next().await.unwrap().unwrap(), "con");
            assert!(once.next().await.is_err(), "who does not ask again gets what came");
        }
    }
}
