//! A store in a bucket of an S3-compatible object store.
//!
//! Layout: `<prefix>blobs/<2 hex>/<stage id>` for an object, since its digest is not known when its first part is sent
//! and nothing is ever copied; `<prefix>uploads/<stage id>/multipart` for the id of its multipart upload and
//! `<prefix>uploads/<stage id>/tail-<part>` for the bytes that are too few for a part.
//!
//! Order: the multipart upload is begun with the first full part, and its id written down before a part is sent; so
//! what a killed process leaves is found by listing. Content below one part (8 MiB) is one plain object, written
//! once. No request is conditional, and none copies.

mod http;
mod progress;
mod reader;
mod writer;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use secrecy::{ExposeSecret, SecretString};

use self::progress::Progress;
pub(crate) use self::reader::S3Reader;
pub(crate) use self::writer::S3Writer;
use crate::{Error, Object, ObjectKey, Reader, Result, StageId, StageState, Staged};

/// How a bucket is reached.
#[derive(Clone, Debug)]
pub struct S3Config {
    /// URL of the service, without the bucket, as `https://s3.example.org`.
    pub endpoint: String,
    /// Name of the bucket, which exists.
    pub bucket: String,
    /// Region that requests are signed for; most services other than AWS take any.
    pub region: String,
    /// What every name in the bucket begins with; a directory, with or without a slash at its end, or empty.
    pub prefix: String,
    /// Id of the access key.
    pub access_key: String,
    /// The secret of the access key.
    pub secret_key: SecretString,
    /// Whether the endpoint may be spoken to without TLS.
    pub allow_http: bool,
}

/// A store in a bucket. Cloning gives the same store.
#[derive(Clone)]
pub struct S3Store(Arc<Bucket>);

struct Bucket {
    s3: AmazonS3,
    /// Empty, or with a slash at its end.
    prefix: String,
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Store({}, {:?})", self.0.s3, self.0.prefix)
    }
}

impl S3Store {
    /// The store that `config` describes. Does not speak to it yet.
    pub fn new(config: &S3Config) -> Result<Self> {
        let s3 = open(config)?;
        let prefix = Path::parse(&config.prefix).map_err(|source| Error::Config(source.into()))?;
        let prefix = if prefix.as_ref().is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self(Arc::new(Bucket { s3, prefix })))
    }

    fn path(&self, name: fmt::Arguments<'_>) -> Path {
        Path::from(format!("{}{name}", self.0.prefix))
    }

    fn object(&self, key: ObjectKey) -> Path {
        self.path(format_args!("blobs/{key}"))
    }

    fn multipart(&self, id: StageId) -> Path {
        self.path(format_args!("uploads/{id}/multipart"))
    }

    fn tail(&self, id: StageId, progress: &Progress) -> Path {
        self.path(format_args!("uploads/{id}/tail-{:05}", progress.parts.len()))
    }

    pub(crate) async fn open_staged(&self, id: StageId, state: &StageState, offset: u64) -> Result<S3Writer> {
        S3Writer::open(self.clone(), id, state, offset).await
    }

    pub(crate) fn staged_len(id: StageId, state: &StageState) -> Result<u64> {
        Progress::load(id, state).map(|progress| progress.len())
    }

    pub(crate) async fn read_staged(
        &self,
        id: StageId,
        state: &StageState,
        range: Range<u64>,
    ) -> Result<Reader> {
        let progress = Progress::load(id, state)?;
        if range.end > progress.len() {
            return Err(Error::WrongOffset { id, expected: range.end, found: progress.len() });
        }
        let from = progress.parts_len();
        if range.start < from {
            return Err(Error::Unreadable { id, from });
        }
        let tail = self.read_tail(id, &progress).await?;
        Ok(Reader::whole(tail.slice((range.start - from) as usize..(range.end - from) as usize)))
    }

    pub(crate) async fn commit(&self, id: StageId, state: &StageState, size: u64) -> Result<ObjectKey> {
        let progress = Progress::load(id, state)?;
        if progress.len() != size {
            return Err(Error::WrongOffset { id, expected: size, found: progress.len() });
        }
        let finished = match self.read_tail(id, &progress).await {
            Ok(tail) => self.finish(id, &progress, tail).await,
            Err(error) => Err(error),
        };
        let key = match finished {
            Ok(key) => key,
            // Done by an earlier commit whose answer got lost.
            Err(error) => self.is_whole(id, size).await.then_some(ObjectKey::unnamed(id)).ok_or(error)?,
        };
        if progress != Progress::default() {
            self.clear(id).await;
        }
        Ok(key)
    }

    /// Makes the object of its parts and `tail`.
    async fn finish(&self, id: StageId, progress: &Progress, tail: Bytes) -> Result<ObjectKey> {
        let Some(multipart) = &progress.multipart else {
            return self.put(id, tail).await;
        };
        let mut parts: Vec<_> =
            progress.parts.iter().map(|part| PartId { content_id: part.clone() }).collect();
        if !tail.is_empty() {
            parts.push(self.put_part(id, multipart, parts.len(), tail).await?);
        }
        let key = ObjectKey::unnamed(id);
        let path = self.object(key);
        self.0
            .s3
            .complete_multipart(&path, multipart, parts)
            .await
            .map_err(|error| failed("complete", &path, error))?;
        Ok(key)
    }

    async fn is_whole(&self, id: StageId, size: u64) -> bool {
        let path = self.object(ObjectKey::unnamed(id));
        self.0.s3.head(&path).await.is_ok_and(|object| object.size == size)
    }

    pub(crate) async fn discard(&self, id: StageId, state: &StageState) -> Result<()> {
        let multipart = match Progress::load(id, state)?.multipart {
            Some(multipart) => Some(multipart),
            None => self.read_multipart(id).await?,
        };
        if let Some(multipart) = multipart {
            let path = self.object(ObjectKey::unnamed(id));
            match self.0.s3.abort_multipart(&path, &multipart).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(failed("abort", &path, error)),
            }
        }
        // The id of the multipart upload goes only once that is aborted.
        let left: Vec<_> = self.objects(&format!("uploads/{id}"), None, usize::MAX).await?;
        for object in left {
            self.delete(&object.location).await?;
        }
        Ok(())
    }

    /// Clears away what was staged, behind a commit. What cannot be cleared is left to the sweep.
    async fn clear(&self, id: StageId) {
        let _ = self.discard(id, &StageState::default()).await;
    }

    pub(crate) async fn put(&self, id: StageId, bytes: Bytes) -> Result<ObjectKey> {
        let key = ObjectKey::unnamed(id);
        self.put_object(&self.object(key), bytes).await?;
        Ok(key)
    }

    pub(crate) async fn read(&self, key: ObjectKey, range: Range<u64>, size: u64) -> Result<Reader> {
        S3Reader::open(&self.0.s3, key, self.object(key), range, size).await
    }

    pub(crate) async fn remove(&self, key: ObjectKey) -> Result<()> {
        self.delete(&self.object(key)).await
    }

    pub(crate) async fn list(&self, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<Object>> {
        let after = after.map(|key| self.object(*key));
        let mut page = Vec::new();
        let prefix = self.path(format_args!("blobs"));
        let mut listing = self.listing(&prefix, after.as_ref());
        while page.len() < limit {
            let Some(object) = listing.try_next().await.map_err(|error| failed("list", &prefix, error))?
            else {
                break;
            };
            let name = object.location.as_ref().strip_prefix(prefix.as_ref());
            // What the store did not name it must not remove.
            if let Some(key) = name.and_then(|name| name.strip_prefix('/')?.parse().ok()) {
                page.push(Object { key, size: object.size, modified: object.last_modified.into() });
            }
        }
        Ok(page)
    }

    pub(crate) async fn list_staged(&self, after: Option<&StageId>, limit: usize) -> Result<Vec<Staged>> {
        // Behind everything that has this id.
        let after = after.map(|id| self.path(format_args!("uploads/{id}/z")));
        let mut page: Vec<Staged> = Vec::new();
        let prefix = self.path(format_args!("uploads"));
        let mut listing = self.listing(&prefix, after.as_ref());
        while let Some(object) = listing.try_next().await.map_err(|error| failed("list", &prefix, error))? {
            let name = object.location.as_ref().strip_prefix(prefix.as_ref());
            let id = name.and_then(|name| name.strip_prefix('/')?.split('/').next()?.parse().ok());
            let (Some(id), modified) = (id, object.last_modified.into()) else { continue };
            let full = page.len() == limit;
            match page.last_mut().filter(|staged| staged.id == id) {
                Some(staged) => {
                    staged.size += object.size;
                    staged.modified = staged.modified.max(modified);
                }
                None if full => break,
                None => page.push(Staged { id, size: object.size, modified }),
            }
        }
        Ok(page)
    }

    fn listing(
        &self,
        prefix: &Path,
        after: Option<&Path>,
    ) -> futures_util::stream::BoxStream<'static, object_store::Result<ObjectMeta>> {
        match after {
            Some(after) => self.0.s3.list_with_offset(Some(prefix), after),
            None => self.0.s3.list(Some(prefix)),
        }
    }

    async fn objects(&self, name: &str, after: Option<&Path>, limit: usize) -> Result<Vec<ObjectMeta>> {
        let prefix = self.path(format_args!("{name}"));
        let listing = self.listing(&prefix, after);
        listing.take(limit).try_collect().await.map_err(|error| failed("list", &prefix, error))
    }

    /// The id of the multipart upload that was begun for `id`, if one was.
    async fn read_multipart(&self, id: StageId) -> Result<Option<String>> {
        let path = self.multipart(id);
        let read = async { self.0.s3.get(&path).await?.bytes().await };
        match read.await {
            Ok(multipart) => Ok(Some(String::from_utf8_lossy(&multipart).into_owned())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed("read", &path, error)),
        }
    }

    /// Begins the multipart upload of `id`, or takes up the one that a killed process began.
    async fn begin_multipart(&self, id: StageId) -> Result<String> {
        if let Some(multipart) = self.read_multipart(id).await? {
            return Ok(multipart);
        }
        let path = self.object(ObjectKey::unnamed(id));
        let multipart =
            self.0.s3.create_multipart(&path).await.map_err(|error| failed("begin", &path, error))?;
        self.put_object(&self.multipart(id), multipart.clone().into()).await?;
        Ok(multipart)
    }

    async fn put_part(&self, id: StageId, multipart: &String, number: usize, part: Bytes) -> Result<PartId> {
        let path = self.object(ObjectKey::unnamed(id));
        let put = self.0.s3.put_part(&path, multipart, number, part.into()).await;
        put.map_err(|error| failed("write a part of", &path, error))
    }

    async fn put_tail(&self, id: StageId, progress: &Progress, tail: Bytes) -> Result<()> {
        self.put_object(&self.tail(id, progress), tail).await
    }

    /// The tail as `progress` knows it; a writer that was cut off may have left a longer one.
    async fn read_tail(&self, id: StageId, progress: &Progress) -> Result<Bytes> {
        if progress.tail == 0 {
            return Ok(Bytes::new());
        }
        let path = self.tail(id, progress);
        let read = async { self.0.s3.get(&path).await?.bytes().await };
        let tail = match read.await {
            Ok(tail) => tail,
            Err(object_store::Error::NotFound { .. }) => return Err(Error::NotStaged { id }),
            Err(error) => return Err(failed("read", &path, error)),
        };
        let found = tail.len() as u64;
        if found < progress.tail {
            let expected = progress.len();
            return Err(Error::WrongOffset { id, expected, found: progress.parts_len() + found });
        }
        Ok(tail.slice(..progress.tail as usize))
    }

    async fn put_object(&self, path: &Path, bytes: Bytes) -> Result<()> {
        let put = self.0.s3.put(path, bytes.into()).await;
        put.map(drop).map_err(|error| failed("write", path, error))
    }

    async fn delete(&self, path: &Path) -> Result<()> {
        match self.0.s3.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("delete", path, error)),
        }
    }
}

/// The bucket itself, for what is kept beside a registry's blobs. The prefix of `config` is the caller's business. Does not
/// speak to it yet.
pub fn open_bucket(config: &S3Config) -> Result<Arc<dyn ObjectStore>> {
    Ok(Arc::new(open(config)?))
}

fn open(config: &S3Config) -> Result<AmazonS3> {
    AmazonS3Builder::new()
        .with_endpoint(&config.endpoint)
        .with_bucket_name(&config.bucket)
        .with_region(&config.region)
        .with_access_key_id(&config.access_key)
        .with_secret_access_key(config.secret_key.expose_secret())
        .with_allow_http(config.allow_http)
        // TLS already proves that the bytes are those sent; without it the signature has to.
        .with_unsigned_payload(config.endpoint.starts_with("https://"))
        // Not every compatible store has the request that deletes many.
        .with_disable_bulk_delete(true)
        .with_http_connector(http::Connector)
        .build()
        .map_err(Error::Config)
}

fn failed(verb: &str, path: &Path, source: object_store::Error) -> Error {
    Error::Remote { act: format!("{verb} {path} in the object store"), source }
}
