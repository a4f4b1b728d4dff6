//! Repositories, from the backup into the catalog.

use std::collections::BTreeMap;

use railhead_catalog::{ManifestRecord, Record, RepositoryBatch, Timestamp, TrashedManifest};
use railhead_oci::{Digest, Manifest, RepositoryName};

use super::rebuild::{FOUND, KEPT};
use super::{BATCH, Lost, Run};
use crate::Result;
use crate::format::{Part, PartKind};
use crate::scratch::Lines;

/// Bytes of manifests written in one transaction.
const BATCH_BYTES: usize = 4 << 20;
/// How long blobs stay that no manifest needs, in milliseconds: a day, for those who were about to push one.
const UNNEEDED: i64 = 24 * 3600 * 1000;

/// Manifests of one repository that are lost, and why.
type LostManifests = BTreeMap<Digest, String>;

/// A repository whose manifests are looked through.
struct Looked {
    name: RepositoryName,
    lost: LostManifests,
    /// Indexes with what they list.
    indexes: Vec<(Digest, Vec<Digest>)>,
}

impl Run<'_> {
    pub(super) async fn contents(&mut self) -> Result<()> {
        for part in self.parts(PartKind::Content) {
            if self.fetch(&part).await?.is_none() {
                continue;
            }
            // What is damaged is known before the first manifest is written: an index may stand before its children.
            let lost = match self.lost_manifests(&part).await {
                Ok(lost) => lost,
                Err(error) if error.is_damage() => {
                    self.lose_part(&part, &error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let Some(name) = &part.owner else { continue };
            let owner = self.ensure_owner(name).await?;
            let Some(lines) = self.fetch(&part).await? else { continue };
            self.content(lines, &lost).await?;
            self.catalog.restore_usage(owner).await?;
        }
        Ok(())
    }

    /// Which manifests of an owner cannot be restored: their bytes are wrong, or they need what is lost.
    async fn lost_manifests(&mut self, part: &Part) -> Result<BTreeMap<RepositoryName, LostManifests>> {
        let mut all = BTreeMap::new();
        let Some(mut lines) = self.fetch(part).await? else { return Ok(all) };
        let mut repository: Option<Looked> = None;
        loop {
            let record = lines.next_record()?;
            if let None | Some(Record::Repository(_)) = &record
                && let Some(Looked { name, mut lost, indexes }) = repository.take()
            {
                spread(&mut lost, &indexes);
                if !lost.is_empty() {
                    all.insert(name, lost);
                }
            }
            match record {
                None => return Ok(all),
                Some(Record::Repository(record)) if self.restore.only.repository(&record.name) => {
                    repository =
                        Some(Looked { name: record.name, lost: BTreeMap::new(), indexes: Vec::new() });
                }
                Some(Record::Manifest(record)) => {
                    let Some(Looked { lost, indexes, .. }) = &mut repository else { continue };
                    match needs(&record) {
                        Err(what) => {
                            lost.insert(record.digest, what);
                        }
                        Ok(manifest) => {
                            let blobs = manifest.blobs.iter().chain(&manifest.children);
                            if let Some(blob) = blobs.clone().find(|digest| self.lost.contains(digest)) {
                                lost.insert(record.digest, format!("it needs blob {blob}, which is lost"));
                            }
                            if !manifest.children.is_empty() {
                                indexes.push((record.digest, manifest.children));
                            }
                        }
                    }
                }
                Some(_) => {}
            }
        }
    }

    async fn content(
        &mut self,
        mut lines: Lines,
        lost: &BTreeMap<RepositoryName, LostManifests>,
    ) -> Result<()> {
        let mut batch: Option<RepositoryBatch> = None;
        let mut bytes = 0;
        let nothing = LostManifests::new();
        while let Some(record) = lines.next_record()? {
            if let Record::Repository(record) = record {
                self.write(batch.take()).await?;
                bytes = 0;
                if self.restore.only.repository(&record.name) {
                    self.restored.repositories += 1;
                    batch = Some(RepositoryBatch::empty(record, true));
                }
                continue;
            }
            let Some(open) = &mut batch else { continue };
            let lost = lost.get(&open.repository.name).unwrap_or(&nothing);
            bytes += self.add(open, record, lost);
            let records = open.blobs.len() + open.manifests.len() + open.tags.len() + open.former.len();
            let records = records + open.trash.manifests.len() + open.trash.tags.len();
            if bytes > BATCH_BYTES || records >= BATCH {
                let next = RepositoryBatch::empty(open.repository.clone(), false);
                self.write(batch.replace(next)).await?;
                bytes = 0;
            }
        }
        self.write(batch).await
    }

    /// Adds a record to a batch, unless it is lost; the bytes that it takes.
    fn add(&mut self, batch: &mut RepositoryBatch, record: Record, lost: &LostManifests) -> usize {
        let repository = || batch.repository.name.clone();
        match record {
            Record::Blob(blob) if !self.lost.contains(&blob.digest) => batch.blobs.push(blob),
            Record::Manifest(manifest) => {
                if let Some(what) = lost.get(&manifest.digest) {
                    let (repository, what) = (repository(), what.clone());
                    self.restored.lost.push(Lost::Manifest { repository, digest: manifest.digest, what });
                    return 0;
                }
                let bytes = manifest.content.len();
                batch.manifests.push(manifest);
                self.restored.manifests += 1;
                return bytes;
            }
            Record::Tag(tag) if lost.contains_key(&tag.digest) => {
                let (repository, digest) = (repository(), tag.digest);
                self.restored.lost.push(Lost::Tag { repository, tag: tag.name, digest });
            }
            Record::Tag(tag) => {
                batch.tags.push(tag);
                self.restored.tags += 1;
            }
            Record::FormerTag(former) => batch.former.push(former),
            Record::TrashRun(run) => batch.trash.runs.push(run),
            Record::TrashedManifest(trashed) => return self.add_trashed(batch, trashed),
            Record::TrashedTag(trashed) if !self.is_lost(&batch.repository.name, &trashed.tag.digest) => {
                batch.trash.tags.push(trashed);
            }
            _ => {}
        }
        0
    }

    /// Adds a manifest to the trash of a repository, unless a blob of it is lost: then it could not be brought back.
    fn add_trashed(&mut self, batch: &mut RepositoryBatch, trashed: TrashedManifest) -> usize {
        let needed = needs(&trashed.manifest).and_then(|manifest| {
            match manifest.blobs.iter().find(|digest| self.lost.contains(digest)) {
                Some(blob) => Err(format!("it needs blob {blob}, which is lost")),
                None => Ok(()),
            }
        });
        if let Err(what) = needed {
            let (repository, digest) = (batch.repository.name.clone(), trashed.manifest.digest);
            let what = format!("in the trash; {what}");
            self.restored.lost.push(Lost::Manifest { repository, digest, what });
            return 0;
        }
        let bytes = trashed.manifest.content.len();
        batch.trash.manifests.push(trashed);
        self.restored.trashed += 1;
        bytes
    }

    fn is_lost(&self, repository: &RepositoryName, manifest: &Digest) -> bool {
        self.restored.lost.iter().any(|lost| {
            matches!(lost, Lost::Manifest { repository: of, digest, .. } if of == repository && digest == manifest)
        })
    }

    async fn write(&self, batch: Option<RepositoryBatch>) -> Result<()> {
        match batch {
            Some(batch) => {
                let kept = if batch.repository.name.as_str() == FOUND { KEPT } else { UNNEEDED };
                let due = Timestamp::now().plus_millis(kept);
                Ok(self.catalog.restore_content(batch, due).await?)
            }
            None => Ok(()),
        }
    }
}

/// What a manifest needs; what is wrong with it when it is not what its digest says.
pub(crate) fn needs(record: &ManifestRecord) -> std::result::Result<Manifest, String> {
    let found = Digest::of(record.digest.algorithm(), record.content.as_bytes());
    if found != record.digest {
        return Err(format!("its bytes have digest {found}"));
    }
    Manifest::read(Some(&record.media_type), record.content.as_bytes()).map_err(|error| error.to_string())
}

/// An index of which a child is lost is lost too, and so is an index of that.
fn spread(lost: &mut LostManifests, indexes: &[(Digest, Vec<Digest>)]) {
    loop {
        let before = lost.len();
        for (digest, children) in indexes {
            if !lost.contains_key(digest)
                && let Some(child) = children.iter().find(|child| lost.contains_key(child))
            {
                lost.insert(*digest, format!("it lists {child}, which is lost"));
            }
        }
        if lost.len() == before {
            return;
        }
    }
}
