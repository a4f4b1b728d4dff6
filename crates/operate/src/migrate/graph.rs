//! A repository of the source: what a walk met, in the order in which it can be pushed.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use railhead_client::{Error, Met, Visitor};
use railhead_oci::{Digest, Manifest, Tag, is_signature_tag};

use super::chain;

/// Manifests that are kept between the walk and the push, in bytes; others are asked for twice.
const KEPT: usize = 32 << 20;

/// A manifest of the source.
pub(super) struct Node {
    pub(super) media_type: String,
    pub(super) size: usize,
    /// Its content, where there was room for it.
    pub(super) content: Option<Bytes>,
    pub(super) blobs: Vec<(Digest, Option<u64>)>,
    pub(super) children: Vec<Digest>,
    pub(super) subject: Option<Digest>,
    pub(super) artifact_type: Option<String>,
}

/// What a walk met.
#[derive(Default)]
pub(super) struct Graph {
    pub(super) nodes: BTreeMap<Digest, Node>,
    pub(super) tags: BTreeMap<Digest, Vec<Tag>>,
    /// Listed or named, and not there.
    pub(super) absent: BTreeSet<String>,
    /// There, and of no use: reference and why.
    pub(super) broken: BTreeMap<String, String>,
    kept: usize,
}

impl Visitor for Graph {
    type Error = Error;

    fn tag(&mut self, tag: Tag, digest: Digest) -> Result<(), Error> {
        self.tags.entry(digest).or_default().push(tag);
        Ok(())
    }

    fn manifest(&mut self, met: Met) -> Result<(), Error> {
        let Met { digest, media_type, content, facts, blobs, children } = met;
        let Manifest { subject, artifact_type, .. } = facts;
        let size = content.len();
        let content = (self.kept + size <= KEPT).then_some(content);
        self.kept += content.as_ref().map_or(0, Bytes::len);
        let node = Node { media_type, size, content, blobs, children, subject, artifact_type };
        self.nodes.insert(digest, node);
        Ok(())
    }

    fn absent(&mut self, reference: &str) -> Result<(), Error> {
        self.absent.insert(reference.to_owned());
        Ok(())
    }

    fn broken(&mut self, reference: &str, _: Option<Digest>, error: Error) -> Result<(), Error> {
        self.broken.insert(reference.to_owned(), chain(&error));
        Ok(())
    }
}

impl Graph {
    /// The tags of a manifest.
    pub(super) fn tags_of(&self, digest: &Digest) -> &[Tag] {
        self.tags.get(digest).map_or(&[], Vec::as_slice)
    }

    /// All manifests, each behind what it lists. What no tag names and signatures come first: what is signed then never stands
    /// without its signature, and a tag appears when all that belongs to it is there.
    pub(super) fn order(&self) -> Vec<Digest> {
        let last = |digest: &Digest| self.tags_of(digest).iter().any(|tag| !is_signature_tag(tag));
        let (late, early): (Vec<&Digest>, Vec<&Digest>) = self.nodes.keys().partition(|digest| last(digest));
        let (mut ordered, mut seen) = (Vec::with_capacity(self.nodes.len()), BTreeSet::new());
        for root in early.into_iter().chain(late) {
            // Each is met twice: before and behind what it lists.
            let mut stack = vec![(*root, false)];
            while let Some((digest, behind)) = stack.pop() {
                if behind {
                    ordered.push(digest);
                } else if let Some(node) = self.nodes.get(&digest)
                    && seen.insert(digest)
                {
                    stack.push((digest, true));
                    stack.extend(node.children.iter().map(|child| (*child, false)));
                }
            }
        }
        ordered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(children: &[Digest]) -> Node {
        Node {
            media_type: String::new(),
            size: 0,
            content: None,
            blobs: Vec::new(),
            children: children.to_vec(),
            subject: None,
            artifact_type: None,
        }
    }

    #[test]
    fn children_come_before_their_list_and_signatures_before_what_they_sign() {
        let [child, list, signature, loose] =
            ["a", "b", "c", "d"].map(|text| Digest::sha256(text.as_bytes()));
        let mut graph = Graph::default();
        graph.nodes.insert(list, node(&[child, Digest::sha256(b"not there")]));
        graph.nodes.insert(child, node(&[]));
        graph.nodes.insert(signature, node(&[]));
        graph.nodes.insert(loose, node(&[]));
        graph.tag("v1".parse().unwrap(), list).unwrap();
        graph.tag(format!("sha256-{}.sig", list.hex()).parse().unwrap(), signature).unwrap();
        let order = graph.order();
        assert_eq!(order.len(), 4);
        assert_eq!(order.last(), Some(&list));
    }

    #[test]
    fn a_ring_of_lists_comes_to_an_end() {
        let [one, two] = ["a", "b"].map(|text| Digest::sha256(text.as_bytes()));
        let mut graph = Graph::default();
        graph.nodes.insert(one, node(&[two]));
        graph.nodes.insert(two, node(&[one]));
        assert_eq!(graph.order().len(), 2);
    }
}
