//! Removes what the proof made, and nothing else.
//!
//! Order: the upload under way, manifests with parents before children, tags, blobs. One that cannot be removed keeps none of the
//! others from being removed; what remains is named, with how to remove it.

use http::{Method, Request, StatusCode};
use railhead_client::empty;
use railhead_doctor::Software;
use railhead_oci::{Digest, Tag};

use super::bench::{Bench, Checked, Seen, Trouble, count, is_refusal, said};
use super::made::Lot;
use super::record::Verdict;
use super::with::remove_local;
use crate::image::Source;

/// Why something remains, with the registry's words. The worst is last.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    /// The account may not delete.
    Refused(String),
    /// The registry does not delete.
    Unsupported(String),
    /// It should be gone.
    Failed(String),
}

/// What a clean-up came to.
#[derive(Default)]
pub(super) struct Cleaned {
    /// Whether the registry deletes; none if it was not tried.
    pub(super) can_delete: Option<bool>,
    /// What remains, as `HOST/OWNER/IMAGE:TAG` or `…@DIGEST`.
    pub(super) left: Vec<String>,
    /// What remains in the cluster, as `pod NAMESPACE/NAME`.
    pub(super) in_cluster: Vec<String>,
}

impl Bench<'_> {
    /// Deletes `lot` and sees that it is gone.
    pub(super) async fn clean_up(&self, lot: &Lot, cleaned: &mut Cleaned) -> Checked {
        remove_local(&self.made.take_local()).await;
        if let Some(session) = self.made.take_upload() {
            // An upload that stays ends by itself.
            let _ = self.main().cancel(&self.plan.repository, &session).await;
        }
        let lot = &self.with_what_programs_made(lot).await;
        let mut why = self.delete_manifests(&lot.manifests).await;
        why.extend(self.delete_tags(&lot.tags).await);
        let blobs = self.delete_blobs(&lot.blobs).await;
        let left = self.remaining(lot).await?;
        cleaned.left = self.names(&left);
        if !lot.tags.is_empty() || !lot.manifests.is_empty() {
            cleaned.can_delete = match (left.is_empty(), why.iter().max()) {
                (true, _) => Some(true),
                (_, Some(Why::Unsupported(_))) => Some(false),
                _ => None,
            };
        }
        let remains = || format!("{} remains; {}", cleaned.left.join(" and "), self.how_to_remove());
        match why.into_iter().max() {
            _ if left.is_empty() => Ok(Seen::ok(gone(lot, blobs))),
            Some(Why::Failed(said)) => Err(Trouble::new(format!("{said}: {}", remains()))),
            Some(Why::Unsupported(said)) => {
                Ok(Seen::fact(format!("the registry does not delete ({said}): {}", remains())))
            }
            Some(Why::Refused(said)) => {
                Ok(Seen::fact(format!("the account may not delete ({said}): {}", remains())))
            }
            None => Err(Trouble::new(format!("the registry deleted it, and still {}", remains()))),
        }
    }

    /// A program makes manifests of its own out of an image, which only its tag names. Those of a team's image may be there
    /// under other tags too, so they stay.
    async fn with_what_programs_made(&self, lot: &Lot) -> Lot {
        let mut lot = lot.clone();
        if !matches!(self.plan.image.source, Source::Made { .. }) {
            return lot;
        }
        for tag in &lot.tags {
            let named = self.main().manifest(&self.plan.repository, tag.as_str()).await;
            let Ok(Some(answer)) = named else { continue };
            let digest = Digest::sha256(&answer.body);
            if self.plan.image.manifests.iter().all(|own| own.digest != digest) {
                lot.manifests.push(digest);
            }
        }
        lot
    }

    /// What is said when a clean-up is interrupted.
    pub(super) fn left_alone(&self, cleaned: &Cleaned) -> Trouble {
        let mut detail = vec!["interrupted".to_owned()];
        if !cleaned.left.is_empty() {
            detail.push(format!("{} may remain; {}", cleaned.left.join(" and "), self.how_to_remove()));
        }
        if let Some(nodes) = self.plan.nodes.as_ref().filter(|_| !cleaned.in_cluster.is_empty()) {
            detail.push(nodes.remains(&cleaned.in_cluster));
        }
        Trouble::of(detail.join(": "), Verdict::Interrupted)
    }

    /// Tags, and manifests where there are none.
    pub(super) fn names(&self, lot: &Lot) -> Vec<String> {
        let image = format!("{}/{}", self.plan.host, self.plan.repository);
        match lot.tags.as_slice() {
            [] => lot.manifests.iter().map(|digest| format!("{image}@{digest}")).collect(),
            tags => tags.iter().map(|tag| format!("{image}:{tag}")).collect(),
        }
    }

    fn how_to_remove(&self) -> String {
        let name = &self.plan.repository;
        match self.software {
            Some(Software::Gitea | Software::Forgejo) => {
                format!("delete it on the forge, under the packages of {}", name.owner())
            }
            Some(Software::Railhead) => {
                "whoever may delete removes it with `railhead tag delete` or `railhead repo delete`"
                    .to_owned()
            }
            Some(Software::Distribution) => {
                "delete it with `skopeo delete` once the registry's configuration has storage.delete.enabled"
                    .to_owned()
            }
            _ => "delete it with `skopeo delete`, or as the registry says".to_owned(),
        }
    }

    async fn delete_manifests(&self, digests: &[Digest]) -> Vec<Why> {
        let mut all = Vec::new();
        for digest in digests.iter().rev() {
            all.extend(self.delete("manifests", &digest.to_string()).await.err());
        }
        all
    }

    async fn delete_tags(&self, tags: &[Tag]) -> Vec<Why> {
        let mut all = Vec::new();
        for tag in tags {
            // Most registries take a manifest's tags with it.
            let is_there = self.main().head_manifest(&self.plan.repository, tag.as_str()).await;
            if !matches!(is_there, Ok(None)) {
                all.extend(self.delete("manifests", tag.as_str()).await.err());
            }
        }
        all
    }

    /// How many went. What a registry does not delete, it collects.
    async fn delete_blobs(&self, digests: &[Digest]) -> usize {
        let mut gone = 0;
        for digest in digests {
            gone += usize::from(self.delete("blobs", &digest.to_string()).await.is_ok());
        }
        gone
    }

    /// Deletes one thing.
    async fn delete(&self, kind: &str, reference: &str) -> Result<(), Why> {
        let name = &self.plan.repository;
        let path = format!("/v2/{name}/{kind}/{reference}");
        let make = || Ok((Request::builder().method(Method::DELETE).uri(&path), empty()));
        let answer = self.main().ask(&format!("repository:{name}:delete"), make).await;
        let answer = answer.map_err(|error| Why::Failed(Trouble::from(error).detail))?;
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let is_unsupported = body["errors"][0]["code"] == "UNSUPPORTED";
        match answer.status {
            status if status.is_success() => Ok(()),
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                Err(Why::Unsupported(said(&answer)))
            }
            status if status.is_client_error() && is_unsupported => Err(Why::Unsupported(said(&answer))),
            StatusCode::NOT_FOUND => Ok(()),
            status if is_refusal(status) => Err(Why::Refused(said(&answer))),
            _ => Err(Why::Failed(Trouble::answer(&format!("DELETE {path}"), &answer).detail)),
        }
    }

    /// The tags and manifests of `lot` that are there still.
    async fn remaining(&self, lot: &Lot) -> Result<Lot, Trouble> {
        let (registry, name) = (self.main(), &self.plan.repository);
        let mut left = Lot::default();
        for tag in &lot.tags {
            if registry.head_manifest(name, tag.as_str()).await?.is_some() {
                left.tags.push(tag.clone());
            }
        }
        for digest in &lot.manifests {
            if registry.head_manifest(name, &digest.to_string()).await?.is_some() {
                left.manifests.push(*digest);
            }
        }
        Ok(left)
    }
}

fn gone(lot: &Lot, blobs: usize) -> String {
    let mut parts: Vec<String> = lot.tags.iter().map(Tag::to_string).collect();
    for (number, what) in [(lot.manifests.len(), "manifest"), (blobs, "blob")] {
        if number > 0 {
            parts.push(count(number, what));
        }
    }
    let kept = match lot.blobs.len() - blobs {
        0 => String::new(),
        left => format!("; the registry keeps {} until it collects", count(left, "blob")),
    };
    match parts.as_slice() {
        [] => format!("nothing remains{kept}"),
        parts => format!("{}: gone{kept}", parts.join(", ")),
    }
}
