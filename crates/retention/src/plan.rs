//! The plan: what goes of all repositories, the bytes that this really frees, and a hash that stands for all of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use railhead_oci::{Digest, RepositoryName};
use serde::{Deserialize, Serialize};

use crate::judge::{Contradiction, Judged, judge};
use crate::{Blob, InUse, Millis, Repository, Rules};

/// Characters of a plan's hash.
const HASH: usize = 16;

/// What a plan is made for.
#[derive(Debug)]
pub struct Question<'a> {
    /// The rules.
    pub rules: &'a Rules,
    /// What has to stay whatever the rules say.
    pub in_use: &'a InUse,
    /// The time.
    pub now: Millis,
    /// Only this owner, or this repository.
    pub only: Option<&'a str>,
    /// Whether verdicts of what is kept are given too.
    pub all: bool,
}

/// What goes, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What stands for all of it: the same when the same is lost and the same bytes become free.
    pub hash: String,
    /// Tags that are lost.
    pub lost_tags: u64,
    /// Manifests that are lost.
    pub lost_manifests: u64,
    /// Blobs that nothing needs any more then.
    pub freed_blobs: u64,
    /// Their bytes: what the store gets back. A blob that something else needs is not among them.
    pub freed_bytes: u64,
    /// Tags that are kept.
    pub kept_tags: u64,
    /// Repositories that lose something, by name; with `all` every one.
    pub repositories: Vec<RepositoryPlan>,
    /// Repositories of which nothing is lost, as their rules cannot be meant.
    pub refused: Vec<Refusal>,
}

/// What one repository loses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryPlan {
    /// Its name.
    pub name: RepositoryName,
    /// Its tags that are lost, by name; with `all` every one.
    pub tags: Vec<TagVerdict>,
    /// Its manifests that are lost, by digest; with `all` every one.
    pub manifests: Vec<ManifestVerdict>,
    /// Bytes that become free and that only this repository had.
    pub freed_bytes: u64,
}

/// What becomes of a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagVerdict {
    /// The tag.
    pub tag: String,
    /// What it names.
    pub digest: Digest,
    /// Whether it goes.
    pub lost: bool,
    /// The key of the rule that decided, or a word for what is not a rule.
    pub rule: String,
    /// A sentence for a person.
    pub why: String,
}

/// What becomes of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestVerdict {
    /// Its digest.
    pub digest: Digest,
    /// Whether it goes.
    pub lost: bool,
    /// As of a tag.
    pub rule: String,
    /// As of a tag.
    pub why: String,
}

/// Why nothing of a repository goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The repository.
    pub repository: RepositoryName,
    /// Why.
    pub why: String,
    /// What to do.
    pub hint: String,
}

/// Plans for all repositories. What others than those asked for need keeps its blobs, too: so all have to be given.
pub fn plan(repositories: &[Repository], question: &Question<'_>) -> Plan {
    let mut repositories: Vec<_> = repositories.iter().collect();
    repositories.sort_by(|a, b| a.name.cmp(&b.name));
    let mut judged = Vec::with_capacity(repositories.len());
    let mut refused = Vec::new();
    for repository in &repositories {
        if !concerns(question.only, &repository.name) {
            judged.push(None);
            continue;
        }
        let verdicts = question.rules.of(&repository.name).map_err(|[first, second]| Contradiction {
            what: format!("both \"{first}\" and \"{second}\" speak of it"),
            hint: "give it a table of its own under retention.repositories",
        });
        match verdicts.and_then(|rule| judge(repository, &rule, question.in_use, question.now)) {
            Ok(verdicts) => judged.push(Some(verdicts)),
            Err(Contradiction { what, hint }) => {
                let repository = repository.name.clone();
                refused.push(Refusal { repository, why: what, hint: hint.to_owned() });
                judged.push(None);
            }
        }
    }
    let blobs = Blobs::count(&repositories, &judged);
    let mut plan = Plan {
        hash: String::new(),
        lost_tags: 0,
        lost_manifests: 0,
        freed_blobs: blobs.freed().count() as u64,
        freed_bytes: blobs.freed().map(|blob| blob.size).sum(),
        kept_tags: 0,
        repositories: Vec::new(),
        refused,
    };
    for (place, (repository, verdicts)) in repositories.iter().zip(&judged).enumerate() {
        let Some(verdicts) = verdicts else {
            plan.kept_tags +=
                if concerns(question.only, &repository.name) { repository.tags.len() as u64 } else { 0 };
            continue;
        };
        plan.add(repository, verdicts, blobs.freed_of(place), question.all);
    }
    plan.hash = plan.digest();
    plan
}

/// Whether `name` is, or belongs to, what was asked for.
fn concerns(only: Option<&str>, name: &RepositoryName) -> bool {
    only.is_none_or(|only| only == name.as_str() || only == name.owner())
}

impl Plan {
    /// Whether nothing goes.
    pub fn is_empty(&self) -> bool {
        self.lost_tags == 0 && self.lost_manifests == 0
    }

    fn add(&mut self, repository: &Repository, judged: &Judged, freed_bytes: u64, all: bool) {
        let mut one = RepositoryPlan {
            name: repository.name.clone(),
            tags: Vec::new(),
            manifests: Vec::new(),
            freed_bytes,
        };
        for (tag, (digest, verdict)) in &judged.tags {
            self.lost_tags += u64::from(verdict.lost);
            self.kept_tags += u64::from(!verdict.lost);
            if verdict.lost || all {
                let (lost, rule, why) = (verdict.lost, verdict.rule.to_owned(), verdict.why.clone());
                one.tags.push(TagVerdict { tag: tag.clone(), digest: *digest, lost, rule, why });
            }
        }
        for (digest, verdict) in &judged.manifests {
            self.lost_manifests += u64::from(verdict.lost);
            if verdict.lost || all {
                let (lost, rule, why) = (verdict.lost, verdict.rule.to_owned(), verdict.why.clone());
                one.manifests.push(ManifestVerdict { digest: *digest, lost, rule, why });
            }
        }
        if !one.tags.is_empty() || !one.manifests.is_empty() {
            self.repositories.push(one);
        }
    }

    /// Stands for what is lost and what that frees, and not for when or why.
    fn digest(&self) -> String {
        // Writing to a string cannot fail.
        let mut text = format!("frees {}\n", self.freed_bytes);
        for repository in &self.repositories {
            for tag in repository.tags.iter().filter(|tag| tag.lost) {
                let _ = writeln!(text, "tag {}:{} {}", repository.name, tag.tag, tag.digest);
            }
            for manifest in repository.manifests.iter().filter(|manifest| manifest.lost) {
                let _ = writeln!(text, "manifest {}@{}", repository.name, manifest.digest);
            }
        }
        let mut hash = Digest::sha256(text.as_bytes()).hex();
        hash.truncate(HASH);
        hash
    }
}

/// Which blobs are needed where, before and after.
struct Blobs {
    /// Each blob with the number of repositories that need it now, and the places of those that no longer do.
    needs: BTreeMap<Digest, (Blob, u64, Vec<usize>)>,
}

impl Blobs {
    fn count(repositories: &[&Repository], judged: &[Option<Judged>]) -> Self {
        let mut needs: BTreeMap<Digest, (Blob, u64, Vec<usize>)> = BTreeMap::new();
        for (place, (repository, verdicts)) in repositories.iter().zip(judged).enumerate() {
            // Whether something that is kept needs it.
            let mut here: BTreeMap<Digest, (Blob, bool)> = BTreeMap::new();
            for manifest in &repository.manifests {
                let verdict = verdicts.as_ref().and_then(|verdicts| verdicts.manifests.get(&manifest.digest));
                let stays = verdict.is_none_or(|verdict| !verdict.lost);
                for blob in &manifest.blobs {
                    here.entry(blob.digest).or_insert((*blob, false)).1 |= stays;
                }
            }
            for (digest, (blob, stays)) in here {
                let (_, count, gone) = needs.entry(digest).or_insert((blob, 0, Vec::new()));
                *count += 1;
                if !stays {
                    gone.push(place);
                }
            }
        }
        Self { needs }
    }

    /// Blobs that nothing needs any more.
    fn freed(&self) -> impl Iterator<Item = Blob> {
        self.needs.values().filter(|(_, count, gone)| *count == gone.len() as u64).map(|(blob, ..)| *blob)
    }

    /// Bytes of those that only this repository needed.
    fn freed_of(&self, place: usize) -> u64 {
        let only_there = self.needs.values().filter(|(_, count, gone)| *count == 1 && *gone == [place]);
        only_there.map(|(blob, ..)| blob.size).sum()
    }
}
