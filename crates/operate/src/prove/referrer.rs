//! Whether the registry knows what refers to an image (distribution-spec, *Listing Referrers*). Not every one does.

use http::{Request, StatusCode};
use railhead_client::empty;
use railhead_oci::Digest;
use serde_json::Value;

use super::bench::{Bench, Checked, Seen, Trouble, said};
use crate::image::referrer;

/// What came of a referrer.
#[derive(Default)]
pub(super) struct Referred {
    /// The manifest that was pushed.
    pub(super) digest: Option<Digest>,
    /// Whether it was listed.
    pub(super) is_listed: Option<bool>,
}

impl Bench<'_> {
    /// Pushes a manifest that refers to the image, and looks for it in the list.
    pub(super) async fn referrer(&self, id: &str, referred: &mut Referred) -> Checked {
        let Some(root) = self.plan.image.root() else { return Err(Trouble::new("the image is empty")) };
        let (registry, name) = (self.main(), &self.plan.repository);
        let (manifest, blobs) = referrer(root, id);
        for blob in blobs {
            if let crate::image::Content::Memory(bytes) = blob.content {
                registry.push_blob(name, bytes).await?;
            }
        }
        let path = format!("/v2/{name}/manifests/{}", manifest.digest);
        let body = manifest.bytes.clone();
        let make = || {
            let request = Request::put(&path).header("content-type", &manifest.media_type);
            Ok((request, railhead_client::full(body.clone())))
        };
        let answer = registry.ask(&format!("repository:{name}:pull,push"), make).await?;
        if answer.status.is_client_error() {
            referred.is_listed = Some(false);
            return Ok(Seen::fact(format!("manifests with a subject are refused: {}", said(&answer))));
        }
        if answer.status != StatusCode::CREATED {
            return Err(Trouble::answer(&format!("PUT {path}"), &answer));
        }
        referred.digest = Some(manifest.digest);
        let path = format!("/v2/{name}/referrers/{}", root.digest);
        let make = || Ok((Request::get(&path), empty()));
        let answer = registry.ask(&format!("repository:{name}:pull"), make).await?;
        let list: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let Some(entries) = list["manifests"].as_array().filter(|_| answer.status == StatusCode::OK) else {
            referred.is_listed = Some(false);
            return Ok(Seen::fact(format!(
                "the registry has no list of referrers ({}); signatures and SBOMs are found by the tag sha256-… instead",
                said(&answer)
            )));
        };
        let is_listed = entries.iter().any(|entry| entry["digest"] == manifest.digest.to_string());
        referred.is_listed = Some(is_listed);
        if !is_listed {
            return Err(Trouble::new(format!(
                "{} was pushed and is not in the list of referrers",
                manifest.digest
            )));
        }
        Ok(Seen::ok("pushed and listed").about(manifest.digest, manifest.bytes.len() as u64))
    }
}
