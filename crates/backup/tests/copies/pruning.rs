//! Old backups go, and only what no backup needs goes with them.

use railhead_backup::{Error, Keep, Times, drop_backup, prune};
use railhead_catalog::testing::Place;

use crate::world::{NOW, Shelf, World, name};

#[tokio::test]
async fn what_is_left_is_whole_and_nothing_else_is_left() {
    let (world, shelf) = (World::filled(Place::sqlite().unwrap()).await, Shelf::new());
    world.back_up(&shelf.vault).await.unwrap();
    let repository = world.catalog.repository(&name("kim/tool")).await.unwrap().unwrap();
    world.catalog.delete_repository(repository.id, NOW).await.unwrap();
    world.back_up(&shelf.vault).await.unwrap();
    world.image("team/app", Some("3"), &["base", "three"]).await;
    let last = world.back_up(&shelf.vault).await.unwrap();
    std::fs::write(shelf.path("blobs/sha256/00/.unfinished-0123"), b"x").unwrap_or_default();
    let before = shelf.files();
    let (keep, home) = (Keep { last: 1, ..Keep::default() }, shelf.home.path());

    let dry = prune(&shelf.vault, &keep, home, Times::default(), true).await.unwrap();
    assert_eq!((dry.removed.len(), dry.kept.len()), (2, 1));
    assert_eq!(shelf.files(), before);

    let pruned = prune(&shelf.vault, &keep, home, Times::default(), false).await.unwrap();
    assert_eq!((pruned.files, pruned.bytes, &pruned.removed), (dry.files, dry.bytes, &dry.removed));
    assert!(pruned.files > 2, "{pruned:?}");
    assert!(shelf.verify().await.is_whole());
    let left = shelf.files();
    let blobs = left.keys().filter(|file| file.starts_with("blobs/")).count() as u64;
    assert_eq!(blobs, last.counts.blobs);
    assert_eq!(left.keys().filter(|file| file.starts_with("parts/")).count(), 4, "{left:?}");

    let other = World::sqlite().await;
    assert!(other.restore(&shelf.vault).await.unwrap().lost.is_empty());
    assert_eq!(other.knows().await, world.knows().await);
    let again = prune(&shelf.vault, &keep, home, Times::default(), false).await.unwrap();
    assert_eq!((again.files, again.removed.len()), (0, 0));
}

#[tokio::test]
async fn nothing_goes_while_something_that_stays_cannot_be_read() {
    let (world, shelf) = (World::filled(Place::sqlite().unwrap()).await, Shelf::new());
    let first = world.back_up(&shelf.vault).await.unwrap();
    world.back_up(&shelf.vault).await.unwrap();
    world.image("team/app", Some("3"), &["base", "three"]).await;
    world.back_up(&shelf.vault).await.unwrap();
    let manifest = shelf.path(&format!("snapshots/{}.json", first.id));
    std::fs::write(&manifest, b"{").unwrap();
    let before = shelf.files();
    let keep = Keep { last: 2, ..Keep::default() };
    let refused = prune(&shelf.vault, &keep, shelf.home.path(), Times::default(), false).await;
    assert!(matches!(refused, Err(Error::Damaged { .. })), "{refused:?}");
    assert_eq!(shelf.files(), before);
    drop_backup(&shelf.vault, &first.id, Times::default()).await.unwrap();
    prune(&shelf.vault, &keep, shelf.home.path(), Times::default(), false).await.unwrap();
    assert!(shelf.verify().await.is_whole());
}
