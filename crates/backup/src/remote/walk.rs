//! Takes in all of a repository that a registry serves: tags, manifests below them, and what refers to those.

use std::collections::{BTreeMap, BTreeSet};

use http::{Request, StatusCode};
use railhead_catalog::{ManifestRecord, TagItem, Timestamp};
use railhead_client::{Registry, empty};
use railhead_oci::{Digest, RepositoryName, Tag};

use super::Descriptors;
use crate::{Error, Result};

/// Tags on one page.
const PAGE: u32 = 100;

/// A repository as a registry serves it.
#[derive(Debug, Default)]
pub(crate) struct Served {
    pub(crate) manifests: BTreeMap<Digest, ManifestRecord>,
    pub(crate) tags: Vec<TagItem>,
    /// Blobs with their sizes.
    pub(crate) blobs: BTreeMap<Digest, u64>,
}

/// Takes in a repository; `known` are manifests that are there though no tag may name them.
pub(crate) async fn walk(
    client: &Registry,
    name: &RepositoryName,
    known: &BTreeSet<Digest>,
    now: Timestamp,
) -> Result<Served> {
    let mut served = Served::default();
    let mut waiting: Vec<Digest> = known.iter().copied().collect();
    for tag in tags(client, name).await? {
        // A tag may go while this looks at it.
        let Some(answer) = client.manifest(name, tag.as_str()).await? else { continue };
        let record = record(name, &answer, now)?;
        served.tags.push(TagItem { name: tag, digest: record.digest, created_at: now, moved_at: now });
        waiting.push(record.digest);
    }
    while let Some(digest) = waiting.pop() {
        if served.manifests.contains_key(&digest) {
            continue;
        }
        let Some(answer) = client.manifest(name, &digest.to_string()).await? else { continue };
        let record = record(name, &answer, now)?;
        let named = Descriptors::read(record.content.as_bytes());
        for blob in named.blobs() {
            take_blob(client, name, &mut served, blob.digest, blob.size).await?;
        }
        for child in &named.children {
            if client.head_manifest(name, &child.digest.to_string()).await?.is_some() {
                waiting.push(child.digest);
            } else if client.has_blob(name, &child.digest).await? {
                // A build cache lists blobs.
                take_blob(client, name, &mut served, child.digest, child.size).await?;
            }
        }
        waiting.extend(referrers(client, name, &digest).await?);
        served.manifests.insert(digest, record);
    }
    Ok(served)
}

async fn tags(client: &Registry, name: &RepositoryName) -> Result<Vec<Tag>> {
    let (mut all, mut after): (Vec<Tag>, Option<String>) = (Vec::new(), None);
    loop {
        let page = client.tags(name, PAGE, after.as_deref()).await?;
        let Some(last) = page.last().cloned() else { return Ok(all) };
        // A registry that does not page gives the same tags again.
        if after.as_ref().is_some_and(|after| last <= *after) {
            return Ok(all);
        }
        let whole = page.len() < PAGE as usize;
        all.extend(page.iter().filter_map(|tag| tag.parse().ok()));
        if whole {
            return Ok(all);
        }
        after = Some(last);
    }
}

fn record(name: &RepositoryName, answer: &railhead_client::Answer, now: Timestamp) -> Result<ManifestRecord> {
    let digest = Digest::sha256(&answer.body);
    let wrong = |what: &str| Error::Source { digest, what: format!("a manifest of {name} {what}") };
    let content = String::from_utf8(answer.body.to_vec()).map_err(|_| wrong("is not text"))?;
    let media_type = answer.header("content-type").unwrap_or_default();
    let facts =
        railhead_oci::Manifest::read(Some(media_type).filter(|kind| !kind.is_empty()), content.as_bytes())
            .map_err(|error| wrong(&format!("cannot be read: {error}")))?;
    Ok(ManifestRecord { digest, media_type: facts.media_type, pushed_at: now, pulled_at: None, content })
}

/// Takes in a blob, with the size that its descriptor says or else the registry.
async fn take_blob(
    client: &Registry,
    name: &RepositoryName,
    served: &mut Served,
    digest: Digest,
    size: Option<u64>,
) -> Result<()> {
    if served.blobs.contains_key(&digest) {
        return Ok(());
    }
    let said = if size.is_some() { size } else { size_of(client, name, &digest).await? };
    if let Some(size) = said {
        served.blobs.insert(digest, size);
    }
    Ok(())
}

/// The size of a blob as the registry says it.
async fn size_of(client: &Registry, name: &RepositoryName, digest: &Digest) -> Result<Option<u64>> {
    let path = format!("/v2/{name}/blobs/{digest}");
    let scope = format!("repository:{name}:pull");
    let answer = client.ask(&scope, || Ok((Request::head(&path), empty()))).await?;
    let size = answer.header("content-length").and_then(|size| size.parse().ok());
    Ok(size.filter(|_| answer.status == StatusCode::OK))
}

/// Manifests about a manifest, where the registry lists them (spec, *Listing Referrers*).
async fn referrers(client: &Registry, name: &RepositoryName, subject: &Digest) -> Result<Vec<Digest>> {
    let path = format!("/v2/{name}/referrers/{subject}");
    let scope = format!("repository:{name}:pull");
    let answer = client.ask(&scope, || Ok((Request::get(&path), empty()))).await?;
    if answer.status != StatusCode::OK {
        return Ok(Vec::new());
    }
    Ok(Descriptors::read(&answer.body).children.into_iter().map(|child| child.digest).collect())
}
