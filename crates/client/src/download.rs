//! Reads blobs of any size, a piece at a time.

use bytes::Bytes;
use http::header::LOCATION;
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
        let asked = format!("GET /v2/{name}/blobs/{digest}");
        let scope = format!("repository:{name}:pull");
        let path = &asked["GET ".len()..];
        let first = self.send(&scope, || Ok((Request::get(path), empty()))).await?;
        let (http, answer) = self.follow(first).await?;
        let status = answer.status();
        if status != StatusCode::OK {
            let answer = http.read(answer, REFUSAL_MAX).await?;
            let text: String = String::from_utf8_lossy(&answer.body).chars().take(400).collect();
            let (to, what) = (http.origin().to_string(), format!("and said: {text}"));
            return Err(Error::Unexpected { to, asked, status, what });
        }
        let hasher = Some(Hasher::new(digest.algorithm()));
        Ok(Download { http, body: answer.into_body(), asked, digest: *digest, hasher, size: 0 })
    }

    /// Goes where redirects lead, without credentials. A place that can be read on the way is no place for a blob that
    /// was asked for over TLS.
    async fn follow(&self, mut answer: Response<Incoming>) -> Result<(Http, Response<Incoming>)> {
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
            answer = http.send(Request::get(path).body(empty())?).await?;
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
}

impl Download {
    /// The next piece, never an empty one. `None` comes only behind content that is what the digest says.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let piece = next(&self.http, &mut self.body).await?;
            let Some(hasher) = &mut self.hasher else { return Ok(None) };
            match piece {
                Some(piece) if piece.is_empty() => {}
                Some(piece) => {
                    hasher.update(&piece);
                    self.size += piece.len() as u64;
                    return Ok(Some(piece));
                }
                None => return self.end().map(|()| None),
            }
        }
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
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::Credentials;

    /// Answers every request by `answer` of its head, and keeps the heads.
    async fn server(answer: impl Fn(&str) -> String + Send + 'static) -> (String, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = heads.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if stream.read(&mut byte).await.unwrap() == 0 {
                        break;
                    }
                    head.extend(byte);
                }
                let head = String::from_utf8(head).unwrap();
                let text = answer(&head);
                kept.lock().unwrap().push(head);
                stream.write_all(text.as_bytes()).await.unwrap();
            }
        });
        (url, heads)
    }

    fn ok(body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    }

    fn registry(url: &str) -> Registry {
        let http = Http::new(url.parse().unwrap(), None, Duration::from_secs(5));
        Registry::new(http, Some(Credentials { user: "kim".into(), secret: "secret".to_owned().into() }))
    }

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
}
