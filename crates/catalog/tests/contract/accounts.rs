//! Owners, users, members, tokens.

use railhead_catalog::testing::Place;
use railhead_catalog::{Error, Limit, NewToken, OwnerId, OwnerKind, Role, TokenUse, Visibility};
use secrecy::ExposeSecret;

use crate::support::{NOW, at, name};

pub async fn names_are_unique_in_any_case(place: &Place) {
    let catalog = place.open().await.unwrap();
    let made = catalog.create_user("Ada.L", None, true, NOW).await.unwrap();
    assert_eq!((made.name.as_str(), made.kind, made.used_bytes), ("Ada.L", OwnerKind::User, 0));
    assert_eq!(catalog.owner("ADA.L").await.unwrap(), Some(made.clone()));
    assert_eq!(catalog.owner_by_id(made.id).await.unwrap(), Some(made.clone()));
    assert_eq!(catalog.owner("ada").await.unwrap(), None);
    let again = catalog.create_organisation("ada.l", NOW).await;
    assert!(matches!(again, Err(Error::AlreadyExists(_))), "{again:?}");
    for wrong in ["", "a/b", "-a", "ä", "a b", &"a".repeat(300)] {
        let refused = catalog.create_user(wrong, None, false, NOW).await;
        assert!(matches!(refused, Err(Error::InvalidName { .. })), "{wrong}: {refused:?}");
    }
    for other in ["zed", "Bob", "carol"] {
        catalog.create_organisation(other, NOW).await.unwrap();
    }
    let names = |owners: Vec<railhead_catalog::Owner>| owners.into_iter().map(|o| o.name).collect::<Vec<_>>();
    assert_eq!(names(catalog.owners(None, 3).await.unwrap()), ["Ada.L", "Bob", "carol"]);
    assert_eq!(names(catalog.owners(Some("CAROL"), 3).await.unwrap()), ["zed"]);

    catalog.set_limits(made.id, Some(Limit::None), Some(Limit::Bytes(7))).await.unwrap();
    let limited = catalog.owner("ada.l").await.unwrap().unwrap();
    assert_eq!((limited.quota, limited.layer_limit), (Some(Limit::None), Some(Limit::Bytes(7))));
    catalog.set_limits(made.id, None, None).await.unwrap();
    assert_eq!(catalog.owner("ada.l").await.unwrap().unwrap(), made);
    assert!(matches!(catalog.set_limits(OwnerId(999), None, None).await, Err(Error::NotFound(_))));
}

pub async fn users_change(place: &Place) {
    let catalog = place.open().await.unwrap();
    let id = catalog.create_user("ada", Some("$argon2$1".into()), false, NOW).await.unwrap().id;
    let user = catalog.user("ADA").await.unwrap().unwrap();
    assert_eq!(user.password_hash.as_ref().unwrap().expose_secret(), "$argon2$1");
    assert!(!user.admin && !user.disabled);
    assert!(!format!("{user:?}").contains("argon2"));

    catalog.set_password(id, None).await.unwrap();
    catalog.set_admin(id, true).await.unwrap();
    catalog.set_disabled(id, true).await.unwrap();
    let user = catalog.user_by_id(id).await.unwrap().unwrap();
    assert!(user.password_hash.is_none() && user.admin && user.disabled);

    let organisation = catalog.create_organisation("team", NOW).await.unwrap().id;
    assert!(catalog.user("team").await.unwrap().is_none());
    assert!(matches!(catalog.set_admin(organisation, true).await, Err(Error::NotFound(_))));
}

pub async fn members_come_and_go(place: &Place) {
    let catalog = place.open().await.unwrap();
    let team = catalog.create_organisation("Team", NOW).await.unwrap().id;
    let ada = catalog.create_user("Ada", None, false, NOW).await.unwrap().id;
    let bob = catalog.create_user("bob", None, false, NOW).await.unwrap().id;
    catalog.set_member(team, ada, Some(Role::Reader)).await.unwrap();
    catalog.set_member(team, ada, Some(Role::Owner)).await.unwrap();
    catalog.set_member(team, bob, Some(Role::Writer)).await.unwrap();
    let members = catalog.members(team, None, 10).await.unwrap();
    let seen: Vec<_> = members.iter().map(|m| (m.user, m.name.as_str(), m.role)).collect();
    assert_eq!(seen, [(ada, "Ada", Role::Owner), (bob, "bob", Role::Writer)]);
    assert_eq!(catalog.members(team, Some(ada), 10).await.unwrap().len(), 1);
    let memberships = catalog.memberships(ada).await.unwrap();
    assert_eq!((memberships[0].organisation, memberships[0].role), (team, Role::Owner));

    catalog.set_member(team, ada, None).await.unwrap();
    assert!(catalog.memberships(ada).await.unwrap().is_empty());
    assert!(matches!(catalog.set_member(team, ada, None).await, Err(Error::NotFound(_))));
    assert!(matches!(catalog.set_member(ada, bob, Some(Role::Owner)).await, Err(Error::NotFound(_))));
    assert!(matches!(catalog.set_member(team, team, Some(Role::Owner)).await, Err(Error::NotFound(_))));
}

pub async fn owners_are_deleted_when_empty(place: &Place) {
    let catalog = place.open().await.unwrap();
    let team = catalog.create_organisation("Team", NOW).await.unwrap().id;
    let ada = catalog.create_user("ada", None, false, NOW).await.unwrap().id;
    catalog.set_member(team, ada, Some(Role::Owner)).await.unwrap();
    catalog.create_token(token(ada, 1), NOW).await.unwrap();
    let repository = catalog.ensure_repository(&name("team/app"), NOW).await.unwrap();
    assert!(matches!(catalog.delete_owner(team).await, Err(Error::OwnerInUse(owner)) if owner == "Team"));
    catalog.delete_repository(repository.id, NOW).await.unwrap();
    catalog.delete_owner(team).await.unwrap();
    assert!(catalog.memberships(ada).await.unwrap().is_empty());
    catalog.delete_owner(ada).await.unwrap();
    assert!(catalog.token_by_hash(&[1; 32]).await.unwrap().is_none());
    assert!(matches!(catalog.delete_owner(ada).await, Err(Error::NotFound(_))));
    assert_ne!(
        catalog.create_user("ada", None, false, NOW).await.unwrap().id,
        ada,
        "an id names one owner ever"
    );
}

fn token(user: OwnerId, secret: u8) -> NewToken {
    NewToken {
        user,
        name: format!("token {secret}"),
        secret_hash: [secret; 32],
        scopes: r#"["pull"]"#.to_owned(),
        expires_at: Some(at(60)),
    }
}

pub async fn tokens_are_found_by_hash(place: &Place) {
    let catalog = place.open().await.unwrap();
    let ada = catalog.create_user("Ada", None, true, NOW).await.unwrap().id;
    let bob = catalog.create_user("bob", None, false, NOW).await.unwrap().id;
    let first = catalog.create_token(token(ada, 1), NOW).await.unwrap();
    let second = catalog.create_token(token(bob, 2), NOW).await.unwrap();
    let (found, holder) = catalog.token_by_hash(&[1; 32]).await.unwrap().unwrap();
    assert_eq!(found, first);
    assert_eq!((holder.id, holder.name.as_str(), holder.admin, holder.disabled), (ada, "Ada", true, false));
    assert!(catalog.token_by_hash(&[3; 32]).await.unwrap().is_none());
    assert!(matches!(catalog.create_token(token(bob, 1), NOW).await, Err(Error::AlreadyExists(_))));
    assert!(matches!(catalog.create_token(token(OwnerId(999), 3), NOW).await, Err(Error::NotFound(_))));

    catalog.revoke_token(first.id, at(1)).await.unwrap();
    catalog.revoke_token(first.id, at(2)).await.unwrap();
    let newer = TokenUse { token: first.id, at: at(9), address: "192.0.2.1".to_owned() };
    let older = TokenUse { token: first.id, at: at(8), address: "192.0.2.2".to_owned() };
    catalog.touch_tokens(vec![newer, older]).await.unwrap();
    let seen = catalog.token(first.id).await.unwrap().unwrap();
    assert_eq!((seen.revoked_at, seen.used_at), (Some(at(1)), Some(at(9))));
    assert_eq!(seen.used_from.as_deref(), Some("192.0.2.1"));

    assert_eq!(catalog.tokens(Some(bob), None, 9).await.unwrap(), std::slice::from_ref(&second));
    assert_eq!(catalog.tokens(None, None, 1).await.unwrap()[0].id, first.id);
    assert_eq!(catalog.tokens(None, Some(first.id), 9).await.unwrap(), [second]);
}

pub async fn the_generation_grows_with_every_change_of_rights(place: &Place) {
    let catalog = place.open().await.unwrap();
    let mut last = catalog.generation().await.unwrap();
    macro_rules! grows {
        ($change:expr) => {{
            let answer = $change.await.unwrap();
            let now = catalog.generation().await.unwrap();
            assert!(now > last, "{}", stringify!($change));
            last = now;
            answer
        }};
    }
    let team = grows!(catalog.create_organisation("team", NOW)).id;
    let ada = grows!(catalog.create_user("ada", None, false, NOW)).id;
    grows!(catalog.set_member(team, ada, Some(Role::Writer)));
    grows!(catalog.set_member(team, ada, None));
    grows!(catalog.set_admin(ada, true));
    grows!(catalog.set_disabled(ada, true));
    grows!(catalog.set_password(ada, None));
    let token = grows!(catalog.create_token(token(ada, 1), NOW)).id;
    grows!(catalog.revoke_token(token, NOW));
    let repository = grows!(catalog.ensure_repository(&name("team/app"), NOW)).id;
    grows!(catalog.set_visibility(repository, Visibility::Public));
    grows!(catalog.delete_repository(repository, NOW));
    grows!(catalog.delete_owner(ada));
    assert_eq!(catalog.generation().await.unwrap(), last);
}
