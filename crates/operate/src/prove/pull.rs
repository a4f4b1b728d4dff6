//! Pulls the image, by tag and by digest, and compares every byte.

use railhead_client::{Answer, Registry};
use railhead_oci::Digest;
use railhead_oci::media::essence;

use super::bench::{Bench, Checked, End, Seen, Trouble, count};
use crate::image::Manifest;

/// Tags of one page.
const PAGE: u32 = 100;
/// Pages that are read until the tag has to be there.
const PAGES_MAX: usize = 1000;

impl Bench<'_> {
    /// What the tag names is what was pushed.
    pub(super) async fn pull_tag(&self, end: &End<'_>) -> Checked {
        let Some(root) = self.plan.image.root() else { return Err(Trouble::new("the image is empty")) };
        self.pull_manifest(&end.registry, self.plan.tag.as_str(), root).await?;
        Ok(Seen::ok(format!("{} names it", self.plan.tag)).about(root.digest, root.bytes.len() as u64))
    }

    /// Every manifest and every blob, by digest.
    pub(super) async fn pull_digest(&self, end: &End<'_>) -> Checked {
        let mut bytes = 0;
        for manifest in self.plan.image.manifests.iter().rev() {
            self.pull_manifest(&end.registry, &manifest.digest.to_string(), manifest).await?;
            bytes += manifest.bytes.len() as u64;
        }
        for blob in &self.plan.image.blobs {
            let about = |what: String| format!("blob {} ({}): {what}", blob.digest, blob.what);
            let read = end.registry.read_blob(&self.plan.repository, &blob.digest, |_| ()).await;
            let size = read.map_err(|error| {
                let trouble = Trouble::from(error);
                Trouble::of(about(trouble.detail), trouble.class)
            })?;
            if size != blob.size {
                return Err(Trouble::new(about(format!("{size} bytes came; there are {}", blob.size))));
            }
            bytes += size;
        }
        let image = &self.plan.image;
        let manifests = count(image.manifests.len(), "manifest");
        let blobs = count(image.blobs.len(), "blob");
        let mut seen = Seen::ok(format!("{manifests} and {blobs}, {bytes} bytes, all as pushed"));
        seen.bytes = Some(bytes);
        Ok(seen)
    }

    async fn pull_manifest(
        &self,
        registry: &Registry,
        reference: &str,
        pushed: &Manifest,
    ) -> Result<(), Trouble> {
        let name = &self.plan.repository;
        let answer = registry.manifest(name, reference).await?;
        let answer = answer.ok_or_else(|| Trouble::new(format!("manifest {reference} is not there")))?;
        compare(reference, &answer, pushed)
    }

    /// The list of tags has the tag.
    pub(super) async fn tags(&self) -> Checked {
        let tag = self.plan.tag.as_str();
        let mut last: Option<String> = None;
        let mut count = 0;
        for _ in 0..PAGES_MAX {
            let page = self.main().tags(&self.plan.repository, PAGE, last.as_deref()).await?;
            if page.iter().any(|one| one == tag) {
                return Ok(Seen::ok(format!("{tag} is in the list")));
            }
            count += page.len();
            match page.last() {
                // A registry that does not know `last` shows the same page again.
                Some(end) if page.len() >= PAGE as usize && last.as_ref() != Some(end) => {
                    last = Some(end.clone());
                }
                _ => break,
            }
        }
        Err(Trouble::new(format!("{tag} is not in the list of {count} tags")))
    }
}

fn compare(reference: &str, answer: &Answer, pushed: &Manifest) -> Result<(), Trouble> {
    let wrong = |what: String| Err(Trouble::new(format!("manifest {reference}: {what}")));
    if answer.body != pushed.bytes {
        let found = Digest::of(pushed.digest.algorithm(), &answer.body);
        return wrong(format!(
            "{} bytes came whose digest is {found}, not {}",
            answer.body.len(),
            pushed.digest
        ));
    }
    let media_type = answer.header("content-type").unwrap_or_default();
    if essence(media_type) != essence(&pushed.media_type) {
        return wrong(format!("it came as '{media_type}', and was pushed as '{}'", pushed.media_type));
    }
    match answer.header("docker-content-digest") {
        Some(said) if said != pushed.digest.to_string() => {
            wrong(format!("its header says the digest {said}"))
        }
        _ => Ok(()),
    }
}
