//! A tar archive on its way out: each file's size is known, its content comes piece by piece.

use std::io::{self, Write};

use railhead_oci::{Digest, Hasher};
use tar::{EntryType, Header};

use crate::pieces::Pieces;
use crate::{Error, Result};

const BLOCK: u64 = 512;

pub(super) struct Archive<W>(W);

impl<W: Write> Archive<W> {
    pub(super) const fn new(out: W) -> Self {
        Self(out)
    }

    pub(super) fn file(&mut self, name: &str, content: &[u8]) -> Result<()> {
        self.header(name, content.len() as u64)?;
        self.0.write_all(content).map_err(Error::Archive)?;
        self.pad(content.len() as u64)
    }

    /// A file whose content has to be what its digest and size say.
    pub(super) async fn stream(
        &mut self,
        name: &str,
        digest: &Digest,
        size: u64,
        pieces: &mut dyn Pieces,
    ) -> Result<()> {
        self.header(name, size)?;
        let mut hasher = Hasher::new(digest.algorithm());
        let mut written = 0;
        while let Some(piece) = pieces.next().await? {
            hasher.update(&piece);
            written += piece.len() as u64;
            if written > size {
                break;
            }
            self.0.write_all(&piece).map_err(Error::Archive)?;
        }
        let found = hasher.finish();
        if written != size || found != *digest {
            let what = format!("{written} of {size} bytes came, with digest {found}");
            return Err(Error::Source { digest: *digest, what });
        }
        self.pad(size)
    }

    pub(super) fn finish(mut self) -> Result<()> {
        self.0.write_all(&[0; 2 * BLOCK as usize]).map_err(Error::Archive)?;
        self.0.flush().map_err(Error::Archive)
    }

    fn header(&mut self, name: &str, size: u64) -> Result<()> {
        let mut header = Header::new_gnu();
        header.set_path(name).map_err(Error::Archive)?;
        header.set_entry_type(EntryType::Regular);
        header.set_size(size);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_cksum();
        self.0.write_all(header.as_bytes()).map_err(Error::Archive)
    }

    fn pad(&mut self, size: u64) -> Result<()> {
        io::copy(&mut io::Read::take(io::repeat(0), size.next_multiple_of(BLOCK) - size), &mut self.0)
            .map(drop)
            .map_err(Error::Archive)
    }
}
