//! The cases. Days pass by telling what time it is.

use std::collections::BTreeSet;

use railhead_catalog::testing::Place;
use railhead_catalog::{RepositoryFilter, Timestamp, Unlinked};
use railhead_oci::{Digest, Reference, RepositoryName};
use railhead_retention::{DAY, Rule, Rules};
use railhead_upkeep::{Retention, RetentionError, Wish};

use crate::world::{GRACE, NOW, World, manifest};

/// So many days later.
pub fn day(days: i64) -> Timestamp {
    NOW.plus_millis(days * DAY)
}

pub fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

pub fn keep_newest(count: u32) -> Wish {
    let default = Rule { keep_newest: Some(count), ..Rule::default() };
    Wish { rules: Rules { default, trash_days: Some(3), ..Rules::default() }, ..Wish::default() }
}

/// An image of a base of a thousand bytes that all share, and a layer of its own of a hundred.
pub async fn push(world: &World, repository: &str, tag: &str, now: Timestamp) -> Digest {
    let repository = name(repository);
    let base = world.push(&repository, &[b'b'; 1000], now).await;
    let own = format!("{:0>100}", format!("{repository}:{tag}"));
    let layer = world.push(&repository, own.as_bytes(), now).await;
    world.put(&repository, tag, &manifest(tag, &[base, layer]), now).await.unwrap()
}

/// `team/app` with two images of day 0 and one of day 9, `guest/app` with one; retention looks at it on day 10.
pub async fn open(place: &Place) -> (World, Retention) {
    let world = World::open(place).await;
    for owner in ["team", "guest"] {
        world.catalog.create_organisation(owner, NOW).await.unwrap();
    }
    for (repository, tag, at) in
        [("team/app", "v1", 0), ("team/app", "v2", 1), ("team/app", "v3", 9), ("guest/app", "only", 0)]
    {
        push(&world, repository, tag, day(at)).await;
    }
    let retention = Retention::new(world.registry.clone());
    (world, retention)
}

pub async fn bytes(world: &World) -> u64 {
    world.store.list(None, 999).await.unwrap().iter().map(|object| object.size).sum()
}

pub async fn pulls(world: &World, repository: &str, tag: &str, now: Timestamp) -> bool {
    let repository = name(repository);
    let reference = Reference::Tag(tag.parse().unwrap());
    let Ok(manifest) = world.registry.manifest(&repository, &reference).await else { return false };
    let facts = railhead_oci::Manifest::read(None, &manifest.bytes).unwrap();
    for blob in facts.blobs {
        world.pull(&repository, &blob, now).await.unwrap();
    }
    true
}

/// The sums of all owners are what a recount gives.
async fn sums_are_right(world: &World) {
    for share in world.catalog.owner_shares(None, 9).await.unwrap() {
        assert_eq!(world.catalog.discrepancies(share.owner.id).await.unwrap(), []);
    }
}

pub async fn what_the_plan_says_is_what_becomes_free(place: &Place) {
    let (world, retention) = open(place).await;
    let wish = keep_newest(1);
    let before = bytes(&world).await;
    let plan = retention.plan(&wish, day(10)).await.unwrap();
    assert_eq!((plan.lost_tags, plan.lost_manifests, plan.freed_blobs, plan.freed_bytes), (2, 2, 2, 200));
    let applied = retention.apply(&wish, &plan.hash, None, day(10)).await.unwrap();
    assert_eq!((applied.tags, applied.manifests, applied.until), (2, 2, day(13)));
    assert_eq!(applied.moved, []);
    sums_are_right(&world).await;
    for tag in ["v1", "v2"] {
        assert!(!pulls(&world, "team/app", tag, day(10)).await, "what is in the trash is served to nobody");
    }
    world.collect(day(12)).await;
    assert_eq!(bytes(&world).await, before, "nothing goes as long as it can be undone");
    world.collect(day(13)).await;
    assert_eq!(bytes(&world).await, before, "nor before the trash has ended");
    assert_eq!(world.catalog.drop_expired_trash(day(13)).await.unwrap(), 2);
    world.collect(day(13).plus_millis(3_600_000)).await;
    assert_eq!(before - bytes(&world).await, plan.freed_bytes);
    assert!(
        pulls(&world, "team/app", "v3", day(13)).await && pulls(&world, "guest/app", "only", day(13)).await
    );
    sums_are_right(&world).await;
    // A plan applied twice is a plan that has moved.
    let again = retention.apply(&wish, &plan.hash, None, day(10)).await.unwrap_err();
    assert!(matches!(again, RetentionError::Moved { .. }), "{again}");
    assert!(retention.plan(&wish, day(10)).await.unwrap().is_empty());
}

pub async fn an_undone_plan_pulls_as_before(place: &Place) {
    let (world, retention) = open(place).await;
    let wish = keep_newest(1);
    let before = world.catalog.repositories(RepositoryFilter::default(), None, 9).await.unwrap();
    let hash = retention.plan(&wish, day(10)).await.unwrap().hash;
    retention.apply(&wish, &hash, None, day(10)).await.unwrap();
    world.collect(day(12)).await;
    let recovered = retention.undo_plan(&hash, day(12)).await.unwrap();
    assert_eq!(
        (recovered[&name("team/app")].tags.len(), recovered[&name("team/app")].manifests.len()),
        (2, 2)
    );
    for tag in ["v1", "v2", "v3"] {
        assert!(pulls(&world, "team/app", tag, day(12)).await, "{tag}");
    }
    assert_eq!(world.catalog.repositories(RepositoryFilter::default(), None, 9).await.unwrap(), before);
    sums_are_right(&world).await;
    world.collect(day(100)).await;
    assert!(pulls(&world, "team/app", "v1", day(100)).await, "nothing of the trash's end is left");
    assert_eq!(world.catalog.trash_runs(day(12)).await.unwrap(), []);
    let again = retention.undo_plan(&hash, day(12)).await.unwrap_err();
    assert!(matches!(again, RetentionError::NotInTrash(_)), "{again}");
}

pub async fn one_image_comes_back_alone(place: &Place) {
    let (world, retention) = open(place).await;
    let wish = keep_newest(1);
    let hash = retention.plan(&wish, day(10)).await.unwrap().hash;
    retention.apply(&wish, &hash, None, day(10)).await.unwrap();
    // Somebody gives the name away meanwhile.
    let other = push(&world, "team/app", "v2", day(11)).await;
    let undo = async |tag: &str| {
        let reference = Reference::Tag(tag.parse().unwrap());
        let recovered = retention.undo_reference(&name("team/app"), &reference, day(11)).await.unwrap();
        recovered[&name("team/app")].clone()
    };
    assert_eq!(undo("v1").await.tags.len(), 1);
    assert!(pulls(&world, "team/app", "v1", day(11)).await);
    // The push was the same image, so its tag is simply there.
    let second = undo("v2").await;
    assert_eq!((second.tags.len(), second.taken.len()), (1, 0));
    sums_are_right(&world).await;

    let hash = retention.plan(&wish, day(16)).await.unwrap().hash;
    retention.apply(&wish, &hash, None, day(16)).await.unwrap();
    let repository = name("team/app");
    let base = world.push(&repository, b"another", day(16)).await;
    let new = world.put(&repository, "v1", &manifest("another", &[base]), day(16)).await.unwrap();
    assert_ne!(new, other);
    let recovered = retention.undo_plan(&hash, day(16)).await.unwrap();
    let taken = &recovered[&repository].taken;
    assert_eq!(
        taken.iter().map(railhead_oci::Tag::as_str).collect::<Vec<_>>(),
        ["v1"],
        "it is not taken back from anybody"
    );
    let reference = Reference::Tag("v1".parse().unwrap());
    assert_eq!(world.registry.manifest(&repository, &reference).await.unwrap().digest, new);
    sums_are_right(&world).await;
}

pub async fn a_world_that_has_moved_is_left_alone(place: &Place) {
    let (world, retention) = open(place).await;
    let wish = keep_newest(1);
    let hash = retention.plan(&wish, day(10)).await.unwrap().hash;
    // A newer image: the third one is not the newest any more.
    push(&world, "team/app", "v4", day(10)).await;
    let moved = retention.apply(&wish, &hash, None, day(12)).await.unwrap_err();
    assert!(matches!(moved, RetentionError::Moved { .. }), "{moved}");
    assert_eq!(world.catalog.trash_runs(day(12)).await.unwrap(), []);
    assert!(pulls(&world, "team/app", "v1", day(12)).await);
}

pub async fn the_trash_outlives_other_deletions(place: &Place) {
    let (world, retention) = open(place).await;
    let repository = name("team/app");
    let wish = keep_newest(1);
    let hash = retention.plan(&wish, day(10)).await.unwrap().hash;
    retention.apply(&wish, &hash, None, day(10)).await.unwrap();
    // The base loses its last manifest here; its time would come long before the trash's end.
    let reference = Reference::Tag("v3".parse().unwrap());
    let digest = world.registry.manifest(&repository, &reference).await.unwrap().digest;
    world.registry.delete_manifest(&repository, &digest, None, day(10)).await.unwrap();
    world.collect(day(10).plus_millis(GRACE * 1000)).await;
    let base = Digest::sha256(&[b'b'; 1000]);
    let id = world.catalog.repository(&repository).await.unwrap().unwrap().id;
    let unlinked = world.catalog.unlink_blob(id, &base, day(10)).await.unwrap();
    assert!(matches!(unlinked, Unlinked::InUse(_)), "{unlinked:?}");
    retention.undo_plan(&hash, day(11)).await.unwrap();
    assert!(pulls(&world, "team/app", "v1", day(11)).await);
    sums_are_right(&world).await;
}

pub async fn the_trash_ends_by_itself(place: &Place) {
    let (world, retention) = open(place).await;
    let wish = keep_newest(1);
    let hash = retention.plan(&wish, day(10)).await.unwrap().hash;
    retention.apply(&wish, &hash, None, day(10)).await.unwrap();
    let late = retention.undo_plan(&hash, day(13)).await.unwrap_err();
    assert!(matches!(late, RetentionError::NotInTrash(_)), "{late}");
    assert_eq!(world.catalog.drop_expired_trash(day(12)).await.unwrap(), 0);
    assert_eq!(world.catalog.drop_expired_trash(day(13)).await.unwrap(), 2);
    assert_eq!(world.catalog.drop_expired_trash(day(13)).await.unwrap(), 0);

    // Emptied by hand, what only the trash needs goes after the grace.
    push(&world, "team/app", "v5", day(14)).await;
    let hash = retention.plan(&wish, day(16)).await.unwrap().hash;
    retention.apply(&wish, &hash, None, day(16)).await.unwrap();
    world.collect(day(16)).await;
    let before = bytes(&world).await;
    assert_eq!(world.registry.empty_trash(day(16)).await.unwrap(), 1);
    world.collect(day(16).plus_millis((GRACE - 1) * 1000)).await;
    assert_eq!(bytes(&world).await, before);
    world.collect(day(16).plus_millis(GRACE * 1000)).await;
    assert_eq!(before - bytes(&world).await, 100);
    assert!(pulls(&world, "team/app", "v5", day(16)).await);
}

pub async fn a_clock_that_has_leapt_is_not_believed(place: &Place) {
    let (world, retention) = open(place).await;
    let rule = Rule { keep_days: Some(30), may_empty: Some(true), ..Rule::default() };
    let wish = Wish { rules: Rules { default: rule, ..Rules::default() }, ..Wish::default() };
    let leapt = retention.run(&wish, day(4000)).await.unwrap_err();
    assert!(matches!(leapt, RetentionError::Clock { .. }), "{leapt}");
    for tag in ["v1", "v2", "v3"] {
        assert!(pulls(&world, "team/app", tag, day(10)).await);
    }
    let sure = Wish { clock_is_right: true, ..wish };
    assert_eq!(retention.plan(&sure, day(4000)).await.unwrap().lost_tags, 4);
}

pub async fn a_pull_keeps_an_image(place: &Place) {
    let (world, retention) = open(place).await;
    let rule = Rule { keep_days: Some(5), ..Rule::default() };
    let wish = Wish { rules: Rules { default: rule, ..Rules::default() }, ..Wish::default() };
    let digest = Digest::sha256(&manifest(
        "v1",
        &[Digest::sha256(&[b'b'; 1000]), Digest::sha256(format!("{:0>100}", "team/app:v1").as_bytes())],
    ));
    world
        .registry
        .note_pulls(vec![((name("team/app"), digest), day(8)), ((name("team/gone"), digest), day(8))])
        .await
        .unwrap();
    let plan = retention.plan(&wish, day(10)).await.unwrap();
    let lost: BTreeSet<_> =
        plan.repositories.iter().flat_map(|one| &one.tags).map(|tag| tag.tag.as_str()).collect();
    assert_eq!(lost, BTreeSet::from(["v2"]));
    assert_eq!(plan.refused.len(), 1, "guest would lose all");
}
