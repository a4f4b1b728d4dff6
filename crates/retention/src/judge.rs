//! One repository: which tags and manifests go, and why each is kept or lost.
//!
//! Order: each tag is judged by the rules; what would go and was touched just now is spared; what a kept root needs is
//! kept; the rest goes. A tag stays with what the first rule in this order says: in use, `keep` or `expire` by the
//! tag's name or annotation, newest, window, patch releases.

use std::collections::{BTreeMap, BTreeSet};

use railhead_oci::{Digest, Pattern};

use crate::closure::Family;
use crate::rules::{Prefer, Rule};
use crate::{DAY, InUse, Manifest, Millis, Repository, SETTLE, SETTLE_PULL, TagFact, Version, fallback};

/// What becomes of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) lost: bool,
    /// The key of the rule that decided, or a word for what is not a rule.
    pub(crate) rule: &'static str,
    /// A sentence for a person.
    pub(crate) why: String,
}

/// All verdicts of a repository; `tags` and `manifests` are in the order of their names.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    pub(crate) tags: BTreeMap<String, (Digest, Verdict)>,
    pub(crate) manifests: BTreeMap<Digest, Verdict>,
}

/// Why nothing of a repository goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contradiction {
    pub(crate) what: String,
    pub(crate) hint: &'static str,
}

fn kept(rule: &'static str, why: impl Into<String>) -> Verdict {
    Verdict { lost: false, rule, why: why.into() }
}

fn lost(rule: &'static str, why: impl Into<String>) -> Verdict {
    Verdict { lost: true, rule, why: why.into() }
}

/// Judges a repository. `Err` says why its rules cannot be applied to what it has.
pub(crate) fn judge(
    repository: &Repository,
    rule: &Rule,
    in_use: &InUse,
    now: Millis,
) -> Result<Judged, Contradiction> {
    let judge = Judge { repository, rule, in_use, now, family: Family::of(repository) };
    let mut tags = judge.tags()?;
    let mut untagged = judge.untagged(&tags);
    judge.spare_what_moves(&mut tags, &mut untagged);
    let judged = judge.settle(tags, &untagged);
    let has_something = !judged.manifests.is_empty();
    let loses_all_tags = !judged.tags.is_empty() && judged.tags.values().all(|(_, verdict)| verdict.lost);
    let loses_all = has_something && judged.manifests.values().all(|verdict| verdict.lost);
    if (loses_all_tags || loses_all) && rule.may_empty != Some(true) {
        let what = if loses_all { "it would lose all that it has" } else { "it would lose all its tags" };
        return Err(Contradiction {
            what: what.to_owned(),
            hint: "say may_empty = true for it, or keep_newest = 1",
        });
    }
    Ok(judged)
}

struct Judge<'a> {
    repository: &'a Repository,
    rule: &'a Rule,
    in_use: &'a InUse,
    now: Millis,
    family: Family<'a>,
}

/// The verdict of each tag by name; a tag that follows its subject has none yet.
type Tags<'a> = BTreeMap<&'a str, (&'a TagFact, Option<Verdict>)>;

impl<'a> Judge<'a> {
    /// Judges every tag that stands for itself.
    fn tags(&self) -> Result<Tags<'a>, Contradiction> {
        let mut verdicts = Tags::new();
        let mut ordinary = Vec::new();
        for tag in &self.repository.tags {
            let verdict = match fallback::subject(&tag.name) {
                Some(subject) if self.family.get(&subject).is_some() => None,
                Some(_) => Some(self.without_subject(tag)),
                None => {
                    let verdict = self.by_name(tag)?;
                    if verdict.is_none() {
                        ordinary.push(tag);
                        continue;
                    }
                    verdict
                }
            };
            verdicts.insert(tag.name.as_str(), (tag, verdict));
        }
        // The newest first; at the same moment by name, so that the order of the input does not matter.
        ordinary.sort_by(|a, b| (self.since(b), &b.name).cmp(&(self.since(a), &a.name)));
        let patches = self.kept_patches(&ordinary);
        for (place, tag) in ordinary.iter().enumerate() {
            let verdict = self.by_place_and_age(tag, place, &patches);
            verdicts.insert(tag.name.as_str(), (tag, Some(verdict)));
        }
        Ok(verdicts)
    }

    /// When a tag or its manifest was pushed last.
    fn since(&self, tag: &TagFact) -> Millis {
        self.family.get(&tag.digest).map_or(tag.moved_at, |manifest| manifest.pushed_at.max(tag.moved_at))
    }

    fn last_used(&self, tag: &TagFact) -> Millis {
        self.family.get(&tag.digest).map_or(tag.moved_at, |manifest| manifest.last_used().max(tag.moved_at))
    }

    /// Whole days that have passed; less than none when the clock was set back.
    fn days_since(&self, then: Millis) -> i64 {
        self.now.saturating_sub(then).div_euclid(DAY)
    }

    fn is_within(&self, then: Millis, days: u32) -> bool {
        self.now.saturating_sub(then) < i64::from(days).saturating_mul(DAY)
    }

    /// A fallback tag of something that is not here may have come before it.
    fn without_subject(&self, tag: &TagFact) -> Verdict {
        match self.rule.untagged_days {
            None => kept("-", "no rule speaks of images without a tag, and its subject is not here"),
            Some(days) if self.is_within(self.last_used(tag), days) => {
                kept("untagged_days", format!("its subject is not here; it goes after {days} days"))
            }
            Some(days) => lost("untagged_days", format!("its subject has not been here for {days} days")),
        }
    }

    /// What the tag's name, its annotations and its use say, if they say something.
    fn by_name(&self, tag: &TagFact) -> Result<Option<Verdict>, Contradiction> {
        let name = &self.repository.name;
        if self.in_use.has_tag(name, &tag.name) || self.in_use.has_digest(name, &tag.digest) {
            return Ok(Some(kept("in use", "a workload runs with it")));
        }
        let first = |patterns: &'a Option<Vec<Pattern>>| {
            patterns.iter().flatten().find(|pattern| pattern.matches(tag.name.as_str()))
        };
        let keep = first(&self.rule.keep);
        let expire = match first(&self.rule.expire) {
            Some(pattern) => Some(("expire", format!("'{}'", pattern.as_str()))),
            None => self.annotation(tag).map(|text| ("expire_annotations", format!("annotation '{text}'"))),
        };
        match (keep, expire) {
            (Some(keep), Some((_, expire))) if self.rule.prefer.is_none() => Err(Contradiction {
                what: format!("'{}' keeps tag '{}', and {expire} lets it go", keep.as_str(), tag.name),
                hint: "say prefer = \"keep\" or prefer = \"expire\"",
            }),
            (Some(keep), expire) if expire.is_none() || self.rule.prefer == Some(Prefer::Keep) => {
                Ok(Some(kept("keep", format!("'{}' keeps it", keep.as_str()))))
            }
            (_, Some((rule, by))) => Ok(Some(self.expiring(tag, rule, &by))),
            (_, None) => Ok(None),
        }
    }

    /// The annotation of the rule that the tag's manifest has.
    fn annotation(&self, tag: &TagFact) -> Option<&'a str> {
        let annotations = &self.family.get(&tag.digest)?.annotations;
        let has = |text: &&String| match text.split_once('=') {
            Some((key, value)) => annotations.get(key).is_some_and(|found| found == value),
            None => annotations.contains_key(text.as_str()),
        };
        self.rule.expire_annotations.iter().flatten().find(has).map(String::as_str)
    }

    fn expiring(&self, tag: &TagFact, rule: &'static str, by: &str) -> Verdict {
        let Some(days) = self.rule.expire_days else { return kept(rule, format!("{by} says no time")) };
        if let Some(window) = self.rule.keep_days
            && self.rule.prefer == Some(Prefer::Keep)
            && self.is_within(self.last_used(tag), window)
        {
            return kept("keep_days", format!("it was used in the last {window} days"));
        }
        let since = self.since(tag);
        if self.is_within(since, days) {
            return kept(rule, format!("{by} lets it go {days} days after it was pushed"));
        }
        lost(
            rule,
            format!("{by} lets it go after {days} days; it was pushed {} days ago", self.days_since(since)),
        )
    }

    /// The newest patch releases of each line; `tags` are those that no name decides.
    fn kept_patches(&self, tags: &[&TagFact]) -> BTreeSet<Version> {
        let Some(count) = self.rule.keep_patches else { return BTreeSet::new() };
        let all: BTreeSet<_> = tags.iter().filter_map(|tag| Version::of(&tag.name)).collect();
        let mut places: BTreeMap<(u64, u64), u32> = BTreeMap::new();
        let among_newest = |version: &Version| {
            let place = places.entry(version.line()).or_default();
            *place += 1;
            *place <= count
        };
        all.into_iter().rev().filter(among_newest).collect()
    }

    fn by_place_and_age(&self, tag: &TagFact, place: usize, patches: &BTreeSet<Version>) -> Verdict {
        let rule = self.rule;
        let mut missed = Vec::new();
        if let Some(count) = rule.keep_newest {
            if place < count as usize {
                return kept("keep_newest", format!("number {} of the {count} newest", place + 1));
            }
            missed.push(format!("number {} from the newest, and {count} are kept", place + 1));
        }
        if let Some(days) = rule.keep_days {
            let last = self.last_used(tag);
            if self.is_within(last, days) {
                return kept("keep_days", format!("it was used in the last {days} days"));
            }
            missed.push(format!("last used {} days ago, and {days} are kept", self.days_since(last)));
        }
        if let (Some(count), Some(version)) = (rule.keep_patches, Version::of(&tag.name)) {
            let (major, minor) = version.line();
            if patches.contains(&version) {
                return kept("keep_patches", format!("one of the newest {count} of {major}.{minor}"));
            }
            missed.push(format!("older than the newest {count} of {major}.{minor}"));
        }
        if rule.keep_newest.is_none() && rule.keep_days.is_none() && rule.keep_patches.is_none() {
            return kept("-", "no rule speaks of it");
        }
        if missed.is_empty() {
            // Only releases are limited, and this is none.
            return kept("-", "it is no release, and no other rule speaks of it");
        }
        let rule = if rule.keep_newest.is_some() {
            "keep_newest"
        } else if rule.keep_days.is_some() {
            "keep_days"
        } else {
            "keep_patches"
        };
        lost(rule, missed.join("; "))
    }

    /// Judges the manifests that no tag names and that follow no other.
    fn untagged(&self, tags: &Tags<'_>) -> BTreeMap<Digest, Verdict> {
        let named: BTreeSet<_> = tags.values().map(|(tag, _)| tag.digest).collect();
        let stands_alone = |manifest: &&Manifest| {
            !named.contains(&manifest.digest) && !self.family.follows(manifest)
                || self.in_use.has_digest(&self.repository.name, &manifest.digest)
        };
        let verdict = |manifest: &Manifest| (manifest.digest, self.untagged_verdict(manifest));
        self.repository.manifests.iter().filter(stands_alone).map(verdict).collect()
    }

    fn untagged_verdict(&self, manifest: &Manifest) -> Verdict {
        if self.in_use.has_digest(&self.repository.name, &manifest.digest) {
            return kept("in use", "a workload runs with it");
        }
        let since = manifest.last_used().max(manifest.untagged_at.unwrap_or(manifest.pushed_at));
        match self.rule.untagged_days {
            None => kept("-", "no rule speaks of images without a tag"),
            Some(days) if self.is_within(since, days) => {
                kept("untagged_days", format!("no tag names it; it goes after {days} days"))
            }
            Some(days) => {
                let passed = self.days_since(since);
                lost(
                    "untagged_days",
                    format!("no tag names it, last used {passed} days ago, and {days} are kept"),
                )
            }
        }
    }

    /// Spares roots of which something was touched just now: a push may be under way that counts on it.
    fn spare_what_moves(&self, tags: &mut Tags<'_>, untagged: &mut BTreeMap<Digest, Verdict>) {
        let moves = |root: Digest, since: Millis| {
            let recent = |manifest: &Manifest| {
                let pulled = manifest.pulled_at.is_some_and(|at| self.now.saturating_sub(at) < SETTLE_PULL);
                self.now.saturating_sub(manifest.pushed_at) < SETTLE || pulled
            };
            let mut family = self.family.closure([root]).into_keys();
            self.now.saturating_sub(since) < SETTLE
                || family.any(|digest| self.family.get(&digest).is_some_and(recent))
        };
        let spared = || kept("just now", "it was pushed in the last day, or pulled in the last hour");
        for (tag, verdict) in tags.values_mut() {
            if let Some(verdict) = verdict
                && verdict.lost
                && moves(tag.digest, tag.moved_at)
            {
                *verdict = spared();
            }
        }
        for (digest, verdict) in untagged.iter_mut().filter(|(_, verdict)| verdict.lost) {
            if moves(*digest, Millis::MIN) {
                *verdict = spared();
            }
        }
    }

    /// Keeps what the kept roots need, and gives everything its verdict.
    fn settle(&self, tags: Tags<'a>, untagged: &BTreeMap<Digest, Verdict>) -> Judged {
        let is_kept = |verdict: &Verdict| !verdict.lost;
        let mut roots = BTreeMap::new();
        for (tag, verdict) in tags.values() {
            if let Some(verdict) = verdict.as_ref().filter(|verdict| is_kept(verdict)) {
                roots.entry(tag.digest).or_insert_with(|| Verdict {
                    why: format!("tag '{}': {}", tag.name, verdict.why),
                    ..verdict.clone()
                });
            }
        }
        for (digest, verdict) in untagged.iter().filter(|(_, verdict)| is_kept(verdict)) {
            roots.entry(*digest).or_insert_with(|| verdict.clone());
        }
        let closure = self.family.closure(roots.keys().copied());
        let mut judged = Judged::default();
        for (name, (tag, verdict)) in tags {
            let verdict = verdict.unwrap_or_else(|| {
                if fallback::subject(&tag.name).is_some_and(|subject| closure.contains_key(&subject)) {
                    kept("belongs", "what it is about is kept")
                } else {
                    lost("belongs", "what it is about goes")
                }
            });
            judged.tags.insert(name.to_owned(), (tag.digest, verdict));
        }
        for manifest in &self.repository.manifests {
            let digest = manifest.digest;
            let verdict = match (roots.get(&digest), closure.get(&digest), untagged.get(&digest)) {
                (Some(verdict), ..) | (None, None, Some(verdict)) => verdict.clone(),
                (None, Some(Some(from)), _) => {
                    kept("belongs", format!("{from} is kept, and it belongs to that"))
                }
                (None, Some(None), _) => kept("belongs", "it is kept"),
                (None, None, None) => lost("belongs", "no tag that is kept needs it"),
            };
            judged.manifests.insert(digest, verdict);
        }
        judged
    }
}
