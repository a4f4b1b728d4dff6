//! What is read for a plan, and what is made of it: shared bytes, owners without rules, rules that cannot be meant.

use std::collections::BTreeMap;

use railhead_catalog::testing::Place;
use railhead_retention::{Rule, Rules};
use railhead_upkeep::Wish;

use crate::cases::{bytes, day, keep_newest, name, open, pulls, push};
use crate::world::manifest;

/// These rules for one owner, and none for others.
fn of_owner(owner: &str, rule: Rule) -> Wish {
    let owners = BTreeMap::from([(owner.to_owned(), rule)]);
    Wish { rules: Rules { owners, trash_days: Some(3), ..Rules::default() }, ..Wish::default() }
}

pub async fn what_owners_share_is_freed_by_neither_and_what_is_not_asked_for_is_not_read(place: &Place) {
    let (world, retention) = open(place).await;
    push(&world, "guest/app", "new", day(9)).await;
    // Each of guest's images needs the base of team's; a layer that only two images of different owners have.
    let both = world.push(&name("team/app"), &[b's'; 500], day(0)).await;
    world.push(&name("guest/app"), &[b's'; 500], day(0)).await;
    for repository in ["team/app", "guest/app"] {
        world.put(&name(repository), "shared", &manifest(repository, &[both]), day(0)).await.unwrap();
    }
    let newest = Rule { keep_newest: Some(1), ..Rule::default() };
    let lost = |plan: &railhead_retention::Plan| (plan.lost_tags, plan.kept_tags, plan.freed_bytes);
    // Team loses v1, v2 and the shared one; guest's three tags are kept and counted, as it has no rules.
    let team = of_owner("team", newest.clone());
    let plan = retention.plan(&team, day(20)).await;
    assert!(plan.is_err(), "a clock that nobody has confirmed");
    let plan = retention.plan(&team, day(12)).await.unwrap();
    assert_eq!(lost(&plan), (3, 1 + 3, 200));
    // Only guest is asked for, by the rules of all: one image of its own, as team needs base and shared layer.
    let only = Wish { only: Some("guest".to_owned()), ..keep_newest(1) };
    assert_eq!(lost(&retention.plan(&only, day(12)).await.unwrap()), (2, 1, 100));
    let only = Wish { only: Some("guest/app".to_owned()), ..keep_newest(1) };
    assert_eq!(lost(&retention.plan(&only, day(12)).await.unwrap()), (2, 1, 100));
    let only = Wish { only: Some("gues".to_owned()), ..keep_newest(1) };
    assert_eq!(
        lost(&retention.plan(&only, day(12)).await.unwrap()),
        (0, 0, 0),
        "the beginning of a name is no name"
    );
    // Both together free what they share, once.
    let all = retention.plan(&keep_newest(1), day(12)).await.unwrap();
    assert_eq!(lost(&all), (5, 2, 200 + 100 + 500));
    let before = bytes(&world).await;
    retention.apply(&keep_newest(1), &all.hash, None, day(12)).await.unwrap();
    world.catalog.drop_expired_trash(day(15)).await.unwrap();
    world.collect(day(15)).await;
    assert_eq!(before - bytes(&world).await, all.freed_bytes);
}

pub async fn a_forecast_counts_shared_bytes_once(place: &Place) {
    let (world, retention) = open(place).await;
    let newest = Rule { keep_newest: Some(1), ..Rule::default() };
    let seen = retention.forecast(&of_owner("team", newest), 90, 5, Some(1000), day(10)).await.unwrap();
    let owner = |name: &str| seen.owners.iter().find(|one| one.owner == name).unwrap();
    let used = |owner: railhead_catalog::Owner| owner.used_bytes;
    for name in ["team", "guest"] {
        let held = world.catalog.owner(name).await.unwrap().map(used);
        assert_eq!(Some(owner(name).now_bytes), held);
    }
    assert_eq!((owner("team").rules_free_bytes, owner("guest").rules_free_bytes), (200, 0));
    assert_eq!(seen.total.now_bytes + 1000, owner("team").now_bytes + owner("guest").now_bytes, "the base");
    assert_eq!(seen.total.rules_free_bytes, 200);
    // In the last five days only v3 came: a layer of its own.
    assert_eq!((owner("team").daily_bytes, owner("guest").daily_bytes, seen.total.daily_bytes), (20, 0, 20));
    assert_eq!((seen.past_days, seen.total.full_in_days), (5, Some(50)));
    // Looking back further than the registry has lived: all of it came in ten days.
    let seen = retention.forecast(&keep_newest(1), 90, 365, None, day(10)).await.unwrap();
    assert_eq!((seen.past_days, seen.total.daily_bytes), (10, (1000 + 4 * 100) / 10));
    let owner = |name: &str| seen.owners.iter().find(|one| one.owner == name).unwrap().daily_bytes;
    assert_eq!((owner("team"), owner("guest")), (130, 110), "both got the base");
}

pub async fn rules_that_would_delete_everything_lose_nothing(place: &Place) {
    let (world, retention) = open(place).await;
    let stale = Rule { keep_days: Some(1), ..Rule::default() };
    let wish = Wish { rules: Rules { default: stale, ..Rules::default() }, ..Wish::default() };
    // As the timer does it.
    let (applied, plan) = retention.run(&wish, day(15)).await.unwrap();
    assert_eq!(applied, None);
    let refused: Vec<_> =
        plan.refused.iter().map(|one| (one.repository.as_str(), one.why.as_str())).collect();
    let why = "it would lose all that it has";
    assert_eq!(refused, [("guest/app", why), ("team/app", why)]);
    assert_eq!(plan.refused[0].hint, "say may_empty = true for it, or keep_newest = 1");
    assert_eq!((retention.totals().runs, world.catalog.trash_runs(day(15)).await.unwrap().len()), (0, 0));
    assert!(pulls(&world, "team/app", "v1", day(15)).await);
    // One repository has something new: it is served, and the other is still refused.
    push(&world, "guest/app", "new", day(15)).await;
    let (applied, plan) = retention.run(&wish, day(15)).await.unwrap();
    assert_eq!((applied.unwrap().tags, plan.refused.len()), (1, 1));
    let totals = retention.totals();
    assert_eq!((totals.runs, totals.tags, totals.manifests, totals.recovered), (1, 1, 1, 0));
    retention.undo_plan(&plan.hash, day(15)).await.unwrap();
    assert_eq!(retention.totals().recovered, 1);
}
