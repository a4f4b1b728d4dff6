//! Short words for the cases.

use std::collections::BTreeMap;

use railhead_oci::Digest;
use railhead_retention::{
    Blob, DAY, InUse, Manifest, Millis, Plan, Question, Repository, Rule, Rules, TagFact, plan,
};

pub const NOW: Millis = 1000 * DAY;

pub fn digest(text: &str) -> Digest {
    Digest::sha256(text.as_bytes())
}

/// A manifest that was pushed so many days ago, with blobs of the given sizes; what a blob is called is what it is.
pub fn manifest(content: &str, days_ago: i64, blobs: &[(&str, u64)]) -> Manifest {
    Manifest {
        digest: digest(content),
        size: 100,
        subject: None,
        annotations: BTreeMap::new(),
        pushed_at: NOW - days_ago * DAY,
        pulled_at: None,
        untagged_at: None,
        children: Vec::new(),
        blobs: blobs.iter().map(|(name, size)| Blob { digest: digest(name), size: *size }).collect(),
    }
}

pub fn tag(name: &str, content: &str, days_ago: i64) -> TagFact {
    TagFact { name: name.parse().unwrap(), digest: digest(content), moved_at: NOW - days_ago * DAY }
}

pub fn repository(name: &str, tags: Vec<TagFact>, manifests: Vec<Manifest>) -> Repository {
    Repository { name: name.parse().unwrap(), tags, manifests }
}

/// A repository with one image of its own for each tag.
pub fn images(name: &str, tags: &[(&str, i64)]) -> Repository {
    let manifests = tags.iter().map(|(name, days)| manifest(name, *days, &[(name, 10)])).collect();
    repository(name, tags.iter().map(|(name, days)| tag(name, name, *days)).collect(), manifests)
}

pub fn rules(rule: Rule) -> Rules {
    Rules { default: rule, ..Rules::default() }
}

pub fn planned(repositories: &[Repository], rules: &Rules) -> Plan {
    planned_with(repositories, rules, &[])
}

pub fn planned_with(repositories: &[Repository], rules: &Rules, in_use: &[&str]) -> Plan {
    rules.check().unwrap();
    let in_use = InUse::of(in_use.iter().copied()).0;
    plan(repositories, &Question { rules, in_use: &in_use, now: NOW, only: None, all: true })
}

/// The tags that go, by name.
pub fn lost(plan: &Plan) -> Vec<&str> {
    let tags = plan.repositories.iter().flat_map(|one| &one.tags);
    tags.filter(|tag| tag.lost).map(|tag| tag.tag.as_str()).collect()
}
