//! Backups in a bucket of an S3-compatible object store.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use tokio::io::AsyncWriteExt as _;

use super::{Item, Sink, Target};
use crate::pieces::Pieces;
use crate::{Error, Result};

/// Bytes of one part; content below it is one plain object.
const PART: usize = 8 << 20;

/// A bucket, or the part of it below a prefix.
#[derive(Clone)]
pub struct Bucket {
    objects: Arc<dyn ObjectStore>,
    /// Empty, or with a slash at its end.
    prefix: String,
    place: String,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bucket({})", self.place)
    }
}

impl Bucket {
    /// The part of `objects` below `prefix`; `place` is what people call it.
    pub fn new(objects: Arc<dyn ObjectStore>, prefix: &str, place: impl Into<String>) -> Self {
        let prefix = prefix.trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Self { objects, prefix, place: place.into() }
    }

    fn path(&self, name: &str) -> Path {
        Path::from(format!("{}{name}", self.prefix))
    }

    fn failed(&self, act: &str, name: &str, source: object_store::Error) -> Error {
        let act = format!("{act} {name} at {}", self.place);
        match source {
            object_store::Error::NotFound { .. } => Error::Missing { file: name.to_owned() },
            source => Error::Target { act, source: source.into() },
        }
    }
}

#[async_trait]
impl Target for Bucket {
    fn place(&self) -> String {
        self.place.clone()
    }

    async fn list(&self, directory: &str) -> Result<Vec<Item>> {
        let listed = self.objects.list_with_delimiter(Some(&self.path(directory))).await;
        let listed = listed.map_err(|error| self.failed("list", directory, error))?;
        let mut items: Vec<Item> = listed
            .objects
            .into_iter()
            .filter_map(|object| {
                let name = object.location.filename()?.to_owned();
                Some(Item { name, size: object.size, modified: object.last_modified.into() })
            })
            .collect();
        items.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(items)
    }

    async fn directories(&self, directory: &str) -> Result<Vec<String>> {
        let listed = self.objects.list_with_delimiter(Some(&self.path(directory))).await;
        let listed = listed.map_err(|error| self.failed("list", directory, error))?;
        let names = listed.common_prefixes.iter().filter_map(|path| path.filename().map(str::to_owned));
        let mut names: Vec<String> = names.collect();
        names.sort_unstable();
        Ok(names)
    }

    async fn size(&self, name: &str) -> Result<Option<u64>> {
        match self.objects.head(&self.path(name)).await {
            Ok(object) => Ok(Some(object.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("look at", name, error)),
        }
    }

    async fn read(&self, name: &str) -> Result<Box<dyn Pieces>> {
        let got = self.objects.get(&self.path(name)).await;
        let stream = got.map_err(|error| self.failed("read", name, error))?.into_stream();
        Ok(Box::new(Reader { stream, bucket: self.clone(), name: name.to_owned() }))
    }

    async fn create(&self, name: &str) -> Result<Box<dyn Sink>> {
        let out = BufWriter::with_capacity(Arc::clone(&self.objects), self.path(name), PART);
        Ok(Box::new(Writer { out, bucket: self.clone(), name: name.to_owned() }))
    }

    async fn remove(&self, name: &str) -> Result<()> {
        match self.objects.delete(&self.path(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("remove", name, error)),
        }
    }

    async fn clear(&self, _: &str) -> Result<()> {
        // What was begun is not among the objects; the bucket's lifecycle ends unfinished multipart uploads.
        Ok(())
    }
}

struct Reader {
    stream: BoxStream<'static, object_store::Result<Bytes>>,
    bucket: Bucket,
    name: String,
}

#[async_trait]
impl Pieces for Reader {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let next = self.stream.try_next().await;
            match next.map_err(|error| self.bucket.failed("read", &self.name, error))? {
                Some(piece) if piece.is_empty() => {}
                piece => return Ok(piece),
            }
        }
    }
}

struct Writer {
    out: BufWriter,
    bucket: Bucket,
    name: String,
}

#[async_trait]
impl Sink for Writer {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        match self.out.put(bytes).await {
            Ok(()) => Ok(()),
            Err(error) => {
                // What failed first is what there is to say.
                let _ = self.out.abort().await;
                Err(self.bucket.failed("write", &self.name, error))
            }
        }
    }

    async fn finish(mut self: Box<Self>) -> Result<()> {
        let act = format!("write {} at {}", self.name, self.bucket.place);
        self.out.shutdown().await.map_err(|error| Error::io(act, error))
    }
}
