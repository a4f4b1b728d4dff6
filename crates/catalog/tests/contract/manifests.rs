//! Manifests, tags, referrers.

use railhead_catalog::testing::Place;
use railhead_catalog::{Error, Limit, NewManifest, OwnerId, RepositoryId};
use railhead_oci::{Digest, Reference};

use crate::support::{LEASED, NOW, at, blob, digest, manifest, name, tag, usage, with_repository};

pub async fn a_manifest_needs_its_references(place: &Place) {
    let (catalog, _, repository) = with_repository(place).await;
    let other = catalog.ensure_repository(&name("team/other"), NOW).await.unwrap();
    catalog.commit_blob(blob(&repository, "layer", 10, "k1"), NOW).await.unwrap();
    catalog.commit_blob(blob(&other, "elsewhere", 10, "k2"), NOW).await.unwrap();
    catalog.put_manifest(manifest(&repository, "child"), NOW).await.unwrap();

    let mut put = manifest(&repository, "index");
    put.subject = Some(digest("nowhere"));
    put.blobs = vec![digest("layer"), digest("elsewhere"), digest("elsewhere"), digest("child")];
    put.children = vec![digest("child"), digest("layer"), digest("missing")];
    let Err(Error::MissingReferences(mut missing)) = catalog.put_manifest(put.clone(), NOW).await else {
        panic!("the manifest refers to what is not there")
    };
    let mut expected = vec![digest("elsewhere"), digest("child"), digest("missing")];
    missing.sort_unstable();
    expected.sort_unstable();
    assert_eq!(missing, expected, "a manifest is no blob, but a blob may be a child");
    assert!(!catalog.manifest_exists(repository.id, &digest("index")).await.unwrap());

    put.blobs = vec![digest("layer"), digest("layer")];
    put.children = vec![digest("child"), digest("layer")];
    assert!(catalog.put_manifest(put.clone(), NOW).await.unwrap().created);
    assert!(catalog.manifest_exists(repository.id, &digest("index")).await.unwrap());
    let lost = NewManifest { repository: RepositoryId(999), ..put };
    assert!(matches!(catalog.put_manifest(lost, NOW).await, Err(Error::NotFound(_))));
}

pub async fn a_manifest_is_found_by_tag_and_digest(place: &Place) {
    let (catalog, _, repository) = with_repository(place).await;
    let mut put = manifest(&repository, "{\"a\":\u{e9}}");
    put.tags = vec![tag("V1"), tag("latest")];
    catalog.put_manifest(put.clone(), at(3)).await.unwrap();
    let find = async |reference: Reference| catalog.manifest(&repository.name, &reference).await.unwrap();
    let found = find(Reference::Digest(put.digest)).await.unwrap();
    assert_eq!((found.digest, &found.media_type, &found.bytes), (put.digest, &put.media_type, &put.bytes));
    assert_eq!(found.pushed_at, at(3));
    assert_eq!(find(Reference::Tag(tag("V1"))).await, Some(found));
    assert_eq!(find(Reference::Tag(tag("v1"))).await, None);
    assert_eq!(find(Reference::Digest(digest("other"))).await, None);
    let elsewhere = catalog.manifest(&name("team/other"), &Reference::Tag(tag("V1"))).await.unwrap();
    assert_eq!(elsewhere, None);

    let pulls = vec![(repository.id, put.digest, at(9)), (repository.id, put.digest, at(8))];
    catalog.touch_manifests(pulls).await.unwrap();
    let listed = catalog.manifests(repository.id, None, 9).await.unwrap();
    assert_eq!((listed[0].size, listed[0].pulled_at), (put.bytes.len() as u64, Some(at(9))));
    assert!(catalog.manifests(repository.id, Some(&put.digest), 9).await.unwrap().is_empty());
}

pub async fn putting_again_changes_nothing(place: &Place) {
    let (catalog, owner, repository) = with_repository(place).await;
    let mut put = manifest(&repository, "manifest");
    put.tags = vec![tag("one"), tag("one")];
    let first = catalog.put_manifest(put.clone(), NOW).await.unwrap();
    assert!(first.created);
    assert_eq!(first.moved, [(tag("one"), None)]);
    let again = catalog.put_manifest(put.clone(), at(1)).await.unwrap();
    assert!(!again.created && again.moved.is_empty());
    assert_eq!(usage(&catalog, &owner).await, (8, 0));
    assert_eq!(catalog.tag(repository.id, &tag("one")).await.unwrap().unwrap().moved_at, NOW);
    assert!(catalog.tag_history(repository.id, &tag("one"), 9).await.unwrap().is_empty());
}

pub async fn frozen_tags_do_not_move(place: &Place) {
    let (catalog, _, repository) = with_repository(place).await;
    let mut put = manifest(&repository, "first");
    put.tags = vec![tag("1.0"), tag("latest")];
    put.frozen = vec![tag("1.0")];
    catalog.put_manifest(put.clone(), NOW).await.unwrap();
    catalog.put_manifest(put.clone(), NOW).await.unwrap();
    let other = NewManifest { digest: digest("second"), bytes: b"second".to_vec(), ..put };
    let refused = catalog.put_manifest(other.clone(), NOW).await;
    assert!(
        matches!(&refused, Err(Error::TagFrozen { tag: frozen, digest: at }) if *frozen == tag("1.0") && *at == digest("first"))
    );
    assert!(
        !catalog.manifest_exists(repository.id, &digest("second")).await.unwrap(),
        "all of it was undone"
    );
    assert_eq!(catalog.tag(repository.id, &tag("latest")).await.unwrap().unwrap().digest, digest("first"));
    let loose = NewManifest { tags: vec![tag("latest")], ..other };
    let moved = catalog.put_manifest(loose, NOW).await.unwrap().moved;
    assert_eq!(moved, [(tag("latest"), Some(digest("first")))]);
}

pub async fn moved_tags_are_remembered(place: &Place) {
    let (catalog, _, repository) = with_repository(place).await;
    for (second, content) in (0..).zip(["a", "b", "c"]) {
        let mut put = manifest(&repository, content);
        put.tags = vec![tag("latest")];
        put.account = Some(OwnerId(7));
        catalog.put_manifest(put, at(second)).await.unwrap();
    }
    let deleted = catalog.delete_tag(repository.id, &tag("latest"), None, at(9)).await.unwrap();
    assert_eq!(deleted, Some(digest("c")));
    assert_eq!(catalog.delete_tag(repository.id, &tag("latest"), None, at(9)).await.unwrap(), None);
    assert!(catalog.manifest_exists(repository.id, &digest("c")).await.unwrap());
    let history = catalog.tag_history(repository.id, &tag("latest"), 9).await.unwrap();
    let seen: Vec<_> = history.iter().map(|one| (one.digest, one.replaced_at, one.account)).collect();
    let by = Some(OwnerId(7));
    assert_eq!(seen, [(digest("c"), at(9), None), (digest("b"), at(2), by), (digest("a"), at(1), by)]);
}

pub async fn a_deleted_manifest_takes_its_tags(place: &Place) {
    let (catalog, owner, repository) = with_repository(place).await;
    let mut put = manifest(&repository, "manifest");
    put.tags = vec![tag("b"), tag("a")];
    put.subject = Some(digest("subject"));
    catalog.put_manifest(put, NOW).await.unwrap();
    let mut other = manifest(&repository, "other");
    other.tags = vec![tag("c")];
    other.children = vec![digest("manifest")];
    catalog.put_manifest(other, NOW).await.unwrap();
    let delete =
        async || catalog.delete_manifest(repository.id, &digest("manifest"), None, LEASED, NOW).await;
    let deleted = delete().await.unwrap();
    assert_eq!((deleted.tags, deleted.subject), (vec![tag("a"), tag("b")], Some(digest("subject"))));
    assert!(matches!(delete().await, Err(Error::NotFound(_))));
    assert_eq!(catalog.tags_json(repository.id, None, 9).await.unwrap().names, r#"["c"]"#);
    assert_eq!(usage(&catalog, &owner).await, (5, 0));
    assert_eq!(catalog.repository(&repository.name).await.unwrap().unwrap().bytes, 5);
}

pub async fn referrers_are_filtered_and_paged(place: &Place) {
    let (catalog, _, repository) = with_repository(place).await;
    let subject = digest("subject");
    let mut digests: Vec<Digest> = Vec::new();
    for number in 0..6 {
        let mut put = manifest(&repository, &format!("referrer {number}"));
        put.subject = Some(subject);
        put.artifact_type = (number != 0).then(|| format!("application/x-{}", number % 2));
        put.annotations = Some(format!(r#"{{"number":"{number}"}}"#));
        digests.push(put.digest);
        catalog.put_manifest(put, NOW).await.unwrap();
    }
    digests.sort_unstable();
    let list = async |kind: Option<&str>, after: Option<&Digest>, limit| {
        catalog.referrers(repository.id, &subject, kind, after, limit).await.unwrap()
    };
    let page = list(None, None, 4).await;
    assert_eq!(page.iter().map(|one| one.digest).collect::<Vec<_>>(), digests[..4]);
    let rest = list(None, Some(&page[3].digest), 4).await;
    assert_eq!(rest.iter().map(|one| one.digest).collect::<Vec<_>>(), digests[4..]);
    let odd = list(Some("application/x-1"), None, 9).await;
    assert_eq!(odd.len(), 3);
    assert!(odd.iter().all(|one| one.artifact_type.as_deref() == Some("application/x-1")));
    assert!(odd.iter().all(|one| one.annotations.as_deref().unwrap().starts_with(r#"{"number""#)));
    assert!(list(Some("application/x-2"), None, 9).await.is_empty());
    assert!(catalog.referrers(repository.id, &digest("x"), None, None, 9).await.unwrap().is_empty());
}

pub async fn tags_are_paged(place: &Place) {
    let (catalog, _, repository) = with_repository(place).await;
    let empty = catalog.tags_json(repository.id, None, 9).await.unwrap();
    assert_eq!((empty.names.as_str(), empty.last, empty.more), ("[]", None, false));
    let mut put = manifest(&repository, "manifest");
    put.tags = ["b", "B", "a.1", "a-1", "_", "a10", "a9"].map(tag).to_vec();
    catalog.put_manifest(put, NOW).await.unwrap();
    let page = async |after, limit| catalog.tags_json(repository.id, after, limit).await.unwrap();
    let first = page(None, 4).await;
    assert_eq!(first.names, r#"["B","_","a-1","a.1"]"#);
    assert_eq!((first.last, first.more), (Some(tag("a.1")), true));
    let second = page(Some("a.1"), 3).await;
    assert_eq!((second.names.as_str(), second.more), (r#"["a10","a9","b"]"#, false));
    assert_eq!(page(Some("a/not a tag"), 1).await.names, r#"["a10"]"#);
    let none = page(None, 0).await;
    assert_eq!((none.names.as_str(), none.last, none.more), ("[]", None, false));
    let records = catalog.tags(repository.id, Some("a9"), 9).await.unwrap();
    assert_eq!((&records[0].name, records[0].digest), (&tag("b"), digest("manifest")));
}

pub async fn a_manifest_counts_for_the_quota(place: &Place) {
    let (catalog, owner, repository) = with_repository(place).await;
    let new = |content| NewManifest { quota: Limit::Bytes(10), ..manifest(&repository, content) };
    catalog.put_manifest(new("12345678"), NOW).await.unwrap();
    assert!(matches!(catalog.put_manifest(new("123"), NOW).await, Err(Error::QuotaExceeded(_))));
    catalog.put_manifest(new("12345678"), NOW).await.unwrap();
    catalog.put_manifest(new("12"), NOW).await.unwrap();
    assert_eq!(usage(&catalog, &owner).await, (10, 0));
}
