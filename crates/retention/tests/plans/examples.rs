//! Each rule, and what happens where they meet.

use std::fmt::Write as _;

use railhead_retention::{DAY, Plan, Prefer, Rule};

use crate::world::{NOW, digest, images, lost, manifest, planned, planned_with, repository, rules, tag};

fn patterns<T: std::str::FromStr<Err: std::fmt::Debug>>(texts: &[&str]) -> Vec<T> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn told(plan: &Plan) -> String {
    let mut text = String::new();
    for tag in plan.repositories.iter().flat_map(|one| &one.tags) {
        let fate = if tag.lost { "lost" } else { "kept" };
        writeln!(text, "{} {fate} by {}: {}", tag.tag, tag.rule, tag.why).unwrap();
    }
    text
}

#[test]
fn each_rule_says_why() {
    let rule = Rule {
        keep_newest: Some(1),
        keep_days: Some(30),
        keep_patches: Some(1),
        keep: Some(patterns(&["latest"])),
        expire: Some(patterns(&["pr-*"])),
        expire_days: Some(7),
        prefer: Some(Prefer::Expire),
        ..Rule::default()
    };
    let app = images(
        "team/app",
        &[
            ("latest", 400),
            ("pr-1", 9),
            ("pr-2", 5),
            ("main-9", 2),
            ("main-8", 20),
            ("main-7", 60),
            ("1.4.1", 300),
            ("1.4.0", 301),
            ("1.3.9", 302),
            ("running", 500),
        ],
    );
    let plan = planned_with(&[app], &rules(rule), &["git.example.com/team/app:running"]);
    insta::assert_snapshot!(told(&plan), @r"
    1.3.9 kept by keep_patches: one of the newest 1 of 1.3
    1.4.0 lost by keep_newest: number 5 from the newest, and 1 are kept; last used 301 days ago, and 30 are kept; older than the newest 1 of 1.4
    1.4.1 kept by keep_patches: one of the newest 1 of 1.4
    latest kept by keep: 'latest' keeps it
    main-7 lost by keep_newest: number 3 from the newest, and 1 are kept; last used 60 days ago, and 30 are kept
    main-8 kept by keep_days: it was used in the last 30 days
    main-9 kept by keep_newest: number 1 of the 1 newest
    pr-1 lost by expire: 'pr-*' lets it go after 7 days; it was pushed 9 days ago
    pr-2 kept by expire: 'pr-*' lets it go 7 days after it was pushed
    running kept by in use: a workload runs with it
    ");
    assert_eq!((plan.lost_tags, plan.lost_manifests, plan.freed_bytes), (3, 3, 30));
}

#[test]
fn a_shared_layer_is_freed_by_nobody_who_shares_it() {
    let old = |name: &str| manifest(name, 100, &[("base", 1000), (name, 10)]);
    let app = repository(
        "team/app",
        vec![tag("a", "a", 100), tag("b", "b", 1)],
        vec![old("a"), manifest("b", 1, &[("b", 5)])],
    );
    let other = repository("guest/app", vec![tag("c", "c", 100)], vec![old("c")]);
    let one = rules(Rule { keep_newest: Some(1), ..Rule::default() });
    let plan = planned(&[app.clone(), other.clone()], &one);
    assert_eq!(
        (lost(&plan), plan.freed_bytes, plan.freed_blobs),
        (vec!["a"], 10, 1),
        "guest still needs the base"
    );
    // When both lose it, it goes once.
    let mut guest = other;
    guest.tags.push(tag("d", "d", 1));
    guest.manifests.push(manifest("d", 1, &[]));
    let plan = planned(&[app, guest], &one);
    assert_eq!((lost(&plan), plan.freed_bytes, plan.freed_blobs), (vec!["c", "a"], 1020, 3));
    assert_eq!(
        plan.repositories.iter().map(|one| one.freed_bytes).sum::<u64>(),
        20,
        "neither frees the base alone"
    );
}

#[test]
fn families_stay_and_go_together() {
    let mut index = manifest("index", 100, &[]);
    index.children = vec![digest("child")];
    let mut signature = manifest("signature", 100, &[]);
    signature.subject = Some(digest("child"));
    let fallback = |of: &str| format!("sha256-{}.sig", digest(of).hex());
    let mut old = manifest("old", 100, &[]);
    old.children = vec![digest("shared"), digest("old child")];
    index.children.push(digest("shared"));
    let manifests =
        ["child", "shared", "old child", "cosign", "old cosign"].map(|name| manifest(name, 100, &[]));
    let tags = vec![
        tag("v2", "index", 10),
        tag("v1", "old", 100),
        tag(&fallback("index"), "cosign", 100),
        tag(&fallback("old"), "old cosign", 100),
    ];
    let manifests = [vec![index, signature, old], manifests.into()].concat();
    let plan = planned(
        &[repository("team/app", tags, manifests)],
        &rules(Rule { keep_newest: Some(1), ..Rule::default() }),
    );
    assert_eq!(lost(&plan).len(), 2);
    assert!(lost(&plan).contains(&"v1") && lost(&plan).contains(&fallback("old").as_str()));
    let gone: Vec<_> =
        plan.repositories[0].manifests.iter().filter(|one| one.lost).map(|one| one.digest).collect();
    let mut expected = ["old", "old child", "old cosign"].map(digest);
    expected.sort();
    assert_eq!(gone, expected);
}

#[test]
fn what_no_tag_names_goes_by_its_last_use() {
    let mut left = manifest("left", 100, &[]);
    left.untagged_at = Some(NOW - 3 * DAY);
    let mut pulled = manifest("pulled", 100, &[]);
    pulled.pulled_at = Some(NOW - 2 * DAY);
    let manifests = vec![left, pulled, manifest("gone", 100, &[]), manifest("tagged", 100, &[])];
    let app = repository("team/app", vec![tag("v1", "tagged", 100)], manifests);
    let plan =
        planned(std::slice::from_ref(&app), &rules(Rule { untagged_days: Some(7), ..Rule::default() }));
    let gone: Vec<_> =
        plan.repositories[0].manifests.iter().filter(|one| one.lost).map(|one| one.digest).collect();
    assert_eq!(gone, [digest("gone")]);
    let pinned = format!("team/app@{}", digest("gone"));
    let plan = planned_with(&[app], &rules(Rule { untagged_days: Some(7), ..Rule::default() }), &[&pinned]);
    assert!(plan.is_empty(), "a workload pins it by digest");
}

#[test]
fn what_cannot_be_meant_loses_nothing() {
    let newest = Rule { keep_days: Some(3), ..Rule::default() };
    let stale = images("team/stale", &[("a", 50), ("b", 60)]);
    let fine = images("team/fine", &[("a", 1), ("b", 60)]);
    let plan = planned(&[stale.clone(), fine], &rules(newest.clone()));
    assert_eq!(lost(&plan), ["b"], "the other repository is served");
    insta::assert_snapshot!(format!("{}: {}; {}", plan.refused[0].repository, plan.refused[0].why, plan.refused[0].hint), @"team/stale: it would lose all that it has; say may_empty = true for it, or keep_newest = 1");
    let plan = planned(&[stale], &rules(Rule { may_empty: Some(true), ..newest }));
    assert_eq!(plan.lost_tags, 2);

    let both = Rule {
        keep: Some(patterns(&["v*"])),
        expire: Some(patterns(&["*-rc"])),
        expire_days: Some(1),
        ..Rule::default()
    };
    let app = images("team/app", &[("v1-rc", 50), ("x-rc", 60), ("v1", 60)]);
    let plan = planned(std::slice::from_ref(&app), &rules(both.clone()));
    assert_eq!(
        (plan.refused[0].why.as_str(), plan.lost_tags),
        ("'v*' keeps tag 'v1-rc', and '*-rc' lets it go", 0)
    );
    let prefer = |prefer| rules(Rule { prefer: Some(prefer), ..both.clone() });
    assert_eq!(lost(&planned(std::slice::from_ref(&app), &prefer(Prefer::Keep))), ["x-rc"]);
    assert_eq!(lost(&planned(&[app], &prefer(Prefer::Expire))), ["v1-rc", "x-rc"]);
}

#[test]
fn an_image_expires_by_its_annotation() {
    let mut app = images("team/app", &[("a", 50), ("b", 50), ("c", 50)]);
    app.manifests[0].annotations.insert("dev.example.stage".to_owned(), "test".to_owned());
    app.manifests[1].annotations.insert("dev.example.stage".to_owned(), "live".to_owned());
    let by = |text: &str| Rule {
        expire_annotations: Some(vec![text.to_owned()]),
        expire_days: Some(7),
        ..Rule::default()
    };
    assert_eq!(lost(&planned(std::slice::from_ref(&app), &rules(by("dev.example.stage=test")))), ["a"]);
    assert_eq!(lost(&planned(&[app], &rules(by("dev.example.stage")))), ["a", "b"]);
}

#[test]
fn what_is_pushed_or_pulled_just_now_is_left_alone() {
    let mut app = images("team/app", &[("a", 0), ("b", 50), ("c", 51)]);
    app.manifests[1].pulled_at = Some(NOW - 60_000);
    app.tags[2].moved_at = NOW - 51 * DAY;
    let one = rules(Rule { keep_newest: Some(1), ..Rule::default() });
    assert_eq!(lost(&planned(&[app], &one)), ["c"]);
}
