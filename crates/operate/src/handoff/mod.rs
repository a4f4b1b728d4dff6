//! The handoff: a page that tells another team all it needs, written from a proof and checked against the world.
//!
//! Order: [`last`] finds the proof, [`Facts::new`] takes the facts out of it and the site, [`page`] writes them down, and
//! [`Check`] reads them again and tries each. A page never says what was not proven.

mod check;
mod facts;
mod page;

use std::path::PathBuf;

use railhead_oci::RepositoryName;

use crate::evidence::{Archive, Kind};
use crate::prove::{Proof, Verdict};

pub use check::{Check, CheckResult};
pub use facts::{Facts, HandoffError, PULL_SECRET, PullSecret, Way};
pub use page::page;

/// The last proof that left its image, of `host` and of `repository` if they are given. A failed proof that is newer is in the
/// way: what it found has to be mended first. One that was interrupted says nothing.
pub fn last(
    archive: &Archive,
    host: Option<&str>,
    repository: Option<&RepositoryName>,
) -> Result<(PathBuf, Proof), HandoffError> {
    for document in archive.history(Kind::Proof, host) {
        let (file, evidence) = document?;
        let proof: Proof = serde_json::from_value(evidence.result)
            .map_err(|source| HandoffError::Shape { file: file.clone(), source })?;
        if repository.is_some_and(|repository| *repository != proof.repository) {
            continue;
        }
        if proof.verdict == Verdict::Interrupted {
            continue;
        }
        if proof.verdict != Verdict::Proven {
            return Err(HandoffError::NotProven { host: proof.host, file });
        }
        if proof.kept {
            return Ok((file, proof));
        }
    }
    let host = host.unwrap_or("any registry");
    let what = repository.map_or_else(|| host.to_owned(), |repository| format!("{host}/{repository}"));
    Err(HandoffError::NothingKept { what })
}

#[cfg(test)]
pub(crate) mod testing {
    use railhead_doctor::{Layer, Owners};
    use railhead_oci::Digest;

    use super::{Facts, Way};
    use crate::prove::{Features, TrustNeeded};
    use crate::site::{Forge, Visibility};

    /// Facts of a site as in a true case.
    pub(crate) fn facts() -> Facts {
        Facts {
            schema: 1,
            by: "0.1.0".to_owned(),
            written: "2026-07-02T08:00:00Z".parse().unwrap(),
            proven: "2026-07-01T12:00:00Z".parse().unwrap(),
            site: Some("Railiance".to_owned()),
            host: "git.example.com".to_owned(),
            server: Some("Gitea 1.25.4".to_owned()),
            forge: Some(Forge::Gitea),
            naming: "git.example.com/coulomb/IMAGE:TAG".to_owned(),
            repository: "coulomb/state-hub".parse().unwrap(),
            tag: "6186a99".parse().unwrap(),
            digest: Digest::sha256(b"image"),
            platforms: vec!["linux/amd64".to_owned()],
            origin: Some("the image state-hub:local of docker".to_owned()),
            visibility: Some(Visibility::Public),
            way: Way {
                url: "https://git.example.com".to_owned(),
                connect: None,
                trust: Some(TrustNeeded::System),
                issuer: Some("CN=Example Authority".to_owned()),
                not_after: Some("2026-09-01T00:00:00Z".parse().unwrap()),
                authority: None,
            },
            features: Features { referrers: Some(false), delete: Some(true) },
            pull_secret: None,
            provenance: vec!["https://git.example.com/coulomb/state-hub".to_owned()],
            limits: vec!["One volume of 10 GiB holds packages and Git.".to_owned()],
            owners: Owners::default()
                .with(Layer::Application, "railiance-apps")
                .with(Layer::Routing, "railiance-cluster"),
        }
    }
}
