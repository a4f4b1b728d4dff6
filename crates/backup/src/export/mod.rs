//! Images as one tar archive that nodes import: an OCI layout (image-spec, *Image Layout*) together with docker's
//! `manifest.json`, so that `ctr images import`, `docker load`, `podman load` and `skopeo copy oci-archive:` all take it.
//!
//! Order: every image's manifests are read first, so that the archive can begin with its documents; then each blob goes through
//! once, piece by piece, and is compared with its digest. An archive that ends early has no end mark, and nobody takes it.

mod archive;
mod documents;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use bytes::Bytes;
use railhead_blobs::{ObjectKey, Store};
use railhead_catalog::Catalog;
use railhead_client::{Descriptors, Registry};
use railhead_oci::{Digest, Reference, RepositoryName};
use serde::Serialize;

use crate::pieces::Pieces;
use crate::{Error, Result};

use archive::Archive;

/// Where images are.
#[derive(Clone, Debug)]
pub enum Images {
    /// A catalog and its store.
    Data {
        /// The catalog.
        catalog: Catalog,
        /// The store.
        store: Store,
    },
    /// A registry.
    Registry(Registry),
}

/// An image to export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What nodes know it by, as `registry.example.com/team/app`.
    pub name: String,
    /// Its repository.
    pub repository: RepositoryName,
    /// Tag or digest.
    pub reference: Reference,
}

/// What was exported.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Exported {
    /// The images, each with the digest of its manifest.
    pub images: BTreeMap<String, Digest>,
    /// Manifests.
    pub manifests: u64,
    /// Blobs.
    pub blobs: u64,
    /// Bytes of manifests and blobs.
    pub bytes: u64,
}

/// An image that was found.
struct Image<'a> {
    wanted: &'a Wanted,
    digest: Digest,
    media_type: String,
}

/// What goes into the archive.
#[derive(Default)]
struct Content {
    /// With their media types.
    manifests: BTreeMap<Digest, (String, Bytes)>,
    /// With their sizes, and a repository that has them.
    blobs: BTreeMap<Digest, (u64, RepositoryName)>,
}

impl Images {
    async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Option<(Digest, String, Bytes)>> {
        match self {
            Self::Data { catalog, .. } => {
                let found = catalog.manifest(repository, reference).await?;
                Ok(found.map(|manifest| (manifest.digest, manifest.media_type, manifest.bytes.into())))
            }
            Self::Registry(client) => {
                let Some(answer) = client.manifest(repository, &reference.to_string()).await? else {
                    return Ok(None);
                };
                let media_type = answer.header("content-type").unwrap_or_default().to_owned();
                let digest = match reference {
                    Reference::Digest(digest) => *digest,
                    Reference::Tag(_) => Digest::sha256(&answer.body),
                };
                Ok(Some((digest, media_type, answer.body)))
            }
        }
    }

    /// The size of a blob, if it is there.
    async fn blob_size(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        said: Option<u64>,
    ) -> Result<Option<u64>> {
        match self {
            Self::Data { catalog, .. } => {
                Ok(catalog.blob_in(repository, digest).await?.map(|linked| linked.blob.size))
            }
            Self::Registry(client) => {
                Ok(client.has_blob(repository, digest).await?.then_some(said).flatten())
            }
        }
    }

    async fn blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<Box<dyn Pieces>> {
        match self {
            Self::Data { catalog, store } => {
                let damaged = |what: &str| Error::Source { digest: *digest, what: what.to_owned() };
                let found = catalog.blob_in(repository, digest).await?;
                let blob = found.ok_or_else(|| damaged("it was deleted just now"))?.blob;
                let key: ObjectKey =
                    blob.key.parse().map_err(|_| damaged("the catalog has no key for it"))?;
                Ok(Box::new(store.read(&key, 0..blob.size, blob.size).await?))
            }
            Self::Registry(client) => Ok(Box::new(client.open_blob(repository, digest).await?)),
        }
    }
}

/// Writes images to `out`. With a platform, as `linux/arm64`, only that of each.
pub async fn export(
    images: &Images,
    wanted: &[Wanted],
    platform: Option<&str>,
    out: impl Write + Send,
) -> Result<Exported> {
    let mut content = Content::default();
    let mut found = Vec::new();
    for one in wanted {
        found.push(gather(images, one, platform, &mut content).await?);
    }
    let mut archive = Archive::new(out);
    archive.file("oci-layout", documents::LAYOUT.as_bytes())?;
    archive.file("index.json", &documents::index(&found, &content))?;
    archive.file("manifest.json", &documents::docker(&found, &content))?;
    let mut exported = Exported::default();
    for (digest, (_, bytes)) in &content.manifests {
        archive.file(&documents::path(digest), bytes)?;
        exported.manifests += 1;
        exported.bytes += bytes.len() as u64;
    }
    for (digest, (size, repository)) in &content.blobs {
        let mut pieces = images.blob(repository, digest).await?;
        archive.stream(&documents::path(digest), digest, *size, pieces.as_mut()).await?;
        exported.blobs += 1;
        exported.bytes += size;
    }
    archive.finish()?;
    exported.images = found.iter().map(|image| (documents::name(image.wanted), image.digest)).collect();
    Ok(exported)
}

/// Reads the manifests of an image and notes its blobs.
async fn gather<'a>(
    images: &Images,
    wanted: &'a Wanted,
    platform: Option<&str>,
    content: &mut Content,
) -> Result<Image<'a>> {
    let missing = || Error::NotThere(format!("image {}", documents::name(wanted)));
    let Wanted { repository, reference, .. } = wanted;
    let (mut digest, mut media_type, mut bytes) =
        images.manifest(repository, reference).await?.ok_or_else(missing)?;
    while let Some(platform) = platform
        && let children = Descriptors::read(&bytes).children
        && !children.is_empty()
    {
        let child = children.iter().find(|child| child.platform.as_ref().is_some_and(|on| on.is(platform)));
        let child =
            child.ok_or_else(|| Error::NotThere(format!("{} for {platform}", documents::name(wanted))))?;
        let reference = Reference::Digest(child.digest);
        (digest, media_type, bytes) = images.manifest(repository, &reference).await?.ok_or_else(missing)?;
    }
    let image = Image { wanted, digest, media_type: media_type.clone() };
    let mut waiting = vec![(digest, media_type, bytes)];
    let mut seen = BTreeSet::new();
    while let Some((digest, media_type, bytes)) = waiting.pop() {
        if !seen.insert(digest) {
            continue;
        }
        let named = Descriptors::read(&bytes);
        for blob in named.blobs() {
            let size = images.blob_size(repository, &blob.digest, blob.size).await?;
            let size = size.ok_or_else(|| {
                Error::NotThere(format!("blob {} of image {}", blob.digest, documents::name(wanted)))
            })?;
            content.blobs.entry(blob.digest).or_insert_with(|| (size, repository.clone()));
        }
        for child in named.children {
            let reference = Reference::Digest(child.digest);
            if let Some(found) = images.manifest(repository, &reference).await? {
                waiting.push(found);
            } else if let Some(size) = images.blob_size(repository, &child.digest, child.size).await? {
                content.blobs.entry(child.digest).or_insert_with(|| (size, repository.clone()));
            }
        }
        content.manifests.insert(digest, (media_type, bytes));
    }
    Ok(image)
}
