//! What is true of every plan, tried on repositories and rules made at random.

use std::collections::BTreeSet;

use proptest::prelude::*;
use railhead_oci::Digest;
use railhead_retention::{
    DAY, InUse, Manifest, Plan, Prefer, Question, Repository, Rule, Rules, SETTLE, TagFact, plan,
};

use crate::world::{NOW, digest, manifest, repository, rules};

const TAGS: [&str; 10] =
    ["latest", "1.0.0", "1.0.1", "1.1.0", "v1.0.1", "pr-1", "pr-2", "main-1", "main-2", "x"];

/// Manifests 0 to 7; each may list and be about only ones before it, as digests allow nothing else.
fn any_repository(name: &'static str) -> impl Strategy<Value = Repository> {
    let one = (
        0i64..60,
        proptest::option::of(0i64..60),
        0u8..8,
        proptest::option::weighted(0.3, 0usize..8),
        0u64..16,
    );
    let tag = (0usize..TAGS.len(), 0usize..8, 0i64..60);
    let fallback = (0usize..8, 0usize..8, 0i64..60);
    (prop::collection::vec(one, 8), prop::collection::vec(tag, 0..8), prop::collection::vec(fallback, 0..2))
        .prop_map(move |(manifests, tags, fallbacks)| {
            let content = |number: usize| format!("m{number}");
            let made =
                manifests.iter().enumerate().map(|(number, (pushed, pulled, children, subject, blobs))| {
                    let blobs: Vec<_> = (0..4).filter(|bit| blobs >> bit & 1 == 1).collect();
                    let names: Vec<_> = blobs.iter().map(|bit| format!("blob {bit}")).collect();
                    let sized: Vec<_> = names
                        .iter()
                        .zip(&blobs)
                        .map(|(name, bit)| (name.as_str(), 10u64.pow(*bit)))
                        .collect();
                    let mut made = manifest(&content(number), *pushed, &sized);
                    made.pulled_at = pulled.map(|days| NOW - days * DAY);
                    made.children = (0..number.min(3))
                        .filter(|bit| children >> bit & 1 == 1)
                        .map(|bit| digest(&content(bit)))
                        .collect();
                    made.subject =
                        subject.filter(|subject| *subject < number).map(|subject| digest(&content(subject)));
                    made
                });
            let mut named = BTreeSet::new();
            let tag = |(name, number, days): &(usize, usize, i64)| TagFact {
                name: TAGS[*name].parse().unwrap(),
                digest: digest(&content(*number)),
                moved_at: NOW - days * DAY,
            };
            let fallback = |(about, number, days): &(usize, usize, i64)| TagFact {
                name: format!("sha256-{}", digest(&content(*about)).hex()).parse().unwrap(),
                digest: digest(&content(*number)),
                moved_at: NOW - days * DAY,
            };
            let all = tags.iter().map(tag).chain(fallbacks.iter().map(fallback));
            let tags = all.filter(|tag| named.insert(tag.name.clone())).collect();
            repository(name, tags, made.collect())
        })
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let days = || proptest::option::of(1u32..50);
    (
        proptest::option::of(1u32..4),
        days(),
        proptest::option::of(1u32..3),
        days(),
        days(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(keep_newest, keep_days, keep_patches, expire_days, untagged_days, may_empty, prefer)| Rule {
                keep_newest,
                keep_days,
                keep_patches,
                keep: Some(vec!["latest".parse().unwrap()]),
                expire: expire_days.map(|_| vec!["pr-*".parse().unwrap()]),
                expire_days,
                untagged_days,
                prefer: Some(if prefer { Prefer::Expire } else { Prefer::Keep }),
                may_empty: Some(may_empty),
                ..Rule::default()
            },
        )
}

fn planned(repositories: &[Repository], rules: &Rules, now: i64) -> Plan {
    let in_use = InUse::default();
    plan(repositories, &Question { rules, in_use: &in_use, now, only: None, all: false })
}

/// What is there after a plan was applied.
fn applied(repositories: &[Repository], plan: &Plan) -> Vec<Repository> {
    let mut after = repositories.to_vec();
    for (repository, lost) in after.iter_mut().filter_map(|one| {
        let lost = plan.repositories.iter().find(|lost| lost.name == one.name)?;
        Some((one, lost))
    }) {
        repository.tags.retain(|tag| !lost.tags.iter().any(|gone| gone.tag == tag.name.as_str()));
        repository.manifests.retain(|one| !lost.manifests.iter().any(|gone| gone.digest == one.digest));
        // What a tag has left has been left now.
        for one in &mut repository.manifests {
            if lost.tags.iter().any(|gone| gone.digest == one.digest) {
                one.untagged_at = Some(NOW);
            }
        }
    }
    after
}

fn bytes(repositories: &[Repository]) -> u64 {
    let manifests = repositories.iter().flat_map(|one| &one.manifests);
    let blobs: BTreeSet<_> =
        manifests.flat_map(|one| &one.blobs).map(|blob| (blob.digest, blob.size)).collect();
    blobs.iter().map(|(_, size)| size).sum()
}

fn find<'a>(repository: &'a Repository, digest: &Digest) -> Option<&'a Manifest> {
    repository.manifests.iter().find(|one| one.digest == *digest)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_kept_has_all_that_belongs_to_it(a in any_repository("team/a"), b in any_repository("guest/b"), rule in any_rule()) {
        let before = [a, b];
        let after = applied(&before, &planned(&before, &rules(rule), NOW));
        for (before, after) in before.iter().zip(&after) {
            for tag in &after.tags {
                prop_assert!(find(after, &tag.digest).is_some(), "{} names what is gone", tag.name);
            }
            for kept in &after.manifests {
                for child in &kept.children {
                    prop_assert!(find(after, child).is_some(), "a child of a kept index is gone");
                }
                for referrer in before.manifests.iter().filter(|one| one.subject == Some(kept.digest)) {
                    prop_assert!(find(after, &referrer.digest).is_some(), "a referrer of a kept subject is gone");
                }
                let fallback = format!("sha256-{}", kept.digest.hex());
                let had = before.tags.iter().any(|tag| tag.name.as_str() == fallback);
                let has = after.tags.iter().any(|tag| tag.name.as_str() == fallback);
                prop_assert_eq!(had, has, "the fallback tag of a kept subject is gone");
            }
        }
    }

    #[test]
    fn the_bytes_are_those_that_are_not_there_afterwards(a in any_repository("team/a"), b in any_repository("guest/b"), rule in any_rule()) {
        let before = [a, b];
        let plan = planned(&before, &rules(rule), NOW);
        prop_assert_eq!(plan.freed_bytes, bytes(&before) - bytes(&applied(&before, &plan)));
    }

    #[test]
    fn order_does_not_matter(a in any_repository("team/a"), b in any_repository("guest/b"), rule in any_rule()) {
        let rules = rules(rule);
        let mut turned = [b.clone(), a.clone()];
        for repository in &mut turned {
            repository.tags.reverse();
            repository.manifests.reverse();
        }
        prop_assert_eq!(planned(&[a, b], &rules, NOW), planned(&turned, &rules, NOW));
    }

    #[test]
    fn a_second_plan_loses_nothing(a in any_repository("team/a"), b in any_repository("guest/b"), rule in any_rule()) {
        let (before, rules) = ([a, b], rules(rule));
        let after = applied(&before, &planned(&before, &rules, NOW));
        let second = planned(&after, &rules, NOW);
        prop_assert!(second.is_empty(), "{:?}", second);
    }

    #[test]
    fn nothing_within_the_window_goes(a in any_repository("team/a"), rule in any_rule()) {
        let plan = planned(std::slice::from_ref(&a), &rules(rule.clone()), NOW);
        for lost in plan.repositories.iter().flat_map(|one| &one.tags) {
            let tag = a.tags.iter().find(|tag| tag.name.as_str() == lost.tag).unwrap();
            let one = find(&a, &tag.digest).unwrap();
            let pushed = NOW - one.pushed_at.max(tag.moved_at);
            let used = pushed.min(NOW - one.pulled_at.unwrap_or(one.pushed_at));
            if tag.name.as_str().starts_with("sha256-") {
                continue;
            }
            prop_assert!(pushed >= SETTLE);
            let expires = tag.name.as_str().starts_with("pr-") && rule.expire.is_some();
            if expires {
                prop_assert!(pushed >= i64::from(rule.expire_days.unwrap()) * DAY);
            }
            if !expires || rule.prefer == Some(Prefer::Keep) {
                prop_assert!(rule.keep_days.is_none_or(|days| used >= i64::from(days) * DAY));
            }
        }
    }

    #[test]
    fn a_clock_that_is_set_back_loses_no_more(a in any_repository("team/a"), rule in any_rule(), days in 1i64..3000) {
        let rules = rules(rule);
        let lost = |plan: Plan| plan.repositories.into_iter().flat_map(|one| one.tags).map(|tag| tag.tag).collect::<BTreeSet<_>>();
        let (now, back) = (planned(std::slice::from_ref(&a), &rules, NOW), planned(std::slice::from_ref(&a), &rules, NOW - days * DAY));
        // Where the rules are refused for the whole repository, nothing can be compared.
        if now.refused.is_empty() {
            prop_assert!(lost(back).is_subset(&lost(now)));
        }
    }
}
