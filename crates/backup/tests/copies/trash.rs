//! What retention took is backed up too, and can be brought back after a restore as long as it could before.

use railhead_backup::Lost;
use railhead_catalog::testing::Place;
use railhead_catalog::{Loss, LostManifest, RepositoryId, Timestamp, TrashId, Trashed, Untrash};
use railhead_oci::{Digest, Reference, Tag};

use crate::world::{NOW, Shelf, World, name};

/// When the trash ends.
const ENDS: i64 = 4_000_000_000_000;

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

async fn repository(world: &World) -> RepositoryId {
    world.catalog.repository(&name("team/web/front")).await.unwrap().unwrap().id
}

/// A world whose retention took an image with a tag, and one without.
async fn trashed() -> (World, [Digest; 2]) {
    let world = World::filled(Place::sqlite().unwrap()).await;
    let old = world.image("team/web/front", Some("old"), &["base", "old"]).await;
    let bare = world.image("team/web/front", None, &["bare"]).await;
    let (catalog, repository) = (&world.catalog, repository(&world).await);
    let ends = Timestamp(ENDS);
    let run = catalog.begin_trash("0123456789abcdef", None, NOW, ends).await.unwrap();
    let manifests = [old, bare].map(|digest| LostManifest { digest, pushed_at: NOW, pulled_at: None });
    let loss = Loss { tags: vec![(tag("old"), old)], manifests: manifests.to_vec() };
    let done = catalog.trash(run, repository, loss, None, ends, NOW).await.unwrap();
    assert!(matches!(done, Trashed::Done { .. }), "{done:?}");
    (world, [old, bare])
}

async fn comes_back(place: Place) {
    let (world, [old, bare]) = trashed().await;
    let shelf = Shelf::new();
    let made = world.back_up(&shelf.vault).await.unwrap();
    assert_eq!(made.missing, []);
    let other = World::empty(place).await;
    let restored = other.restore(&shelf.vault).await.unwrap();
    assert_eq!((restored.trashed, &restored.lost[..]), (2, &[][..]));
    assert_eq!(other.knows().await, world.knows().await);
    other.check().await;
    let (catalog, repository, front) = (&other.catalog, repository(&other).await, name("team/web/front"));
    let runs = catalog.trash_runs(NOW).await.unwrap();
    assert_eq!(runs, world.catalog.trash_runs(NOW).await.unwrap());
    assert!(
        catalog.manifest(&front, &Reference::Digest(old)).await.unwrap().is_none(),
        "it is served to nobody"
    );

    // Collection leaves it alone as long as the trash keeps it.
    let due = catalog.due_links(Timestamp(ENDS - 1), 100).await.unwrap();
    assert_eq!(due, []);
    assert!(!catalog.due_links(Timestamp(ENDS), 100).await.unwrap().is_empty());

    let undone = catalog.untrash(runs[0].id, repository, Untrash::All, NOW).await.unwrap();
    assert_eq!((undone.tags, undone.taken.len()), (vec![tag("old")], 0));
    assert_eq!(undone.manifests.len(), 2);
    for digest in [old, bare] {
        assert!(catalog.manifest(&front, &Reference::Digest(digest)).await.unwrap().is_some());
    }
    other.check().await;
    // A run after the restore has an id of its own.
    let next = catalog.begin_trash("fedcba9876543210", None, NOW, Timestamp(ENDS)).await.unwrap();
    assert_eq!(next, TrashId(runs[0].id.0 + 1));
}

#[tokio::test]
async fn what_retention_took_can_be_brought_back_after_a_restore() {
    comes_back(Place::sqlite().unwrap()).await;
}

#[tokio::test]
async fn what_retention_took_can_be_brought_back_after_a_restore_into_postgres() {
    let Some(place) = Place::postgres().unwrap() else { return };
    comes_back(place).await;
}

#[tokio::test]
async fn what_could_not_be_brought_back_is_named() {
    let (world, [old, _]) = trashed().await;
    let shelf = Shelf::new();
    world.back_up(&shelf.vault).await.unwrap();
    let hex = Digest::sha256("old".repeat(5000).as_bytes()).hex();
    std::fs::remove_file(shelf.path(&format!("blobs/sha256/{}/{hex}", &hex[..2]))).unwrap();
    let other = World::sqlite().await;
    let restored = other.restore(&shelf.vault).await.unwrap();
    let named = restored.lost.iter().any(|lost| match lost {
        Lost::Manifest { digest, what, .. } => *digest == old && what.starts_with("in the trash"),
        _ => false,
    });
    assert!(named && restored.trashed == 1, "{restored:?}");
    let entries = other.catalog.trash_entries(None, NOW).await.unwrap();
    assert_eq!(entries.len(), 1, "no tag without its manifest: {entries:?}");
    other.check().await;
}
