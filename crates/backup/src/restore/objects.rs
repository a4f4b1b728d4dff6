//! Blobs, from the backup into the store.

use std::collections::{BTreeMap, HashMap};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use railhead_blobs::{ObjectKey, StageId};
use railhead_catalog::{Record, Timestamp};
use railhead_oci::Digest;

use super::{Lost, Restore, Run, what};
use crate::format::{Absence, PartKind, blob_file};
use crate::pieces::Pieces as _;
use crate::scratch::Lines;
use crate::take::Progress;
use crate::{Error, Result};

/// Objects that are noted in the catalog in one transaction; a stop costs so many blobs at most.
const NOTED: usize = 64;

/// The blobs that are wanted.
enum Wanted {
    /// All, from the list of the backup.
    Listed(Box<Lines>),
    /// Some, gathered from the repositories.
    Some(std::collections::btree_map::IntoIter<Digest, u64>),
}

impl Wanted {
    fn next(&mut self) -> Result<Option<(Digest, u64)>> {
        match self {
            Self::Listed(lines) => lines.next_blob(),
            Self::Some(blobs) => Ok(blobs.next()),
        }
    }
}

impl Run<'_> {
    pub(super) async fn blobs(&mut self) -> Result<()> {
        let (mut wanted, of) = self.wanted().await?;
        let absent: HashMap<Digest, Absence> =
            self.restore.snapshot.missing.iter().map(|blob| (blob.digest, blob.why.clone())).collect();
        let mut progress = Progress { of, ..Progress::default() };
        loop {
            let mut page = Vec::new();
            while page.len() < NOTED * 4
                && let Some(blob) = wanted.next()?
            {
                page.push(blob);
            }
            if page.is_empty() {
                return Ok(());
            }
            progress.blobs += page.len() as u64;
            let (mut present, mut todo) = (Vec::new(), Vec::new());
            for (digest, size) in page {
                if let Some(key) = self.take_present(&digest, size) {
                    present.push((digest, size, key.to_string()));
                } else if let Some(why) = absent.get(&digest) {
                    self.lose(digest, size, None, absence(why));
                } else if !self.is_there(&digest).await? {
                    todo.push((digest, size));
                }
            }
            self.catalog.restore_objects(present, Timestamp::now()).await?;
            self.fetch_blobs(todo, &mut progress).await?;
            self.quarantine().await?;
            (self.restore.watch)(&progress);
        }
    }

    async fn wanted(&mut self) -> Result<(Wanted, u64)> {
        if self.restore.only.is_all() {
            let snapshot = self.restore.snapshot;
            if let Some(part) = snapshot.of_kind(PartKind::Blobs).next().cloned()
                && let Some(lines) = self.fetch(&part).await?
            {
                return Ok((Wanted::Listed(Box::new(lines)), part.records));
            }
        }
        // A list for each owner that is wanted; a damaged list of all is replaced by these too.
        let mut blobs = BTreeMap::new();
        for part in self.parts(PartKind::Content) {
            let Some(mut lines) = self.fetch(&part).await? else { continue };
            let mut inside = false;
            while let Some(record) = lines.next_record()? {
                match record {
                    Record::Repository(repository) => inside = self.restore.only.repository(&repository.name),
                    Record::Blob(blob) if inside => {
                        blobs.insert(blob.digest, blob.size);
                    }
                    _ => {}
                }
            }
        }
        let count = blobs.len() as u64;
        Ok((Wanted::Some(blobs.into_iter()), count))
    }

    /// Whether an earlier attempt restored it. A rebuild has looked at what there is.
    async fn is_there(&self, digest: &Digest) -> Result<bool> {
        if !self.restored.resumed || self.rebuilding.is_some() {
            return Ok(false);
        }
        let Some(blob) = self.catalog.blob(digest).await? else { return Ok(false) };
        let key = blob.key.parse::<ObjectKey>();
        Ok(key.is_ok_and(|key| self.store.probe(&key, blob.size).is_ok()))
    }

    async fn fetch_blobs(&mut self, todo: Vec<(Digest, u64)>, progress: &mut Progress) -> Result<()> {
        let base = self.restore.snapshot.base();
        let (restore, store) = (self.restore, self.store);
        let mut lost = Vec::new();
        let mut noted = Vec::new();
        {
            let copies = todo.into_iter().map(|(digest, size)| {
                let file = blob_file(&base, &digest);
                async move {
                    let copied = copy(restore, store, &file, &digest, size).await;
                    Ok::<_, Error>((digest, size, file, copied))
                }
            });
            let mut copies = stream::iter(copies).buffer_unordered(restore.parallel.max(1));
            while let Some((digest, size, file, copied)) = copies.try_next().await? {
                match copied {
                    Ok(key) => {
                        noted.push((digest, size, key.to_string()));
                        self.restored.blobs += 1;
                        self.restored.bytes += size;
                        progress.bytes += size;
                    }
                    Err(error) if error.is_damage() => lost.push((digest, size, file, what(&error))),
                    Err(error) => return Err(error),
                }
                if noted.len() == NOTED {
                    self.catalog.restore_objects(std::mem::take(&mut noted), Timestamp::now()).await?;
                }
            }
        }
        self.catalog.restore_objects(noted, Timestamp::now()).await?;
        for (digest, size, file, what) in lost {
            self.lose(digest, size, Some(file), what);
        }
        Ok(())
    }

    /// A blob is not to be had. A rebuild keeps what needs it, for who may still bring it.
    fn lose(&mut self, digest: Digest, size: u64, file: Option<String>, what: String) {
        if let Some(rebuilding) = &mut self.rebuilding {
            let why = match file {
                Some(file) => format!("{file}: {what}"),
                None => what,
            };
            rebuilding.absent.push((digest, size, why));
            return;
        }
        self.lost.insert(digest);
        self.restored.lost.push(Lost::Blob { digest, file, what });
    }
}

fn absence(why: &Absence) -> String {
    match why {
        Absence::Deleted => "it was deleted while the backup was made".to_owned(),
        Absence::Damaged { what } => format!("it was damaged already when the backup was made: {what}"),
    }
}

/// An id that nobody has used before.
pub(super) fn fresh_id() -> Result<StageId> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(Error::Random)?;
    Ok(StageId::from_bytes(bytes))
}

/// Copies a blob into the store. Damage shows before it is committed.
async fn copy(
    restore: &Restore<'_>,
    store: &railhead_blobs::Store,
    file: &str,
    digest: &Digest,
    size: u64,
) -> Result<ObjectKey> {
    let sealed = restore.snapshot.sealed.is_some();
    let mut content = restore.vault.read(file, digest, size, sealed).await?;
    let id = fresh_id()?;
    let state = store.stage(&id).await?;
    let written = async {
        let mut writer = store.open(&id, &state, 0).await?;
        while let Some(piece) = content.next().await? {
            writer.write(piece).await?;
        }
        Ok::<_, Error>(writer.commit(digest).await?)
    };
    match written.await {
        Ok(key) => Ok(key),
        Err(error) => {
            // What failed first is what there is to say.
            let _ = store.discard(&id, &state).await;
            Err(error)
        }
    }
}
