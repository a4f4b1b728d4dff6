//! One repository: walked, copied, compared.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use railhead_client::Error;
use railhead_oci::{Digest, RepositoryName, Tag, referrers_subject};

use super::copy::Trouble;
use super::graph::{Graph, Node};
use super::{BlobMoved, ManifestMoved, Outcome, RepositoryMoved, Run, TagMoved, chain};

/// What a repository is moved with.
pub(super) struct Work<'a> {
    pub(super) name: RepositoryName,
    graph: &'a Graph,
    /// Manifests that are versions of their own at the source.
    versions: &'a BTreeSet<Digest>,
    pub(super) record: &'a mut RepositoryMoved,
    /// Blobs that were looked at, and whether they are there.
    blobs: BTreeMap<Digest, bool>,
    /// Manifests that are not at the target.
    lost: BTreeSet<Digest>,
}

/// Whether the rest of a repository is worth trying.
enum Next {
    On,
    Refused,
}

impl Run<'_> {
    /// Moves a repository, of which `versions` are manifests that a forge shows as versions of their own, and `listed` are some that
    /// are there. What is wrong with it is in the record; an error is a registry that does not answer.
    pub(super) async fn repository(
        &mut self,
        record: &mut RepositoryMoved,
        versions: &BTreeSet<Digest>,
        listed: BTreeSet<Digest>,
    ) -> Result<(), Error> {
        let name = record.name.clone();
        let mut graph = Graph::default();
        let known = versions.iter().copied().chain(listed);
        match self.plan.from.client.walk(&name, known, &mut graph).await {
            Ok(()) => {}
            Err(error) if error.is_passing() => return Err(error),
            Err(error) => {
                record.differs("repository", format!("the source does not show it: {}", chain(&error)));
                return Ok(());
            }
        }
        for (reference, why) in &graph.broken {
            record.differs(what(reference), format!("the source serves it, and it is of no use: {why}"));
        }
        record.absent.extend(graph.absent.iter().cloned());
        for (digest, tags) in graph.tags.iter().filter(|(digest, _)| !graph.nodes.contains_key(digest)) {
            for tag in tags.iter().cloned() {
                record.tags.push(TagMoved { tag, digest: *digest, outcome: Outcome::Left, equal: false });
            }
        }
        if !self.may_open(record, &graph).await? {
            return Ok(());
        }
        let (blobs, lost) = (BTreeMap::new(), BTreeSet::new());
        let mut work = Work { name, graph: &graph, versions, record, blobs, lost };
        for digest in graph.order() {
            let Some(node) = graph.nodes.get(&digest) else { continue };
            if let Next::Refused = self.manifest(&mut work, digest, node).await? {
                work.rest_is_left();
                return Ok(());
            }
        }
        self.list_referrers(record, &graph).await?;
        self.open(record, &graph).await?;
        self.link(record).await?;
        self.compare(record, &graph).await
    }

    /// Brings a manifest and what it needs to the target, with its tags.
    async fn manifest(&mut self, work: &mut Work<'_>, digest: Digest, node: &Node) -> Result<Next, Error> {
        let there = self.tags_there(work, digest).await?;
        let is_there = there.same || self.has_manifest(&work.name, &digest.to_string()).await?;
        if let Some(child) = node.children.iter().find(|child| work.lost.contains(child)) {
            work.lose(digest, node, &there.wanted, format!("it lists {child}, which is not there"));
            return Ok(Next::On);
        }
        match self.blobs(work, node).await {
            Ok(()) => {}
            Err(Trouble::Ended(error)) => return Err(error),
            Err(Trouble::Refused(why)) => {
                work.record.differs("repository", format!("the target takes nothing: {why}"));
                return Ok(Next::Refused);
            }
            Err(Trouble::Lost(why)) => {
                work.lose(digest, node, &there.wanted, why);
                return Ok(Next::On);
            }
        }
        if let Err(why) = self.extend_all(work, digest, node, &there.lists).await? {
            work.lose(digest, node, &there.wanted, why);
            return Ok(Next::On);
        }
        if !there.lists.is_empty() && there.wanted.is_empty() && !is_there {
            work.note(digest, node, Outcome::Extended);
            return Ok(Next::On);
        }
        if let Err(trouble) = self.put(work, digest, node, is_there, &there.wanted).await {
            match trouble {
                Trouble::Ended(error) => return Err(error),
                Trouble::Refused(why) | Trouble::Lost(why) => work.lose(digest, node, &there.wanted, why),
            }
            return Ok(Next::On);
        }
        let outcome = if is_there { Outcome::There } else { Outcome::Copied };
        work.note(digest, node, outcome);
        for tag in there.wanted {
            work.record.tags.push(TagMoved { tag, digest, outcome: Outcome::Copied, equal: false });
        }
        Ok(Next::On)
    }

    /// Looks at a manifest's tags at the target: those that name it, those that name something else, and those to be put.
    async fn tags_there(&self, work: &mut Work<'_>, digest: Digest) -> Result<TagsThere, Error> {
        let mut there = TagsThere { same: false, wanted: Vec::new(), lists: Vec::new() };
        for tag in work.graph.tags_of(&digest) {
            match self.named(&work.name, tag).await? {
                Some(named) if named == digest => {
                    there.same = true;
                    let outcome = Outcome::There;
                    work.record.tags.push(TagMoved { tag: tag.clone(), digest, outcome, equal: false });
                }
                Some(_) if referrers_subject(tag).is_some() => there.lists.push(tag.clone()),
                Some(named) if !self.plan.replace => {
                    let why = format!("the target names {named}; --replace moves it");
                    work.record.differs(format!("tag {tag}"), why);
                    let outcome = Outcome::Left;
                    work.record.tags.push(TagMoved { tag: tag.clone(), digest, outcome, equal: false });
                }
                _ => there.wanted.push(tag.clone()),
            }
        }
        Ok(there)
    }

    /// Brings the blobs of a manifest to the target, several at the same time.
    async fn blobs(&mut self, work: &mut Work<'_>, node: &Node) -> Result<(), Trouble> {
        let new: Vec<_> = node.blobs.iter().filter(|(digest, _)| !work.blobs.contains_key(digest)).collect();
        let run: &Self = self;
        let name = &work.name;
        let moving = new.into_iter().map(|(digest, size)| async move {
            let moved = run.blob(name, digest, *size).await;
            run.tell(|progress| progress.blobs += 1);
            (*digest, *size, moved)
        });
        let mut moving = stream::iter(moving).buffer_unordered(self.plan.parallel.max(1));
        let mut done = Vec::new();
        while let Some((digest, size, moved)) = moving.next().await {
            match moved {
                Ok((outcome, size)) => done.push((digest, size, outcome)),
                Err(Trouble::Lost(why)) => {
                    work.record.differs(format!("blob {digest}"), why);
                    done.push((digest, size, Outcome::Left));
                }
                Err(other) => return Err(other),
            }
        }
        drop(moving);
        for (digest, size, outcome) in done {
            let is_there = outcome != Outcome::Left;
            work.blobs.insert(digest, is_there);
            work.record.blobs.push(BlobMoved { digest, size, outcome, equal: outcome == Outcome::There });
            if is_there {
                self.place(digest, &work.name.clone());
            }
        }
        match node.blobs.iter().find(|(digest, _)| work.blobs.get(digest) == Some(&false)) {
            Some((digest, _)) => Err(Trouble::Lost(format!("it needs blob {digest}, which is not there"))),
            None => Ok(()),
        }
    }

    /// Puts a manifest: under its tags, or by its digest where it has none or is a version of its own.
    async fn put(
        &self,
        work: &Work<'_>,
        digest: Digest,
        node: &Node,
        is_there: bool,
        tags: &[Tag],
    ) -> Result<(), Trouble> {
        let by_digest = !is_there && (tags.is_empty() || work.versions.contains(&digest));
        if !by_digest && tags.is_empty() {
            return Ok(());
        }
        let content = self.content(&work.name, &digest, node).await?;
        let references = by_digest.then(|| digest.to_string());
        for reference in references.into_iter().chain(tags.iter().map(ToString::to_string)) {
            let to = &self.plan.to.client;
            let pushed = to.put_manifest(&work.name, &reference, &node.media_type, content.clone()).await;
            pushed.map_err(Trouble::of_target)?;
        }
        Ok(())
    }

    /// A manifest's bytes: as they were kept, or from the source once more.
    pub(super) async fn content(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        node: &Node,
    ) -> Result<Bytes, Trouble> {
        if let Some(content) = &node.content {
            return Ok(content.clone());
        }
        match self.plan.from.client.manifest(name, &digest.to_string()).await {
            Ok(Some(answer)) => Ok(answer.body),
            Ok(None) => Err(Trouble::Lost("it has gone from the source meanwhile".to_owned())),
            Err(error) if error.is_passing() => Err(Trouble::Ended(error)),
            Err(error) => Err(Trouble::Lost(chain(&error))),
        }
    }

    /// What a tag of the target names.
    pub(super) async fn named(&self, name: &RepositoryName, tag: &Tag) -> Result<Option<Digest>, Error> {
        let to = &self.plan.to.client;
        let said = match to.head_manifest(name, tag.as_str()).await {
            Ok(Some(answer)) => answer.header("docker-content-digest").and_then(|said| said.parse().ok()),
            // Who refuses to show it will refuse the push, and say why.
            Ok(None) | Err(Error::Unexpected { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        if said.is_some() {
            return Ok(said);
        }
        let answer = to.manifest(name, tag.as_str()).await?;
        Ok(answer.map(|answer| Digest::sha256(&answer.body)))
    }

    pub(super) async fn has_manifest(&self, name: &RepositoryName, reference: &str) -> Result<bool, Error> {
        match self.plan.to.client.head_manifest(name, reference).await {
            Ok(answer) => Ok(answer.is_some()),
            Err(Error::Unexpected { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Asks the target for everything once more.
    async fn compare(&self, record: &mut RepositoryMoved, graph: &Graph) -> Result<(), Error> {
        let to = &self.plan.to.client;
        let RepositoryMoved { name, tags, manifests, blobs, .. } = &*record;
        let mut found = Vec::new();
        let mut same_tags = Vec::with_capacity(tags.len());
        for tag in tags {
            if tag.outcome == Outcome::Extended {
                let same = self.lists_all(name, &tag.tag, graph.nodes.get(&tag.digest)).await?;
                if !same {
                    found.push((format!("tag {}", tag.tag), "the target's list lacks some of it".to_owned()));
                }
                same_tags.push(same);
                continue;
            }
            let named = if tag.outcome == Outcome::Left { None } else { self.named(name, &tag.tag).await? };
            if named != Some(tag.digest) && tag.outcome != Outcome::Left {
                let now = named.map_or_else(|| "nothing".to_owned(), |named| named.to_string());
                found.push((format!("tag {}", tag.tag), format!("the target names {now}")));
            }
            same_tags.push(named == Some(tag.digest));
        }
        let mut same_manifests = Vec::with_capacity(manifests.len());
        for manifest in manifests {
            if manifest.outcome == Outcome::Extended {
                let mut its = tags.iter().zip(&same_tags).filter(|(tag, _)| tag.digest == manifest.digest);
                same_manifests.push(its.all(|(_, same)| *same));
                continue;
            }
            // A pull by digest compares the bytes with it.
            let served = match to.manifest(name, &manifest.digest.to_string()).await {
                Ok(Some(_)) => Ok(()),
                Ok(None) => Err("the target does not have it".to_owned()),
                Err(error) if error.is_passing() => return Err(error),
                Err(error) => Err(chain(&error)),
            };
            same_manifests.push(served.is_ok());
            if let (Err(why), true) = (served, manifest.outcome != Outcome::Left) {
                found.push((format!("manifest {}", manifest.digest), why));
            }
        }
        let mut same_blobs = Vec::with_capacity(blobs.len());
        for blob in blobs {
            let same = self.same_blob(name, blob).await?;
            same_blobs.push(same.is_ok());
            if let (Err(why), true) = (same, blob.outcome != Outcome::Left) {
                found.push((format!("blob {}", blob.digest), why));
            }
        }
        for (tag, same) in record.tags.iter_mut().zip(same_tags) {
            tag.equal = same;
        }
        for (manifest, same) in record.manifests.iter_mut().zip(same_manifests) {
            manifest.equal = same;
        }
        for (blob, same) in record.blobs.iter_mut().zip(same_blobs) {
            blob.equal = same;
        }
        for (what, why) in found {
            record.differs(what, why);
        }
        Ok(())
    }

    /// Whether the target has a blob; one that it had at the first look is not asked for again, unless it is to be read.
    async fn same_blob(&self, name: &RepositoryName, blob: &BlobMoved) -> Result<Result<(), String>, Error> {
        let to = &self.plan.to.client;
        if self.plan.rehash && blob.outcome != Outcome::Left {
            return match to.read_blob(name, &blob.digest, |_| ()).await {
                Ok(_) => Ok(Ok(())),
                Err(error) if error.is_passing() => Err(error),
                Err(error) => Ok(Err(chain(&error))),
            };
        }
        match blob.outcome {
            Outcome::There | Outcome::Extended => Ok(Ok(())),
            Outcome::Left => Ok(Err("it was not copied".to_owned())),
            Outcome::Mounted | Outcome::Copied => {
                Ok(match (to.blob_size(name, &blob.digest).await?, blob.size) {
                    (None, _) => Err("the target does not have it".to_owned()),
                    (Some(there), Some(size)) if there != size => {
                        Err(format!("it has {size} bytes, and the target's has {there}"))
                    }
                    _ => Ok(()),
                })
            }
        }
    }
}

/// A manifest's tags at the target.
struct TagsThere {
    /// Whether one of them names it.
    same: bool,
    /// Those that are to be put.
    wanted: Vec<Tag>,
    /// Fallback tags with another list, which is to be extended.
    lists: Vec<Tag>,
}

impl Work<'_> {
    fn note(&mut self, digest: Digest, node: &Node, outcome: Outcome) {
        let (media_type, size) = (node.media_type.clone(), node.size as u64);
        self.record.manifests.push(ManifestMoved { digest, media_type, size, outcome, equal: false });
    }

    fn lose(&mut self, digest: Digest, node: &Node, tags: &[Tag], why: String) {
        self.record.differs(format!("manifest {digest}"), why);
        self.note(digest, node, Outcome::Left);
        for tag in tags {
            let (tag, outcome) = (tag.clone(), Outcome::Left);
            self.record.tags.push(TagMoved { tag, digest, outcome, equal: false });
        }
        self.lost.insert(digest);
    }

    /// Notes all that was not looked at as not there.
    fn rest_is_left(&mut self) {
        let noted: BTreeSet<Digest> = self.record.manifests.iter().map(|one| one.digest).collect();
        let tagged: BTreeSet<Tag> = self.record.tags.iter().map(|one| one.tag.clone()).collect();
        let graph = self.graph;
        for (digest, node) in graph.nodes.iter().filter(|(digest, _)| !noted.contains(digest)) {
            self.note(*digest, node, Outcome::Left);
        }
        for (digest, tags) in &graph.tags {
            for tag in tags.iter().filter(|tag| !tagged.contains(tag)) {
                let (tag, digest, outcome) = (tag.clone(), *digest, Outcome::Left);
                self.record.tags.push(TagMoved { tag, digest, outcome, equal: false });
            }
        }
    }
}

/// What a reference is called in a report.
fn what(reference: &str) -> String {
    let kind = if reference.parse::<Digest>().is_ok() { "manifest" } else { "tag" };
    format!("{kind} {reference}")
}
