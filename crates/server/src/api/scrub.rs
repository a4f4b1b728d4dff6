//! Damage: how far the scrub is, what it found, and looking now.

use std::time::Duration;

use railhead_api::{Amount, BlobUse, Damage, Damages, ScrubState, Stranger, Verification, VerifyStart};
use railhead_blobs::ObjectKey;
use railhead_catalog::BlobScope;
use railhead_oci::Digest;
use railhead_upkeep::scrub;

use super::fault::Fault;
use super::{Answer, Api, Call, Result, amount, ok, time, time_if};

/// How long a step may keep the asker waiting, who then asks again.
const MOST: Duration = Duration::from_secs(20);
/// Damaged blobs of a page: for each of them who refers to it is looked up.
const PAGE: u32 = 100;
/// Repositories, manifests and tags that are named, of each.
const NAMED: u32 = 20;

/// Where a verification goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cursor {
    /// Behind this blob.
    Blob(Digest),
    /// At the first object, or behind this one.
    Object(Option<ObjectKey>),
}

impl Cursor {
    fn parse(text: &str) -> Option<Self> {
        match text.split_once('=')? {
            ("blob", digest) => digest.parse().ok().map(Self::Blob),
            ("object", "") => Some(Self::Object(None)),
            ("object", key) => key.parse().ok().map(|key| Self::Object(Some(key))),
            _ => None,
        }
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Blob(digest) => write!(f, "blob={digest}"),
            Self::Object(None) => f.write_str("object="),
            Self::Object(Some(key)) => write!(f, "object={key}"),
        }
    }
}

impl Api {
    pub(super) async fn scrub(&self, call: &Call<'_>) -> Result<Answer> {
        self.access.require_admin(&call.who).await?;
        let catalog = self.registry.catalog();
        let round = catalog.scrub_round().await?;
        let settings = self.scrubber.settings();
        ok(&ScrubState {
            round_seconds: settings.round.as_secs(),
            started: time_if(round.started_at)?,
            hashed: Amount { count: round.blobs, bytes: round.bytes },
            found: round.damaged,
            ended: time_if(round.ended_at)?,
            damaged: amount(catalog.damage_amount().await?),
            sources: settings.sources.iter().map(|source| source.name()).collect(),
        })
    }

    pub(super) async fn damage(&self, call: &Call<'_>) -> Result<Answer> {
        self.access.require_admin(&call.who).await?;
        let after = call.parameter("after")?.map(|text| digest(&text)).transpose()?;
        let limit = call.limit()?.min(PAGE);
        let catalog = self.registry.catalog();
        let found = catalog.damages(after.as_ref(), limit).await?;
        let next = found.last().filter(|_| found.len() == limit as usize);
        let next = next.map(|last| last.blob.digest.to_string());
        let mut damages = Vec::with_capacity(found.len());
        for one in found {
            damages.push(Damage {
                digest: one.blob.digest.to_string(),
                size: one.blob.size,
                uses: uses(catalog.blob_uses(&one.blob.digest, NAMED).await?),
                key: one.blob.key,
                found: one.found,
                since: Some(time(one.found_at)?),
                healed_from: None,
            });
        }
        ok(&Damages { damages, next })
    }

    pub(super) async fn verify(&self, call: &Call<'_>) -> Result<Answer> {
        let start: VerifyStart = call.read()?;
        self.access.require_admin(&call.who).await?;
        let cursor = start.after.as_deref().map(|text| {
            Cursor::parse(text)
                .ok_or_else(|| Fault::invalid(format!("'{text}' is not where a step has ended")))
        });
        match cursor.transpose()? {
            Some(Cursor::Object(after)) => self.verify_objects(after).await,
            Some(Cursor::Blob(after)) => self.verify_blobs(call, &start, Some(after)).await,
            None => self.verify_blobs(call, &start, None).await,
        }
    }

    async fn verify_blobs(
        &self,
        call: &Call<'_>,
        start: &VerifyStart,
        after: Option<Digest>,
    ) -> Result<Answer> {
        let scope = self.scope(call, start).await?;
        let only = start.digest.as_deref().map(digest).transpose()?;
        if let Some(only) = &only
            && self.registry.catalog().blob(only).await?.is_none()
        {
            return Err(Fault::not_found(format!("the registry has no blob {only}")));
        }
        let asked = scrub::Asked {
            scope,
            after,
            digest: only,
            hash: !start.sizes_only,
            heal: !start.report_only,
            per_second: start.bytes_per_second,
            most: MOST,
        };
        let verified = self.scrubber.verify(&asked).await?;
        let everything = scope == BlobScope::All && only.is_none();
        let next = match verified.next {
            Some(next) => Some(Cursor::Blob(next)),
            None => everything.then_some(Cursor::Object(None)),
        };
        ok(&Verification {
            blobs: Amount { count: verified.blobs, bytes: verified.bytes },
            recovered: verified.recovered,
            damaged: verified.findings.into_iter().map(damage_of).collect(),
            next: next.map(|next| next.to_string()),
            ..Verification::default()
        })
    }

    async fn verify_objects(&self, after: Option<ObjectKey>) -> Result<Answer> {
        let seen = self.scrubber.strangers(after.as_ref()).await?;
        let strangers = seen.found.into_iter().map(|stranger| {
            Ok(Stranger {
                key: stranger.key.to_string(),
                size: stranger.size,
                written: jiff::Timestamp::try_from(stranger.modified)
                    .map_err(|error| Fault::internal(&error))?,
            })
        });
        ok(&Verification {
            objects: seen.objects,
            strangers: strangers.collect::<Result<_>>()?,
            next: seen.next.map(|key| Cursor::Object(Some(key)).to_string()),
            ..Verification::default()
        })
    }

    async fn scope(&self, call: &Call<'_>, start: &VerifyStart) -> Result<BlobScope> {
        match (&start.owner, &start.repository, &start.digest) {
            (None, None, _) => Ok(BlobScope::All),
            (Some(owner), None, None) => Ok(BlobScope::Owner(self.owner_seen(call, owner).await?.id)),
            (None, Some(name), None) => {
                let parsed = name.parse().map_err(|_| Fault::no_repository(name))?;
                let repository = self.registry.catalog().repository(&parsed).await?;
                Ok(BlobScope::Repository(repository.ok_or_else(|| Fault::no_repository(name))?.id))
            }
            _ => Err(Fault::invalid("only one of owner, repository and digest can be given".to_owned())),
        }
    }
}

fn digest(text: &str) -> Result<Digest> {
    text.parse().map_err(|error| Fault::invalid(format!("'{text}' is not a digest: {error}")))
}

fn damage_of(finding: scrub::Finding) -> Damage {
    Damage {
        digest: finding.digest.to_string(),
        size: finding.size,
        key: finding.key,
        found: finding.found,
        since: None,
        uses: uses(finding.uses),
        healed_from: finding.healed_from,
    }
}

fn uses(uses: Vec<railhead_catalog::BlobUse>) -> Vec<BlobUse> {
    let one = |one: railhead_catalog::BlobUse| BlobUse {
        repository: one.repository.to_string(),
        tags: one.tags.iter().map(ToString::to_string).collect(),
        manifests: one.manifests.iter().map(ToString::to_string).collect(),
    };
    uses.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_as_it_was_written() {
        let digest = Digest::sha256(b"x");
        let key = "01/0123456789abcdef0123456789abcdef".parse().unwrap();
        for cursor in [Cursor::Blob(digest), Cursor::Object(None), Cursor::Object(Some(key))] {
            assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        }
        for wrong in ["", "blob", "blob=", "object=x", "other=1"] {
            assert_eq!(Cursor::parse(wrong), None, "{wrong}");
        }
    }
}
