//! Parts of a backup on their way: files in a scratch directory, lines packed with gzip.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use railhead_catalog::Record;
use railhead_oci::{Algorithm, Digest, Hasher};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;

use crate::format::{Part, PartKind, Snapshot};
use crate::pieces::Pieces;
use crate::vault::Vault;
use crate::{Error, Result};

/// What scratch directories are called, so that one that a kill left behind is known.
const PREFIX: &str = "railhead-backup-";
/// A line that is longer than any record of this release can be: a manifest and its escapes.
const LINE_MAX: usize = 256 << 20;

/// A directory for files on their way; they are gone with it.
#[derive(Debug)]
pub(crate) struct Scratch(TempDir);

impl Scratch {
    /// One inside `place`.
    pub(crate) fn new(place: &Path) -> Result<Self> {
        let made = tempfile::Builder::new().prefix(PREFIX).tempdir_in(place);
        made.map(Self).map_err(failed("make a scratch directory in", place))
    }

    /// Removes what kills left behind in `place`. For one who works there alone.
    pub(crate) fn clear(place: &Path) {
        for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(PREFIX) {
                // What cannot be removed does no harm.
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

pub(crate) fn failed(act: &'static str, path: &Path) -> impl Fn(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Scratch { act, path: path.clone(), source }
}

struct Hashed {
    file: BufWriter<File>,
    hasher: Hasher,
    size: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A part that is being written.
pub(crate) struct PartWriter {
    kind: PartKind,
    owner: Option<String>,
    records: u64,
    path: PathBuf,
    out: GzEncoder<Hashed>,
}

impl PartWriter {
    pub(crate) fn create(path: PathBuf, kind: PartKind, owner: Option<String>) -> Result<Self> {
        let file = BufWriter::new(File::create(&path).map_err(failed("write", &path))?);
        let hashed = Hashed { file, hasher: Hasher::new(Algorithm::Sha256), size: 0 };
        Ok(Self { kind, owner, records: 0, path, out: GzEncoder::new(hashed, Compression::new(4)) })
    }

    pub(crate) const fn kind(&self) -> PartKind {
        self.kind
    }

    pub(crate) fn record(&mut self, record: &Record) -> Result<()> {
        let written = serde_json::to_writer(&mut self.out, record).map_err(io::Error::from);
        written.and_then(|()| self.out.write_all(b"\n")).map_err(failed("write", &self.path))?;
        self.records += 1;
        Ok(())
    }

    pub(crate) fn line(&mut self, line: std::fmt::Arguments<'_>) -> Result<()> {
        writeln!(self.out, "{line}").map_err(failed("write", &self.path))?;
        self.records += 1;
        Ok(())
    }

    /// The part, and where its file is.
    pub(crate) fn finish(self) -> Result<(Part, PathBuf)> {
        let Self { kind, owner, records, path, out } = self;
        let mut hashed = out.finish().map_err(failed("write", &path))?;
        hashed.flush().map_err(failed("write", &path))?;
        let part = Part { kind, owner, digest: hashed.hasher.finish(), size: hashed.size, records };
        Ok((part, path))
    }
}

/// The content of a local file.
pub(crate) struct FilePieces {
    file: tokio::fs::File,
    path: PathBuf,
}

impl FilePieces {
    pub(crate) async fn open(path: &Path) -> Result<Self> {
        let file = tokio::fs::File::open(path).await.map_err(failed("open", path))?;
        Ok(Self { file, path: path.to_owned() })
    }
}

#[async_trait]
impl Pieces for FilePieces {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let mut piece = Vec::with_capacity(256 << 10);
        let read = self.file.read_buf(&mut piece).await.map_err(failed("read", &self.path))?;
        Ok((read > 0).then(|| piece.into()))
    }
}

/// The lines of a part, which was compared with its digest when it was fetched.
pub(crate) struct Lines {
    reader: BufReader<MultiGzDecoder<BufReader<File>>>,
    line: String,
    file: String,
}

impl Lines {
    /// Fetches a part of a backup.
    pub(crate) async fn fetch(
        vault: &Vault,
        snapshot: &Snapshot,
        part: &Part,
        scratch: &Scratch,
    ) -> Result<Self> {
        let file = snapshot.part_file(part);
        let path = scratch.file(&part.digest.hex());
        if !path.exists() {
            let sealed = snapshot.sealed.is_some() && part.kind != PartKind::Blobs;
            let mut pieces = vault.read(&file, &part.digest, part.size, sealed).await?;
            let unfinished = path.with_extension("unfinished");
            let mut out = tokio::fs::File::create(&unfinished).await.map_err(failed("write", &unfinished))?;
            while let Some(piece) = pieces.next().await? {
                let written = tokio::io::AsyncWriteExt::write_all(&mut out, &piece).await;
                written.map_err(failed("write", &unfinished))?;
            }
            tokio::io::AsyncWriteExt::flush(&mut out).await.map_err(failed("write", &unfinished))?;
            std::fs::rename(&unfinished, &path).map_err(failed("write", &path))?;
        }
        Self::open(&path, file)
    }

    /// Reads the file at `path`; `file` is what errors call it.
    pub(crate) fn open(path: &Path, file: String) -> Result<Self> {
        let opened = File::open(path).map_err(failed("open", path))?;
        let reader = BufReader::new(MultiGzDecoder::new(BufReader::new(opened)));
        Ok(Self { reader, line: String::new(), file })
    }

    /// The next line.
    pub(crate) fn next_line(&mut self) -> Result<Option<&str>> {
        self.line.clear();
        let limit = LINE_MAX as u64;
        let read = io::Read::take(&mut self.reader, limit).read_line(&mut self.line);
        let read =
            read.map_err(|error| Error::damaged(&self.file, format!("it cannot be unpacked: {error}")))?;
        if read == 0 {
            return Ok(None);
        }
        match self.line.strip_suffix('\n') {
            Some(_) => Ok(Some(self.line.trim_end_matches('\n'))),
            None => Err(Error::damaged(&self.file, "its last line has no end")),
        }
    }

    /// The next line as a record.
    pub(crate) fn next_record(&mut self) -> Result<Option<Record>> {
        let file = self.file.clone();
        let Some(line) = self.next_line()? else { return Ok(None) };
        let record = serde_json::from_str(line);
        record.map(Some).map_err(|error| Error::damaged(file, format!("a record cannot be read: {error}")))
    }

    /// The next line as a digest and a size.
    pub(crate) fn next_blob(&mut self) -> Result<Option<(Digest, u64)>> {
        let file = self.file.clone();
        let Some(line) = self.next_line()? else { return Ok(None) };
        let blob =
            line.split_once(' ').and_then(|(digest, size)| Some((digest.parse().ok()?, size.parse().ok()?)));
        blob.map(Some).ok_or_else(|| Error::damaged(file, "a line is no digest with a size"))
    }
}
