//! Reads a snapshot: everything in one transaction, page by page.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;

use railhead_oci::{RepositoryName, Tag};

use super::records::{
    AccountRecord, AuditItem, BlobLink, FormerTag, Hidden, ManifestRecord, MemberRecord, OwnerRecord, Record,
    RepositoryRecord, TagItem, TokenRecord,
};
use super::trash;
use crate::sql::{Row, Sql, params};
use crate::{BlobRecord, Catalog, Error, OwnerId, RepositoryId, Result, Timestamp};

/// Rows read in one step.
const PAGE: u32 = 1000;
/// Manifests read in one step: each may have some megabytes.
const MANIFESTS: u32 = 16;

/// A step of reading a snapshot.
#[derive(Debug)]
pub enum Entry {
    /// It begins. It may begin again, when the database was lost in the middle: what came before counts no more.
    Start,
    /// An owner, a member or a token.
    Account(Record),
    /// An act that was recorded.
    Audit(Record),
    /// The content of this owner follows; none has nothing.
    Owner(OwnerId, String),
    /// A repository of that owner, or what is in the repository before.
    Content(Record),
    /// A blob that some repository has, with the key of its object; they come in the order of their digests.
    Stored(BlobRecord),
}

/// The reader asked to stop.
struct Stopped;

enum Ended {
    Stopped,
    Failed(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<crate::EngineError> for Ended {
    fn from(error: crate::EngineError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Stopped> for Ended {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

impl Catalog {
    /// Gives all there is to `sink`, as it was at one moment; writers go on meanwhile. `sink` runs on a thread of the
    /// database, and may wait. False when `sink` broke it off.
    pub async fn snapshot(
        &self,
        mut sink: impl FnMut(Entry) -> ControlFlow<()> + Send + 'static,
    ) -> Result<bool> {
        self.read("read a snapshot", move |sql| {
            sql.batch(sql.dialect().pick("BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"))?;
            let mut reader = Reader { sql, sink: &mut sink };
            let read = reader.all();
            // Nothing was changed; a connection that is lost has no transaction either.
            let ended = sql.batch("ROLLBACK");
            match read {
                Ok(()) => ended.map(|()| true).map_err(Error::from),
                Err(Ended::Stopped) => Ok(false),
                Err(Ended::Failed(error)) => Err(error),
            }
        })
        .await
    }
}

struct Reader<'a> {
    sql: &'a mut dyn Sql,
    sink: &'a mut dyn FnMut(Entry) -> ControlFlow<()>,
}

impl Reader<'_> {
    fn give(&mut self, entry: Entry) -> Result<(), Stopped> {
        match (self.sink)(entry) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Stopped),
        }
    }

    fn all(&mut self) -> Result<(), Ended> {
        self.give(Entry::Start)?;
        let owners = self.owners()?;
        self.members()?;
        self.tokens()?;
        self.audit()?;
        for (id, name) in owners {
            self.owner(id, name)?;
        }
        self.stored()
    }

    /// The owners; those that have repositories are given back, in the order of their names.
    fn owners(&mut self) -> Result<Vec<(OwnerId, String)>, Ended> {
        let statement = "SELECT owner, name_key, renamed_at FROM former_name ORDER BY owner, name_key";
        let mut former: BTreeMap<OwnerId, Vec<(String, Timestamp)>> = BTreeMap::new();
        for mut row in self.sql.query(statement, &[])? {
            former.entry(row.take()?).or_default().push((row.take()?, row.take()?));
        }
        let mut last = OwnerId(0);
        loop {
            let rows = self.sql.query(
                "SELECT o.id, o.name, o.kind, o.quota, o.layer_limit, o.created_at, a.admin, a.disabled, a.password_hash, f.forge_id
                 FROM owner AS o LEFT JOIN account AS a ON a.owner = o.id LEFT JOIN forge_owner AS f ON f.owner = o.id WHERE o.id > ?1 ORDER BY o.id LIMIT ?2",
                params![last, PAGE],
            )?;
            let full = rows.len() == PAGE as usize;
            for mut row in rows {
                let mut owner = owner(&mut row)?;
                last = owner.id;
                owner.former_names = former.remove(&owner.id).unwrap_or_default();
                self.give(Entry::Account(Record::Owner(owner)))?;
            }
            if !full {
                break;
            }
        }
        let statement =
            "SELECT id, name FROM owner WHERE EXISTS (SELECT 1 FROM repository WHERE owner = owner.id)
            ORDER BY name_key";
        let rows = self.sql.query(statement, &[])?;
        Ok(rows.into_iter().map(|mut row| Ok((row.take()?, row.take()?))).collect::<Result<_>>()?)
    }

    fn members(&mut self) -> Result<(), Ended> {
        let mut last = (OwnerId(0), OwnerId(0));
        loop {
            let rows = self.sql.query(
                "SELECT organisation, account, role FROM member WHERE (organisation, account) > (?1, ?2)
                 ORDER BY organisation, account LIMIT ?3",
                params![last.0, last.1, PAGE],
            )?;
            let full = rows.len() == PAGE as usize;
            for mut row in rows {
                let member = MemberRecord { organisation: row.take()?, user: row.take()?, role: row.take()? };
                last = (member.organisation, member.user);
                self.give(Entry::Account(Record::Member(member)))?;
            }
            if !full {
                return Ok(());
            }
        }
    }

    fn tokens(&mut self) -> Result<(), Ended> {
        let mut last = 0_i64;
        loop {
            let rows = self.sql.query(
                "SELECT id, account, name, secret_hash, scopes, created_at, expires_at, revoked_at, used_at, used_from
                 FROM token WHERE id > ?1 ORDER BY id LIMIT ?2",
                params![last, PAGE],
            )?;
            let full = rows.len() == PAGE as usize;
            for mut row in rows {
                let token = token(&mut row)?;
                last = token.id.0;
                self.give(Entry::Account(Record::Token(token)))?;
            }
            if !full {
                return Ok(());
            }
        }
    }

    fn audit(&mut self) -> Result<(), Ended> {
        let mut last = 0_i64;
        loop {
            let rows = self.sql.query(
                "SELECT id, at, account, token, address, action, target, outcome, detail FROM audit
                 WHERE id > ?1 ORDER BY id LIMIT ?2",
                params![last, PAGE],
            )?;
            let full = rows.len() == PAGE as usize;
            for mut row in rows {
                let item = audit(&mut row)?;
                last = item.id;
                self.give(Entry::Audit(Record::Audit(item)))?;
            }
            if !full {
                return Ok(());
            }
        }
    }

    fn owner(&mut self, id: OwnerId, name: String) -> Result<(), Ended> {
        self.give(Entry::Owner(id, name))?;
        let mut last = String::new();
        loop {
            let rows = self.sql.query(
                "SELECT id, name, visibility, created_at, decided FROM repository WHERE owner = ?1 AND name > ?2
                 ORDER BY name LIMIT ?3",
                params![id, &last, PAGE],
            )?;
            let full = rows.len() == PAGE as usize;
            for mut row in rows {
                let repository: RepositoryId = row.take()?;
                let name: RepositoryName = row.take()?;
                name.as_str().clone_into(&mut last);
                let record = RepositoryRecord {
                    name,
                    visibility: row.take()?,
                    created_at: row.take()?,
                    follows_forge: !row.take::<bool>()?,
                };
                self.give(Entry::Content(Record::Repository(record)))?;
                self.blobs(repository)?;
                self.manifests(repository)?;
                self.tags(repository)?;
                self.former_tags(repository)?;
                self.trash(repository)?;
            }
            if !full {
                return Ok(());
            }
        }
    }

    fn blobs(&mut self, repository: RepositoryId) -> Result<(), Ended> {
        let mut last = String::new();
        loop {
            let rows = self.sql.query(
                "SELECT l.digest, b.size, l.linked_at FROM repository_blob AS l JOIN blob AS b ON b.digest = l.digest
                 WHERE l.repository = ?1 AND l.digest > ?2 ORDER BY l.digest LIMIT ?3",
                params![repository, &last, PAGE],
            )?;
            let full = rows.len() == PAGE as usize;
            for mut row in rows {
                let link = BlobLink { digest: row.take()?, size: row.take()?, linked_at: row.take()? };
                last = link.digest.to_string();
                self.give(Entry::Content(Record::Blob(link)))?;
            }
            if !full {
                return Ok(());
            }
        }
    }

    fn manifests(&mut self, repository: RepositoryId) -> Result<(), Ended> {
        let mut last = String::new();
        loop {
            let rows = self.sql.query(
                "SELECT digest, media_type, pushed_at, pulled_at, content FROM manifest
                 WHERE repository = ?1 AND digest > ?2 ORDER BY digest LIMIT ?3",
                params![repository, &last, MANIFESTS],
            )?;
            let full = rows.len() == MANIFESTS as usize;
            for mut row in rows {
                let manifest = ManifestRecord::read(&mut row)?;
                last = manifest.digest.to_string();
                self.give(Entry::Content(Record::Manifest(manifest)))?;
            }
            if !full {
                return Ok(());
            }
        }
    }

    fn tags(&mut self, repository: RepositoryId) -> Result<(), Ended> {
        let mut last = String::new();
        loop {
            let rows = self.sql.query(
                "SELECT name, digest, created_at, moved_at FROM tag WHERE repository = ?1 AND name > ?2
                 ORDER BY name LIMIT ?3",
                params![repository, &last, PAGE],
            )?;
            let full = rows.len() == PAGE as usize;
            for mut row in rows {
                let name: Tag = row.take()?;
                name.as_str().clone_into(&mut last);
                let tag =
                    TagItem { name, digest: row.take()?, created_at: row.take()?, moved_at: row.take()? };
                self.give(Entry::Content(Record::Tag(tag)))?;
            }
            if !full {
                return Ok(());
            }
        }
    }

    fn former_tags(&mut self, repository: RepositoryId) -> Result<(), Ended> {
        let mut last = 0_i64;
        loop {
            let rows = self.sql.query(
                "SELECT id, name, digest, replaced_at, account FROM tag_history
                 WHERE repository = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
                params![repository, last, PAGE],
            )?;
            let full = rows.len() == PAGE as usize;
            for mut row in rows {
                last = row.take()?;
                let former = FormerTag {
                    name: row.take()?,
                    digest: row.take()?,
                    replaced_at: row.take()?,
                    account: row.take()?,
                };
                self.give(Entry::Content(Record::FormerTag(former)))?;
            }
            if !full {
                return Ok(());
            }
        }
    }

    fn trash(&mut self, repository: RepositoryId) -> Result<(), Ended> {
        for run in trash::runs(self.sql, repository)? {
            let id = run.id;
            self.give(Entry::Content(Record::TrashRun(run)))?;
            let mut last = 0;
            loop {
                let (manifests, after) = trash::manifests(self.sql, id, repository, last, MANIFESTS)?;
                let full = manifests.len() == MANIFESTS as usize;
                last = after;
                for manifest in manifests {
                    self.give(Entry::Content(Record::TrashedManifest(manifest)))?;
                }
                if !full {
                    break;
                }
            }
            for tag in trash::tags(self.sql, id, repository)? {
                self.give(Entry::Content(Record::TrashedTag(tag)))?;
            }
        }
        Ok(())
    }

    fn stored(&mut self) -> Result<(), Ended> {
        let mut last = String::new();
        loop {
            let mut rows = self.sql.query(
                "SELECT digest, size, object_key, damaged, created_at FROM blob WHERE digest > ?1
                 AND EXISTS (SELECT 1 FROM repository_blob AS l WHERE l.digest = blob.digest)
                 ORDER BY digest LIMIT ?2",
                params![&last, PAGE],
            )?;
            for row in &mut rows {
                let blob = BlobRecord::read(row)?;
                last = blob.digest.to_string();
                self.give(Entry::Stored(blob))?;
            }
            if rows.len() < PAGE as usize {
                return Ok(());
            }
        }
    }
}

fn owner(row: &mut Row) -> Result<OwnerRecord> {
    let mut owner = OwnerRecord {
        id: row.take()?,
        name: row.take()?,
        kind: row.take()?,
        quota: row.take()?,
        layer_limit: row.take()?,
        created_at: row.take()?,
        account: None,
        forge_id: None,
        former_names: Vec::new(),
    };
    let (admin, disabled): (Option<bool>, Option<bool>) = (row.take()?, row.take()?);
    let password_hash = row.take::<Option<String>>()?.map(Hidden);
    if let (Some(admin), Some(disabled)) = (admin, disabled) {
        owner.account = Some(AccountRecord { password_hash, admin, disabled });
    }
    owner.forge_id = row.take()?;
    Ok(owner)
}

fn token(row: &mut Row) -> Result<TokenRecord> {
    Ok(TokenRecord {
        id: row.take()?,
        user: row.take()?,
        name: row.take()?,
        secret_hash: Hidden(hex(&row.take::<Vec<u8>>()?)),
        scopes: row.take()?,
        created_at: row.take()?,
        expires_at: row.take()?,
        revoked_at: row.take()?,
        used_at: row.take()?,
        used_from: row.take()?,
    })
}

fn audit(row: &mut Row) -> Result<AuditItem> {
    Ok(AuditItem {
        id: row.take()?,
        at: row.take()?,
        account: row.take()?,
        token: row.take()?,
        address: row.take()?,
        action: row.take()?,
        target: row.take()?,
        outcome: row.take()?,
        detail: row.take()?,
    })
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
