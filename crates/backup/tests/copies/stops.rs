//! A stop in the middle: of a backup, of a restore, and of what is backed up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use railhead_backup::format::Absence;
use railhead_backup::target::{Directory, Item, Sink, Target};
use railhead_backup::{Error, Lost, Pieces, Result, Vault};
use railhead_blobs::{ObjectKey, Store};
use railhead_catalog::Catalog;
use railhead_catalog::testing::Place;

use crate::tricks::{Trick, Tricky};
use crate::world::{NOW, Shelf, World, name};

#[tokio::test]
async fn a_full_place_ends_the_backup_and_the_next_one_goes_on() {
    let world = World::filled(Place::sqlite().unwrap()).await;
    let shelf = Shelf::new();
    let full = Tricky::new(Directory::new(shelf.path("")), Trick::FullAfter(3), "blobs/");
    let refused = world.back_up(&Vault::new(Arc::new(full))).await;
    assert!(matches!(refused, Err(Error::Full { .. })), "{refused:?}");
    assert!(matches!(shelf.vault.snapshot(None, None).await, Err(Error::Nothing { .. })));
    let there = shelf.files().into_keys().filter(|file| file.starts_with("blobs/")).count() as u64;
    assert_eq!(there, 3);
    let made = world.back_up(&shelf.vault).await.unwrap();
    assert_eq!(made.copied_blobs, made.counts.blobs - there);
    assert!(shelf.verify().await.is_whole());
}

#[tokio::test]
async fn a_restore_that_was_stopped_goes_on_and_nobody_serves_it_until_then() {
    let (world, shelf) = (World::filled(Place::sqlite().unwrap()).await, Shelf::new());
    let made = world.back_up(&shelf.vault).await.unwrap();
    let other = World::sqlite().await;
    for most in 1..made.counts.blobs as usize {
        let lost = Tricky::new(Directory::new(shelf.path("")), Trick::LostAfter(most), "blobs/");
        let stopped = other.restore(&Vault::new(Arc::new(lost))).await;
        if stopped.is_ok() {
            break;
        }
        assert!(matches!(stopped, Err(Error::Target { .. })), "{stopped:?}");
        assert!(other.catalog.restoring().await.unwrap().is_some());
    }
    let restored = other.restore(&shelf.vault).await;
    // The last attempt above may have brought it to its end.
    if let Err(error) = restored {
        assert!(matches!(error, Error::NotEmpty { .. }), "{error}");
    }
    assert_eq!(other.knows().await, world.knows().await);
    assert_eq!(other.catalog.restoring().await.unwrap(), None);
    other.check().await;
}

#[tokio::test]
async fn another_restore_does_not_go_on_with_it() {
    let (world, shelf) = (World::filled(Place::sqlite().unwrap()).await, Shelf::new());
    world.back_up(&shelf.vault).await.unwrap();
    let other = World::sqlite().await;
    assert!(!other.catalog.begin_restore("something else").await.unwrap());
    let refused = other.restore(&shelf.vault).await.unwrap_err();
    assert!(refused.to_string().contains("something else"), "{refused}");
}

/// Lets the registry change when the first blob is written.
#[derive(Debug)]
struct Meanwhile {
    inner: Directory,
    catalog: Catalog,
    store: Store,
    done: AtomicBool,
}

#[async_trait]
impl Target for Meanwhile {
    fn place(&self) -> String {
        self.inner.place()
    }
    async fn list(&self, directory: &str) -> Result<Vec<Item>> {
        self.inner.list(directory).await
    }
    async fn directories(&self, directory: &str) -> Result<Vec<String>> {
        self.inner.directories(directory).await
    }
    async fn size(&self, name: &str) -> Result<Option<u64>> {
        self.inner.size(name).await
    }
    async fn read(&self, name: &str) -> Result<Box<dyn Pieces>> {
        self.inner.read(name).await
    }
    async fn create(&self, file: &str) -> Result<Box<dyn Sink>> {
        if file.starts_with("blobs/") && !self.done.swap(true, Ordering::Relaxed) {
            let repository = self.catalog.repository(&name("team/app")).await.unwrap().unwrap();
            for object in self.catalog.delete_repository(repository.id, NOW).await.unwrap() {
                self.store.remove(&object.key.parse::<ObjectKey>().unwrap()).await.unwrap();
            }
        }
        self.inner.create(file).await
    }
    async fn remove(&self, name: &str) -> Result<()> {
        self.inner.remove(name).await
    }
    async fn clear(&self, directory: &str) -> Result<()> {
        self.inner.clear(directory).await
    }
}

#[tokio::test]
async fn what_is_deleted_meanwhile_is_told_and_the_rest_is_backed_up() {
    let world = World::filled(Place::sqlite().unwrap()).await;
    let shelf = Shelf::new();
    let inner = Directory::new(shelf.path(""));
    let (catalog, store) = (world.catalog.clone(), world.store.clone());
    let meanwhile = Meanwhile { inner, catalog, store, done: AtomicBool::new(false) };
    let made = world.back_up(&Vault::new(Arc::new(meanwhile))).await.unwrap();
    assert!(!made.missing.is_empty() && !made.has_damage(), "{:?}", made.missing);
    assert!(made.missing.iter().all(|blob| blob.why == Absence::Deleted));
    assert!(shelf.verify().await.is_whole());
    let other = World::sqlite().await;
    let restored = other.restore(&shelf.vault).await.unwrap();
    let tags: Vec<_> = restored.lost.iter().filter(|lost| matches!(lost, Lost::Tag { .. })).collect();
    assert_eq!(tags.len(), 3, "{restored:#?}");
    assert!(other.catalog.repository(&name("kim/tool")).await.unwrap().is_some());
    other.check().await;
}

#[tokio::test]
async fn what_is_damaged_already_is_named_and_does_not_hinder_the_rest() {
    let world = World::filled(Place::sqlite().unwrap()).await;
    let shelf = Shelf::new();
    let blob = world.blob("kim/tool", "lonely").await;
    let record = world.catalog.blob(&blob).await.unwrap().unwrap();
    world.store.remove(&record.key.parse().unwrap()).await.unwrap();
    let made = world.back_up(&shelf.vault).await.unwrap();
    assert!(made.has_damage());
    assert_eq!(made.missing.iter().map(|missing| missing.digest).collect::<Vec<_>>(), [blob]);
    let verified = shelf.verify().await;
    assert!(verified.is_whole() && verified.absent == 1, "{verified:?}");
    let other = World::sqlite().await;
    let restored = other.restore(&shelf.vault).await.unwrap();
    assert!(
        matches!(&restored.lost[..], [Lost::Blob { digest, file: None, .. }] if *digest == blob),
        "{restored:?}"
    );
    other.check().await;
}
