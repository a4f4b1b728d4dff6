//! Pushes the image, and looks at it with `HEAD`.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt as _;
use railhead_client::{Answer, empty};
use railhead_oci::Digest;

use super::bench::{Bench, Checked, Seen, Trouble, count};
use super::made::Stay;
use super::record::Verdict;
use crate::image::{Blob, Manifest, is_unique};

/// Pieces of this many bytes go over the line.
const PIECE: usize = 256 << 10;

/// What was there before the push, so that the clean-up leaves it alone.
#[derive(Default)]
pub(super) struct Before {
    manifests: BTreeSet<Digest>,
    tag: TagBefore,
}

/// What the tag was before the push.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum TagBefore {
    #[default]
    Free,
    /// It names this image.
    Same,
    /// It names another one, and is moved for good.
    Other,
}

impl Bench<'_> {
    /// What the tag and the manifests are now; a tag that names something else is not taken without leave.
    pub(super) async fn before(&self, before: &mut Before) -> Checked {
        let (registry, name, tag) = (self.main(), &self.plan.repository, &self.plan.tag);
        for manifest in &self.plan.image.manifests {
            if registry.head_manifest(name, &manifest.digest.to_string()).await?.is_some() {
                before.manifests.insert(manifest.digest);
            }
        }
        let Some(answer) = registry.manifest(name, tag.as_str()).await? else {
            return Ok(Seen::ok(format!("{tag} is free")));
        };
        let found = Digest::sha256(&answer.body);
        if self.plan.image.root().is_some_and(|root| root.digest == found) {
            before.tag = TagBefore::Same;
            return Ok(Seen::fact(format!("{tag} names this image already, and stays")));
        }
        if self.plan.replace {
            before.tag = TagBefore::Other;
            return Ok(Seen::fact(format!("{tag} named {found}, and is moved")));
        }
        let detail = format!("{tag} names {found}");
        Err(Trouble::of(detail, Verdict::Taken))
    }

    /// Every blob.
    pub(super) async fn push_blobs(&self) -> Checked {
        let (mut pushed, mut bytes) = (0, 0);
        for blob in &self.plan.image.blobs {
            if self.push_blob(blob, Stay::Image).await? {
                pushed += 1;
                bytes += blob.size;
            }
        }
        let rest = match self.plan.image.blobs.len() - pushed {
            0 => String::new(),
            there => format!("; the registry had {} already", count(there, "blob")),
        };
        let mut seen = Seen::ok(format!("{}, {bytes} bytes{rest}", count(pushed, "blob")));
        seen.bytes = Some(bytes);
        Ok(seen)
    }

    /// One blob, unless it is there; whether it was not.
    pub(super) async fn push_blob(&self, blob: &Blob, stay: Stay) -> Result<bool, Trouble> {
        let pushed = self.stream(blob, stay).await;
        pushed.map_err(|trouble| {
            let detail = format!("blob {} ({}): {}", blob.digest, blob.what, trouble.detail);
            Trouble::of(detail, trouble.class)
        })
    }

    /// `POST`, one `PATCH` that streams, `PUT`, as docker does.
    async fn stream(&self, blob: &Blob, stay: Stay) -> Result<bool, Trouble> {
        let (registry, name) = (self.main(), &self.plan.repository);
        if registry.has_blob(name, &blob.digest).await? {
            return Ok(false);
        }
        let reading = |error: io::Error| Trouble::new(format!("it cannot be read: {error}"));
        blob.open().map_err(reading)?;
        let session = {
            let _whole = self.whole.lock().await;
            let session = registry.begin(name).await?;
            self.made.upload(Some(&session));
            session
        };
        let session = registry.append(name, &session, || Ok(BlobBody::of(blob).boxed_unsync())).await?;
        self.made.upload(Some(&session));
        let _whole = self.whole.lock().await;
        if is_unique(&self.plan.image.source, blob) {
            self.made.blob(stay, blob.digest);
        }
        registry.finish(name, &session, &blob.digest, Bytes::new()).await?;
        self.made.upload(None);
        Ok(true)
    }

    /// A manifest, by its digest, or by the tag if it is the image.
    pub(super) async fn push_manifest(&self, manifest: &Manifest, before: &Before) -> Checked {
        let is_root = self.plan.image.root().is_some_and(|root| root.digest == manifest.digest);
        let reference = if is_root { self.plan.tag.to_string() } else { manifest.digest.to_string() };
        let (name, bytes) = (&self.plan.repository, manifest.bytes.clone());
        let _whole = self.whole.lock().await;
        // A tag that was moved cannot be moved back: then all that it names stays.
        if before.tag != TagBefore::Other && !before.manifests.contains(&manifest.digest) {
            self.made.manifest(Stay::Image, manifest.digest);
        }
        if is_root && before.tag == TagBefore::Free {
            self.made.tag(Stay::Image, self.plan.tag.clone());
        }
        self.main().put_manifest(name, &reference, &manifest.media_type, bytes).await?;
        let what = manifest.platform.as_deref().unwrap_or("index");
        let under = if is_root { format!("{what}, as {}", self.plan.tag) } else { what.to_owned() };
        Ok(Seen::ok(under).about(manifest.digest, manifest.bytes.len() as u64))
    }

    /// `HEAD` of everything says the right sizes and digests.
    pub(super) async fn heads(&self) -> Checked {
        let (registry, name) = (self.main(), &self.plan.repository);
        for blob in &self.plan.image.blobs {
            let path = format!("/v2/{name}/blobs/{}", blob.digest);
            let make = || Ok((Request::head(&path), empty()));
            let answer = registry.ask(&format!("repository:{name}:pull"), make).await?;
            check_head(&path, &answer, blob.digest, blob.size)?;
        }
        for manifest in &self.plan.image.manifests {
            let path = format!("/v2/{name}/manifests/{}", manifest.digest);
            let answer = registry.head_manifest(name, &manifest.digest.to_string()).await?;
            let answer = answer.ok_or_else(|| Trouble::new(format!("HEAD {path} was answered with 404")))?;
            check_head(&path, &answer, manifest.digest, manifest.bytes.len() as u64)?;
        }
        let count = self.plan.image.blobs.len() + self.plan.image.manifests.len();
        Ok(Seen::ok(format!("{count} objects with the right size")))
    }
}

fn check_head(path: &str, answer: &Answer, digest: Digest, size: u64) -> Result<(), Trouble> {
    if answer.status != StatusCode::OK {
        return Err(Trouble::answer(&format!("HEAD {path}"), answer));
    }
    let length = answer.header("content-length");
    if length.is_some_and(|length| length != size.to_string()) {
        let length = length.unwrap_or_default();
        return Err(Trouble::new(format!("HEAD {path} says {length} bytes; there are {size}")));
    }
    match answer.header("docker-content-digest") {
        Some(said) if said != digest.to_string() => {
            Err(Trouble::new(format!("HEAD {path} says the digest {said}")))
        }
        _ => Ok(()),
    }
}

/// A blob as the body of a request. Reading waits for the disk; nothing else happens meanwhile.
struct BlobBody {
    blob: Blob,
    reader: Option<Box<dyn Read + Send>>,
    left: u64,
}

impl BlobBody {
    fn of(blob: &Blob) -> Self {
        Self { blob: blob.clone(), reader: None, left: blob.size }
    }

    fn piece(&mut self) -> io::Result<Bytes> {
        let mut piece = vec![0; PIECE.min(self.left as usize)];
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => none.insert(self.blob.open()?),
        };
        reader.read_exact(&mut piece)?;
        self.left -= piece.len() as u64;
        Ok(piece.into())
    }
}

impl http_body::Body for BlobBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(self.piece().map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }
}
