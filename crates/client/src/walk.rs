//! Walks all of a repository that a registry serves: tags, manifests below them, what refers to those, and what else is known
//! to be there.
//!
//! A [`Visitor`] is told each tag and each manifest once. The walk itself remembers only digests, so what it costs in memory is
//! the visitor's choice. What cannot be had is told too, and the walk goes on; only a registry that does not answer ends it.

use std::collections::HashSet;

use bytes::Bytes;
use http::{Request, StatusCode};
use railhead_oci::media::ManifestKind;
use railhead_oci::{Digest, Manifest, RepositoryName, Tag, parse_next_link};

use crate::http1::{Answer, empty};
use crate::{Descriptors, Error, Registry, Result};

/// Pages of the referrers of one manifest.
const REFERRER_PAGES_MAX: usize = 1000;

/// A manifest as a registry serves it.
#[derive(Clone, Debug)]
pub struct Met {
    /// Its digest, which its content has.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its content.
    pub content: Bytes,
    /// What it says of itself.
    pub facts: Manifest,
    /// The blobs it names, each once, with the sizes that it or the registry says. What it lists is among them where that is no
    /// manifest, as in a build cache.
    pub blobs: Vec<(Digest, Option<u64>)>,
    /// The manifests it lists, whether they are there or not.
    pub children: Vec<Digest>,
}

/// Who is told what a walk meets.
pub trait Visitor {
    /// Why it ends the walk.
    type Error: From<Error>;

    /// A tag, and what it names.
    fn tag(&mut self, tag: Tag, digest: Digest) -> Result<(), Self::Error>;

    /// A manifest.
    fn manifest(&mut self, met: Met) -> Result<(), Self::Error>;

    /// A tag that was listed, or a manifest that something names, and that is not there.
    fn absent(&mut self, reference: &str) -> Result<(), Self::Error>;

    /// A manifest that is served and of no use, and why.
    fn broken(&mut self, reference: &str, digest: Option<Digest>, error: Error) -> Result<(), Self::Error>;
}

impl Registry {
    /// Walks a repository; `known` are manifests that are there though no tag may name them.
    pub async fn walk<V: Visitor>(
        &self,
        name: &RepositoryName,
        known: impl IntoIterator<Item = Digest>,
        visitor: &mut V,
    ) -> Result<(), V::Error> {
        let mut walk = Walk { registry: self, name, seen: HashSet::new(), waiting: Vec::new(), refers: true };
        for tag in self.all_tags(name).await? {
            if let Some((digest, answer)) = walk.get(tag.as_str(), None, visitor).await? {
                visitor.tag(tag, digest)?;
                walk.manifest(digest, &answer, visitor).await?;
                walk.below(visitor).await?;
            }
        }
        walk.waiting.extend(known);
        walk.below(visitor).await
    }
}

struct Walk<'a> {
    registry: &'a Registry,
    name: &'a RepositoryName,
    seen: HashSet<Digest>,
    waiting: Vec<Digest>,
    /// Whether the registry lists referrers; one that does answers for everything.
    refers: bool,
}

impl Walk<'_> {
    /// All that waits, and what that leads to.
    async fn below<V: Visitor>(&mut self, visitor: &mut V) -> Result<(), V::Error> {
        while let Some(digest) = self.waiting.pop() {
            if self.seen.contains(&digest) {
                continue;
            }
            match self.get(&digest.to_string(), Some(digest), visitor).await? {
                Some((_, answer)) => self.manifest(digest, &answer, visitor).await?,
                None => {
                    self.seen.insert(digest);
                }
            }
        }
        Ok(())
    }

    /// Asks for a manifest. A tag may go while this looks at it.
    async fn get<V: Visitor>(
        &self,
        reference: &str,
        digest: Option<Digest>,
        visitor: &mut V,
    ) -> Result<Option<(Digest, Answer)>, V::Error> {
        match self.registry.manifest(self.name, reference).await {
            Ok(Some(answer)) => Ok(Some((digest.unwrap_or_else(|| digest_of(&answer)), answer))),
            Ok(None) => visitor.absent(reference).map(|()| None),
            Err(error) if error.is_passing() => Err(error.into()),
            Err(error) => visitor.broken(reference, digest, error).map(|()| None),
        }
    }

    async fn manifest<V: Visitor>(
        &mut self,
        digest: Digest,
        answer: &Answer,
        visitor: &mut V,
    ) -> Result<(), V::Error> {
        if !self.seen.insert(digest) {
            return Ok(());
        }
        let media_type = answer.header("content-type").filter(|kind| !kind.is_empty());
        let facts = match Manifest::read(media_type, &answer.body) {
            Ok(facts) => facts,
            Err(error) => {
                let asked = format!("GET /v2/{}/manifests/{digest}", self.name);
                let error = self.registry.unexpected(answer, asked, format!("which cannot be read: {error}"));
                return visitor.broken(&digest.to_string(), Some(digest), error);
            }
        };
        let named = Descriptors::read(&answer.body);
        let mut blobs = Vec::new();
        for blob in named.blobs() {
            blobs.push((blob.digest, self.size(&blob.digest, blob.size).await?));
        }
        let mut children = Vec::new();
        for child in named.children {
            let is_manifest = ManifestKind::of(&child.media_type) != ManifestKind::Other
                || self.registry.head_manifest(self.name, &child.digest.to_string()).await?.is_some();
            if is_manifest {
                children.push(child.digest);
            } else if self.registry.has_blob(self.name, &child.digest).await? {
                blobs.push((child.digest, self.size(&child.digest, child.size).await?));
            } else {
                visitor.absent(&child.digest.to_string())?;
            }
        }
        self.waiting.extend(&children);
        let referrers = self.referrers(&digest).await?;
        self.waiting.extend(referrers);
        let media_type = facts.media_type.clone();
        visitor.manifest(Met { digest, media_type, content: answer.body.clone(), facts, blobs, children })
    }

    /// The size of a blob: as its descriptor says it, or else the registry.
    async fn size(&self, digest: &Digest, said: Option<u64>) -> Result<Option<u64>> {
        match said {
            Some(size) => Ok(Some(size)),
            None => self.registry.blob_size(self.name, digest).await,
        }
    }

    /// Manifests about a manifest, where the registry lists them (spec, *Listing Referrers*).
    async fn referrers(&mut self, subject: &Digest) -> Result<Vec<Digest>> {
        let mut all = Vec::new();
        if !self.refers {
            return Ok(all);
        }
        let mut path = format!("/v2/{}/referrers/{subject}", self.name);
        let scope = format!("repository:{}:pull", self.name);
        for _ in 0..REFERRER_PAGES_MAX {
            let answer = self.registry.ask(&scope, || Ok((Request::get(&path), empty()))).await?;
            if answer.status != StatusCode::OK {
                self.refers = answer.status != StatusCode::NOT_FOUND;
                break;
            }
            all.extend(Descriptors::read(&answer.body).children.into_iter().map(|child| child.digest));
            match answer.header("link").and_then(next) {
                Some(next) => path = next,
                None => break,
            }
        }
        Ok(all)
    }
}

/// The digest of what a tag names: as the registry says it where the content has it, or else by SHA-256.
fn digest_of(answer: &Answer) -> Digest {
    let said = answer.header("docker-content-digest").and_then(|said| said.parse::<Digest>().ok());
    said.filter(|said| Digest::of(said.algorithm(), &answer.body) == *said)
        .unwrap_or_else(|| Digest::sha256(&answer.body))
}

/// Path and query of the next page, which is on the same registry whatever its host is called there.
fn next(link: &str) -> Option<String> {
    let uri: http::Uri = parse_next_link([link])?.parse().ok()?;
    Some(uri.path_and_query()?.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_on_the_same_registry() {
        for (link, expected) in [
            (r#"</v2/a/b/referrers/x?n=2&last=y>; rel="next""#, Some("/v2/a/b/referrers/x?n=2&last=y")),
            (r#"<https://other.example/v2/x?last=y>; rel="next""#, Some("/v2/x?last=y")),
            (r#"</v2/x>; rel="prev""#, None),
            ("nonsense", None),
        ] {
            assert_eq!(next(link).as_deref(), expected, "{link}");
        }
    }
}
