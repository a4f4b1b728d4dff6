//! What was backed up is what is restored, from either database into either.

use railhead_backup::seal::{Identity, Recipient};
use railhead_backup::sign::{SigningKey, VerifyingKey};
use railhead_backup::{Error, Only};
use railhead_catalog::testing::Place;
use railhead_catalog::{NewToken, Record};

use crate::world::{NOW, Shelf, World, name, verify_with};

// Made for these tests alone.
pub const IDENTITY: &str = "AGE-SECRET-KEY-1QYPQXPQ9QCRSSZG2PVXQ6RS0ZQG3YYC5Z5TPWXQERGD3C8G7RUSQGPQYEE\n";
const SIGN: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIPN1mXUOSXBKTeMpV5hGvUCyyTbPnc3oRBAdKVALDKSW
-----END PRIVATE KEY-----
";
const OTHER_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEACQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=
-----END PUBLIC KEY-----
";

async fn round_trip(from: Place, to: Place) {
    let (world, shelf) = (World::filled(from).await, Shelf::new());
    let made = world.back_up(&shelf.vault).await.unwrap();
    assert!(made.missing.is_empty() && made.copied_blobs == made.counts.blobs, "{made:?}");
    let other = World::empty(to).await;
    let restored = other.restore(&shelf.vault).await.unwrap();
    assert!(restored.lost.is_empty() && !restored.resumed, "{restored:?}");
    assert_eq!(other.knows().await, world.knows().await);
    other.check().await;
    // Ids that were given before, also to an owner that is gone, are not given again.
    let new = other.catalog.create_user("new", None, false, NOW).await.unwrap();
    let last = world.catalog.create_user("new", None, false, NOW).await.unwrap();
    assert_eq!(new.id, last.id);
    let token = NewToken {
        user: new.id,
        name: String::new(),
        secret_hash: [9; 32],
        scopes: "[]".into(),
        expires_at: None,
    };
    let here = other.catalog.create_token(token.clone(), NOW).await.unwrap();
    let there = world.catalog.create_token(NewToken { user: last.id, ..token }, NOW).await.unwrap();
    assert_eq!(here.id, there.id);
    // And pushes go on.
    other.image("team/app", Some("3"), &["base", "three"]).await;
    other.check().await;
}

#[tokio::test]
async fn from_sqlite_to_sqlite() {
    round_trip(Place::sqlite().unwrap(), Place::sqlite().unwrap()).await;
}

#[tokio::test]
async fn from_sqlite_to_postgres_and_back() {
    let Some(postgres) = Place::postgres().unwrap() else { return };
    round_trip(Place::sqlite().unwrap(), postgres).await;
    let Some(postgres) = Place::postgres().unwrap() else { return };
    round_trip(postgres, Place::sqlite().unwrap()).await;
}

#[tokio::test]
async fn a_second_backup_copies_what_is_new_and_nothing_else() {
    let (world, shelf) = (World::filled(Place::sqlite().unwrap()).await, Shelf::new());
    let first = world.back_up(&shelf.vault).await.unwrap();
    let again = world.back_up(&shelf.vault).await.unwrap();
    assert_eq!((again.copied_blobs, again.part_bytes), (0, 0));
    assert!(first.id.starts_with("000001-") && again.id.starts_with("000002-"));
    world.image("team/app", Some("3"), &["base", "new"]).await;
    let third = world.back_up(&shelf.vault).await.unwrap();
    assert_eq!(third.copied_blobs, 2, "the layer and the configuration");
    assert_eq!(third.counts.blobs, first.counts.blobs + 2);
}

#[tokio::test]
async fn what_is_sealed_opens_only_with_an_identity() {
    let (world, shelf) = (World::filled(Place::sqlite().unwrap()).await, Shelf::new());
    let identities = Identity::parse_file(IDENTITY).unwrap();
    let recipient: Recipient = identities[0].recipient();
    world.back_up_with(&shelf.vault, |plan| plan.recipients = vec![recipient]).await.unwrap();
    for (file, content) in shelf.files() {
        let text = String::from_utf8_lossy(&content);
        assert!(!text.contains("argon2id") && !text.contains("onefront"), "{file}");
        let clear = file.starts_with("snapshots/") || file.starts_with("parts/");
        let is_sealed = std::path::Path::new(&file).extension().is_some_and(|end| end == "age");
        assert_eq!(is_sealed, !clear, "{file}");
    }
    let blind = verify_with(&shelf.vault, shelf.home.path(), |_| {}).await.unwrap();
    assert!(blind.damages.is_empty() && blind.unread > 0 && !blind.is_whole());
    let other = World::sqlite().await;
    assert!(matches!(other.restore(&shelf.vault).await, Err(Error::Sealed { .. })));
    let vault = shelf.vault.clone().with_identities(identities);
    assert!(verify_with(&vault, shelf.home.path(), |_| {}).await.unwrap().is_whole());
    // The same attempt goes on, now that it can.
    let restored = other.restore(&vault).await.unwrap();
    assert!(restored.resumed && restored.lost.is_empty(), "{restored:?}");
    assert_eq!(other.knows().await, world.knows().await);
    other.check().await;
}

#[tokio::test]
async fn only_what_the_right_key_has_signed_is_taken() {
    let (world, shelf) = (World::filled(Place::sqlite().unwrap()).await, Shelf::new());
    let key = SigningKey::parse(SIGN).unwrap();
    let other = VerifyingKey::parse(OTHER_PUBLIC).unwrap();
    let made = world.back_up_with(&shelf.vault, |plan| plan.sign = Some(&key)).await.unwrap();
    let refused = shelf.vault.snapshot(None, Some(&other)).await;
    assert!(matches!(refused, Err(Error::Signature { .. })), "{refused:?}");
    world.back_up(&shelf.vault).await.unwrap();
    let refused = shelf.vault.snapshot(None, Some(&other)).await.unwrap_err();
    assert!(refused.to_string().contains("is not signed"), "{refused}");
    assert!(shelf.vault.snapshot(Some("1"), None).await.unwrap().id == made.id);
}

#[tokio::test]
async fn a_part_is_restored_alone() {
    let (world, shelf) = (World::filled(Place::sqlite().unwrap()).await, Shelf::new());
    world.back_up(&shelf.vault).await.unwrap();
    let all = world.knows().await;

    let owner = World::sqlite().await;
    let only = Only { owners: vec!["TEAM".into()], repositories: Vec::new() };
    let restored = owner.restore_only(&shelf.vault, only).await.unwrap();
    assert_eq!((restored.owners, restored.repositories, restored.tags), (1, 2, 4), "{restored:?}");
    owner.check().await;

    let one = World::sqlite().await;
    let only = Only { owners: Vec::new(), repositories: vec![name("kim/tool")] };
    let restored = one.restore_only(&shelf.vault, only).await.unwrap();
    assert_eq!((restored.owners, restored.repositories, restored.blobs), (1, 1, 2), "{restored:?}");
    one.check().await;
    let known = one.knows().await;
    assert!(known.iter().all(|thing| all.contains(thing)), "{known:#?}");
    assert!(one.catalog.user("kim").await.unwrap().unwrap().password_hash.is_some());
}

#[tokio::test]
async fn a_place_that_is_not_empty_is_left_alone() {
    let (world, shelf) = (World::filled(Place::sqlite().unwrap()).await, Shelf::new());
    world.back_up(&shelf.vault).await.unwrap();
    let before = world.knows().await;
    assert!(matches!(world.restore(&shelf.vault).await, Err(Error::NotEmpty { .. })));
    assert_eq!(world.knows().await, before);
    assert_eq!(world.catalog.restoring().await.unwrap(), None);
    let other = World::sqlite().await;
    let stray = other.blob("x/y", "stray");
    drop(stray);
    let empty = Shelf::new();
    assert!(matches!(other.restore(&empty.vault).await, Err(Error::Nothing { .. })));
}

#[test]
fn a_record_shows_no_hash() {
    let text = r#"{"record":"owner","id":1,"name":"kim","kind":"user","created_at":"2026-01-01T00:00:00Z",
        "account":{"password_hash":"geheim","admin":false,"disabled":false}}"#;
    let record: Record = serde_json::from_str(text).unwrap();
    assert!(!format!("{record:?}").contains("geheim"));
}
