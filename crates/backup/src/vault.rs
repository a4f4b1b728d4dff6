//! A place of backups together with the keys: writes content so that it is known to be there, reads it so that it is known to
//! be what was written.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use railhead_oci::{Algorithm, Digest, Hasher};

use crate::format::{SNAPSHOTS, Snapshot, blob_file};
use crate::pieces::{Pieces, Whole, collect};
use crate::seal::{Identity, Opener, Recipient, Sealer};
use crate::sign::{Signature, VerifyingKey};
use crate::target::Target;
use crate::{Error, FORMAT, Result};

/// The largest manifest of a backup that is read, in bytes: a line for each owner.
const MANIFEST_MAX: usize = 256 << 20;

/// A place of backups, and what opens them.
#[derive(Clone, Debug)]
pub struct Vault {
    pub(crate) target: Arc<dyn Target>,
    pub(crate) identities: Arc<[Identity]>,
    /// Whether what was written is read once more and compared.
    pub(crate) read_back: bool,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// The digest of the content.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

impl Vault {
    /// The backups at `target`.
    pub fn new(target: Arc<dyn Target>) -> Self {
        Self { target, identities: Arc::default(), read_back: true }
    }

    /// With what opens sealed backups.
    #[must_use]
    pub fn with_identities(mut self, identities: Vec<Identity>) -> Self {
        self.identities = identities.into();
        self
    }

    /// Takes the place's word that it has what it was given: only sizes are compared.
    #[must_use]
    pub fn trusting(mut self) -> Self {
        self.read_back = false;
        self
    }

    /// The place, for people.
    pub fn place(&self) -> String {
        self.target.place()
    }

    /// Writes a file, sealed if there are recipients, and makes sure that it is there. Content that is not what `expected` says
    /// leaves no file: [`Error::Source`].
    pub(crate) async fn write(
        &self,
        file: &str,
        recipients: &[Recipient],
        content: &mut dyn Pieces,
        expected: Option<&Digest>,
    ) -> Result<Written> {
        let mut sink = self.target.create(file).await?;
        let algorithm = expected.map_or(Algorithm::Sha256, Digest::algorithm);
        let (mut plain, mut stored) = (Hasher::new(algorithm), Hasher::new(Algorithm::Sha256));
        let (mut size, mut stored_size) = (0, 0);
        let mut sealer = None;
        if !recipients.is_empty() {
            let (begun, header) = Sealer::new(recipients)?;
            sealer = Some(begun);
            stored.update(&header);
            stored_size += header.len() as u64;
            sink.write(header.into()).await?;
        }
        while let Some(piece) = content.next().await? {
            plain.update(&piece);
            size += piece.len() as u64;
            let out = match &mut sealer {
                None => piece,
                Some(sealer) => {
                    let mut out = Vec::with_capacity(piece.len() + 1024);
                    sealer.push(&piece, &mut out)?;
                    out.into()
                }
            };
            stored.update(&out);
            stored_size += out.len() as u64;
            sink.write(out).await?;
        }
        if let Some(sealer) = sealer {
            let mut out = Vec::new();
            sealer.finish(&mut out)?;
            stored.update(&out);
            stored_size += out.len() as u64;
            sink.write(out.into()).await?;
        }
        let digest = plain.finish();
        if let Some(expected) = expected.filter(|expected| **expected != digest) {
            let what = format!("its {size} bytes have digest {digest}");
            return Err(Error::Source { digest: *expected, what });
        }
        sink.finish().await?;
        self.compare(file, stored_size, stored.finish()).await?;
        Ok(Written { digest, size })
    }

    /// Whether the place has what it was given.
    async fn compare(&self, file: &str, size: u64, digest: Digest) -> Result<()> {
        let lied = |what: String| Error::Lied { file: file.to_owned(), what };
        match self.target.size(file).await? {
            None => return Err(lied("is not there".to_owned())),
            Some(found) if found != size => return Err(lied(format!("has {found} bytes and not {size}"))),
            Some(_) => {}
        }
        if !self.read_back {
            return Ok(());
        }
        let mut hasher = Hasher::new(Algorithm::Sha256);
        let mut pieces = self.target.read(file).await?;
        while let Some(piece) = pieces.next().await? {
            hasher.update(&piece);
        }
        if hasher.finish() == digest {
            return Ok(());
        }
        Err(lied("reads as something else".to_owned()))
    }

    /// Reads a file whose content has this digest and size; what is wrong is told at the latest behind the last piece.
    pub(crate) async fn read(&self, file: &str, digest: &Digest, size: u64, sealed: bool) -> Result<Checked> {
        let pieces = self.target.read(file).await?;
        let opener = sealed.then(|| Opener::new(Arc::clone(&self.identities), file));
        Ok(Checked {
            pieces: Some(pieces),
            opener,
            hasher: Some(Hasher::new(digest.algorithm())),
            digest: *digest,
            expected: size,
            found: 0,
            file: file.to_owned(),
        })
    }

    /// A small file in the clear.
    pub(crate) async fn read_small(&self, file: &str) -> Result<Vec<u8>> {
        let mut pieces = self.target.read(file).await?;
        let all = collect(pieces.as_mut(), MANIFEST_MAX).await?;
        all.ok_or_else(|| Error::damaged(file, format!("it is larger than {MANIFEST_MAX} bytes")))
    }

    /// Begins to read a blob that any of the backups has; `None` when none has it. What is wrong with it is told at the
    /// latest behind the last piece. No lock is taken: should it be pruned meanwhile, reading fails.
    pub async fn blob(&self, digest: &Digest, size: u64) -> Result<Option<Box<dyn Pieces>>> {
        let sealed = self.target.directories("").await?.into_iter();
        let sealed = sealed.filter(|name| name.starts_with("sealed-")).map(|name| format!("{name}/"));
        for base in std::iter::once(String::new()).chain(sealed) {
            let (file, is_sealed) = (blob_file(&base, digest), !base.is_empty());
            let found = self.target.size(&file).await?;
            // One in the clear that is cut is passed over: there may be a sealed one.
            if found.is_some_and(|found| is_sealed || found == size) {
                return Ok(Some(Box::new(self.read(&file, digest, size, is_sealed).await?)));
            }
        }
        Ok(None)
    }

    pub(crate) async fn write_small(&self, file: &str, bytes: impl Into<Bytes>) -> Result<()> {
        self.write(file, &[], &mut Whole::new(bytes), None).await.map(drop)
    }

    /// The names of all backups, the oldest first.
    pub async fn ids(&self) -> Result<Vec<String>> {
        let items = self.target.list(SNAPSHOTS).await?;
        let mut ids: Vec<(u64, String)> = items
            .iter()
            .filter_map(|item| {
                let id = item.name.strip_suffix(".json")?;
                let number = id.split('-').next()?.parse().ok()?;
                Some((number, id.to_owned()))
            })
            .collect();
        ids.sort_unstable();
        Ok(ids.into_iter().map(|(_, id)| id).collect())
    }

    /// The manifest of a backup, and its bytes.
    pub(crate) async fn manifest(&self, id: &str) -> Result<(Snapshot, Vec<u8>)> {
        #[derive(serde::Deserialize)]
        struct Version {
            format: u32,
        }
        let file = Snapshot::file(id);
        let bytes = self.read_small(&file).await?;
        let damaged = |error: serde_json::Error| Error::damaged(&file, format!("it cannot be read: {error}"));
        let Version { format: found } = serde_json::from_slice(&bytes).map_err(damaged)?;
        if found > FORMAT {
            return Err(Error::Format { id: id.to_owned(), found, known: FORMAT });
        }
        let snapshot: Snapshot = serde_json::from_slice(&bytes).map_err(damaged)?;
        if snapshot.id != id {
            return Err(Error::damaged(&file, format!("it is the manifest of backup {}", snapshot.id)));
        }
        Ok((snapshot, bytes))
    }

    /// The backup of that name, or the newest; its signature is checked where a key is given.
    pub async fn snapshot(&self, wanted: Option<&str>, key: Option<&VerifyingKey>) -> Result<Snapshot> {
        let ids = self.ids().await?;
        let place = self.place();
        let id = match wanted {
            None => ids.last().cloned().ok_or(Error::Nothing { place })?,
            Some(wanted) => {
                let named = |id: &&String| {
                    *id == wanted
                        || id.split('-').next().is_some_and(|number| {
                            number.trim_start_matches('0') == wanted.trim_start_matches('0')
                        })
                };
                let unknown = || Error::Unknown { wanted: wanted.to_owned(), place };
                ids.iter().find(named).cloned().ok_or_else(unknown)?
            }
        };
        let (snapshot, bytes) = self.manifest(&id).await?;
        if let Some(key) = key {
            self.check_signature(&id, &bytes, key).await?;
        }
        Ok(snapshot)
    }

    /// Checks the signature of a manifest.
    pub(crate) async fn check_signature(&self, id: &str, manifest: &[u8], key: &VerifyingKey) -> Result<()> {
        let wrong = |what: &str| Error::Signature { id: id.to_owned(), what: what.to_owned() };
        let bytes = match self.read_small(&Snapshot::signature_file(id)).await {
            Ok(bytes) => bytes,
            Err(Error::Missing { .. }) => return Err(wrong("is not signed")),
            Err(error) => return Err(error),
        };
        let signature: Signature =
            serde_json::from_slice(&bytes).map_err(|_| wrong("has a signature that cannot be read"))?;
        if key.accepts(manifest, &signature) {
            return Ok(());
        }
        Err(wrong("is not signed with the key that is trusted, or was changed since"))
    }

    /// Whether a backup has a signature.
    pub(crate) async fn is_signed(&self, id: &str) -> Result<bool> {
        Ok(self.target.size(&Snapshot::signature_file(id)).await?.is_some())
    }
}

/// Content that is compared with its digest on the way.
pub(crate) struct Checked {
    /// Absent behind the end.
    pieces: Option<Box<dyn Pieces>>,
    opener: Option<Opener>,
    hasher: Option<Hasher>,
    digest: Digest,
    expected: u64,
    found: u64,
    file: String,
}

#[async_trait]
impl Pieces for Checked {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        while let Some(pieces) = &mut self.pieces {
            let piece = pieces.next().await?;
            let last = piece.is_none();
            let plain = match (&mut self.opener, piece) {
                (None, piece) => piece.unwrap_or_default(),
                (Some(opener), Some(piece)) => {
                    let mut out = Vec::with_capacity(piece.len());
                    opener.push(&piece, &mut out)?;
                    out.into()
                }
                (Some(opener), None) => {
                    let mut out = Vec::new();
                    opener.finish(&mut out)?;
                    out.into()
                }
            };
            if last {
                self.pieces = None;
            }
            self.found += plain.len() as u64;
            if let Some(hasher) = &mut self.hasher {
                hasher.update(&plain);
            }
            if self.found > self.expected || last && self.found < self.expected {
                self.pieces = None;
                let what = format!("it has {} bytes and not {}", self.found, self.expected);
                return Err(Error::damaged(&self.file, what));
            }
            if last && let Some(hasher) = self.hasher.take() {
                let found = hasher.finish();
                if found != self.digest {
                    return Err(Error::damaged(&self.file, format!("its content has digest {found}")));
                }
            }
            if !plain.is_empty() {
                return Ok(Some(plain));
            }
        }
        Ok(None)
    }
}
