//! Backs up what a registry serves, in the format of all backups.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};

use railhead_catalog::{BlobLink, ManifestRecord, Record, RepositoryRecord, TagItem, Timestamp, Visibility};
use railhead_client::{Known, Met, Registry, Visitor};
use railhead_oci::{Digest, RepositoryName, Tag};

use crate::format::{Absence, Counts, PartKind};
use crate::lock::{Lock, Purpose};
use crate::scratch::{PartWriter, Scratch, failed};
use crate::seal::Recipient;
use crate::spool::{Spooled, Work};
use crate::take::{Begun, Made, Origin, Plan, write};
use crate::vault::Vault;
use crate::{Error, Result};

/// What a registry is asked for.
pub struct Asked<'a> {
    /// The registry.
    pub client: &'a Registry,
    /// Only these owners.
    pub owners: Vec<String>,
    /// Only these repositories; then no list is asked for.
    pub repositories: Vec<RepositoryName>,
}

/// Backs up what a registry serves. It has no accounts: those are the registry's own business.
pub async fn backup_registry(plan: &Plan<'_>, asked: &Asked<'_>) -> Result<Made> {
    let begun = Begun::now(plan);
    let lock = Lock::take(plan.vault, Purpose::Backup, plan.times).await?;
    let made = async {
        let scratch = Scratch::new(plan.scratch)?;
        let spooled = spool(asked, &scratch).await?;
        write(plan, &lock, &spooled, &Serving { client: asked.client }, begun).await
    };
    let made = made.await;
    lock.release().await;
    made
}

async fn spool(asked: &Asked<'_>, scratch: &Scratch) -> Result<Spooled> {
    let origin = asked.client.http().origin();
    let found = if asked.repositories.is_empty() {
        let found = asked.client.find(&asked.owners).await?.ok_or_else(|| {
            Error::NotThere(format!(
                "list of repositories at {origin}: name those that are meant with --repository"
            ))
        })?;
        for (owner, error) in &found.unlisted {
            // What tags name is listed all the same.
            tracing::warn!(owner, %error, "the forge does not list the packages of this owner");
        }
        found.repositories
    } else {
        asked.repositories.iter().map(|name| (name.clone(), Known::default())).collect()
    };
    if found.is_empty() {
        return Err(Error::NotThere(format!("repository at {origin} that this account may see")));
    }
    let now = Timestamp::now();
    let mut spooler = Spooler { parts: Vec::new(), blobs: BTreeMap::new(), counts: Counts::default() };
    let mut open: Option<(String, PartWriter)> = None;
    // They come in the order of their names, so an owner's come together.
    for (name, known) in found {
        let mut served = Served::new(&name, now);
        asked.client.walk(&name, known.manifests, &mut served).await?;
        let visibility = visibility(asked.client, known.is_public, &served).await;
        let owner = name.owner().to_owned();
        if open.as_ref().is_none_or(|(of, _)| *of != owner) {
            if let Some((_, part)) = open.take() {
                spooler.parts.push(part.finish()?);
            }
            let path = scratch.file(&format!("part-{}", spooler.parts.len()));
            open = Some((owner.clone(), PartWriter::create(path, PartKind::Content, Some(owner))?));
        }
        if let Some((_, part)) = &mut open {
            spooler.repository(part, &name, visibility, served, now)?;
        }
    }
    if let Some((_, part)) = open {
        spooler.parts.push(part.finish()?);
    }
    spooler.finish(scratch)
}

/// Who may pull: everybody, when the forge says so and one who has not logged in is served. A forge whose owners are public may
/// let nobody in without an account.
async fn visibility(client: &Registry, is_public: bool, served: &Served<'_>) -> Visibility {
    let Some(digest) = served.manifests.keys().next().filter(|_| is_public) else {
        return Visibility::Private;
    };
    match client.anonymous().head_manifest(served.name, &digest.to_string()).await {
        Ok(Some(_)) => Visibility::Public,
        // A refusal; should it have been anything else, private is the side that harms nobody.
        Ok(None) | Err(_) => Visibility::Private,
    }
}

/// A repository as a registry serves it.
struct Served<'a> {
    name: &'a RepositoryName,
    now: Timestamp,
    manifests: BTreeMap<Digest, ManifestRecord>,
    tags: Vec<TagItem>,
    /// Blobs with their sizes.
    blobs: BTreeMap<Digest, u64>,
}

impl<'a> Served<'a> {
    fn new(name: &'a RepositoryName, now: Timestamp) -> Self {
        Self { name, now, manifests: BTreeMap::new(), tags: Vec::new(), blobs: BTreeMap::new() }
    }
}

impl Visitor for Served<'_> {
    type Error = Error;

    fn tag(&mut self, name: Tag, digest: Digest) -> Result<()> {
        self.tags.push(TagItem { name, digest, created_at: self.now, moved_at: self.now });
        Ok(())
    }

    fn manifest(&mut self, met: Met) -> Result<()> {
        let Met { digest, media_type, content, blobs, .. } = met;
        let content = String::from_utf8(content.to_vec()).map_err(|_| Error::Source {
            digest,
            what: format!("a manifest of {} is not text", self.name),
        })?;
        self.blobs.extend(blobs.into_iter().filter_map(|(digest, size)| Some((digest, size?))));
        let record = ManifestRecord { digest, media_type, pushed_at: self.now, pulled_at: None, content };
        self.manifests.insert(digest, record);
        Ok(())
    }

    /// It went while this looked.
    fn absent(&mut self, _: &str) -> Result<()> {
        Ok(())
    }

    fn broken(&mut self, _: &str, _: Option<Digest>, error: railhead_client::Error) -> Result<()> {
        Err(error.into())
    }
}

struct Spooler {
    parts: Vec<(crate::format::Part, std::path::PathBuf)>,
    /// Each with a repository that has it.
    blobs: BTreeMap<Digest, (u64, RepositoryName)>,
    counts: Counts,
}

impl Spooler {
    fn repository(
        &mut self,
        part: &mut PartWriter,
        name: &RepositoryName,
        visibility: Visibility,
        served: Served<'_>,
        now: Timestamp,
    ) -> Result<()> {
        self.counts.repositories += 1;
        let record =
            RepositoryRecord { name: name.clone(), visibility, created_at: now, follows_forge: false };
        part.record(&Record::Repository(record))?;
        for (digest, size) in served.blobs {
            part.record(&Record::Blob(BlobLink { digest, size, linked_at: now }))?;
            self.blobs.entry(digest).or_insert_with(|| (size, name.clone()));
        }
        for manifest in served.manifests.into_values() {
            self.counts.manifests += 1;
            part.record(&Record::Manifest(manifest))?;
        }
        for tag in served.tags {
            self.counts.tags += 1;
            part.record(&Record::Tag(tag))?;
        }
        Ok(())
    }

    fn finish(mut self, scratch: &Scratch) -> Result<Spooled> {
        let work = scratch.file("work");
        let mut list = PartWriter::create(scratch.file("blobs"), PartKind::Blobs, None)?;
        let mut out = BufWriter::new(File::create(&work).map_err(failed("write", &work))?);
        for (digest, (size, name)) in self.blobs {
            list.line(format_args!("{digest} {size}"))?;
            writeln!(out, "{digest} {size} 0 {name}").map_err(failed("write", &work))?;
            self.counts.blobs += 1;
            self.counts.bytes += size;
        }
        out.flush().map_err(failed("write", &work))?;
        self.parts.push(list.finish()?);
        Ok(Spooled::of(self.parts, self.counts, work))
    }
}

/// Blobs that a registry serves; the key of each is a repository that has it.
struct Serving<'a> {
    client: &'a Registry,
}

impl Origin for Serving<'_> {
    async fn copy(
        &self,
        vault: &Vault,
        file: &str,
        recipients: &[Recipient],
        work: &Work,
    ) -> Result<Option<Absence>> {
        let name: RepositoryName = work.key.parse().map_err(|_| Error::CutOff)?;
        let content = self.client.open_blob(&name, &work.digest).await;
        let copied = match content {
            Ok(mut content) => {
                vault.write(file, recipients, &mut content, Some(&work.digest)).await.map(drop)
            }
            Err(error) => Err(error.into()),
        };
        match copied {
            Ok(()) => Ok(None),
            Err(Error::Source { what, .. }) => Ok(Some(Absence::Damaged { what })),
            // The registry answered, and not with the blob: that is a fact of this blob. No answer is a fact of the registry.
            Err(Error::Registry(error @ railhead_client::Error::Unexpected { .. })) => {
                Ok(Some(Absence::Damaged { what: error.to_string() }))
            }
            Err(error) => Err(error),
        }
    }
}
