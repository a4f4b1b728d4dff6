//! Uploads and reservations.

use railhead_catalog::testing::Place;
use railhead_catalog::{Error, Limit, NewBlob, UploadId, UploadState};
use railhead_oci::Algorithm;

use crate::support::{NOW, at, blob, upload, usage, with_repository};

fn state(offset: u64) -> UploadState {
    UploadState { algorithm: Algorithm::Sha512, offset, hash_state: vec![4; 200], store_state: vec![5] }
}

pub async fn an_upload_moves_only_from_where_it_is(place: &Place) {
    let (catalog, owner, repository) = with_repository(place).await;
    let new = upload(&repository);
    catalog.create_upload(new.clone(), NOW).await.unwrap();
    assert!(matches!(catalog.create_upload(new.clone(), NOW).await, Err(Error::AlreadyExists(_))));
    let made = catalog.upload(new.id).await.unwrap().unwrap();
    assert_eq!((made.offset, made.owner, made.repository), (0, owner.id, repository.id));
    assert_eq!((made.hash_state, made.store_state), (new.hash_state, new.store_state));
    assert_eq!((made.repository_name, made.algorithm), (repository.name, Algorithm::Sha256));

    catalog.save_upload(new.id, 0, state(100), at(5)).await.unwrap();
    let late = catalog.save_upload(new.id, 0, state(50), at(6)).await;
    assert!(matches!(late, Err(Error::UploadMoved { offset: 100 })), "{late:?}");
    let moved = catalog.upload(new.id).await.unwrap().unwrap();
    assert_eq!((moved.offset, moved.algorithm, moved.touched_at), (100, Algorithm::Sha512, at(5)));
    assert_eq!(moved.hash_state, vec![4; 200]);
    let unknown = UploadId::random().unwrap();
    assert!(matches!(catalog.save_upload(unknown, 0, state(1), NOW).await, Err(Error::NotFound(_))));
    assert!(catalog.upload(unknown).await.unwrap().is_none());
}

pub async fn reservations_come_back(place: &Place) {
    let (catalog, owner, repository) = with_repository(place).await;
    let (first, second) = (upload(&repository), upload(&repository));
    for new in [&first, &second] {
        catalog.create_upload(new.clone(), NOW).await.unwrap();
    }
    let quota = Limit::Bytes(100);
    catalog.reserve(first.id, 60, quota).await.unwrap();
    catalog.reserve(first.id, 40, quota).await.unwrap();
    assert_eq!(usage(&catalog, &owner).await, (0, 60), "a reservation is never lowered");
    let refused = catalog.reserve(second.id, 41, quota).await;
    assert!(matches!(refused, Err(Error::QuotaExceeded(full)) if full.reserved == 60 && full.wanted == 41));
    catalog.reserve(second.id, 40, quota).await.unwrap();
    assert_eq!(usage(&catalog, &owner).await, (0, 100));
    assert_eq!(catalog.end_upload(first.id).await.unwrap().unwrap().reserved, 60);
    assert_eq!(catalog.end_upload(first.id).await.unwrap(), None);
    assert_eq!(usage(&catalog, &owner).await, (0, 40));
    assert!(matches!(catalog.reserve(first.id, 1, quota).await, Err(Error::NotFound(_))));
}

pub async fn a_commit_ends_its_upload(place: &Place) {
    let (catalog, owner, repository) = with_repository(place).await;
    let new = upload(&repository);
    catalog.create_upload(new.clone(), NOW).await.unwrap();
    catalog.reserve(new.id, 10, Limit::Bytes(10)).await.unwrap();
    let commit = NewBlob { upload: Some(new.id), quota: Limit::Bytes(10), ..blob(&repository, "a", 10, "k") };
    let larger = NewBlob { size: 11, ..commit.clone() };
    assert!(matches!(catalog.commit_blob(larger, NOW).await, Err(Error::QuotaExceeded(_))));
    assert_eq!(usage(&catalog, &owner).await, (0, 10), "a refused commit leaves the upload as it was");
    catalog.commit_blob(commit.clone(), NOW).await.unwrap();
    assert_eq!(usage(&catalog, &owner).await, (10, 0));
    assert!(catalog.upload(new.id).await.unwrap().is_none());
    assert!(matches!(catalog.commit_blob(commit, NOW).await, Err(Error::NotFound(_))));
}

pub async fn uploads_are_listed(place: &Place) {
    let (catalog, _, repository) = with_repository(place).await;
    let mut ids = Vec::new();
    for second in 0..4 {
        let new = upload(&repository);
        catalog.create_upload(new.clone(), at(second)).await.unwrap();
        ids.push(new.id);
    }
    let stale = catalog.stale_uploads(at(3), 2).await.unwrap();
    assert_eq!(stale.iter().map(|one| one.id).collect::<Vec<_>>(), ids[..2]);
    assert_eq!(catalog.stale_uploads(at(3), 9).await.unwrap().len(), 3);
    ids.sort_unstable();
    let page = catalog.upload_ids(None, 3).await.unwrap();
    assert_eq!(page, ids[..3]);
    assert_eq!(catalog.upload_ids(Some(page[2]), 3).await.unwrap(), ids[3..]);
}
