//! Uploads: blobs that are on their way.
//!
//! All here is volatile: an upload survives the end of the process, and when the machine fails its client begins
//! again or goes on from an earlier offset.

use std::fmt;

use railhead_oci::{Algorithm, RepositoryName};

use crate::sql::{Row, Sql, params};
use crate::usage::Ledger;
use crate::{Catalog, Error, Limit, OwnerId, RepositoryId, Result, Timestamp, UploadId};

/// An unfinished upload.
#[derive(Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// Where it goes.
    pub repository: RepositoryId,
    /// The name of where it goes.
    pub repository_name: RepositoryName,
    /// Whose quota it uses.
    pub owner: OwnerId,
    /// Who began it.
    pub account: Option<OwnerId>,
    /// How its bytes are hashed.
    pub algorithm: Algorithm,
    /// Bytes received.
    pub offset: u64,
    /// The state of the hash at that offset. Part of the content can be read from it.
    pub hash_state: Vec<u8>,
    /// What the blob store needs to go on.
    pub store_state: Vec<u8>,
    /// Bytes of the owner's quota that it holds.
    pub reserved: u64,
    /// When it began.
    pub started_at: Timestamp,
    /// When it last moved.
    pub touched_at: Timestamp,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("id", &self.id)
            .field("repository", &self.repository_name)
            .field("offset", &self.offset)
            .field("reserved", &self.reserved)
            .finish_non_exhaustive()
    }
}

/// An upload to begin.
#[derive(Clone)]
pub struct NewUpload {
    /// A new random id.
    pub id: UploadId,
    /// Where it goes.
    pub repository: RepositoryId,
    /// Who begins it.
    pub account: Option<OwnerId>,
    /// How its bytes are hashed.
    pub algorithm: Algorithm,
    /// The state of the hash before the first byte.
    pub hash_state: Vec<u8>,
    /// What the blob store needs to go on.
    pub store_state: Vec<u8>,
}

/// Where an upload is after a chunk.
#[derive(Clone)]
pub struct UploadState {
    /// How its bytes are hashed; a client that names another algorithm late makes it change.
    pub algorithm: Algorithm,
    /// Bytes received.
    pub offset: u64,
    /// The state of the hash at that offset.
    pub hash_state: Vec<u8>,
    /// What the blob store needs to go on.
    pub store_state: Vec<u8>,
}

macro_rules! select_upload {
    ($rest:literal) => {
        concat!(
            "SELECT u.id, u.repository, r.name, r.owner, u.account, u.algorithm, u.received, u.hash_state,
             u.store_state, u.reserved, u.started_at, u.touched_at
             FROM upload AS u JOIN repository AS r ON r.id = u.repository ",
            $rest
        )
    };
}

impl Upload {
    fn read(row: &mut Row) -> Result<Self> {
        Ok(Self {
            id: row.take()?,
            repository: row.take()?,
            repository_name: row.take()?,
            owner: row.take()?,
            account: row.take()?,
            algorithm: row.take()?,
            offset: row.take()?,
            hash_state: row.take()?,
            store_state: row.take()?,
            reserved: row.take()?,
            started_at: row.take()?,
            touched_at: row.take()?,
        })
    }

    fn by_id(sql: &mut dyn Sql, id: UploadId) -> Result<Option<Self>> {
        let row = sql.first(select_upload!("WHERE u.id = ?1"), params![&id])?;
        row.map(|mut row| Self::read(&mut row)).transpose()
    }
}

impl Catalog {
    /// Begins an upload. [`Error::NotFound`] when the repository is gone.
    pub async fn create_upload(&self, new: NewUpload, now: Timestamp) -> Result<()> {
        self.write_volatile("begin an upload", move |sql| {
            let statement = "SELECT 1 FROM repository WHERE id = ?1 /*postgres: FOR KEY SHARE*/";
            if !sql.any(statement, params![new.repository])? {
                return Err(Error::NotFound(format!("repository {}", new.repository)));
            }
            let made = sql.execute(
                "INSERT INTO upload (id, repository, account, algorithm, received, hash_state, store_state, reserved,
                 started_at, touched_at) VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, 0, ?7, ?7) ON CONFLICT (id) DO NOTHING",
                params![
                    &new.id,
                    new.repository,
                    new.account,
                    new.algorithm,
                    &new.hash_state[..],
                    &new.store_state[..],
                    now
                ],
            )?;
            if made == 1 { Ok(()) } else { Err(Error::AlreadyExists(format!("an upload {}", new.id))) }
        })
        .await
    }

    /// The upload with that id.
    pub async fn upload(&self, id: UploadId) -> Result<Option<Upload>> {
        self.read("look up an upload", move |sql| Upload::by_id(sql, id)).await
    }

    /// Notes that an upload has moved from offset `expected`. [`Error::UploadMoved`] when it is not there.
    pub async fn save_upload(
        &self,
        id: UploadId,
        expected: u64,
        state: UploadState,
        now: Timestamp,
    ) -> Result<()> {
        self.write_volatile("save an upload", move |sql| {
            let saved = sql.execute(
                "UPDATE upload SET algorithm = ?3, received = ?4, hash_state = ?5, store_state = ?6, touched_at = ?7
                 WHERE id = ?1 AND received = ?2",
                params![
                    &id,
                    expected,
                    state.algorithm,
                    state.offset,
                    &state.hash_state[..],
                    &state.store_state[..],
                    now
                ],
            )?;
            if saved == 1 {
                return Ok(());
            }
            match sql.first("SELECT received FROM upload WHERE id = ?1", params![&id])? {
                Some(mut row) => Err(Error::UploadMoved { offset: row.take()? }),
                None => Err(Error::NotFound(format!("upload {id}"))),
            }
        })
        .await
    }

    /// Raises what an upload holds of its owner's quota to `total` bytes; it is never lowered. `quota` is the
    /// server's default. [`Error::QuotaExceeded`] when the owner has no room.
    pub async fn reserve(&self, id: UploadId, total: u64, quota: Limit) -> Result<()> {
        self.write_volatile("reserve room for an upload", move |sql| {
            let Some((upload, mut ledger)) = locked(sql, id)? else {
                return Err(Error::NotFound(format!("upload {id}")));
            };
            let wanted = total.saturating_sub(upload.reserved);
            if wanted == 0 {
                return Ok(());
            }
            ledger.check(wanted, quota)?;
            ledger.reserve(wanted);
            sql.execute("UPDATE upload SET reserved = ?2 WHERE id = ?1", params![&id, total])?;
            ledger.store(sql)
        })
        .await
    }

    /// Ends an upload without a blob and gives its reservation back. `None` when there is none; the caller removes
    /// its staged bytes.
    pub async fn end_upload(&self, id: UploadId) -> Result<Option<Upload>> {
        self.write_volatile("end an upload", move |sql| {
            let Some((upload, mut ledger)) = locked(sql, id)? else { return Ok(None) };
            sql.execute("DELETE FROM upload WHERE id = ?1", params![&id])?;
            ledger.release(upload.reserved)?;
            ledger.store(sql)?;
            Ok(Some(upload))
        })
        .await
    }

    /// Up to `limit` uploads that have not moved since `touched_before`, the stalest first.
    pub async fn stale_uploads(&self, touched_before: Timestamp, limit: u32) -> Result<Vec<Upload>> {
        self.read("list stale uploads", move |sql| {
            let statement = select_upload!("WHERE u.touched_at < ?1 ORDER BY u.touched_at LIMIT ?2");
            sql.query(statement, params![touched_before, limit])?.iter_mut().map(Upload::read).collect()
        })
        .await
    }

    /// Up to `limit` ids of uploads behind `after`, in order: staged bytes of any other id are left over.
    pub async fn upload_ids(&self, after: Option<UploadId>, limit: u32) -> Result<Vec<UploadId>> {
        let after = after.map_or_else(String::new, |id| id.to_string());
        self.read("list the uploads", move |sql| {
            let rows = sql
                .query("SELECT id FROM upload WHERE id > ?1 ORDER BY id LIMIT ?2", params![&after, limit])?;
            rows.into_iter().map(|mut row| row.take()).collect()
        })
        .await
    }
}

/// The upload as it is once its owner's ledger is held.
fn locked(sql: &mut dyn Sql, id: UploadId) -> Result<Option<(Upload, Ledger)>> {
    let statement = "SELECT repository FROM upload WHERE id = ?1";
    let Some(mut row) = sql.first(statement, params![&id])? else { return Ok(None) };
    let ledger = match Ledger::lock(sql, row.take()?) {
        Err(Error::NotFound(_)) => return Ok(None), // the repository was deleted meanwhile, with its uploads
        other => other?,
    };
    Ok(Upload::by_id(sql, id)?.map(|upload| (upload, ledger)))
}
