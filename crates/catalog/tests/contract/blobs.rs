//! Blobs, and what they count.

use railhead_catalog::testing::Place;
use railhead_catalog::{Error, Limit, NearQuota, NewBlob, QuotaExceeded, RepositoryId, Unlinked};

use crate::support::{LEASED, NOW, at, blob, digest, forgotten, manifest, name, usage, with_repository};

pub async fn a_commit_binds_links_and_counts(place: &Place) {
    let (catalog, owner, repository) = with_repository(place).await;
    let committed = catalog.commit_blob(blob(&repository, "a", 10, "k1"), NOW).await.unwrap();
    assert_eq!(committed.former, None);
    let found = catalog.blob_in(&repository.name, &digest("a")).await.unwrap().unwrap();
    assert_eq!(found.due_at, Some(LEASED));
    let found = found.blob;
    assert_eq!((found.digest, found.size, found.key.as_str()), (digest("a"), 10, "k1"));
    assert!(!found.damaged && found.created_at == NOW);
    assert_eq!(catalog.blob(&digest("a")).await.unwrap(), Some(found));
    assert_eq!(catalog.blob_in(&name("team/other"), &digest("a")).await.unwrap(), None);
    assert_eq!(catalog.blob_in(&repository.name, &digest("b")).await.unwrap(), None);
    assert_eq!(usage(&catalog, &owner).await, (10, 0));
    assert_eq!(catalog.repository(&repository.name).await.unwrap().unwrap().bytes, 10);
    assert_eq!(catalog.blobs(None, 9).await.unwrap().len(), 1);
    assert!(catalog.blobs(Some(&digest("a")), 9).await.unwrap().is_empty());
    let lost = NewBlob { repository: RepositoryId(999), ..blob(&repository, "a", 10, "k") };
    assert!(matches!(catalog.commit_blob(lost, NOW).await, Err(Error::NotFound(_))));
}

pub async fn the_last_commit_wins_and_heals(place: &Place) {
    let (catalog, owner, repository) = with_repository(place).await;
    catalog.commit_blob(blob(&repository, "a", 10, "k1"), NOW).await.unwrap();
    catalog.mark_damaged(&digest("a"), "k1", "missing", NOW).await.unwrap();
    assert!(catalog.blob(&digest("a")).await.unwrap().unwrap().damaged);
    let again = catalog.commit_blob(blob(&repository, "a", 10, "k2"), at(1)).await.unwrap();
    assert_eq!(again.former, Some(forgotten("k1", 10)));
    let healed = catalog.blob(&digest("a")).await.unwrap().unwrap();
    assert_eq!((healed.key.as_str(), healed.damaged, healed.created_at), ("k2", false, at(1)));
    let same = catalog.commit_blob(blob(&repository, "a", 10, "k2"), NOW).await.unwrap();
    assert_eq!(same.former, None, "an object in use is never given up");
    assert_eq!(usage(&catalog, &owner).await, (10, 0));
    let other_size = catalog.commit_blob(blob(&repository, "a", 11, "k3"), NOW).await;
    assert!(matches!(other_size, Err(Error::Corrupt(_))));
    assert_eq!(catalog.blob(&digest("a")).await.unwrap().unwrap().key, "k2");
    for (content, key) in [("b", "k2"), ("a", "k1")] {
        let other = catalog.mark_damaged(&digest(content), key, "missing", NOW).await;
        assert!(matches!(other, Err(Error::NotFound(_))), "{content} has no object {key}");
    }
}

pub async fn a_blob_is_found_by_its_object(place: &Place) {
    let (catalog, _, repository) = with_repository(place).await;
    assert_eq!(catalog.blob_by_key("k1").await.unwrap(), None);
    catalog.commit_blob(blob(&repository, "a", 10, "k1"), NOW).await.unwrap();
    catalog.commit_blob(blob(&repository, "b", 10, "k10"), NOW).await.unwrap();
    assert_eq!(catalog.blob_by_key("k1").await.unwrap().unwrap().digest, digest("a"));
    catalog.commit_blob(blob(&repository, "a", 10, "k2"), NOW).await.unwrap();
    assert_eq!(catalog.blob_by_key("k1").await.unwrap(), None, "its blob has another object now");
    assert_eq!(catalog.blob_by_key("k2").await.unwrap().unwrap().digest, digest("a"));
    catalog.unlink_blob(repository.id, &digest("a"), NOW).await.unwrap();
    assert_eq!(catalog.blob_by_key("k2").await.unwrap(), None);
}

pub async fn a_blob_counts_once_for_an_owner(place: &Place) {
    let (catalog, owner, first) = with_repository(place).await;
    let second = catalog.ensure_repository(&name("team/other"), NOW).await.unwrap();
    let guest = catalog.create_organisation("guest", NOW).await.unwrap();
    let third = catalog.ensure_repository(&name("guest/app"), NOW).await.unwrap();
    for repository in [&first, &second, &third] {
        catalog.commit_blob(blob(repository, "a", 10, "k"), NOW).await.unwrap();
    }
    assert_eq!((usage(&catalog, &owner).await.0, usage(&catalog, &guest).await.0), (10, 10));
    catalog.unlink_blob(first.id, &digest("a"), NOW).await.unwrap();
    assert_eq!(usage(&catalog, &owner).await.0, 10);
    catalog.unlink_blob(second.id, &digest("a"), NOW).await.unwrap();
    assert_eq!((usage(&catalog, &owner).await.0, usage(&catalog, &guest).await.0), (0, 10));
}

pub async fn a_mount_needs_the_source(place: &Place) {
    let (catalog, owner, from) = with_repository(place).await;
    let to = catalog.ensure_repository(&name("team/to"), NOW).await.unwrap();
    let mount =
        async || catalog.mount_blob(from.id, to.id, &digest("a"), Limit::Bytes(10), LEASED, NOW).await;
    assert_eq!(mount().await.unwrap(), None);
    catalog.commit_blob(blob(&from, "a", 10, "k"), NOW).await.unwrap();
    catalog.mark_damaged(&digest("a"), "k", "missing", NOW).await.unwrap();
    assert_eq!(mount().await.unwrap(), None, "what is damaged has to be pushed again");
    catalog.mark_whole(&digest("a"), "k").await.unwrap();
    assert_eq!(mount().await.unwrap().unwrap().key, "k");
    assert_eq!(mount().await.unwrap().unwrap().size, 10);
    assert!(catalog.blob_in(&to.name, &digest("a")).await.unwrap().is_some());
    assert_eq!(usage(&catalog, &owner).await.0, 10);

    catalog.create_organisation("guest", NOW).await.unwrap();
    let guest = catalog.ensure_repository(&name("guest/app"), NOW).await.unwrap();
    let refused = catalog.mount_blob(from.id, guest.id, &digest("a"), Limit::Bytes(9), LEASED, NOW).await;
    assert!(matches!(refused, Err(Error::QuotaExceeded(_))));
    assert!(catalog.blob_in(&guest.name, &digest("a")).await.unwrap().is_none());
}

pub async fn an_unlinked_blob_is_freed_by_the_last_repository(place: &Place) {
    let (catalog, _, first) = with_repository(place).await;
    let second = catalog.ensure_repository(&name("team/other"), NOW).await.unwrap();
    for repository in [&first, &second] {
        catalog.commit_blob(blob(repository, "a", 10, "k"), NOW).await.unwrap();
    }
    let mut put = manifest(&first, "manifest");
    put.blobs = vec![digest("a")];
    catalog.put_manifest(put, NOW).await.unwrap();
    let unlink = async |repository| catalog.unlink_blob(repository, &digest("a"), NOW).await.unwrap();
    assert_eq!(unlink(first.id).await, Unlinked::InUse(digest("manifest")));
    assert_eq!(unlink(second.id).await, Unlinked::Removed { free: None });
    assert_eq!(unlink(second.id).await, Unlinked::NotFound);
    catalog.delete_manifest(first.id, &digest("manifest"), None, LEASED, NOW).await.unwrap();
    assert_eq!(unlink(first.id).await, Unlinked::Removed { free: Some(forgotten("k", 10)) });
    assert_eq!(unlink(first.id).await, Unlinked::NotFound);
    assert!(catalog.blob(&digest("a")).await.unwrap().is_none());
}

pub async fn a_quota_holds(place: &Place) {
    let (catalog, owner, repository) = with_repository(place).await;
    let new = |content, size, quota| NewBlob { quota, ..blob(&repository, content, size, content) };
    let first = catalog.commit_blob(new("a", 6, Limit::Bytes(10)), NOW).await.unwrap();
    assert_eq!(first.near, None);
    let full = catalog.commit_blob(new("b", 5, Limit::Bytes(10)), NOW).await;
    let expected = QuotaExceeded { limit: 10, used: 6, reserved: 0, wanted: 5 };
    assert!(matches!(full, Err(Error::QuotaExceeded(found)) if found == expected), "{full:?}");
    assert!(catalog.blob(&digest("b")).await.unwrap().is_none(), "all of it was undone");
    let last = catalog.commit_blob(new("b", 4, Limit::Bytes(10)), NOW).await.unwrap();
    assert_eq!(last.near, Some(NearQuota { owner: owner.id, limit: 10, used: 10, crossed: true }));
    let again = catalog.commit_blob(new("b", 4, Limit::Bytes(10)), NOW).await.unwrap();
    assert!(again.near.is_some_and(|near| !near.crossed), "the owner is there already");
    // The owner's own quota goes before the default, and what the owner has can always be pushed again.
    catalog.set_limits(owner.id, Some(Limit::Bytes(1)), None).await.unwrap();
    catalog.commit_blob(new("a", 6, Limit::None), NOW).await.unwrap();
    assert!(matches!(catalog.commit_blob(new("c", 1, Limit::None), NOW).await, Err(Error::QuotaExceeded(_))));
    catalog.set_limits(owner.id, Some(Limit::None), None).await.unwrap();
    catalog.commit_blob(new("c", 1, Limit::Bytes(1)), NOW).await.unwrap();
    assert_eq!(usage(&catalog, &owner).await, (11, 0));
}
