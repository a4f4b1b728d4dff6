//! The plan: what goes of all repositories, the bytes that this really frees, and a hash that stands for all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use railhead_oci::{Digest, RepositoryName};
use serde::{Deserialize, Serialize};

use crate::judge::{Contradiction, Judged, judge};
use crate::{InUse, Manifest, Millis, Repository, Rules};

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
    let mut planner = Planner::new(question);
    for repository in &repositories {
        planner.add(repository);
    }
    let mut needs: BTreeMap<Digest, u64> = planner.let_go().map(|digest| (*digest, 0)).collect();
    for repository in repositories {
        let blobs = repository.manifests.iter().flat_map(|manifest| &manifest.blobs);
        for digest in blobs.map(|blob| blob.digest).collect::<BTreeSet<_>>() {
            if let Some(count) = needs.get_mut(&digest) {
                *count += 1;
            }
        }
    }
    planner.finish(|digest| needs.get(digest).copied().unwrap_or_default()).0
}

/// Makes a plan out of one repository after the other, so that only what goes has to be in memory.
///
/// Order: [`Self::looks_at`] says whether a repository has to be read → [`Self::add`] or [`Self::pass`] → the caller finds out
/// how many repositories need each blob of [`Self::let_go`] → [`Self::finish`].
#[derive(Debug)]
pub struct Planner<'a> {
    question: &'a Question<'a>,
    plan: Plan,
    /// Blobs that something which goes needs, and nothing that stays in the same repository.
    let_go: BTreeMap<Digest, LetGo>,
}

/// A blob that repositories no longer need.
#[derive(Debug)]
struct LetGo {
    size: u64,
    /// How many repositories that are.
    repositories: u64,
    /// The last of them, by its place in the plan.
    place: usize,
    /// Whose they are; none when they are not all of the same owner.
    owner: Option<String>,
}

/// What becomes free, by who has it alone.
pub type FreedByOwner = BTreeMap<String, u64>;

impl<'a> Planner<'a> {
    /// A plan of nothing yet.
    pub fn new(question: &'a Question<'a>) -> Self {
        let plan = Plan {
            hash: String::new(),
            lost_tags: 0,
            lost_manifests: 0,
            freed_blobs: 0,
            freed_bytes: 0,
            kept_tags: 0,
            repositories: Vec::new(),
            refused: Vec::new(),
        };
        Self { question, plan, let_go: BTreeMap::new() }
    }

    /// Whether the repository is, or belongs to, what was asked for.
    pub fn concerns(&self, name: &RepositoryName) -> bool {
        concerns(self.question.only, name)
    }

    /// Whether what the repository has makes a difference: not when no rule speaks of it.
    pub fn looks_at(&self, name: &RepositoryName) -> bool {
        let speaks = || !self.question.rules.of(name).is_ok_and(|rule| rule.keeps_all());
        self.concerns(name) && (self.question.all || speaks())
    }

    /// Notes a repository that was asked for and is not looked at, with the number of its tags: it keeps them.
    pub fn pass(&mut self, tags: u64) {
        self.plan.kept_tags += tags;
    }

    /// Judges a repository, if it was asked for. Gives what the plan says of it, where it says something.
    pub fn add(&mut self, repository: &Repository) -> Option<&RepositoryPlan> {
        if !self.concerns(&repository.name) {
            return None;
        }
        let rule = self.question.rules.of(&repository.name).map_err(|[first, second]| Contradiction {
            what: format!("both \"{first}\" and \"{second}\" speak of it"),
            hint: "give it a table of its own under retention.repositories",
        });
        match rule.and_then(|rule| judge(repository, &rule, self.question.in_use, self.question.now)) {
            Ok(judged) => {
                let place = self.plan.repositories.len();
                self.let_go_of(repository, &judged, place);
                self.plan.add(repository, &judged, self.question.all);
                self.plan.repositories.get(place)
            }
            Err(Contradiction { what, hint }) => {
                let (name, hint) = (repository.name.clone(), hint.to_owned());
                self.plan.refused.push(Refusal { repository: name, why: what, hint });
                self.pass(repository.tags.len() as u64);
                None
            }
        }
    }

    /// Notes the blobs that only what goes needs here.
    fn let_go_of(&mut self, repository: &Repository, judged: &Judged, place: usize) {
        let goes = |manifest: &&Manifest| judged.manifests.get(&manifest.digest).is_some_and(|one| one.lost);
        let (gone, kept): (Vec<_>, Vec<_>) = repository.manifests.iter().partition(goes);
        let kept: BTreeSet<_> = kept.iter().flat_map(|one| &one.blobs).map(|blob| blob.digest).collect();
        let gone: BTreeMap<_, _> =
            gone.iter().flat_map(|one| &one.blobs).map(|blob| (blob.digest, blob.size)).collect();
        for (digest, size) in gone.into_iter().filter(|(digest, _)| !kept.contains(digest)) {
            let owner = repository.name.owner();
            let one = self.let_go.entry(digest).or_insert_with(|| LetGo {
                size,
                repositories: 0,
                place,
                owner: Some(owner.to_owned()),
            });
            one.repositories += 1;
            one.place = place;
            one.owner.take_if(|other| other.as_str() != owner);
        }
    }

    /// The blobs that become free if no other repository needs them.
    pub fn let_go(&self) -> impl Iterator<Item = &Digest> {
        self.let_go.keys()
    }

    /// The plan, and what it frees by owner. `needs` says how many repositories have a manifest that needs the blob,
    /// those of the plan included.
    pub fn finish(mut self, needs: impl Fn(&Digest) -> u64) -> (Plan, FreedByOwner) {
        let mut by_owner = FreedByOwner::new();
        for (digest, one) in self.let_go {
            let needs = needs(&digest);
            if needs > one.repositories {
                continue;
            }
            self.plan.freed_blobs += 1;
            self.plan.freed_bytes += one.size;
            if let Some(owner) = one.owner {
                *by_owner.entry(owner).or_default() += one.size;
            }
            if needs == 1
                && let Some(repository) = self.plan.repositories.get_mut(one.place)
            {
                repository.freed_bytes += one.size;
            }
        }
        self.plan.repositories.sort_by(|a, b| a.name.cmp(&b.name));
        self.plan.refused.sort_by(|a, b| a.repository.cmp(&b.repository));
        self.plan.hash = self.plan.digest();
        (self.plan, by_owner)
    }
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

    fn add(&mut self, repository: &Repository, judged: &Judged, all: bool) {
        let mut one = RepositoryPlan {
            name: repository.name.clone(),
            tags: Vec::new(),
            manifests: Vec::new(),
            freed_bytes: 0,
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
