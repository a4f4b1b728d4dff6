//! Links that no manifest needs: leases, grace, collection; objects on their way out; holds.

use railhead_catalog::testing::Place;
use railhead_catalog::{
    Amount, Catalog, CollectedLinks, DueLink, Error, ForgottenObject, Limit, NewBlob, Repository, Timestamp,
};

use crate::support::{NOW, at, blob, damage_with, digest, forgotten, manifest, name, usage, with_repository};

/// A commit whose lease ends so many seconds from the beginning.
fn leased(repository: &Repository, content: &str, key: &str, seconds: i64) -> NewBlob {
    NewBlob { leased_until: at(seconds), ..blob(repository, content, 10, key) }
}

async fn mount(catalog: &Catalog, from: &Repository, to: &Repository, content: &str, seconds: i64) {
    let what = digest(content);
    let mounted = catalog.mount_blob(from.id, to.id, &what, Limit::None, at(seconds), NOW).await;
    assert!(mounted.unwrap().is_some());
}

async fn due(catalog: &Catalog, repository: &Repository, content: &str) -> Option<Timestamp> {
    catalog.blob_in(&repository.name, &digest(content)).await.unwrap().unwrap().due_at
}

/// Collects one link as if its time had come.
async fn collect(catalog: &Catalog, repository: &Repository, content: &str, now: i64) -> CollectedLinks {
    catalog.collect_links(repository.id, vec![digest(content)], at(now)).await.unwrap()
}

fn taken(content: &str, objects: &[ForgottenObject]) -> CollectedLinks {
    CollectedLinks { removed: vec![digest(content)], forgotten: objects.to_vec(), busy: false }
}

pub async fn a_link_goes_when_its_time_has_come(place: &Place) {
    let (catalog, owner, repository) = with_repository(place).await;
    catalog.commit_blob(leased(&repository, "a", "k", 100), NOW).await.unwrap();
    assert_eq!(catalog.due_links(at(99), 9).await.unwrap(), []);
    // Whoever read the link as due too early finds out here.
    assert_eq!(collect(&catalog, &repository, "a", 99).await, CollectedLinks::default());

    let name = repository.name.clone();
    let link = DueLink { repository: repository.id, name, digest: digest("a") };
    assert_eq!(catalog.due_links(at(100), 9).await.unwrap(), [link]);
    assert_eq!(collect(&catalog, &repository, "a", 100).await, taken("a", &[forgotten("k", 10)]));
    assert_eq!(collect(&catalog, &repository, "a", 100).await, CollectedLinks::default());
    assert!(catalog.blob(&digest("a")).await.unwrap().is_none());
    assert_eq!(usage(&catalog, &owner).await, (0, 0));
    assert_eq!(catalog.repository(&repository.name).await.unwrap().unwrap().bytes, 0);
}

pub async fn a_lease_is_only_ever_prolonged(place: &Place) {
    let (catalog, _, repository) = with_repository(place).await;
    catalog.commit_blob(leased(&repository, "a", "k", 100), NOW).await.unwrap();
    let renew = async |seconds| {
        catalog.renew_lease(&repository.name, &digest("a"), at(seconds)).await.unwrap();
        due(&catalog, &repository, "a").await
    };
    assert_eq!(renew(99).await, Some(at(100)));
    assert_eq!(renew(200).await, Some(at(200)));
    // Pushing and mounting it again are answers that say that it is there, too.
    catalog.commit_blob(leased(&repository, "a", "k2", 150), NOW).await.unwrap();
    assert_eq!(due(&catalog, &repository, "a").await, Some(at(200)));
    catalog.commit_blob(leased(&repository, "a", "k3", 300), NOW).await.unwrap();
    assert_eq!(due(&catalog, &repository, "a").await, Some(at(300)));
    mount(&catalog, &repository, &repository, "a", 400).await;
    assert_eq!(due(&catalog, &repository, "a").await, Some(at(400)));
    assert!(!catalog.renew_lease(&name("team/other"), &digest("a"), at(999)).await.unwrap());
    assert!(!catalog.renew_lease(&repository.name, &digest("b"), at(999)).await.unwrap());
}

pub async fn what_a_manifest_needs_stays_until_the_last_one_goes(place: &Place) {
    let (catalog, owner, repository) = with_repository(place).await;
    for content in ["shared", "own", "cache"] {
        catalog.commit_blob(leased(&repository, content, content, 100), NOW).await.unwrap();
    }
    let mut first = manifest(&repository, "first");
    (first.blobs, first.children) = (vec![digest("shared"), digest("own")], vec![digest("cache")]);
    catalog.put_manifest(first, NOW).await.unwrap();
    let mut second = manifest(&repository, "second");
    second.blobs = vec![digest("shared")];
    catalog.put_manifest(second, NOW).await.unwrap();
    assert_eq!(due(&catalog, &repository, "shared").await, None);
    assert_eq!(due(&catalog, &repository, "cache").await, None, "a child may be a blob");
    assert_eq!(catalog.due_links(at(1_000_000), 9).await.unwrap(), []);
    assert_eq!(collect(&catalog, &repository, "own", 1_000_000).await, CollectedLinks::default());
    // No answer moves the time of what has none.
    assert!(!catalog.renew_lease(&repository.name, &digest("own"), at(999)).await.unwrap());
    catalog.commit_blob(leased(&repository, "own", "again", 900), NOW).await.unwrap();
    assert_eq!(due(&catalog, &repository, "own").await, None);

    let deleted = catalog.delete_manifest(repository.id, &digest("first"), None, at(60), NOW).await.unwrap();
    let mut condemned = [digest("own"), digest("cache")];
    condemned.sort_unstable();
    let mut found = deleted.condemned;
    found.sort_unstable();
    assert_eq!(found, condemned);
    assert_eq!(due(&catalog, &repository, "own").await, Some(at(60)));
    assert_eq!(due(&catalog, &repository, "shared").await, None);
    // Within the grace a push needs it again.
    let mut third = manifest(&repository, "third");
    third.blobs = vec![digest("own")];
    catalog.put_manifest(third, NOW).await.unwrap();
    assert_eq!(due(&catalog, &repository, "own").await, None);
    assert_eq!(collect(&catalog, &repository, "own", 60).await, CollectedLinks::default());
    assert_eq!(collect(&catalog, &repository, "cache", 60).await, taken("cache", &[forgotten("cache", 10)]));
    assert_eq!(usage(&catalog, &owner).await, (20 + 6 + 5, 0));
}

pub async fn what_came_behind_its_manifest_is_needed(place: &Place) {
    let (catalog, _, repository) = with_repository(place).await;
    let mut early = manifest(&repository, "early");
    (early.blobs, early.sparse) = (vec![digest("late")], true);
    catalog.put_manifest(early, NOW).await.unwrap();
    catalog.commit_blob(leased(&repository, "late", "k", 10), NOW).await.unwrap();
    let outlook = catalog.collection_outlook(at(10)).await.unwrap();
    assert_eq!((outlook.due.count, outlook.freeable.count), (0, 0));
    assert_eq!(catalog.due_links(at(10), 9).await.unwrap().len(), 1);
    assert_eq!(collect(&catalog, &repository, "late", 10).await, CollectedLinks::default());
    assert_eq!(due(&catalog, &repository, "late").await, None, "nobody has to look at it again");
}

pub async fn a_blob_goes_with_its_last_link(place: &Place) {
    let (catalog, owner, first) = with_repository(place).await;
    let second = catalog.ensure_repository(&name("team/other"), NOW).await.unwrap();
    let guest = catalog.create_organisation("guest", NOW).await.unwrap();
    let third = catalog.ensure_repository(&name("guest/app"), NOW).await.unwrap();
    catalog.commit_blob(leased(&first, "a", "k", 10), NOW).await.unwrap();
    for (repository, until) in [(&second, 20), (&third, 30)] {
        mount(&catalog, &first, repository, "a", until).await;
    }
    let outlook = catalog.collection_outlook(at(20)).await.unwrap();
    let ten = |count| Amount { count, bytes: count * 10 };
    assert_eq!((outlook.due, outlook.waiting, outlook.next_due), (ten(2), ten(1), Some(at(30))));
    assert_eq!((outlook.freeable, outlook.forgotten), (ten(0), ten(0)));
    assert_eq!(collect(&catalog, &first, "a", 30).await, taken("a", &[]));
    assert_eq!(usage(&catalog, &owner).await.0, 10, "the other repository still has it");
    assert_eq!(collect(&catalog, &second, "a", 30).await, taken("a", &[]));
    assert_eq!((usage(&catalog, &owner).await.0, usage(&catalog, &guest).await.0), (0, 10));
    assert_eq!(catalog.collection_outlook(at(30)).await.unwrap().freeable, ten(1));
    assert_eq!(collect(&catalog, &third, "a", 30).await, taken("a", &[forgotten("k", 10)]));
    assert_eq!(catalog.collection_outlook(at(30)).await.unwrap().forgotten, ten(1));
    assert_eq!(usage(&catalog, &guest).await.0, 0);

    catalog.commit_blob(leased(&first, "b", "k2", 10), NOW).await.unwrap();
    catalog.delete_repository(first.id, NOW).await.unwrap();
    assert_eq!(collect(&catalog, &first, "b", 30).await, CollectedLinks::default());
}

pub async fn a_forgotten_object_is_given_out_until_it_is_struck_out(place: &Place) {
    let (catalog, _, repository) = with_repository(place).await;
    for key in ["k1", "k2"] {
        catalog.commit_blob(leased(&repository, "a", key, 10), NOW).await.unwrap();
    }
    catalog.unlink_blob(repository.id, &digest("a"), at(1)).await.unwrap();
    assert!(catalog.is_forgotten("k1").await.unwrap() && catalog.is_forgotten("k2").await.unwrap());
    assert_eq!(catalog.forgotten_objects(at(0), 9).await.unwrap(), [forgotten("k1", 10)]);
    assert_eq!(catalog.forgotten_objects(at(1), 9).await.unwrap(), [forgotten("k2", 10)]);
    assert_eq!(catalog.forgotten_objects(at(29), 9).await.unwrap(), [], "somebody is at both");
    assert_eq!(catalog.forgotten_objects(at(40), 1).await.unwrap(), [forgotten("k1", 10)]);
    catalog.strike_objects(vec!["k1".to_owned(), "k2".to_owned()]).await.unwrap();
    assert_eq!(catalog.forgotten_objects(at(999), 9).await.unwrap(), []);
    assert!(!catalog.is_forgotten("k1").await.unwrap());
}

pub async fn a_hold_is_in_force_until_it_is_released_or_ends(place: &Place) {
    let (catalog, ..) = with_repository(place).await;
    assert!(!catalog.is_held(NOW).await.unwrap());
    catalog.hold("backup", at(10)).await.unwrap();
    catalog.hold("drill", at(20)).await.unwrap();
    catalog.hold("backup", at(15)).await.unwrap();
    let holds = catalog.holds(NOW).await.unwrap();
    let seen: Vec<_> = holds.iter().map(|hold| (hold.name.as_str(), hold.expires_at)).collect();
    assert_eq!(seen, [("backup", at(15)), ("drill", at(20))]);
    assert!(catalog.release("drill").await.unwrap() && !catalog.release("drill").await.unwrap());
    assert!(catalog.is_held(at(14)).await.unwrap() && !catalog.is_held(at(15)).await.unwrap());
    assert_eq!(catalog.drop_expired_holds(at(14)).await.unwrap(), [""; 0]);
    assert_eq!(catalog.drop_expired_holds(at(15)).await.unwrap(), ["backup"]);
    assert!(!catalog.is_held(NOW).await.unwrap());
}

pub async fn shares_are_told_apart_and_wrong_sums_set_right(place: &Place) {
    let (catalog, owner, first) = with_repository(place).await;
    let second = catalog.ensure_repository(&name("team/other"), NOW).await.unwrap();
    let guest = catalog.create_organisation("guest", NOW).await.unwrap();
    let third = catalog.ensure_repository(&name("guest/app"), NOW).await.unwrap();
    for (repository, content) in [(&first, "all"), (&first, "two"), (&first, "own"), (&second, "two")] {
        catalog.commit_blob(leased(repository, content, content, 10), NOW).await.unwrap();
    }
    mount(&catalog, &first, &third, "all", 10).await;
    let mut put = manifest(&first, "manifest");
    put.blobs = vec![digest("all"), digest("own")];
    catalog.put_manifest(put, NOW).await.unwrap();

    let owners = catalog.owner_shares(None, 9).await.unwrap();
    let seen: Vec<_> = owners
        .iter()
        .map(|one| (&*one.owner.name, one.repositories, one.owner.used_bytes, one.shared_bytes))
        .collect();
    assert_eq!(seen, [("guest", 1, 10, 10), ("Team", 2, 38, 10)]);
    assert_eq!(catalog.owner_shares(Some("guest"), 1).await.unwrap(), owners[1..]);
    let repositories = catalog.repository_shares(owner.id, None, 9).await.unwrap();
    let seen: Vec<_> = repositories
        .iter()
        .map(|one| (one.name.as_str(), one.bytes, one.shared_bytes, one.waiting_bytes))
        .collect();
    assert_eq!(seen, [("team/app", 38, 20, 10), ("team/other", 10, 10, 10)]);
    assert_eq!(catalog.repository_shares(owner.id, Some("team/app"), 9).await.unwrap(), repositories[1..]);

    assert_eq!(catalog.discrepancies(owner.id).await.unwrap(), []);
    assert_eq!(catalog.settle_usage(owner.id).await.unwrap(), []);
    let damage = "UPDATE owner SET used_bytes = 1, reserved_bytes = 2; UPDATE repository SET bytes = 3;
        UPDATE owner_blob SET repositories = 4";
    damage_with(place, damage).await;
    let found = catalog.discrepancies(owner.id).await.unwrap();
    let seen: Vec<_> = found.iter().map(|one| (one.sum, &*one.of, one.stored, one.counted)).collect();
    let expected = [
        ("used", "Team", 1, 38),
        ("reserved", "Team", 2, 0),
        ("bytes", "team/app", 3, 38),
        ("bytes", "team/other", 3, 10),
        ("shares", "Team", 12, 4),
    ];
    assert_eq!(seen, expected);
    assert_eq!(catalog.settle_usage(owner.id).await.unwrap(), found);
    assert_eq!(catalog.discrepancies(owner.id).await.unwrap(), []);
    assert_eq!(usage(&catalog, &owner).await, (38, 0));
    assert!(!catalog.discrepancies(guest.id).await.unwrap().is_empty(), "another owner is not touched");
    // What was set right goes on being right.
    collect(&catalog, &second, "two", 10).await;
    catalog.delete_repository(first.id, NOW).await.unwrap();
    assert_eq!(usage(&catalog, &owner).await, (0, 0));
}

/// Pushes that need a blob race with two collectors that take it: one of them comes first, and both know.
pub async fn a_blob_is_needed_or_taken_never_both(place: &Place) {
    let (catalog, owner, repository) = with_repository(place).await;
    let other = place.open().await.unwrap();
    let (mut needed, mut freed) = (0, 0);
    for round in 0..24 {
        let content = format!("content {round}");
        catalog.commit_blob(leased(&repository, &content, &content, 0), NOW).await.unwrap();
        let (id, what) = (repository.id, digest(&content));
        let mut put = manifest(&repository, &format!("manifest {round:02}"));
        put.blobs = vec![what];
        let collectors = [catalog.clone(), other.clone()].map(|catalog| {
            tokio::spawn(async move { catalog.collect_links(id, vec![what], at(0)).await.unwrap() })
        });
        let pusher = catalog.clone();
        let put = tokio::spawn(async move { pusher.put_manifest(put, NOW).await });
        let mut takers = 0;
        for collector in collectors {
            takers += collector.await.unwrap().forgotten.len();
        }
        match put.await.unwrap() {
            Ok(_) => {
                assert_eq!(takers, 0, "round {round}: taken from under a manifest");
                assert_eq!(due(&catalog, &repository, &content).await, None);
                needed += 1;
            }
            Err(Error::MissingReferences(missing)) => {
                assert_eq!((missing, takers), (vec![what], 1), "round {round}");
                freed += 1;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(usage(&catalog, &owner).await, (needed * (10 + 11), 0));
    assert_eq!(catalog.forgotten_objects(NOW, 99).await.unwrap().len(), freed);
}
