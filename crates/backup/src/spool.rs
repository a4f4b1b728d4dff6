//! Puts a snapshot of a catalog into files, as fast as the disk takes it: as long as that lasts the catalog keeps an old
//! version of itself.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use railhead_catalog::{BlobRecord, Catalog, Entry, Record};
use railhead_oci::Digest;

use crate::format::{Counts, Part, PartKind};
use crate::scratch::{PartWriter, Scratch, failed};
use crate::{Error, Result};

/// What was put into files.
pub(crate) struct Spooled {
    pub(crate) parts: Vec<(Part, PathBuf)>,
    pub(crate) counts: Counts,
    /// Blobs with their keys.
    work: PathBuf,
}

/// A blob to copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) key: String,
    pub(crate) damaged: bool,
}

/// Takes a snapshot of `catalog`.
pub(crate) async fn spool(catalog: &Catalog, scratch: &Scratch) -> Result<Spooled> {
    let spooler = Arc::new(Mutex::new(Spooler::new(scratch)));
    let sink = Arc::clone(&spooler);
    let whole = catalog
        .snapshot(move |entry| {
            let mut spooler = sink.lock().unwrap_or_else(PoisonError::into_inner);
            spooler.take(entry)
        })
        .await?;
    let mut spooler = spooler.lock().unwrap_or_else(PoisonError::into_inner);
    match spooler.error.take() {
        Some(error) => Err(error),
        None if whole => spooler.finish(),
        None => Err(Error::CutOff),
    }
}

struct Spooler {
    files: usize,
    directory: PathBuf,
    open: Option<PartWriter>,
    parts: Vec<(Part, PathBuf)>,
    blobs: Option<(PartWriter, BufWriter<File>)>,
    counts: Counts,
    error: Option<Error>,
}

impl Spooler {
    fn new(scratch: &Scratch) -> Self {
        Self {
            files: 0,
            directory: scratch.file(""),
            open: None,
            parts: Vec::new(),
            blobs: None,
            counts: Counts::default(),
            error: None,
        }
    }

    fn take(&mut self, entry: Entry) -> ControlFlow<()> {
        match self.try_take(entry) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.error = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn try_take(&mut self, entry: Entry) -> Result<()> {
        match entry {
            Entry::Start => {
                self.open = None;
                self.blobs = None;
                self.parts.clear();
                self.counts = Counts::default();
            }
            Entry::Account(record) => {
                self.counts.owners += u64::from(matches!(record, Record::Owner(_)));
                self.part(PartKind::Accounts)?.record(&record)?;
            }
            Entry::Audit(record) => self.part(PartKind::Audit)?.record(&record)?,
            Entry::Owner(_, name) => {
                self.close()?;
                self.begin(PartKind::Content, Some(name))?;
            }
            Entry::Content(record) => {
                match record {
                    Record::Repository(_) => self.counts.repositories += 1,
                    Record::Manifest(_) => self.counts.manifests += 1,
                    Record::Tag(_) => self.counts.tags += 1,
                    _ => {}
                }
                self.part(PartKind::Content)?.record(&record)?;
            }
            Entry::Stored(blob) => self.stored(&blob)?,
        }
        Ok(())
    }

    /// The part that is open, which is one of this kind.
    fn part(&mut self, kind: PartKind) -> Result<&mut PartWriter> {
        if self.open.as_ref().is_none_or(|part| part.kind() != kind) {
            self.close()?;
            self.begin(kind, None)?;
        }
        self.open.as_mut().ok_or(Error::CutOff)
    }

    fn begin(&mut self, kind: PartKind, owner: Option<String>) -> Result<()> {
        self.files += 1;
        let path = self.directory.join(format!("part-{}", self.files));
        self.open = Some(PartWriter::create(path, kind, owner)?);
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        if let Some(part) = self.open.take() {
            self.parts.push(part.finish()?);
        }
        Ok(())
    }

    fn work(&self) -> PathBuf {
        self.directory.join("work")
    }

    fn lists(&mut self) -> Result<&mut (PartWriter, BufWriter<File>)> {
        if self.blobs.is_none() {
            let part = PartWriter::create(self.directory.join("blobs"), PartKind::Blobs, None)?;
            let path = self.work();
            let work = File::create(&path).map_err(failed("write", &path))?;
            self.blobs = Some((part, BufWriter::new(work)));
        }
        self.blobs.as_mut().ok_or(Error::CutOff)
    }

    fn stored(&mut self, blob: &BlobRecord) -> Result<()> {
        let path = self.work();
        let (part, work) = self.lists()?;
        let BlobRecord { digest, size, key, damaged, .. } = blob;
        part.line(format_args!("{digest} {size}"))?;
        writeln!(work, "{digest} {size} {} {key}", u8::from(*damaged)).map_err(failed("write", &path))?;
        self.counts.blobs += 1;
        self.counts.bytes += size;
        Ok(())
    }

    fn finish(&mut self) -> Result<Spooled> {
        self.close()?;
        self.lists()?;
        let work = self.work();
        if let Some((part, mut list)) = self.blobs.take() {
            list.flush().map_err(failed("write", &work))?;
            self.parts.push(part.finish()?);
        }
        Ok(Spooled { parts: std::mem::take(&mut self.parts), counts: self.counts, work })
    }
}

impl Spooled {
    /// The blobs of one 256th after the other, each with those that begin alike.
    pub(crate) fn shards(&self) -> Result<Shards> {
        let file = File::open(&self.work).map_err(failed("open", &self.work))?;
        Ok(Shards { lines: BufReader::new(file), next: None, path: self.work.clone() })
    }

    /// A list of blobs that was made elsewhere, in the order of their digests.
    pub(crate) fn of(parts: Vec<(Part, PathBuf)>, counts: Counts, work: PathBuf) -> Self {
        Self { parts, counts, work }
    }
}

/// See [`Spooled::shards`].
pub(crate) struct Shards {
    lines: BufReader<File>,
    next: Option<Work>,
    path: PathBuf,
}

impl Shards {
    pub(crate) fn next_shard(&mut self) -> Result<Vec<Work>> {
        let mut shard: Vec<Work> = self.next.take().into_iter().collect();
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).map_err(failed("read", &self.path))? == 0 {
                return Ok(shard);
            }
            let work = parse(line.trim_end()).ok_or(Error::CutOff)?;
            let first = shard.first().map(|first| first.digest);
            if first.is_some_and(|first| !alike(&first, &work.digest)) {
                self.next = Some(work);
                return Ok(shard);
            }
            shard.push(work);
        }
    }
}

/// Whether two blobs are in one directory.
pub(crate) fn alike(one: &Digest, other: &Digest) -> bool {
    one.algorithm() == other.algorithm() && one.hash()[0] == other.hash()[0]
}

fn parse(line: &str) -> Option<Work> {
    let mut words = line.splitn(4, ' ');
    Some(Work {
        digest: words.next()?.parse().ok()?,
        size: words.next()?.parse().ok()?,
        damaged: words.next()? == "1",
        key: words.next()?.to_owned(),
    })
}
