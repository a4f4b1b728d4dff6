//! What a proof has made, so that it can be removed whenever and however the proof ends.
//!
//! Invariants: a thing is written down before it is made, and not at all if it was there before. A blob is written down only if
//! nobody else can have it: another image may have come to need any other meanwhile.

use std::cell::RefCell;

use railhead_cluster::Kind;
use railhead_oci::{Digest, Tag};

/// Whether a thing may stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stay {
    /// It is the image, which `--keep` leaves there.
    Image,
    /// It only shows something.
    Never,
}

/// Things of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lot {
    /// Tags.
    pub(crate) tags: Vec<Tag>,
    /// Manifests, in the order in which they were pushed: children before parents.
    pub(crate) manifests: Vec<Digest>,
    /// Blobs.
    pub(crate) blobs: Vec<Digest>,
}

impl Lot {
    pub(crate) fn is_empty(&self) -> bool {
        self.tags.is_empty() && self.manifests.is_empty() && self.blobs.is_empty()
    }

    fn add(&mut self, more: &Self) {
        self.tags.extend(more.tags.iter().cloned());
        self.manifests.extend(&more.manifests);
        self.blobs.extend(&more.blobs);
    }
}

#[derive(Debug, Default)]
struct Things {
    upload: Option<String>,
    image: Lot,
    passing: Lot,
    local: Vec<String>,
    in_cluster: Vec<(Kind, String)>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Made(RefCell<Things>);

impl Made {
    /// An upload was begun, goes on elsewhere, or has ended.
    pub(crate) fn upload(&self, session: Option<&str>) {
        self.0.borrow_mut().upload = session.map(str::to_owned);
    }

    pub(crate) fn tag(&self, stay: Stay, tag: Tag) {
        self.lot(stay, |lot| lot.tags.push(tag));
    }

    pub(crate) fn manifest(&self, stay: Stay, digest: Digest) {
        self.lot(stay, |lot| lot.manifests.push(digest));
    }

    pub(crate) fn blob(&self, stay: Stay, digest: Digest) {
        self.lot(stay, |lot| lot.blobs.push(digest));
    }

    /// An image in docker's engine.
    pub(crate) fn local(&self, reference: &str) {
        self.0.borrow_mut().local.push(reference.to_owned());
    }

    /// A pod or a secret in the cluster.
    pub(crate) fn in_cluster(&self, kind: Kind, name: &str) {
        self.0.borrow_mut().in_cluster.push((kind, name.to_owned()));
    }

    fn lot(&self, stay: Stay, change: impl FnOnce(&mut Lot)) {
        let mut things = self.0.borrow_mut();
        change(match stay {
            Stay::Image => &mut things.image,
            Stay::Never => &mut things.passing,
        });
    }

    /// What has to go, the image with it unless it is kept.
    pub(crate) fn to_remove(&self, keep: bool) -> Lot {
        let things = self.0.borrow();
        let mut lot = things.passing.clone();
        if !keep {
            lot.add(&things.image);
        }
        lot
    }

    /// The upload that is under way; it is forgotten.
    pub(crate) fn take_upload(&self) -> Option<String> {
        self.0.borrow_mut().upload.take()
    }

    /// What was made in the cluster.
    pub(crate) fn in_cluster_now(&self) -> Vec<(Kind, String)> {
        self.0.borrow().in_cluster.clone()
    }

    /// Images in docker's engine; they are forgotten.
    pub(crate) fn take_local(&self) -> Vec<String> {
        std::mem::take(&mut self.0.borrow_mut().local)
    }
}
