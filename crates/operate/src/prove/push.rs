//! Pushes the image, and looks at it with `HEAD`.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Request, StatusCode};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use railhead_client::{Answer, empty};
use railhead_oci::Digest;

use super::bench::{Bench, Checked, Seen, Trouble};
use super::record::Verdict;
use crate::image::{Blob, Content, Manifest};

/// Pieces of this many bytes go over the line.
const PIECE: usize = 256 << 10;

/// What was there before the push, so that the clean-up leaves it alone.
#[derive(Default)]
pub(super) struct Before {
    pub(super) manifests: BTreeSet<Digest>,
    pub(super) tag: bool,
}

impl Bench<'_> {
    /// What the tag and the manifests are now; a tag that names something else is not taken without leave.
    pub(super) async fn before(&self, before: &mut Before) -> Checked {
        let (registry, name) = (self.main(), &self.plan.repository);
        for manifest in &self.plan.image.manifests {
            if registry.head_manifest(name, &manifest.digest.to_string()).await?.is_some() {
                before.manifests.insert(manifest.digest);
            }
        }
        let Some(answer) = registry.manifest(name, self.plan.tag.as_str()).await? else {
            return Ok(Seen::ok(format!("{} is free", self.plan.tag)));
        };
        before.tag = true;
        let found = Digest::sha256(&answer.body);
        if self.plan.image.root().is_some_and(|root| root.digest == found) {
            return Ok(Seen::fact(format!(
                "{} names this image already; it stays when all is done",
                self.plan.tag
            )));
        }
        if self.plan.replace {
            return Ok(Seen::fact(format!("{} named {found}, and is moved", self.plan.tag)));
        }
        let detail =
            format!("{} names {found}; choose another tag, or move it with --replace", self.plan.tag);
        Err(Trouble::of(detail, Verdict::Taken))
    }

    /// Every blob.
    pub(super) async fn push_blobs(&self) -> Checked {
        let (mut pushed, mut bytes) = (0, 0);
        for blob in &self.plan.image.blobs {
            let about = |trouble: Trouble| {
                Trouble::of(
                    format!("blob {} ({}): {}", blob.digest, blob.what, trouble.detail),
                    trouble.class,
                )
            };
            if self
                .main()
                .has_blob(&self.plan.repository, &blob.digest)
                .await
                .map_err(|error| about(error.into()))?
            {
                continue;
            }
            self.push_blob(blob).await.map_err(about)?;
            pushed += 1;
            bytes += blob.size;
        }
        let there = self.plan.image.blobs.len() - pushed;
        let rest = if there == 0 { String::new() } else { format!("; {there} were there already") };
        let mut seen = Seen::ok(format!("{pushed} blobs, {bytes} bytes{rest}"));
        seen.bytes = Some(bytes);
        Ok(seen)
    }

    /// `POST`, one `PATCH` that streams, `PUT`, as docker does.
    async fn push_blob(&self, blob: &Blob) -> Result<(), Trouble> {
        let (registry, name) = (self.main(), &self.plan.repository);
        if let Content::Memory(bytes) = &blob.content {
            let pieces: Vec<Bytes> = bytes.chunks(PIECE / 16).map(Bytes::copy_from_slice).collect();
            registry.push_stream(name, &pieces).await?;
            return Ok(());
        }
        let session = registry.begin(name).await?;
        let scope = format!("repository:{name}:pull,push");
        let make = || {
            let reader = blob.open().map_err(|source| railhead_client::Error::Connect {
                to: "the file that holds the image".to_owned(),
                source,
            })?;
            let request = Request::patch(&session)
                .header(CONTENT_TYPE, "application/octet-stream")
                .header(CONTENT_LENGTH, blob.size);
            Ok((request, FileBody { reader, left: blob.size }.boxed_unsync()))
        };
        let answer = registry.ask(&scope, make).await?;
        if answer.status != StatusCode::ACCEPTED {
            return Err(Trouble::answer("PATCH of the upload", &answer));
        }
        let location = answer.header("location").and_then(|to| to.parse::<http::Uri>().ok());
        let session = location
            .as_ref()
            .and_then(|to| to.path_and_query())
            .map_or(session.as_str(), |path| path.as_str());
        registry.finish(name, session, &blob.digest, Bytes::new()).await?;
        Ok(())
    }

    /// A manifest, by its digest, or by the tag if it is the image.
    pub(super) async fn push_manifest(&self, manifest: &Manifest) -> Checked {
        let is_root = self.plan.image.root().is_some_and(|root| root.digest == manifest.digest);
        let reference = if is_root { self.plan.tag.to_string() } else { manifest.digest.to_string() };
        let (name, bytes) = (&self.plan.repository, manifest.bytes.clone());
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

/// The body of a request out of a file. Reading waits for the disk; nothing else happens meanwhile.
struct FileBody {
    reader: Box<dyn Read + Send>,
    left: u64,
}

impl http_body::Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let mut piece = vec![0; PIECE.min(self.left as usize)];
        Poll::Ready(Some(match self.reader.read_exact(&mut piece) {
            Ok(()) => {
                self.left -= piece.len() as u64;
                Ok(Frame::data(piece.into()))
            }
            Err(error) => Err(error),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
