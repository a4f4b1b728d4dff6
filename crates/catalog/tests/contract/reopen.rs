//! What is there after the catalog was opened again.

use railhead_catalog::testing::Place;
use railhead_catalog::{Catalog, Error};

use crate::support::{NOW, blob, damage_with, digest, upload, with_repository};

pub async fn what_was_answered_is_there(place: &Place) {
    let (catalog, _, repository) = with_repository(place).await;
    catalog.commit_blob(blob(&repository, "a", 10, "k"), NOW).await.unwrap();
    let started = upload(&repository);
    catalog.create_upload(started.clone(), NOW).await.unwrap();
    // Not closed: another process would see the same after this one was killed.
    let other = place.open().await.unwrap();
    assert!(other.blob_in(&repository.name, &digest("a")).await.unwrap().is_some());
    assert!(other.upload(started.id).await.unwrap().is_some());
    catalog.close().await.unwrap();
    other.close().await.unwrap();
    let again = place.open().await.unwrap();
    assert!(again.blob_in(&repository.name, &digest("a")).await.unwrap().is_some());
    assert!(again.upload(started.id).await.unwrap().is_some());
}

pub async fn a_newer_schema_is_refused(place: &Place) {
    place.open().await.unwrap().close().await.unwrap();
    let newer = "INSERT INTO schema_version (version) VALUES (999)";
    damage_with(place, newer).await;
    let refused = Catalog::open(place.location()).await;
    assert!(matches!(refused, Err(Error::SchemaTooNew { found: 999, known: 6 })), "{refused:?}");
}
