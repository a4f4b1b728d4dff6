//! Pushes a backup to a registry: blobs, then manifests with children before parents, then tags. What is there is not pushed
//! again, so that a push that was stopped goes on.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use railhead_catalog::{ManifestRecord, Record, TagItem};
use railhead_client::{Registry, pipe};
use railhead_oci::{Digest, Manifest, RepositoryName};
use serde::Serialize;

use crate::format::{PartKind, Snapshot, blob_file};
use crate::lock::Times;
use crate::pieces::Pieces as _;
use crate::restore::{Lost, Only, needs, what};
use crate::scratch::{Lines, Scratch};
use crate::take::Progress;
use crate::vault::Vault;
use crate::verify::read_lock;
use crate::{Error, Result};

/// How a backup is pushed.
pub struct RestoreTo<'a> {
    /// Where it is.
    pub vault: &'a Vault,
    /// Which one.
    pub snapshot: &'a Snapshot,
    /// What of it.
    pub only: Only,
    /// Where to.
    pub client: &'a Registry,
    /// A directory for scratch files.
    pub scratch: &'a Path,
    /// How locks behave.
    pub times: Times,
    /// Is told how far it got.
    pub watch: &'a (dyn Fn(&Progress) + Sync),
}

/// What a push came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Pushed {
    /// The backup.
    pub id: String,
    /// Repositories.
    pub repositories: u64,
    /// Manifests, those that were there among them.
    pub manifests: u64,
    /// Tags.
    pub tags: u64,
    /// Blobs that were pushed.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is left out.
    pub lost: Vec<Lost>,
    /// How long it took.
    pub millis: u64,
}

/// Pushes a backup to a registry.
pub async fn restore_to_registry(plan: &RestoreTo<'_>) -> Result<Pushed> {
    let from = Instant::now();
    let lock = read_lock(plan.vault, false, plan.times).await?;
    let pushed = run(plan).await;
    if let Some(lock) = lock {
        lock.release().await;
    }
    let mut pushed = pushed?;
    pushed.millis = from.elapsed().as_millis() as u64;
    Ok(pushed)
}

/// One repository out of the backup.
#[derive(Default)]
struct Content {
    sizes: BTreeMap<Digest, u64>,
    manifests: BTreeMap<Digest, ManifestRecord>,
    tags: Vec<TagItem>,
}

struct Run<'a> {
    plan: &'a RestoreTo<'a>,
    pushed: Pushed,
    /// Where a blob is by now, so that it is mounted instead of pushed again.
    places: HashMap<Digest, RepositoryName>,
}

async fn run(plan: &RestoreTo<'_>) -> Result<Pushed> {
    let scratch = Scratch::new(plan.scratch)?;
    let pushed = Pushed { id: plan.snapshot.id.clone(), ..Pushed::default() };
    let mut run = Run { plan, pushed, places: HashMap::new() };
    for part in plan.snapshot.of_kind(PartKind::Content) {
        let mut lines = match Lines::fetch(plan.vault, plan.snapshot, part, &scratch).await {
            Ok(lines) => lines,
            Err(error) if error.is_damage() => {
                run.pushed.lost.push(Lost::Part {
                    file: plan.snapshot.part_file(part),
                    kind: part.kind,
                    owner: part.owner.clone(),
                    what: what(&error),
                });
                continue;
            }
            Err(error) => return Err(error),
        };
        let mut open: Option<(RepositoryName, Content)> = None;
        loop {
            let record = lines.next_record()?;
            if let None | Some(Record::Repository(_)) = &record
                && let Some((name, content)) = open.take()
                && plan.only.repository(&name)
            {
                run.repository(&name, content).await?;
            }
            let Some(record) = record else { break };
            match (record, &mut open) {
                (Record::Repository(repository), open) => *open = Some((repository.name, Content::default())),
                (Record::Blob(blob), Some((_, content))) => {
                    content.sizes.insert(blob.digest, blob.size);
                }
                (Record::Manifest(manifest), Some((_, content))) => {
                    content.manifests.insert(manifest.digest, manifest);
                }
                (Record::Tag(tag), Some((_, content))) => content.tags.push(tag),
                _ => {}
            }
        }
    }
    Ok(run.pushed)
}

impl Run<'_> {
    async fn repository(&mut self, name: &RepositoryName, content: Content) -> Result<()> {
        self.pushed.repositories += 1;
        let mut lost: BTreeSet<Digest> = BTreeSet::new();
        for digest in order(&content.manifests) {
            let Some(record) = content.manifests.get(&digest) else { continue };
            if let Err(what) = self.manifest(name, record, &content, &lost).await? {
                lost.insert(digest);
                self.pushed.lost.push(Lost::Manifest { repository: name.clone(), digest, what });
            }
        }
        for tag in content.tags {
            let Some(record) = content.manifests.get(&tag.digest).filter(|_| !lost.contains(&tag.digest))
            else {
                let (repository, digest) = (name.clone(), tag.digest);
                self.pushed.lost.push(Lost::Tag { repository, tag: tag.name, digest });
                continue;
            };
            self.put(name, tag.name.as_str(), record).await?;
            self.pushed.tags += 1;
        }
        Ok(())
    }

    /// Pushes a manifest after what it needs; why it is lost when something of that is.
    async fn manifest(
        &mut self,
        name: &RepositoryName,
        record: &ManifestRecord,
        content: &Content,
        lost: &BTreeSet<Digest>,
    ) -> Result<Result<(), String>> {
        let facts = match needs(record) {
            Ok(facts) => facts,
            Err(what) => return Ok(Err(what)),
        };
        if let Some(child) = facts.children.iter().find(|child| lost.contains(child)) {
            return Ok(Err(format!("it lists {child}, which is lost")));
        }
        if self.plan.client.head_manifest(name, &record.digest.to_string()).await?.is_none() {
            for digest in facts.blobs.iter().chain(&facts.children) {
                // A child is a manifest; what the repository never had is as it was.
                let Some(size) = content.sizes.get(digest) else { continue };
                if let Err(what) = self.blob(name, digest, *size).await? {
                    return Ok(Err(format!("it needs blob {digest}, which is lost: {what}")));
                }
            }
            self.put(name, &record.digest.to_string(), record).await?;
        }
        self.pushed.manifests += 1;
        Ok(Ok(()))
    }

    async fn put(&self, name: &RepositoryName, reference: &str, record: &ManifestRecord) -> Result<()> {
        let bytes = Bytes::from(record.content.clone());
        self.plan.client.put_manifest(name, reference, &record.media_type, bytes).await?;
        Ok(())
    }

    async fn blob(
        &mut self,
        name: &RepositoryName,
        digest: &Digest,
        size: u64,
    ) -> Result<Result<(), String>> {
        let client = self.plan.client;
        if client.has_blob(name, digest).await? {
            return Ok(Ok(()));
        }
        if let Some(place) = self.places.get(digest)
            && place != name
            && client.mount(place, name, digest).await?
        {
            return Ok(Ok(()));
        }
        match self.push(name, digest, size).await {
            Ok(()) => {}
            Err(error) if error.is_damage() => {
                let file = Some(blob_file(&self.plan.snapshot.base(), digest));
                let lost = Lost::Blob { digest: *digest, file, what: what(&error) };
                if !self.pushed.lost.contains(&lost) {
                    self.pushed.lost.push(lost);
                }
                return Ok(Err(what(&error)));
            }
            Err(error) => return Err(error),
        }
        self.places.insert(*digest, name.clone());
        self.pushed.blobs += 1;
        self.pushed.bytes += size;
        (self.plan.watch)(&Progress {
            blobs: self.pushed.blobs,
            of: self.plan.snapshot.counts.blobs,
            bytes: self.pushed.bytes,
        });
        Ok(Ok(()))
    }

    /// Streams a blob out of the backup into the registry.
    async fn push(&self, name: &RepositoryName, digest: &Digest, size: u64) -> Result<()> {
        let RestoreTo { vault, snapshot, client, .. } = self.plan;
        let file = blob_file(&snapshot.base(), digest);
        let mut content = vault.read(&file, digest, size, snapshot.sealed.is_some()).await?;
        let (sink, body) = pipe();
        let giving = async move {
            while let Some(piece) = content.next().await? {
                if !sink.write(piece).await {
                    break;
                }
            }
            Ok::<(), Error>(())
        };
        let (given, pushed) = tokio::join!(giving, client.push_body(name, digest, size, body));
        // Damage of the backup is what broke the push off.
        given?;
        pushed?;
        Ok(())
    }
}

/// Manifests in an order in which each comes after those that it lists.
fn order(manifests: &BTreeMap<Digest, ManifestRecord>) -> Vec<Digest> {
    let children = |record: &ManifestRecord| {
        Manifest::read(Some(&record.media_type), record.content.as_bytes())
            .map(|facts| facts.children)
            .unwrap_or_default()
    };
    let (mut ordered, mut seen) = (Vec::new(), BTreeSet::new());
    for root in manifests.keys() {
        // Each is met twice: before and behind what it lists.
        let mut stack = vec![(*root, false)];
        while let Some((digest, behind)) = stack.pop() {
            if behind {
                ordered.push(digest);
            } else if seen.insert(digest)
                && let Some(record) = manifests.get(&digest)
            {
                stack.push((digest, true));
                stack.extend(children(record).into_iter().map(|child| (child, false)));
            }
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_come_first() {
        let media_type = "application/vnd.oci.image.index.v1+json";
        let record = |children: &[Digest]| {
            let children: Vec<_> = children
                .iter()
                .map(|digest| serde_json::json!({ "mediaType": media_type, "digest": digest, "size": 1 }))
                .collect();
            let content =
                serde_json::json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": children })
                    .to_string();
            let (digest, pushed_at) = (Digest::sha256(content.as_bytes()), railhead_catalog::Timestamp(0));
            ManifestRecord { digest, media_type: media_type.into(), pushed_at, pulled_at: None, content }
        };
        let leaf = record(&[]);
        let (mut all, mut last) = (vec![leaf.clone()], leaf);
        for _ in 0..5 {
            last = record(&[last.digest, all[0].digest]);
            all.push(last.clone());
        }
        let manifests = all.iter().map(|record| (record.digest, record.clone())).collect();
        let expected: Vec<Digest> = all.iter().map(|record| record.digest).collect();
        assert_eq!(order(&manifests), expected);
    }
}
