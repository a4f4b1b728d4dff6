//! Owners that are a forge's.

use railhead_catalog::testing::Place;
use railhead_catalog::{Error, OwnerKind, Visibility};

use crate::support::{NOW, blob, name};

pub async fn an_owner_of_the_forge_is_known_by_its_number(place: &Place) {
    let catalog = place.open().await.unwrap();
    let bob = catalog.mirror_owner(2, "Bob", OwnerKind::User, NOW).await.unwrap();
    assert_eq!(catalog.mirror_owner(2, "Bob", OwnerKind::User, NOW).await.unwrap(), bob);
    assert!(!bob.disabled && bob.renamed_from.is_none());
    assert_eq!(catalog.user("bob").await.unwrap().unwrap().owner.id, bob.owner);
    catalog.set_disabled(bob.owner, true).await.unwrap();
    assert!(catalog.mirror_owner(2, "Bob", OwnerKind::User, NOW).await.unwrap().disabled);

    // One from before the forge is taken over, when it is of the same kind.
    let team = catalog.create_organisation("team", NOW).await.unwrap();
    assert_eq!(catalog.mirror_owner(5, "Team", OwnerKind::Organisation, NOW).await.unwrap().owner, team.id);
    assert_eq!(catalog.owner("team").await.unwrap().unwrap().name, "Team");

    // Renamed, with all that it has; another case alone is no other name.
    for one in ["bob/app", "bob/a/b"] {
        let made = catalog.ensure_following(&name(one), NOW).await.unwrap();
        catalog.commit_blob(blob(&made, one, 10, one), NOW).await.unwrap();
    }
    assert_eq!(catalog.mirror_owner(2, "BOB", OwnerKind::User, NOW).await.unwrap().renamed_from, None);
    let renamed = catalog.mirror_owner(2, "Robert", OwnerKind::User, NOW).await.unwrap();
    assert_eq!((renamed.owner, renamed.renamed_from.as_deref()), (bob.owner, Some("bob")));
    assert!(catalog.repository(&name("bob/app")).await.unwrap().is_none());
    assert!(catalog.repository(&name("robert/a/b")).await.unwrap().is_some());

    // Who has the name now gets it, unless the one before has left something behind.
    let second = catalog.mirror_owner(9, "bob", OwnerKind::User, NOW).await.unwrap();
    assert_ne!(second.owner, bob.owner);
    let third = catalog.mirror_owner(10, "Bob", OwnerKind::User, NOW).await.unwrap();
    assert_ne!(third.owner, second.owner, "it had nothing");
    let taken = catalog.mirror_owner(11, "robert", OwnerKind::User, NOW).await;
    assert!(matches!(taken, Err(Error::AlreadyExists(_))), "{taken:?}");
    let taken = catalog.mirror_owner(10, "Robert", OwnerKind::User, NOW).await;
    assert!(matches!(taken, Err(Error::AlreadyExists(_))), "{taken:?}");
    let invalid = catalog.mirror_owner(12, "a b", OwnerKind::User, NOW).await;
    assert!(matches!(invalid, Err(Error::InvalidName { .. })), "{invalid:?}");
}

pub async fn a_repository_follows_the_forge_until_somebody_decides(place: &Place) {
    let catalog = place.open().await.unwrap();
    let unknown = catalog.forge_facts(&name("bob/app")).await.unwrap();
    assert_eq!(unknown, railhead_catalog::ForgeFacts::default());
    let bob = catalog.mirror_owner(2, "bob", OwnerKind::User, NOW).await.unwrap();
    let before = catalog.ensure_repository(&name("bob/before"), NOW).await.unwrap();
    let following = catalog.ensure_following(&name("bob/app"), NOW).await.unwrap();
    let facts = async |text: &str| catalog.forge_facts(&name(text)).await.unwrap();
    let none = facts("bob/none").await;
    assert_eq!((none.owner, none.forge_id, none.repository), (Some(bob.owner), Some(2), None));
    let kept = facts("bob/before").await.repository.unwrap();
    assert_eq!((kept.id, kept.decided), (before.id, Some(Visibility::Private)));
    let found = facts("bob/app").await.repository.unwrap();
    assert_eq!((found.id, found.decided, found.was_public), (following.id, None, false));
    catalog.note_public(following.id, true).await.unwrap();
    assert!(facts("bob/app").await.repository.unwrap().was_public);
    catalog.set_visibility(following.id, Visibility::Private).await.unwrap();
    assert_eq!(facts("bob/app").await.repository.unwrap().decided, Some(Visibility::Private));
}

pub async fn a_former_name_is_known_until_somebody_has_it(place: &Place) {
    let catalog = place.open().await.unwrap();
    let bob = catalog.mirror_owner(2, "Bob", OwnerKind::User, NOW).await.unwrap();
    let made = catalog.ensure_following(&name("bob/app"), NOW).await.unwrap();
    catalog.commit_blob(blob(&made, "one", 10, "one"), NOW).await.unwrap();
    assert_eq!(catalog.rename_mirrored(7, "robert", NOW).await.unwrap(), None, "not one of ours");
    assert_eq!(catalog.rename_mirrored(2, "BOB", NOW).await.unwrap(), None, "the same name");
    let later = NOW.plus_millis(5000);
    assert_eq!(catalog.rename_mirrored(2, "Robert", later).await.unwrap().as_deref(), Some("bob"));
    assert!(catalog.repository(&name("robert/app")).await.unwrap().is_some());
    catalog.mirror_owner(2, "Rob", OwnerKind::User, NOW.plus_millis(9000)).await.unwrap();
    let former = async || {
        let names = catalog.former_names().await.unwrap();
        names.into_iter().map(|one| (one.name, one.now, one.renamed_at)).collect::<Vec<_>>()
    };
    let (first, second) = (
        ("bob".to_owned(), "Rob".to_owned(), later),
        ("robert".to_owned(), "Rob".to_owned(), NOW.plus_millis(9000)),
    );
    assert_eq!(former().await, [first.clone(), second]);
    let all = catalog.former_names().await.unwrap();
    assert_eq!((all[0].owner, all[0].forge_id), (bob.owner, Some(2)));

    // Back to a name of before, or in other hands: it is a former one no more.
    let now = NOW.plus_millis(20_000);
    catalog.rename_mirrored(2, "robert", now).await.unwrap();
    assert_eq!(
        former().await,
        [("bob".to_owned(), "robert".to_owned(), later), ("rob".to_owned(), "robert".to_owned(), now)]
    );
    catalog.mirror_owner(3, "bob", OwnerKind::User, now).await.unwrap();
    catalog.end_former_name("ROB").await.unwrap();
    assert_eq!(former().await, []);
}

pub async fn an_owner_can_be_given_to_who_has_its_name_on_the_forge(place: &Place) {
    let catalog = place.open().await.unwrap();
    let bob = catalog.mirror_owner(2, "Bob", OwnerKind::User, NOW).await.unwrap();
    let eve = catalog.mirror_owner(4, "eve", OwnerKind::User, NOW).await.unwrap();
    catalog.ensure_following(&name("bob/app"), NOW).await.unwrap();
    let taken = catalog.mirror_owner(9, "bob", OwnerKind::Organisation, NOW).await;
    assert!(matches!(taken, Err(Error::AlreadyExists(_))), "{taken:?}");
    catalog.adopt_owner(bob.owner, 9, "bob", OwnerKind::Organisation).await.unwrap();
    let found = catalog.mirror_owner(9, "bob", OwnerKind::Organisation, NOW).await.unwrap();
    assert_eq!((found.owner, catalog.forge_id(bob.owner).await.unwrap()), (bob.owner, Some(9)));
    let owner = catalog.owner("bob").await.unwrap().unwrap();
    assert_eq!((owner.name.as_str(), owner.kind), ("bob", OwnerKind::Organisation));
    assert!(catalog.user("bob").await.unwrap().is_none(), "an organisation cannot log in");
    assert!(catalog.repository(&name("bob/app")).await.unwrap().is_some());
    // Back to a user; but not to one who is here already, nor under another name.
    catalog.adopt_owner(bob.owner, 10, "Bob", OwnerKind::User).await.unwrap();
    assert!(catalog.user("bob").await.unwrap().is_some());
    let here = catalog.adopt_owner(bob.owner, 4, "bob", OwnerKind::User).await;
    assert!(matches!(here, Err(Error::AlreadyExists(_))), "{here:?}");
    let other = catalog.adopt_owner(bob.owner, 11, "robert", OwnerKind::User).await;
    assert!(matches!(other, Err(Error::NotFound(_))), "{other:?}");
    assert_eq!(catalog.forge_id(eve.owner).await.unwrap(), Some(4));
}
