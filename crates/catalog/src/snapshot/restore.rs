//! Writes a snapshot into a catalog.
//!
//! Order: [`Catalog::begin_restore`] → [`Catalog::restore_objects`] as objects arrive in the store →
//! [`Catalog::restore_accounts`] → [`Catalog::restore_audit`] → [`Catalog::restore_content`] and [`Catalog::restore_usage`] for
//! each owner → [`Catalog::end_restore`].
//!
//! Invariant: between the first and the last step the catalog says that it is being restored, so that nobody serves it; and
//! every step may be done again, so that a restore that was stopped goes on.

use railhead_oci::{Digest, Manifest};

use super::records::{
    BlobLink, FormerTag, ManifestRecord, MemberRecord, OwnerRecord, Record, RepositoryRecord, TagItem,
    TokenRecord,
};
use super::trash::{self, TrashBatch};
use crate::owners::{bump_generation, name_key};
use crate::sql::{Dialect, Sql, params};
use crate::{Catalog, Error, OwnerId, RepositoryId, Result, Timestamp};

/// Where a catalog says that it is being restored, and from what.
const MARK: &str = "restore.under-way";

/// A part of one repository.
#[derive(Clone, Debug)]
pub struct RepositoryBatch {
    /// The repository; it is made when missing.
    pub repository: RepositoryRecord,
    /// Whether it is the first part: what an earlier attempt wrote of its history is dropped.
    pub first: bool,
    /// Blobs, whose objects are known.
    pub blobs: Vec<BlobLink>,
    /// Manifests.
    pub manifests: Vec<ManifestRecord>,
    /// Tags; their manifests are there or in this part.
    pub tags: Vec<TagItem>,
    /// What tags named before.
    pub former: Vec<FormerTag>,
    /// What is in the trash.
    pub trash: TrashBatch,
}

impl RepositoryBatch {
    /// A part without anything in it.
    pub fn empty(repository: RepositoryRecord, first: bool) -> Self {
        Self {
            repository,
            first,
            blobs: Vec::new(),
            manifests: Vec::new(),
            tags: Vec::new(),
            former: Vec::new(),
            trash: TrashBatch::default(),
        }
    }
}

impl Catalog {
    /// What is being restored into this catalog, if anything is.
    pub async fn restoring(&self) -> Result<Option<String>> {
        self.read("look whether it is being restored", |sql| mark(sql)).await
    }

    /// Says that `what` is being restored from now on. [`Error::AlreadyExists`] when there are owners, or when something else
    /// is being restored. True when an earlier attempt of the same goes on.
    pub async fn begin_restore(&self, what: &str) -> Result<bool> {
        let what = what.to_owned();
        self.write("begin a restore", move |sql| {
            match mark(sql)? {
                Some(found) if found == what => return Ok(true),
                Some(found) => return Err(Error::AlreadyExists(format!("the restore of {found}"))),
                None => {}
            }
            if let Some(mut row) = sql.first("SELECT name FROM owner ORDER BY id LIMIT 1", &[])? {
                return Err(Error::AlreadyExists(format!("an owner '{}'", row.take::<String>()?)));
            }
            let statement = "INSERT INTO setting (name, value) VALUES (?1, ?2)";
            sql.execute(statement, params![MARK, what.as_bytes()])?;
            Ok(false)
        })
        .await
    }

    /// Notes objects that are in the store: digest, size, key.
    pub async fn restore_objects(&self, objects: Vec<(Digest, u64, String)>, now: Timestamp) -> Result<()> {
        self.write("restore blobs", move |sql| {
            for (digest, size, key) in &objects {
                sql.execute(
                    "INSERT INTO blob (digest, size, object_key, damaged, created_at) VALUES (?1, ?2, ?3, 0, ?4)
                     ON CONFLICT (digest) DO UPDATE SET object_key = excluded.object_key, damaged = 0",
                    params![digest, *size, key, now],
                )?;
                // An earlier attempt may have found nothing sound.
                crate::damage::healed(sql, digest)?;
            }
            Ok(())
        })
        .await
    }

    /// Writes owners, members and tokens, in this order.
    pub async fn restore_accounts(&self, records: Vec<Record>) -> Result<()> {
        self.write("restore accounts", move |sql| {
            for record in &records {
                match record {
                    Record::Owner(owner) => restore_owner(sql, owner)?,
                    Record::Member(member) => restore_member(sql, member)?,
                    Record::Token(token) => restore_token(sql, token)?,
                    _ => return Err(Error::Corrupt("content stands among the accounts".to_owned())),
                }
            }
            bump_generation(sql)
        })
        .await
    }

    /// Writes acts that were recorded.
    pub async fn restore_audit(&self, records: Vec<Record>) -> Result<()> {
        self.write("restore the audit", move |sql| {
            for record in &records {
                let Record::Audit(item) = record else {
                    return Err(Error::Corrupt("something else stands in the audit".to_owned()));
                };
                sql.execute(
                    "INSERT INTO audit (id, at, account, token, address, action, target, outcome, detail)
                     /*postgres: OVERRIDING SYSTEM VALUE*/ VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                     ON CONFLICT (id) DO NOTHING",
                    params![
                        item.id,
                        item.at,
                        item.account,
                        item.token,
                        item.address.as_deref(),
                        &item.action,
                        &item.target,
                        &item.outcome,
                        item.detail.as_deref()
                    ],
                )?;
            }
            Ok(())
        })
        .await
    }

    /// Writes a part of a repository; blobs come before the manifests that need them. What none needs may go at `due`.
    pub async fn restore_content(&self, batch: RepositoryBatch, due: Timestamp) -> Result<()> {
        self.write("restore a repository", move |sql| content(sql, &batch, due)).await
    }

    /// Makes sure that ids which are given from now on are none that was restored so far: before something is made beside what is
    /// restored.
    pub async fn restore_ids(&self) -> Result<()> {
        self.write("look for the ids that were given", sequences).await
    }

    /// Computes what an owner uses from what was restored.
    pub async fn restore_usage(&self, owner: OwnerId) -> Result<()> {
        self.write("count what an owner uses", move |sql| usage(sql, owner)).await
    }

    /// The restore is complete: the catalog may be served.
    pub async fn end_restore(&self) -> Result<()> {
        self.write("end a restore", |sql| {
            sequences(sql)?;
            sql.execute("DELETE FROM setting WHERE name = ?1", params![MARK])?;
            bump_generation(sql)
        })
        .await
    }
}

fn mark(sql: &mut dyn Sql) -> Result<Option<String>> {
    let row = sql.first("SELECT value FROM setting WHERE name = ?1", params![MARK])?;
    let Some(mut row) = row else { return Ok(None) };
    let bytes: Vec<u8> = row.take()?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

fn restore_owner(sql: &mut dyn Sql, owner: &OwnerRecord) -> Result<()> {
    crate::owners::check_name(&owner.name)?;
    sql.execute(
        "INSERT INTO owner (id, name_key, name, kind, quota, layer_limit, created_at)
         /*postgres: OVERRIDING SYSTEM VALUE*/ VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO NOTHING",
        params![
            owner.id,
            name_key(&owner.name),
            &owner.name,
            owner.kind.name(),
            owner.quota,
            owner.layer_limit,
            owner.created_at
        ],
    )?;
    if let Some(forge_id) = owner.forge_id {
        sql.execute(
            "INSERT INTO forge_owner (owner, forge_id) VALUES (?1, ?2) ON CONFLICT (owner) DO NOTHING",
            params![owner.id, forge_id],
        )?;
    }
    for (name, renamed_at) in &owner.former_names {
        sql.execute(
            "INSERT INTO former_name (name_key, owner, renamed_at) VALUES (?1, ?2, ?3) ON CONFLICT (name_key) DO NOTHING",
            params![name, owner.id, *renamed_at],
        )?;
    }
    let Some(account) = &owner.account else { return Ok(()) };
    sql.execute(
        "INSERT INTO account (owner, password_hash, admin, disabled) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (owner) DO NOTHING",
        params![
            owner.id,
            account.password_hash.as_ref().map(|hash| hash.0.as_str()),
            account.admin,
            account.disabled
        ],
    )?;
    Ok(())
}

fn restore_member(sql: &mut dyn Sql, member: &MemberRecord) -> Result<()> {
    sql.execute(
        "INSERT INTO member (organisation, account, role) VALUES (?1, ?2, ?3)
         ON CONFLICT (organisation, account) DO NOTHING",
        params![member.organisation, member.user, member.role.name()],
    )?;
    Ok(())
}

fn restore_token(sql: &mut dyn Sql, token: &TokenRecord) -> Result<()> {
    let hash = unhex(&token.secret_hash.0)
        .ok_or_else(|| Error::Corrupt(format!("the hash of token {} is none", token.id)))?;
    sql.execute(
        "INSERT INTO token (id, account, name, secret_hash, scopes, created_at, expires_at, revoked_at, used_at, used_from)
         /*postgres: OVERRIDING SYSTEM VALUE*/ VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (id) DO NOTHING",
        params![
            token.id,
            token.user,
            &token.name,
            &hash[..],
            &token.scopes,
            token.created_at,
            token.expires_at,
            token.revoked_at,
            token.used_at,
            token.used_from.as_deref()
        ],
    )?;
    Ok(())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

fn content(sql: &mut dyn Sql, batch: &RepositoryBatch, due: Timestamp) -> Result<()> {
    let id = repository(sql, &batch.repository)?;
    if batch.first {
        sql.execute("DELETE FROM tag_history WHERE repository = ?1", params![id])?;
    }
    for blob in &batch.blobs {
        sql.execute(
            "INSERT INTO repository_blob (repository, digest, linked_at, due_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (repository, digest) DO NOTHING",
            params![id, &blob.digest, blob.linked_at, due],
        )?;
    }
    for manifest in &batch.manifests {
        restore_manifest(sql, id, manifest)?;
    }
    for tag in &batch.tags {
        sql.execute(
            "INSERT INTO tag (repository, name, digest, created_at, moved_at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (repository, name) DO NOTHING",
            params![id, &tag.name, &tag.digest, tag.created_at, tag.moved_at],
        )?;
    }
    for former in &batch.former {
        sql.execute(
            "INSERT INTO tag_history (repository, name, digest, replaced_at, account) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![id, &former.name, &former.digest, former.replaced_at, former.account],
        )?;
    }
    trash::restore(sql, id, &batch.trash)
}

fn repository(sql: &mut dyn Sql, record: &RepositoryRecord) -> Result<RepositoryId> {
    let name = &record.name;
    let row = sql.first("SELECT id FROM owner WHERE name_key = ?1", params![name.owner()])?;
    let mut row = row.ok_or_else(|| Error::NotFound(format!("owner '{}'", name.owner())))?;
    sql.execute(
        "INSERT INTO repository (owner, name, visibility, created_at, decided) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (name) DO NOTHING",
        params![
            row.take::<OwnerId>()?,
            name,
            record.visibility.name(),
            record.created_at,
            !record.follows_forge
        ],
    )?;
    let row = sql.first("SELECT id FROM repository WHERE name = ?1", params![name])?;
    row.ok_or_else(|| Error::NotFound(format!("repository '{name}'")))?.take()
}

fn restore_manifest(sql: &mut dyn Sql, repository: RepositoryId, record: &ManifestRecord) -> Result<()> {
    let bytes = record.content.as_bytes();
    let facts = Manifest::read(Some(&record.media_type), bytes)
        .map_err(|error| Error::Corrupt(format!("manifest {} cannot be read: {error}", record.digest)))?;
    let annotations = (!facts.annotations.is_empty()).then(|| facts.annotations_json());
    let row = sql.first(
        "INSERT INTO manifest
         (repository, digest, media_type, size, subject, artifact_type, annotations, pushed_at, pulled_at, content)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (repository, digest) DO NOTHING RETURNING id",
        params![
            repository,
            &record.digest,
            &record.media_type,
            bytes.len() as u64,
            facts.subject.as_ref(),
            facts.artifact_type.as_deref(),
            annotations.as_deref(),
            record.pushed_at,
            record.pulled_at,
            bytes
        ],
    )?;
    let Some(mut row) = row else { return Ok(()) };
    crate::manifests::refer(sql, repository, row.take()?, &facts.children, &facts.blobs)
}

fn usage(sql: &mut dyn Sql, owner: OwnerId) -> Result<()> {
    sql.execute(
        "UPDATE repository SET bytes = CAST(
           COALESCE((SELECT SUM(b.size) FROM repository_blob AS l JOIN blob AS b ON b.digest = l.digest
             WHERE l.repository = repository.id), 0)
           + COALESCE((SELECT SUM(m.size) FROM manifest AS m WHERE m.repository = repository.id), 0) AS BIGINT)
         WHERE owner = ?1",
        params![owner],
    )?;
    sql.execute("DELETE FROM owner_blob WHERE owner = ?1", params![owner])?;
    sql.execute(
        "INSERT INTO owner_blob (owner, digest, repositories)
         SELECT r.owner, l.digest, COUNT(*) FROM repository_blob AS l JOIN repository AS r ON r.id = l.repository
         WHERE r.owner = ?1 GROUP BY r.owner, l.digest",
        params![owner],
    )?;
    sql.execute(
        "UPDATE owner SET used_bytes = CAST(
           COALESCE((SELECT SUM(b.size) FROM owner_blob AS o JOIN blob AS b ON b.digest = o.digest
             WHERE o.owner = owner.id), 0)
           + COALESCE((SELECT SUM(m.size) FROM manifest AS m JOIN repository AS r ON r.id = m.repository
             WHERE r.owner = owner.id), 0) AS BIGINT)
         WHERE id = ?1",
        params![owner],
    )?;
    Ok(())
}

/// Ids that were ever given, also to what is deleted since, are never given again: the audit and the history of tags
/// remember them.
fn sequences(sql: &mut dyn Sql) -> Result<()> {
    for (table, statement, set) in [
        (
            "owner",
            "SELECT MAX(id) FROM (SELECT id FROM owner UNION ALL SELECT account AS id FROM audit
             UNION ALL SELECT account AS id FROM tag_history) AS given",
            "SELECT setval(pg_get_serial_sequence('owner', 'id'), ?1)",
        ),
        (
            "token",
            "SELECT MAX(id) FROM (SELECT id FROM token UNION ALL SELECT token AS id FROM audit) AS given",
            "SELECT setval(pg_get_serial_sequence('token', 'id'), ?1)",
        ),
        (
            "trash_run",
            "SELECT MAX(id) FROM trash_run",
            "SELECT setval(pg_get_serial_sequence('trash_run', 'id'), ?1)",
        ),
        ("audit", "SELECT MAX(id) FROM audit", "SELECT setval(pg_get_serial_sequence('audit', 'id'), ?1)"),
    ] {
        let last = match sql.first(statement, &[])? {
            Some(mut row) => row.take::<Option<i64>>()?,
            None => None,
        };
        let Some(last) = last.filter(|last| *last > 0) else { continue };
        if sql.dialect() == Dialect::Postgres {
            sql.query(set, params![last])?;
        } else {
            let raise = "UPDATE sqlite_sequence SET seq = MAX(seq, ?2) WHERE name = ?1";
            if sql.execute(raise, params![table, last])? == 0 {
                sql.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)", params![table, last])?;
            }
        }
    }
    Ok(())
}
