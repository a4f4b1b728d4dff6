//! Damage is found file by file, whatever file it is, and what is whole is restored all the same.

use std::collections::BTreeSet;

use railhead_backup::Lost;
use railhead_backup::format::PartKind;
use railhead_catalog::testing::Place;
use railhead_oci::Digest;

use crate::world::{Shelf, World, name, verify_with};

/// What can become of a file.
#[derive(Clone, Copy, Debug)]
enum Harm {
    Flipped,
    Shortened,
    Lengthened,
    Emptied,
    Gone,
}

impl Harm {
    const ALL: [Self; 5] = [Self::Flipped, Self::Shortened, Self::Lengthened, Self::Emptied, Self::Gone];

    fn do_to(self, place: &Shelf, file: &str, content: &[u8]) {
        let mut content = content.to_vec();
        let middle = content.len() / 2;
        match self {
            Self::Flipped => content[middle] ^= 4,
            Self::Shortened => content.truncate(middle),
            Self::Lengthened => content.push(0),
            Self::Emptied => content.clear(),
            Self::Gone => return std::fs::remove_file(place.path(file)).unwrap(),
        }
        std::fs::write(place.path(file), content).unwrap();
    }
}

#[tokio::test]
async fn every_file_that_is_damaged_in_any_way_is_named_and_no_other() {
    let (world, shelf) = (World::filled(Place::sqlite().unwrap()).await, Shelf::new());
    world.back_up(&shelf.vault).await.unwrap();
    assert!(shelf.verify().await.is_whole());
    let mut seeded = 0;
    for (file, content) in shelf.files() {
        for harm in Harm::ALL {
            // A manifest that is gone is a backup that is gone: there is nothing that names it. One that reads the same means
            // the same.
            if file.starts_with("snapshots/") && matches!(harm, Harm::Gone | Harm::Flipped | Harm::Lengthened)
            {
                continue;
            }
            harm.do_to(&shelf, &file, &content);
            let verified = shelf.verify().await;
            let named: Vec<&str> = verified.damages.iter().map(|damage| damage.file.as_str()).collect();
            assert_eq!(named, [file.as_str()], "{harm:?}");
            std::fs::write(shelf.path(&file), &content).unwrap();
            seeded += 1;
        }
    }
    assert!(seeded > 50, "{seeded}");
    assert!(shelf.verify().await.is_whole());
}

#[tokio::test]
async fn all_of_many_damages_are_found_at_once_and_the_next_backup_mends_them() {
    let (world, shelf) = (World::filled(Place::sqlite().unwrap()).await, Shelf::new());
    world.back_up(&shelf.vault).await.unwrap();
    let snapshot = shelf.vault.snapshot(None, None).await.unwrap();
    let list = snapshot.part_file(snapshot.of_kind(PartKind::Blobs).next().unwrap());
    let mut harmed = BTreeSet::new();
    for (at, (file, content)) in shelf.files().into_iter().enumerate() {
        // The list of blobs too: what it names is named by the repositories as well.
        if file.starts_with("blobs/") || file.starts_with(&list) {
            Harm::ALL[at % 5].do_to(&shelf, &file, &content);
            harmed.insert(file);
        }
    }
    let verified =
        verify_with(&shelf.vault, shelf.home.path(), |check| check.remove_damaged = true).await.unwrap();
    assert_eq!(verified.damages.iter().map(|damage| damage.file.clone()).collect::<BTreeSet<_>>(), harmed);
    let made = world.back_up(&shelf.vault).await.unwrap();
    assert_eq!(made.copied_blobs, harmed.len() as u64 - 1);
    assert!(shelf.verify().await.is_whole());
}

fn file_of(digest: &Digest) -> String {
    let hex = digest.hex();
    format!("blobs/sha256/{}/{hex}", &hex[..2])
}

#[tokio::test]
async fn what_needs_a_lost_blob_is_left_out_and_named_and_all_else_is_restored() {
    let (world, shelf) = (World::filled(Place::sqlite().unwrap()).await, Shelf::new());
    world.back_up(&shelf.vault).await.unwrap();
    // The layer "two" belongs to team/app:2, which the index team/app:all lists.
    let layer = Digest::sha256("two".repeat(5000).as_bytes());
    std::fs::remove_file(shelf.path(&file_of(&layer))).unwrap();
    let other = World::sqlite().await;
    let restored = other.restore(&shelf.vault).await.unwrap();
    let tags: Vec<String> = restored
        .lost
        .iter()
        .filter_map(|lost| match lost {
            Lost::Tag { tag, .. } => Some(tag.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(tags, ["2", "all"]);
    assert_eq!(restored.lost.len(), 5, "the blob, two manifests and two tags: {restored:#?}");
    assert!(restored.lost.iter().any(|lost| matches!(lost, Lost::Blob { digest, .. } if *digest == layer)));
    let repository = other.catalog.repository(&name("team/app")).await.unwrap().unwrap();
    assert!(other.catalog.tag(repository.id, &"1".parse().unwrap()).await.unwrap().is_some());
    other.check().await;
}

#[tokio::test]
async fn a_lost_part_costs_what_is_in_it() {
    let (world, shelf) = (World::filled(Place::sqlite().unwrap()).await, Shelf::new());
    world.back_up(&shelf.vault).await.unwrap();
    let snapshot = shelf.vault.snapshot(None, None).await.unwrap();
    let whole = world.knows().await;
    for part in &snapshot.parts {
        let file = snapshot.part_file(part);
        let content = std::fs::read(shelf.path(&file)).unwrap();
        std::fs::write(shelf.path(&file), b"something else").unwrap();
        let other = World::sqlite().await;
        let restored = other.restore(&shelf.vault).await.unwrap();
        let named =
            restored.lost.iter().all(|lost| matches!(lost, Lost::Part { file: lost, .. } if *lost == file));
        assert!(
            named && restored.lost.len() == 1,
            "{:?} of {:?}: {:?}",
            part.kind,
            part.owner,
            restored.lost
        );
        other.check().await;
        // The list of blobs can be made anew from the repositories.
        if part.kind == PartKind::Blobs {
            assert_eq!(other.knows().await, whole);
        }
        std::fs::write(shelf.path(&file), content).unwrap();
    }
}
