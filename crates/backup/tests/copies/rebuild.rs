//! A catalog that is lost is made anew from a backup and what the store still has.

use std::sync::Arc;

use bytes::Bytes;
use railhead_backup::seal::Identity;
use railhead_backup::target::Directory;
use railhead_backup::{Error, Only, Progress, Rebuilt, Restore, Times, Vault, rebuild};
use railhead_blobs::testing::MotoServer;
use railhead_blobs::{FileStore, MemoryStore, ObjectKey, S3Store, Store};
use railhead_catalog::BlobRecord;
use railhead_catalog::testing::Place;
use railhead_oci::Digest;

use crate::round_trip::IDENTITY;
use crate::tricks::{Trick, Tricky};
use crate::world::{Shelf, World, name};

const CONFIGURATION: &[u8] = br#"{"architecture":"amd64","os":"linux","created":"2026-05-19T09:58:00Z",
    "config":{"Labels":{"org.opencontainers.image.revision":"6186a99"}},"rootfs":{"type":"layers","diff_ids":["sha256:x"]}}"#;

fn memory() -> Store {
    Store::Memory(MemoryStore::default())
}

/// Rebuilds the catalog of `other` for the store of `world`.
async fn rebuilt_into(
    other: &mut World,
    world: &World,
    vault: &Vault,
    trust_names: bool,
) -> railhead_backup::Result<Rebuilt> {
    other.store = world.store.clone();
    let snapshot = vault.snapshot(None, None).await?;
    let plan = Restore {
        vault,
        snapshot: &snapshot,
        only: Only::default(),
        scratch: other.scratch.path(),
        parallel: 2,
        times: Times::default(),
        watch: &|_: &Progress| {},
    };
    rebuild(&plan, &other.catalog, &other.store, trust_names).await
}

/// Removes what a blob had before it was pushed again: each blob has one object then.
async fn tidy(world: &World) {
    let bound: Vec<ObjectKey> = blobs(world).await.into_iter().map(|(_, key)| key).collect();
    for object in world.store.list(None, 1000).await.unwrap() {
        if !bound.contains(&object.key) {
            world.store.remove(&object.key).await.unwrap();
        }
    }
}

async fn objects(world: &World) -> Vec<String> {
    let objects = world.store.list(None, 1000).await.unwrap();
    objects.iter().map(|object| object.key.to_string()).collect()
}

async fn blobs(world: &World) -> Vec<(BlobRecord, ObjectKey)> {
    let blobs = world.catalog.blobs(None, 1000).await.unwrap();
    blobs.into_iter().map(|blob| (blob.clone(), blob.key.parse().unwrap())).collect()
}

/// Everything that is known of `before` is known again.
async fn knows_again(other: &World, before: &[String]) {
    let knows = other.knows().await;
    for line in before {
        assert!(knows.contains(line), "lost: {line}");
    }
}

async fn rebuilds(place: Place, store: Store, trust_names: bool) {
    let has_names = !matches!(store, Store::S3(_));
    let (world, shelf) = (World::filled_in(Place::sqlite().unwrap(), store).await, Shelf::new());
    world.back_up(&shelf.vault).await.unwrap();
    let known = world.knows().await;
    let before: Vec<Digest> = blobs(&world).await.into_iter().map(|(blob, _)| blob.digest).collect();
    // Since then an image came, and the disk lost an object and cut another one.
    world.blob_of("team/app", Bytes::from_static(CONFIGURATION)).await;
    world.image("team/app", Some("3"), &["base", "newest"]).await;
    tidy(&world).await;
    let before: Vec<_> =
        blobs(&world).await.into_iter().filter(|(blob, _)| before.contains(&blob.digest)).collect();
    world.store.remove(&before[0].1).await.unwrap();
    world.store.put(&before[1].1.stage_id(), &before[1].0.digest, "cut".into()).await.unwrap();

    let mut other = World::empty(place).await;
    let rebuilt = rebuilt_into(&mut other, &world, &shelf.vault, trust_names).await.unwrap();
    assert_eq!(rebuilt.restored.lost, [], "the backup has what the store lost");
    assert_eq!(rebuilt.damaged, []);
    assert_eq!(rebuilt.objects as usize, before.len() - 1 + 3);
    assert_eq!((rebuilt.bound as usize, rebuilt.restored.blobs), (before.len() - 2, 2));
    let is_read = !trust_names || !has_names;
    assert_eq!(rebuilt.wrong.len(), usize::from(is_read && has_names), "{:?}", rebuilt.wrong);
    // The newest image's layer and configurations are kept, and its manifest is what cannot be known.
    let found = &rebuilt.found;
    assert_eq!(found.objects, 3 + u64::from(is_read), "{found:?}");
    assert_eq!((found.newer, found.configurations), (found.objects, 1), "{found:?}");
    assert_eq!(found.kept_in, Some(name("lost-and-found/objects")));
    assert_eq!(found.images[0].labels["org.opencontainers.image.revision"], "6186a99");
    assert!(rebuilt.unknown.iter().any(|line| line.contains("push them again")), "{:?}", rebuilt.unknown);
    knows_again(&other, &known).await;
    other.check().await;
    // What is left over is the object with a name that lied, where names were believed.
    let strangers = other.catalog.unknown_objects(objects(&other).await).await.unwrap();
    assert_eq!(strangers.len(), usize::from(!is_read), "{strangers:?}");
    assert_eq!(other.catalog.restoring().await.unwrap(), None);
    // And pushes go on.
    other.image("team/app", Some("3"), &["base", "newest"]).await;
    other.check().await;
}

#[tokio::test]
async fn a_catalog_is_rebuilt_by_what_objects_are() {
    rebuilds(Place::sqlite().unwrap(), memory(), false).await;
    let directory = tempfile::tempdir().unwrap();
    rebuilds(Place::sqlite().unwrap(), Store::Files(FileStore::open(directory.path()).unwrap()), false).await;
}

#[tokio::test]
async fn a_catalog_is_rebuilt_by_what_objects_are_called() {
    rebuilds(Place::sqlite().unwrap(), memory(), true).await;
}

#[tokio::test]
async fn a_catalog_in_postgres_is_rebuilt() {
    let Some(place) = Place::postgres().unwrap() else { return };
    rebuilds(place, memory(), false).await;
}

#[tokio::test]
async fn a_catalog_of_a_bucket_is_rebuilt_though_keys_tell_no_digests() {
    let Some(moto) = MotoServer::start_if_installed().await.unwrap() else { return };
    let store = Store::S3(S3Store::new(&moto.config("")).unwrap());
    rebuilds(Place::sqlite().unwrap(), store, true).await;
}

#[tokio::test]
async fn what_neither_has_is_quarantined_until_somebody_brings_it() {
    for cut in [false, true] {
        let (world, shelf) = (World::filled(Place::sqlite().unwrap()).await, Shelf::new());
        world.back_up(&shelf.vault).await.unwrap();
        let known = world.knows().await;
        let lost = Digest::sha256("front".repeat(5000).as_bytes());
        let key: ObjectKey = world.catalog.blob(&lost).await.unwrap().unwrap().key.parse().unwrap();
        if cut {
            world.store.put(&key.stage_id(), &lost, "cut".into()).await.unwrap();
        } else {
            world.store.remove(&key).await.unwrap();
        }
        let hex = lost.hex();
        std::fs::remove_file(shelf.path(&format!("blobs/sha256/{}/{hex}", &hex[..2]))).unwrap();

        let mut other = World::sqlite().await;
        let rebuilt = rebuilt_into(&mut other, &world, &shelf.vault, true).await.unwrap();
        assert_eq!(rebuilt.restored.lost, [], "what needs it is there all the same");
        let [damaged] = &rebuilt.damaged[..] else { panic!("{:?}", rebuilt.damaged) };
        assert_eq!((damaged.digest, damaged.found.as_str()), (lost, if cut { "3 bytes" } else { "missing" }));
        assert!(damaged.why.contains(&hex) && damaged.why.contains("missing"), "{}", damaged.why);
        let noted = other.catalog.damage(&lost).await.unwrap().unwrap();
        assert_eq!((noted.found, noted.blob.size), (damaged.found.clone(), 25_000));
        assert_eq!(noted.blob.key == key.to_string(), cut, "what is left of it stays where it is");
        // A push mends it.
        assert_eq!(other.blob("team/web/front", "front").await, lost);
        assert_eq!(other.catalog.damage(&lost).await.unwrap(), None);
        knows_again(&other, &known).await;
        other.check().await;
    }
}

#[tokio::test]
async fn a_rebuild_that_was_stopped_goes_on_and_nobody_serves_it_until_then() {
    let (world, shelf) = (World::filled(Place::sqlite().unwrap()).await, Shelf::new());
    world.back_up(&shelf.vault).await.unwrap();
    let known = world.knows().await;
    tidy(&world).await;
    // Half of the objects are gone, and one of these from the backup too.
    for (_, key) in blobs(&world).await.iter().step_by(2) {
        world.store.remove(key).await.unwrap();
    }
    let gone = blobs(&world).await[0].0.digest.hex();
    std::fs::remove_file(shelf.path(&format!("blobs/sha256/{}/{gone}", &gone[..2]))).unwrap();
    let mut other = World::sqlite().await;
    let mut stops = 0;
    for most in 0.. {
        let lost = Tricky::new(Directory::new(shelf.path("")), Trick::LostAfter(most), "");
        match rebuilt_into(&mut other, &world, &Vault::new(Arc::new(lost)), false).await {
            Ok(rebuilt) => {
                assert!(rebuilt.restored.resumed);
                break;
            }
            Err(error) => assert!(matches!(error, Error::Target { .. }), "{error}"),
        }
        if other.catalog.restoring().await.unwrap().is_some() {
            stops += 1;
            let refused = other.restore(&shelf.vault).await.unwrap_err();
            assert!(refused.to_string().contains("the catalog from backup 000001"), "{refused}");
        }
    }
    assert!(stops > 5, "{stops}");
    assert_eq!(other.catalog.restoring().await.unwrap(), None);
    let damages = other.catalog.damages(None, 10).await.unwrap();
    assert_eq!(damages.iter().map(|damage| damage.blob.digest.hex()).collect::<Vec<_>>(), [gone]);
    let known: Vec<_> = known.into_iter().filter(|line| !line.starts_with("stored ")).collect();
    knows_again(&other, &known).await;
    assert_eq!(other.catalog.unknown_objects(objects(&other).await).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_catalog_that_is_there_is_not_rebuilt() {
    let (mut world, shelf) = (World::filled(Place::sqlite().unwrap()).await, Shelf::new());
    world.back_up(&shelf.vault).await.unwrap();
    let known = world.knows().await;
    let store = World::filled_in(Place::sqlite().unwrap(), world.store.clone()).await;
    let refused = rebuilt_into(&mut world, &store, &shelf.vault, false).await;
    assert!(matches!(refused, Err(Error::NotEmpty { .. })), "{refused:?}");
    assert_eq!(world.knows().await, known);
}

async fn read(vault: &Vault, digest: &Digest, size: u64) -> Option<Digest> {
    let mut pieces = vault.blob(digest, size).await.unwrap()?;
    let mut all = Vec::new();
    while let Some(piece) = pieces.next().await.unwrap() {
        all.extend_from_slice(&piece);
    }
    Some(Digest::sha256(&all))
}

#[tokio::test]
async fn a_blob_is_read_from_whatever_backup_has_it() {
    let (world, shelf) = (World::filled(Place::sqlite().unwrap()).await, Shelf::new());
    world.back_up(&shelf.vault).await.unwrap();
    let first = world.catalog.blobs(None, 1).await.unwrap().remove(0);
    let identities = Identity::parse_file(IDENTITY).unwrap();
    let recipient = identities[0].recipient();
    let sealed = world.blob("kim/tool", "since then").await;
    world.back_up_with(&shelf.vault, |plan| plan.recipients = vec![recipient]).await.unwrap();
    let vault = shelf.vault.clone().with_identities(identities);
    assert_eq!(read(&vault, &first.digest, first.size).await, Some(first.digest));
    assert_eq!(read(&vault, &sealed, 50_000).await, Some(sealed));
    // The plain copy is cut: the sealed one is there.
    let hex = first.digest.hex();
    std::fs::write(shelf.path(&format!("blobs/sha256/{}/{hex}", &hex[..2])), "cut").unwrap();
    assert_eq!(read(&vault, &first.digest, first.size).await, Some(first.digest));
    let refused = shelf.vault.blob(&sealed, 50_000).await.unwrap().unwrap().next().await;
    assert!(matches!(refused, Err(Error::Sealed { .. })), "{refused:?}");
    assert_eq!(read(&vault, &Digest::sha256(b"nobody has this"), 1).await, None);
}
