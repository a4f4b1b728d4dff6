//! What holds when many do it at once.

use railhead_catalog::testing::Place;
use railhead_catalog::{Error, Limit, NewBlob, NewManifest, Unlinked};

use crate::support::{LEASED, NOW, blob, digest, manifest, name, tag, usage, with_repository};

const TASKS: u64 = 32;

pub async fn one_digest_from_many_tasks(place: &Place) {
    let (catalog, owner, repository) = with_repository(place).await;
    let tasks: Vec<_> = (0..TASKS)
        .map(|number| {
            let (catalog, new) = (catalog.clone(), blob(&repository, "same", 1024, &format!("k{number}")));
            tokio::spawn(async move { catalog.commit_blob(new, NOW).await.unwrap().former })
        })
        .collect();
    let mut given_up = Vec::new();
    for task in tasks {
        given_up.extend(task.await.unwrap().map(|object| object.key));
    }
    let kept = catalog.blob(&digest("same")).await.unwrap().unwrap().key;
    given_up.push(kept);
    given_up.sort_unstable();
    let mut all: Vec<_> = (0..TASKS).map(|number| format!("k{number}")).collect();
    all.sort_unstable();
    assert_eq!(given_up, all, "each object is either kept or given up, once");
    assert_eq!(usage(&catalog, &owner).await, (1024, 0));
}

pub async fn a_quota_is_exact_under_concurrency(place: &Place) {
    let (catalog, owner, repository) = with_repository(place).await;
    let tasks: Vec<_> = (0..TASKS)
        .map(|number| {
            let new = blob(&repository, &format!("content {number}"), 10, &format!("k{number}"));
            let new = NewBlob { quota: Limit::Bytes(105), ..new };
            let catalog = catalog.clone();
            tokio::spawn(async move { catalog.commit_blob(new, NOW).await })
        })
        .collect();
    let mut stored = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => stored += 1,
            Err(Error::QuotaExceeded(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(stored, 10);
    assert_eq!(usage(&catalog, &owner).await, (100, 0));
}

pub async fn tags_and_usage_under_contention(place: &Place) {
    let (catalog, owner, repository) = with_repository(place).await;
    let tasks: Vec<_> = (0..TASKS)
        .map(|number| {
            let new = manifest(&repository, &format!("manifest {:04}", number % 8));
            let new = NewManifest { tags: vec![tag("latest"), tag(&format!("t{number}"))], ..new };
            let catalog = catalog.clone();
            tokio::spawn(async move { catalog.put_manifest(new, NOW).await.unwrap() })
        })
        .collect();
    let (mut created, mut moved) = (0, 0);
    for task in tasks {
        let put = task.await.unwrap();
        created += usize::from(put.created);
        moved +=
            put.moved.iter().filter(|(tag, former)| tag.as_str() == "latest" && former.is_some()).count();
    }
    assert_eq!(created, 8);
    assert_eq!(catalog.tag_history(repository.id, &tag("latest"), 99).await.unwrap().len(), moved);
    assert_eq!(usage(&catalog, &owner).await, (8 * 13, 0));
}

pub async fn a_blob_is_freed_or_linked_never_both(place: &Place) {
    let (catalog, owner, from) = with_repository(place).await;
    let guest = catalog.create_organisation("guest", NOW).await.unwrap();
    let to = catalog.ensure_repository(&name("guest/app"), NOW).await.unwrap();
    for round in 0..16 {
        let content = format!("content {round}");
        catalog.commit_blob(blob(&from, &content, 10, "k"), NOW).await.unwrap();
        let (mounting, unlinking, what) = (catalog.clone(), catalog.clone(), digest(&content));
        let (from, to) = (from.id, to.id);
        let mount = tokio::spawn(async move {
            mounting.mount_blob(from, to, &what, Limit::None, LEASED, NOW).await.unwrap()
        });
        let unlink = tokio::spawn(async move { unlinking.unlink_blob(from, &what, NOW).await.unwrap() });
        let (mounted, unlinked) = (mount.await.unwrap(), unlink.await.unwrap());
        let Unlinked::Removed { free } = unlinked else { panic!("{unlinked:?}") };
        assert_ne!(mounted.is_some(), free.is_some(), "round {round}");
        assert_eq!(catalog.blob(&what).await.unwrap().is_some(), mounted.is_some());
    }
    assert_eq!(usage(&catalog, &owner).await, (0, 0));
    usage(&catalog, &guest).await;
}
