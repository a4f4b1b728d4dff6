//! All damage that is seeded is found, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use railhead_blobs::ObjectKey;
use railhead_catalog::BlobScope;
use railhead_oci::Digest;
use railhead_upkeep::Collector;
use railhead_upkeep::scrub::{Asked, Verified};

use crate::world::{NOW, World, everything, repository};

fn content(number: usize) -> Bytes {
    // Of many sizes, so that some take several reads.
    let len = 1 + number * 7919 % 400_000;
    (0..len).map(|at| (at * 31 + number) as u8).collect::<Vec<_>>().into()
}

fn by_digest(verified: &Verified) -> BTreeMap<Digest, String> {
    verified.findings.iter().map(|finding| (finding.digest, finding.found.clone())).collect()
}

async fn all_damage_is_found(world: World) {
    let mut digests = Vec::new();
    for number in 0..40 {
        digests.push(world.push("team/app", content(number)).await);
    }
    for (number, together) in digests.chunks(10).enumerate() {
        world.tag("team/app", &format!("v{number}"), together.to_vec()).await;
    }
    let mut expected = BTreeMap::new();
    for digest in &digests[0..5] {
        let mut flipped = world.content(digest).await.to_vec();
        let at = flipped.len() / 2;
        flipped[at] ^= 1;
        expected.insert(*digest, format!("content of {}", Digest::sha256(&flipped)));
        world.overwrite(digest, flipped).await;
    }
    for digest in &digests[5..9] {
        let whole = world.content(digest).await;
        expected.insert(*digest, format!("{} bytes", whole.len() - 1));
        world.overwrite(digest, whole.slice(..whole.len() - 1)).await;
    }
    for digest in &digests[9..12] {
        expected.insert(*digest, "missing".to_owned());
        world.lose(digest).await;
    }
    // The same length, so that only the content tells.
    let twins = [[1_u8; 1000], [2; 1000]];
    let mut swapped = Vec::new();
    for twin in twins {
        swapped.push(world.push("team/app", twin.to_vec()).await);
    }
    for (digest, other) in [(swapped[0], twins[1]), (swapped[1], twins[0])] {
        expected.insert(digest, format!("content of {}", Digest::sha256(&other)));
        world.overwrite(&digest, other.to_vec()).await;
    }
    let strangers = BTreeSet::from([world.add_stranger(b"one").await, world.add_stranger(b"two").await]);

    let verified = world.verify().await;
    assert_eq!(by_digest(&verified), expected, "all that was seeded, and nothing else");
    assert_eq!(verified.blobs, 42);
    let seen = world.scrubber(Vec::new()).strangers(None).await.unwrap();
    assert_eq!(seen.found.iter().map(|stranger| stranger.key).collect::<BTreeSet<_>>(), strangers);
    assert_eq!((seen.objects, seen.next), (42 - 3 + 2, None));

    for (digest, finding) in verified.findings.iter().map(|finding| (finding.digest, finding)) {
        assert!(!world.is_served("team/app", &digest).await, "{digest} is in quarantine");
        let number = digests.iter().position(|one| *one == digest).map(|at| format!("v{}", at / 10));
        let tags: Vec<_> = finding.uses[0].tags.iter().map(ToString::to_string).collect();
        assert_eq!(tags, Vec::from_iter(number), "who needs {digest} is told");
    }
    for digest in &digests[12..] {
        assert!(world.is_served("team/app", digest).await, "{digest} is whole");
    }
    // Collection takes nothing that is needed, damaged or not; the objects stay where they were.
    let before = world.registry.store().list(None, 99).await.unwrap().len();
    Collector::new(world.registry.clone()).run_at(NOW, Duration::MAX).await.unwrap();
    assert_eq!(world.registry.store().list(None, 99).await.unwrap().len(), before);
    assert_eq!(world.registry.catalog().damage_amount().await.unwrap().count, expected.len() as u64);
    // Again it finds the same, and notes nothing twice.
    assert_eq!(by_digest(&world.verify().await), expected);
}

#[tokio::test]
async fn all_damage_is_found_in_files() {
    all_damage_is_found(World::files().await).await;
}

#[tokio::test]
async fn all_damage_is_found_in_memory() {
    all_damage_is_found(World::memory().await).await;
}

#[tokio::test]
async fn all_damage_is_found_in_s3() {
    if let Some(world) = World::s3().await {
        all_damage_is_found(world).await;
    }
}

#[tokio::test]
async fn sizes_alone_find_what_is_missing_or_cut_and_never_clear_wrong_content() {
    let world = World::files().await;
    let [flipped, cut, lost, sound] = [
        world.push("team/app", "flipped").await,
        world.push("team/app", "cut").await,
        world.push("team/app", "lost").await,
        world.push("team/app", "sound").await,
    ];
    world.overwrite(&flipped, "FLIPPED").await;
    world.overwrite(&cut, "c").await;
    world.lose(&lost).await;
    let sizes = Asked { hash: false, ..everything() };
    let quick = async || world.scrubber(Vec::new()).verify(&sizes).await.unwrap();
    let found = by_digest(&quick().await);
    assert_eq!(found.keys().copied().collect::<BTreeSet<_>>(), BTreeSet::from([cut, lost]));
    assert_eq!(by_digest(&world.verify().await).len(), 3);
    assert!(by_digest(&quick().await)[&flipped].starts_with("content of"), "the right size clears nothing");
    assert!(world.is_served("team/app", &sound).await);
}

#[tokio::test]
async fn a_scope_is_kept_to() {
    let world = World::memory().await;
    let app = world.push("team/app", "app").await;
    let other = world.push("team/other", "other").await;
    for digest in [app, other] {
        world.lose(&digest).await;
    }
    let id = world.registry.catalog().repository(&repository("team/app")).await.unwrap().unwrap().id;
    let scrubber = world.scrubber(Vec::new());
    let asked = Asked { scope: BlobScope::Repository(id), ..everything() };
    let found = by_digest(&scrubber.verify(&asked).await.unwrap());
    assert_eq!(found.into_keys().collect::<Vec<_>>(), [app]);
    let asked = Asked { digest: Some(other), ..everything() };
    let found = by_digest(&scrubber.verify(&asked).await.unwrap());
    assert_eq!(found.into_keys().collect::<Vec<_>>(), [other]);
}

#[tokio::test]
async fn an_object_that_is_back_is_served_again() {
    let world = World::files().await;
    let digest = world.push("team/app", "content").await;
    let file = world.home.as_ref().unwrap().path().join("blobs").join(world.blob(&digest).await.key);
    let aside = file.with_extension("aside");
    std::fs::rename(&file, &aside).unwrap();
    assert_eq!(by_digest(&world.verify().await)[&digest], "missing");
    assert!(!world.is_served("team/app", &digest).await);
    std::fs::rename(&aside, &file).unwrap();
    let verified = world.verify().await;
    assert_eq!((verified.recovered, verified.findings.len()), (1, 0));
    assert!(world.is_served("team/app", &digest).await);
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_no_damage() {
    let world = World::files().await;
    let digest = world.push("team/app", "content").await;
    let file = world.home.as_ref().unwrap().path().join("blobs").join(world.blob(&digest).await.key);
    std::fs::remove_file(&file).unwrap();
    // The system refuses to follow it, and says nothing about the content.
    std::os::unix::fs::symlink(&file, &file).unwrap();
    world.scrubber(Vec::new()).verify(&everything()).await.unwrap_err();
    assert_eq!(world.registry.catalog().damages(None, 9).await.unwrap(), []);
}

#[tokio::test]
async fn an_upload_under_way_is_no_stranger() {
    let world = World::memory().await;
    let name = repository("team/app");
    let id = world.registry.begin_upload(&name, None, railhead_oci::Algorithm::Sha256, NOW).await.unwrap();
    let staged = id.to_string().parse().unwrap();
    let digest = Digest::sha256(b"x");
    let key: ObjectKey =
        world.registry.store().put(&staged, &digest, Bytes::from_static(b"x")).await.unwrap();
    let scrubber = world.scrubber(Vec::new());
    assert_eq!(scrubber.strangers(None).await.unwrap().found, []);
    world.registry.catalog().end_upload(id).await.unwrap();
    let found = scrubber.strangers(None).await.unwrap().found;
    assert_eq!(found.iter().map(|stranger| stranger.key).collect::<Vec<_>>(), [key]);
}

/// What is done to one blob.
#[derive(Clone, Copy, Debug)]
enum Harm {
    None,
    Flip,
    Cut,
    Grow,
    Lose,
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        4 => Just(Harm::None),
        1 => Just(Harm::Flip),
        1 => Just(Harm::Cut),
        1 => Just(Harm::Grow),
        1 => Just(Harm::Lose),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever is damaged, in steps of one blob or all at once, is found; and a push heals it.
    #[test]
    fn any_damage_is_found_in_any_steps(harms in prop::collection::vec(harm(), 1..12), stepwise: bool) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::memory().await;
            let mut damaged = BTreeSet::new();
            for (number, harm) in harms.iter().enumerate() {
                let whole = format!("content {number}").into_bytes();
                let digest = world.push("team/app", whole.clone()).await;
                let mut other = whole;
                match harm {
                    Harm::None => continue,
                    Harm::Flip => other[0] ^= 0x80,
                    Harm::Cut => drop(other.pop()),
                    Harm::Grow => other.push(0),
                    Harm::Lose => {}
                }
                match harm {
                    Harm::Lose => world.lose(&digest).await,
                    _ => world.overwrite(&digest, other).await,
                }
                damaged.insert(digest);
            }
            let scrubber = world.scrubber(Vec::new());
            let mut asked = everything();
            if stepwise {
                asked.most = Duration::ZERO;
            }
            let (mut found, mut blobs) = (BTreeSet::new(), 0);
            loop {
                let step = scrubber.verify(&asked).await.unwrap();
                found.extend(step.findings.iter().map(|finding| finding.digest));
                blobs += step.blobs;
                asked.after = step.next;
                if asked.after.is_none() {
                    break;
                }
            }
            assert_eq!(found, damaged);
            assert_eq!(blobs, harms.len() as u64, "each is looked at once");
            for number in 0..harms.len() {
                world.push("team/app", format!("content {number}")).await;
            }
            assert_eq!(by_digest(&world.verify().await), BTreeMap::new());
            assert_eq!(world.registry.catalog().damages(None, 99).await.unwrap(), []);
        });
    }
}
