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
