//! Referrers for a target that lists none itself: the fallback tags of the specification, which clients look at then.
//!
//! A client that pushes a referrer keeps the list under the subject's fallback tag where the registry does not (spec, *Pushing
//! Manifests with Subject*). So does a move: what the source listed is found at the target, too. A list that the target has already
//! is extended and never replaced, so that no signature is lost at either end.

use std::collections::BTreeMap;

use bytes::Bytes;
use railhead_client::{Descriptors, Error, empty};
use railhead_oci::{Digest, Manifest, RepositoryName, Tag, media, referrers_tag};
use serde_json::{Value, json};

use super::copy::Trouble;
use super::graph::{Graph, Node};
use super::repository::Work;
use super::{Outcome, RepositoryMoved, Run, TagMoved, chain};

impl Run<'_> {
    /// Writes what the source lists as referrers under fallback tags, where the target lists none.
    pub(super) async fn list_referrers(
        &self,
        record: &mut RepositoryMoved,
        graph: &Graph,
    ) -> Result<(), Error> {
        let is_there = |digest: &Digest| {
            record.manifests.iter().any(|one| one.digest == *digest && one.outcome != Outcome::Left)
        };
        let mut subjects: BTreeMap<Digest, Vec<Digest>> = BTreeMap::new();
        for (digest, node) in &graph.nodes {
            if let Some(subject) = node.subject.filter(|_| is_there(digest)) {
                subjects.entry(subject).or_default().push(*digest);
            }
        }
        let Some(first) = subjects.keys().next() else { return Ok(()) };
        if self.lists_referrers(&record.name, first).await? {
            return Ok(());
        }
        for (subject, referrers) in subjects {
            let tag = referrers_tag(&subject);
            match self.fallback(&record.name, &tag, &referrers, graph).await {
                Ok(true) => record.extended(&tag),
                Ok(false) => {}
                Err(Trouble::Ended(error)) => return Err(error),
                Err(Trouble::Lost(why) | Trouble::Refused(why)) => {
                    record.differs(format!("referrers of {subject}"), why);
                }
            }
        }
        Ok(())
    }

    /// Whether the target lists referrers itself. One that does never answers 404.
    async fn lists_referrers(&self, name: &RepositoryName, subject: &Digest) -> Result<bool, Error> {
        let path = format!("/v2/{name}/referrers/{subject}");
        let scope = format!("repository:{name}:pull");
        let make = || Ok((http::Request::get(&path), empty()));
        Ok(self.plan.to.client.ask(&scope, make).await?.status.is_success())
    }

    /// Brings the list under a subject's fallback tag up to date; whether something was missing.
    async fn fallback(
        &self,
        name: &RepositoryName,
        tag: &Tag,
        referrers: &[Digest],
        graph: &Graph,
    ) -> Result<bool, Trouble> {
        let mut wanted = Vec::new();
        for digest in referrers {
            let Some(node) = graph.nodes.get(digest) else { continue };
            let content = self.content(name, digest, node).await?;
            wanted.push(described(*digest, &node.media_type, node.artifact_type.as_deref(), &content));
        }
        self.extend(name, tag, wanted).await
    }

    /// Extends the target's lists under these fallback tags by what the source's list has; why not, where it cannot be.
    pub(super) async fn extend_all(
        &self,
        work: &mut Work<'_>,
        digest: Digest,
        node: &Node,
        tags: &[Tag],
    ) -> Result<Result<(), String>, Error> {
        for tag in tags {
            let extended = match self.content(&work.name, &digest, node).await {
                Ok(content) => {
                    let list: Value = serde_json::from_slice(&content).unwrap_or_default();
                    let wanted = list.get("manifests").and_then(Value::as_array).cloned().unwrap_or_default();
                    self.extend(&work.name, tag, wanted).await
                }
                Err(trouble) => Err(trouble),
            };
            match extended {
                Ok(added) => {
                    let outcome = Outcome::Extended;
                    work.record.tags.push(TagMoved { tag: tag.clone(), digest, outcome, equal: false });
                    if added {
                        work.record.extended(tag);
                    }
                }
                Err(Trouble::Ended(error)) => return Err(error),
                Err(Trouble::Lost(why) | Trouble::Refused(why)) => return Ok(Err(why)),
            }
        }
        Ok(Ok(()))
    }

    /// Adds to the list under a fallback tag of the target what it does not list; whether that was something.
    async fn extend(&self, name: &RepositoryName, tag: &Tag, wanted: Vec<Value>) -> Result<bool, Trouble> {
        let to = &self.plan.to.client;
        let answer = to.manifest(name, tag.as_str()).await.map_err(Trouble::of_target)?;
        let mut index = match &answer {
            Some(answer) => serde_json::from_slice(&answer.body).map_err(|error| {
                Trouble::Lost(format!("what {tag} names cannot be read: {}", chain(&error)))
            })?,
            None => json!({ "schemaVersion": 2, "mediaType": media::OCI_INDEX, "manifests": [] }),
        };
        let Some(list) = index.get_mut("manifests").and_then(Value::as_array_mut) else {
            return Err(Trouble::Lost(format!("what {tag} names is no list")));
        };
        let before = list.len();
        for one in wanted {
            if list.iter().all(|listed| listed.get("digest") != one.get("digest")) {
                list.push(one);
            }
        }
        if list.len() == before {
            return Ok(false);
        }
        let content = Bytes::from(index.to_string());
        to.put_manifest(name, tag.as_str(), media::OCI_INDEX, content).await.map_err(Trouble::of_target)?;
        Ok(true)
    }

    /// Whether the list under a tag of the target has all that the source's has.
    pub(super) async fn lists_all(
        &self,
        name: &RepositoryName,
        tag: &Tag,
        node: Option<&Node>,
    ) -> Result<bool, Error> {
        let listed = match self.plan.to.client.manifest(name, tag.as_str()).await {
            Ok(answer) => answer.map(|answer| Descriptors::read(&answer.body).children).unwrap_or_default(),
            Err(error) if error.is_passing() => return Err(error),
            Err(_) => Vec::new(),
        };
        let has = |digest: &Digest| listed.iter().any(|one| one.digest == *digest);
        Ok(node.is_some_and(|node| node.children.iter().all(has)))
    }
}

/// What a list says of a referrer.
fn described(digest: Digest, media_type: &str, artifact_type: Option<&str>, content: &[u8]) -> Value {
    let mut described = json!({ "mediaType": media_type, "digest": digest, "size": content.len() });
    if let Some(kind) = artifact_type {
        described["artifactType"] = kind.into();
    }
    if let Ok(facts) = Manifest::read(Some(media_type), content)
        && !facts.annotations.is_empty()
    {
        described["annotations"] = json!(facts.annotations);
    }
    described
}
