//! Blobs of a repository: asked for, pulled, pushed in every way that the specification knows, and mounted.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use http::request::Builder;
use http::{Request, StatusCode};
use railhead_api::segment;
use railhead_oci::{Digest, RepositoryName};

use super::{Pushed, Registry, pull, push};
use crate::http1::{Body, empty, full, stream};
use crate::{Error, Result};

impl Registry {
    /// Whether a repository has a blob.
    pub async fn has_blob(&self, name: &RepositoryName, digest: &Digest) -> Result<bool> {
        let path = format!("/v2/{name}/blobs/{digest}");
        let answer = self.ask(&pull(name), || Ok((Request::head(&path), empty()))).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(false),
            _ => self.require(answer, &[StatusCode::OK], || format!("HEAD {path}")).map(|_| true),
        }
    }

    /// The size of a blob as the registry says it; `None` when it is not there, or nobody says.
    pub async fn blob_size(&self, name: &RepositoryName, digest: &Digest) -> Result<Option<u64>> {
        let path = format!("/v2/{name}/blobs/{digest}");
        let answer = self.ask(&pull(name), || Ok((Request::head(&path), empty()))).await?;
        let size = answer.header("content-length").and_then(|size| size.parse().ok());
        Ok(size.filter(|_| answer.status == StatusCode::OK))
    }

    /// A blob's bytes, compared with its digest.
    pub async fn blob(&self, name: &RepositoryName, digest: &Digest) -> Result<Bytes> {
        let path = format!("/v2/{name}/blobs/{digest}");
        let answer = self.ask(&pull(name), || Ok((Request::get(&path), empty()))).await?;
        let answer = self.require(answer, &[StatusCode::OK], || format!("GET {path}"))?;
        self.compare(digest, &answer, &path)?;
        Ok(answer.body)
    }

    /// Pushes a blob in one piece, unless it is there.
    pub async fn push_blob(&self, name: &RepositoryName, bytes: Bytes) -> Result<Pushed> {
        let digest = Digest::sha256(&bytes);
        if self.has_blob(name, &digest).await? {
            return Ok(Pushed { digest, location: None, has_subject: false });
        }
        let session = self.begin(name).await?;
        self.finish(name, &session, &digest, bytes).await
    }

    /// Pushes a blob in chunks, each with its `Content-Range`.
    pub async fn push_chunks(&self, name: &RepositoryName, chunks: &[Bytes]) -> Result<Pushed> {
        let whole: Vec<u8> = chunks.concat();
        let digest = Digest::sha256(&whole);
        let mut session = self.begin(name).await?;
        let mut offset = 0;
        for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
            let range = format!("{offset}-{}", offset + chunk.len() - 1);
            let make = || Ok((patch(&session).header(CONTENT_RANGE, &range), full(chunk.clone())));
            let answer = self.ask(&push(name), make).await?;
            session = self.session(answer, "PATCH")?;
            offset += chunk.len();
        }
        self.finish(name, &session, &digest, Bytes::new()).await
    }

    /// Pushes a blob as Docker does: one `PATCH` without a length, one empty `PUT`.
    pub async fn push_stream(&self, name: &RepositoryName, pieces: &[Bytes]) -> Result<Pushed> {
        let digest = Digest::sha256(&pieces.concat());
        let session = self.begin(name).await?;
        let session = self.append(name, &session, || Ok(stream(pieces.to_vec()))).await?;
        self.finish(name, &session, &digest, Bytes::new()).await
    }

    /// Pushes a blob of `size` bytes whose content comes through `body`, in one `PATCH`. The content can be sent once: when the
    /// registry asks for another token in the middle, the push fails, and the caller may push again.
    pub async fn push_body(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        size: u64,
        body: Body,
    ) -> Result<Pushed> {
        let session = self.begin(name).await?;
        self.push_into(name, &session, digest, Some(size), body).await
    }

    /// The same into an upload that was begun; the size need not be known.
    pub async fn push_into(
        &self,
        name: &RepositoryName,
        session: &str,
        digest: &Digest,
        size: Option<u64>,
        body: Body,
    ) -> Result<Pushed> {
        let body = Mutex::new(Some(body));
        let make = || {
            let body = body.lock().unwrap_or_else(PoisonError::into_inner).take();
            let body = body.ok_or_else(|| Error::Spent { to: self.http.origin().to_string() })?;
            let request = patch(session);
            Ok((if let Some(size) = size { request.header(CONTENT_LENGTH, size) } else { request }, body))
        };
        let answer = self.ask(&push(name), make).await?;
        let session = self.session(answer, "PATCH")?;
        self.finish(name, &session, digest, Bytes::new()).await
    }

    /// Begins an upload; where to go on.
    pub async fn begin(&self, name: &RepositoryName) -> Result<String> {
        let path = format!("/v2/{name}/blobs/uploads/");
        let make = || Ok((Request::post(&path).header(CONTENT_LENGTH, 0), empty()));
        self.session(self.ask(&push(name), make).await?, "POST")
    }

    /// Sends what `body` makes, whose length need not be known, to an upload; where to go on.
    pub async fn append(
        &self,
        name: &RepositoryName,
        session: &str,
        body: impl Fn() -> Result<Body>,
    ) -> Result<String> {
        let answer = self.ask(&push(name), || Ok((patch(session), body()?))).await?;
        self.session(answer, "PATCH")
    }

    /// Gives up an upload; one that is not there any more is as good.
    pub async fn cancel(&self, name: &RepositoryName, session: &str) -> Result<()> {
        let answer = self.ask(&push(name), || Ok((Request::delete(session), empty()))).await?;
        if answer.status.is_success() || answer.status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        self.require(answer, &[], || format!("DELETE {session}")).map(|_| ())
    }

    /// Ends an upload with its last bytes.
    pub async fn finish(
        &self,
        name: &RepositoryName,
        session: &str,
        digest: &Digest,
        last: Bytes,
    ) -> Result<Pushed> {
        let joint = if session.contains('?') { '&' } else { '?' };
        let uri = format!("{session}{joint}digest={}", segment(&digest.to_string()));
        let make =
            || Ok((Request::put(&uri).header(CONTENT_TYPE, "application/octet-stream"), full(last.clone())));
        let answer = self.ask(&push(name), make).await?;
        let answer = self.require(answer, &[StatusCode::CREATED], || format!("PUT {session}"))?;
        let location = answer.header("location").map(str::to_owned);
        Ok(Pushed { digest: *digest, location, has_subject: false })
    }

    /// Mounts a blob of another repository; false when the registry wants it uploaded. The upload that it has begun then is
    /// given up.
    pub async fn mount(&self, from: &RepositoryName, to: &RepositoryName, digest: &Digest) -> Result<bool> {
        match self.mount_or_begin(from, to, digest).await? {
            None => Ok(true),
            Some(session) => match self.cancel(to, &session).await {
                // A registry that lets no upload be given up ends it by itself some day.
                Ok(()) | Err(Error::Unexpected { .. }) => Ok(false),
                Err(error) => Err(error),
            },
        }
    }

    /// Mounts a blob of another repository; when the registry wants it uploaded, where to go on.
    pub async fn mount_or_begin(
        &self,
        from: &RepositoryName,
        to: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<String>> {
        let path = format!(
            "/v2/{to}/blobs/uploads/?mount={}&from={}",
            segment(&digest.to_string()),
            segment(from.as_str())
        );
        let scope = format!("{} {}", push(to), pull(from));
        let make = || Ok((Request::post(&path).header(CONTENT_LENGTH, 0), empty()));
        let answer = self.ask(&scope, make).await?;
        if answer.status == StatusCode::CREATED {
            return Ok(None);
        }
        self.session(answer, "POST").map(Some)
    }
}

fn patch(session: &str) -> Builder {
    Request::patch(session).header(CONTENT_TYPE, "application/octet-stream")
}
