//! Whether the registry knows what refers to an image (distribution-spec, *Listing Referrers*). Not every one does.

use http::{Request, StatusCode};
use railhead_client::{Answer, empty, full};
use serde_json::Value;

use super::bench::{Bench, Checked, Seen, Trouble, said};
use super::made::Stay;
use crate::image::{Manifest, referrer};

impl Bench<'_> {
    /// Pushes a manifest that refers to the image, and looks for it in the list; whether it is listed.
    pub(super) async fn referrer(&self, id: &str, is_listed: &mut Option<bool>) -> Checked {
        let Some(root) = self.plan.image.root() else { return Err(Trouble::new("the image is empty")) };
        let (registry, name) = (self.main(), &self.plan.repository);
        let (manifest, blobs) = referrer(root, id);
        for blob in &blobs {
            self.push_blob(blob, Stay::Never).await?;
        }
        let answer = self.put(&manifest).await?;
        if answer.status.is_client_error() {
            *is_listed = Some(false);
            return Ok(Seen::fact(format!("manifests with a subject are refused: {}", said(&answer))));
        }
        if answer.status != StatusCode::CREATED {
            let asked = format!("PUT /v2/{name}/manifests/{}", manifest.digest);
            return Err(Trouble::answer(&asked, &answer));
        }
        let path = format!("/v2/{name}/referrers/{}", root.digest);
        let make = || Ok((Request::get(&path), empty()));
        let answer = registry.ask(&format!("repository:{name}:pull"), make).await?;
        let list: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let Some(entries) = list["manifests"].as_array().filter(|_| answer.status == StatusCode::OK) else {
            *is_listed = Some(false);
            return Ok(Seen::fact(format!(
                "the registry has no list of referrers ({}); signatures and SBOMs are found by the tag sha256-… instead",
                said(&answer)
            )));
        };
        let has_it = entries.iter().any(|entry| entry["digest"] == manifest.digest.to_string());
        *is_listed = Some(has_it);
        if !has_it {
            return Err(Trouble::new(format!(
                "{} was pushed and is not in the list of referrers",
                manifest.digest
            )));
        }
        Ok(Seen::ok("pushed and listed").about(manifest.digest, manifest.bytes.len() as u64))
    }

    /// Pushes a manifest by its digest; what the registry answered.
    async fn put(&self, manifest: &Manifest) -> Result<Answer, railhead_client::Error> {
        let name = &self.plan.repository;
        let path = format!("/v2/{name}/manifests/{}", manifest.digest);
        let make = || {
            let request = Request::put(&path).header("content-type", &manifest.media_type);
            Ok((request, full(manifest.bytes.clone())))
        };
        let _whole = self.whole.lock().await;
        self.made.manifest(Stay::Never, manifest.digest);
        self.main().ask(&format!("repository:{name}:pull,push"), make).await
    }
}
