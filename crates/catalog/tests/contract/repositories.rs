//! Repositories.

use railhead_catalog::testing::Place;
use railhead_catalog::{Error, RepositoryFilter, Visibility};

use crate::support::{NOW, blob, digest, forgotten, manifest, name, tag, upload, usage, with_repository};

pub async fn repositories_are_made_on_demand(place: &Place) {
    let (catalog, owner, made) = with_repository(place).await;
    assert_eq!((made.owner, made.visibility, made.bytes), (owner.id, Visibility::Private, 0));
    assert_eq!(catalog.ensure_repository(&name("team/app"), NOW).await.unwrap(), made);
    assert_eq!(catalog.repository(&name("team/app")).await.unwrap(), Some(made.clone()));
    assert_eq!(catalog.repository(&name("team/other")).await.unwrap(), None);
    let orphan = catalog.ensure_repository(&name("nobody/app"), NOW).await;
    assert!(matches!(orphan, Err(Error::NotFound(_))), "{orphan:?}");

    catalog.set_visibility(made.id, Visibility::Public).await.unwrap();
    assert_eq!(catalog.repository(&name("team/app")).await.unwrap().unwrap().visibility, Visibility::Public);
    catalog.delete_repository(made.id, NOW).await.unwrap();
    let gone = catalog.set_visibility(made.id, Visibility::Public).await;
    assert!(matches!(gone, Err(Error::NotFound(_))));
    assert!(matches!(catalog.delete_repository(made.id, NOW).await, Err(Error::NotFound(_))));
    assert_ne!(catalog.ensure_repository(&name("team/app"), NOW).await.unwrap().id, made.id);
}

pub async fn repositories_are_listed_bytewise(place: &Place) {
    let (catalog, team, _) = with_repository(place).await;
    catalog.create_organisation("team-b", NOW).await.unwrap();
    for one in ["team/a/b", "team/a-b", "team/a0", "team/a_b", "team-b/x"] {
        let made = catalog.ensure_repository(&name(one), NOW).await.unwrap();
        catalog.commit_blob(blob(&made, "a", 10, "k"), NOW).await.unwrap();
    }
    let empty = catalog.ensure_repository(&name("team/a1"), NOW).await.unwrap();
    let public = catalog.repository(&name("team/a0")).await.unwrap().unwrap();
    catalog.set_visibility(public.id, Visibility::Public).await.unwrap();
    let list = async |filter: RepositoryFilter, after: Option<&str>, limit| {
        let found = catalog.repositories(filter, after, limit).await.unwrap();
        found.into_iter().map(|one| one.name.to_string()).collect::<Vec<_>>()
    };
    let all = list(RepositoryFilter::default(), None, 100).await;
    assert_eq!(all, ["team-b/x", "team/a-b", "team/a/b", "team/a0", "team/a_b"]);
    assert_eq!(list(RepositoryFilter::default(), Some("team/a/b"), 2).await, ["team/a0", "team/a_b"]);
    assert!(list(RepositoryFilter::default(), None, 0).await.is_empty());
    let owned = RepositoryFilter { owner: Some(team.id), ..Default::default() };
    assert_eq!(list(owned.clone(), None, 100).await, all[1..]);
    let prefix = Some("team/a".to_owned());
    assert_eq!(list(RepositoryFilter { prefix: prefix.clone(), ..owned }, None, 100).await.len(), 4);
    let exact = RepositoryFilter { prefix: Some("team/a/".to_owned()), ..Default::default() };
    assert_eq!(list(exact, None, 100).await, ["team/a/b"]);
    let visible = RepositoryFilter { visibility: Some(Visibility::Public), ..Default::default() };
    assert_eq!(list(visible.clone(), None, 100).await, ["team/a0"]);

    // An empty one is there, though it is not listed until somebody decides who may pull from it.
    assert_eq!(catalog.repository(&empty.name).await.unwrap(), Some(empty.clone()));
    catalog.set_visibility(empty.id, Visibility::Public).await.unwrap();
    assert_eq!(list(visible, None, 100).await, ["team/a0", "team/a1"]);
}

pub async fn a_deleted_repository_frees_what_only_it_had(place: &Place) {
    let (catalog, owner, first) = with_repository(place).await;
    let second = catalog.ensure_repository(&name("team/other"), NOW).await.unwrap();
    catalog.commit_blob(blob(&first, "own", 10, "k-own"), NOW).await.unwrap();
    catalog.commit_blob(blob(&first, "shared", 5, "k-shared"), NOW).await.unwrap();
    catalog.commit_blob(blob(&second, "shared", 5, "k-shared"), NOW).await.unwrap();
    let mut put = manifest(&first, "manifest");
    put.blobs = vec![digest("own")];
    put.tags = vec![tag("latest")];
    catalog.put_manifest(put, NOW).await.unwrap();
    let started = upload(&first);
    catalog.create_upload(started.clone(), NOW).await.unwrap();
    catalog.reserve(started.id, 100, railhead_catalog::Limit::None).await.unwrap();
    assert_eq!(usage(&catalog, &owner).await, (15 + 8, 100));

    assert_eq!(catalog.delete_repository(first.id, NOW).await.unwrap(), [forgotten("k-own", 10)]);
    assert_eq!(usage(&catalog, &owner).await, (5, 0));
    assert!(catalog.blob(&digest("own")).await.unwrap().is_none());
    assert!(catalog.blob(&digest("shared")).await.unwrap().is_some());
    assert!(catalog.upload(started.id).await.unwrap().is_none());
    assert_eq!(catalog.delete_repository(second.id, NOW).await.unwrap(), [forgotten("k-shared", 5)]);
    assert_eq!(usage(&catalog, &owner).await, (0, 0));
}
