//! Damaged blobs, who refers to them, and the walk that looks for them.

use railhead_catalog::testing::Place;
use railhead_catalog::{Amount, BlobScope, Error, ScrubRound};
use railhead_oci::Digest;

use crate::support::{LEASED, NOW, at, blob, digest, manifest, name, tag, upload, with_repository};

pub async fn damage_is_noted_until_the_blob_is_whole_or_gone(place: &Place) {
    let (catalog, _, repository) = with_repository(place).await;
    for content in ["a", "b", "c"] {
        catalog.commit_blob(blob(&repository, content, 10, content), NOW).await.unwrap();
        catalog.mark_damaged(&digest(content), content, "missing", NOW).await.unwrap();
    }
    catalog.mark_damaged(&digest("a"), "a", "9 bytes", at(5)).await.unwrap();
    let all = catalog.damages(None, 9).await.unwrap();
    let mut expected = [digest("a"), digest("b"), digest("c")];
    expected.sort();
    assert_eq!(all.iter().map(|one| one.blob.digest).collect::<Vec<_>>(), expected);
    let first = all.iter().find(|one| one.blob.digest == digest("a")).unwrap();
    assert_eq!((first.found.as_str(), first.found_at, first.blob.damaged), ("9 bytes", NOW, true));
    assert_eq!(catalog.damage_amount().await.unwrap(), Amount { count: 3, bytes: 30 });
    assert_eq!(catalog.damages(Some(&expected[0]), 1).await.unwrap()[0].blob.digest, expected[1]);

    catalog.commit_blob(blob(&repository, "a", 10, "a2"), NOW).await.unwrap();
    catalog.mark_whole(&digest("b"), "b").await.unwrap();
    catalog.unlink_blob(repository.id, &digest("c"), NOW).await.unwrap();
    assert_eq!(catalog.damages(None, 9).await.unwrap(), []);
    assert!(!catalog.blob(&digest("b")).await.unwrap().unwrap().damaged);
    let other_object = catalog.mark_whole(&digest("a"), "a").await;
    assert!(matches!(other_object, Err(Error::NotFound(_))), "{other_object:?}");
}

pub async fn a_damaged_blob_tells_who_refers_to_it(place: &Place) {
    let (catalog, _, first) = with_repository(place).await;
    let second = catalog.ensure_repository(&name("team/other"), NOW).await.unwrap();
    for repository in [&first, &second] {
        catalog.commit_blob(blob(repository, "layer", 10, "k"), NOW).await.unwrap();
    }
    let mut image = manifest(&first, "image");
    image.blobs = vec![digest("layer")];
    catalog.put_manifest(image, NOW).await.unwrap();
    let mut index = manifest(&first, "index");
    (index.children, index.tags) = (vec![digest("image")], vec![tag("v1"), tag("latest")]);
    catalog.put_manifest(index, NOW).await.unwrap();
    let mut unrelated = manifest(&first, "unrelated");
    unrelated.tags = vec![tag("other")];
    catalog.put_manifest(unrelated, NOW).await.unwrap();

    let uses = catalog.blob_uses(&digest("layer"), 9).await.unwrap();
    let mut manifests = vec![digest("image"), digest("index")];
    manifests.sort();
    assert_eq!(uses.len(), 2);
    assert_eq!((&uses[0].repository, &uses[0].manifests), (&name("team/app"), &manifests));
    assert_eq!(uses[0].tags, [tag("latest"), tag("v1")]);
    assert_eq!((uses[1].repository.as_str(), uses[1].manifests.len()), ("team/other", 0));
    assert_eq!(catalog.blob_repositories(&digest("layer")).await.unwrap(), [first.name, second.name]);
    assert_eq!(catalog.blob_uses(&digest("layer"), 1).await.unwrap().len(), 1);
    assert_eq!(catalog.blob_uses(&digest("nothing"), 9).await.unwrap(), []);
}

pub async fn blobs_are_listed_by_scope(place: &Place) {
    let (catalog, owner, app) = with_repository(place).await;
    let other = catalog.ensure_repository(&name("team/other"), NOW).await.unwrap();
    catalog.create_organisation("guest", NOW).await.unwrap();
    let guest = catalog.ensure_repository(&name("guest/app"), NOW).await.unwrap();
    for (repository, content) in [(&app, "a"), (&other, "a"), (&other, "b"), (&guest, "c")] {
        catalog.commit_blob(blob(repository, content, 10, content), NOW).await.unwrap();
    }
    let listed = async |scope| {
        let mut all: Vec<Digest> = Vec::new();
        while let Some(one) = catalog.blobs_of(scope, all.last(), 1).await.unwrap().pop() {
            all.push(one.digest);
        }
        all
    };
    let sorted = |contents: &[&str]| {
        let mut digests: Vec<_> = contents.iter().map(|content| digest(content)).collect();
        digests.sort();
        digests
    };
    assert_eq!(listed(BlobScope::All).await, sorted(&["a", "b", "c"]));
    assert_eq!(listed(BlobScope::Owner(owner.id)).await, sorted(&["a", "b"]));
    assert_eq!(listed(BlobScope::Repository(app.id)).await, sorted(&["a"]));
    assert_eq!(catalog.blob_amount(None).await.unwrap(), Amount { count: 3, bytes: 30 });
    let behind = catalog.blob_amount(Some(&sorted(&["a", "b", "c"])[1])).await.unwrap();
    assert_eq!(behind, Amount { count: 1, bytes: 10 });
    catalog.unlink_blob(other.id, &digest("b"), NOW).await.unwrap();
    assert_eq!(listed(BlobScope::Owner(owner.id)).await, sorted(&["a"]));
}

pub async fn objects_that_nobody_knows_are_found(place: &Place) {
    let (catalog, _, repository) = with_repository(place).await;
    let begun = upload(&repository);
    let under_way = format!("ab/{}", begun.id);
    catalog.create_upload(begun, NOW).await.unwrap();
    catalog.commit_blob(blob(&repository, "a", 10, "ab/known"), NOW).await.unwrap();
    catalog.commit_blob(blob(&repository, "b", 10, "ab/gone"), NOW).await.unwrap();
    catalog.unlink_blob(repository.id, &digest("b"), NOW).await.unwrap();
    let keys = ["ab/known", "ab/gone", "ab/nobody", &under_way].map(str::to_owned).to_vec();
    assert_eq!(catalog.unknown_objects(keys).await.unwrap(), ["ab/nobody"]);
    assert!(catalog.unknown_objects(Vec::new()).await.unwrap().is_empty());
}

pub async fn the_scrub_has_one_holder_and_goes_on(place: &Place) {
    let catalog = place.open().await.unwrap();
    let claim = async |who, now| catalog.claim_scrub(who, now, LEASED).await.unwrap();
    assert_eq!(claim("one", NOW).await, Some(ScrubRound::default()));
    assert_eq!(claim("two", NOW).await, None);
    let round = ScrubRound {
        started_at: Some(NOW),
        position: Some(digest("a")),
        blobs: 1,
        bytes: 10,
        damaged: 1,
        ended_at: Some(at(-5)),
    };
    assert!(catalog.save_scrub("one", &round).await.unwrap());
    assert!(!catalog.save_scrub("two", &ScrubRound::default()).await.unwrap(), "it is not its turn");
    assert_eq!(claim("one", NOW).await, Some(round));
    assert_eq!(catalog.scrub_round().await.unwrap(), round);
    // Whoever had the turn is gone.
    assert_eq!(claim("two", LEASED).await, Some(round));
    assert!(!catalog.save_scrub("one", &ScrubRound::default()).await.unwrap());
}
