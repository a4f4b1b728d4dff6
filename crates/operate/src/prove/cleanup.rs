//! Removes what the proof made, and nothing else.

use http::{Method, Request, StatusCode};
use railhead_client::empty;
use railhead_oci::{Digest, Tag};

use super::bench::{Bench, Checked, Seen, Trouble, is_refusal, said};

/// Why something remains, with the registry's words.
enum Remains {
    /// The registry does not delete.
    Unsupported(String),
    /// The account may not.
    Refused(String),
}

impl Bench<'_> {
    /// Deletes these tags and manifests, and sees that they are gone; whether the registry deletes at all.
    pub(super) async fn clean_up(
        &self,
        tags: &[Tag],
        manifests: &[Digest],
        can_delete: &mut Option<bool>,
    ) -> Checked {
        let (registry, name) = (self.main(), &self.plan.repository);
        let mut remains = None;
        for digest in manifests {
            remains = remains.or(self.delete(&digest.to_string()).await?);
        }
        for tag in tags {
            // Most registries take a manifest's tags with it.
            if registry.head_manifest(name, tag.as_str()).await?.is_some() {
                remains = remains.or(self.delete(tag.as_str()).await?);
            }
        }
        let list = match tags {
            [] => "what referred to the image".to_owned(),
            _ => tags.iter().map(Tag::as_str).collect::<Vec<_>>().join(", "),
        };
        match remains {
            Some(Remains::Unsupported(said)) => {
                *can_delete = Some(false);
                Ok(Seen::fact(format!("the registry does not delete ({said}): {list} remains in {name}")))
            }
            Some(Remains::Refused(said)) => {
                Ok(Seen::fact(format!("the account may not delete ({said}): {list} remains in {name}")))
            }
            None => {
                let references =
                    tags.iter().map(Tag::to_string).chain(manifests.iter().map(Digest::to_string));
                for reference in references {
                    if registry.head_manifest(name, &reference).await?.is_some() {
                        return Err(Trouble::new(format!("{reference} was deleted, and is still there")));
                    }
                }
                *can_delete = Some(true);
                Ok(Seen::ok(format!("{list}: gone, with {} manifests", manifests.len())))
            }
        }
    }

    /// Deletes a tag or a manifest; why it remains, if it does.
    async fn delete(&self, reference: &str) -> Result<Option<Remains>, Trouble> {
        let name = &self.plan.repository;
        let path = format!("/v2/{name}/manifests/{reference}");
        let make = || Ok((Request::builder().method(Method::DELETE).uri(&path), empty()));
        let answer = self.main().ask(&format!("repository:{name}:delete"), make).await?;
        let code: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let is_unsupported = code["errors"][0]["code"] == "UNSUPPORTED";
        match answer.status {
            status if status.is_success() => Ok(None),
            StatusCode::NOT_FOUND if !is_unsupported => Ok(None),
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                Ok(Some(Remains::Unsupported(said(&answer))))
            }
            status if status.is_client_error() && is_unsupported => {
                Ok(Some(Remains::Unsupported(said(&answer))))
            }
            status if is_refusal(status) => Ok(Some(Remains::Refused(said(&answer)))),
            _ => Err(Trouble::answer(&format!("DELETE {path}"), &answer)),
        }
    }
}
