//! What every store promises, run by every backend.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod backends;

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use railhead_blobs::{Error, ObjectKey, StageId, StageState, Store};
use railhead_oci::{Algorithm, Digest};

/// Longer than one buffer of any backend, and not a multiple of anything.
const LONG: usize = 9 * 1024 * 1024 + 12_345;

fn id(number: u8) -> StageId {
    StageId::from_bytes([number; 16])
}

fn content(len: usize) -> Bytes {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes.into()
}

async fn read(store: &Store, key: &ObjectKey, size: usize) -> Bytes {
    store.read(key, 0..size as u64, size as u64).await.unwrap().collect().await.unwrap()
}

/// Writes `bytes` in frames as a network gives them.
async fn write(store: &Store, id: StageId, state: &StageState, offset: u64, bytes: &Bytes) -> StageState {
    let mut writer = store.open(&id, state, offset).await.unwrap();
    for start in (0..bytes.len()).step_by(60_000) {
        writer.write(bytes.slice(start..bytes.len().min(start + 60_000))).await.unwrap();
    }
    assert_eq!(writer.written(), offset + bytes.len() as u64);
    writer.pause().await.unwrap()
}

async fn what_is_committed_reads_back(store: Store) {
    for (number, len) in [0, 1, 1000, 65_536, 65_537, 300_000, 8 << 20, LONG].into_iter().enumerate() {
        let (id, bytes) = (id(number as u8), content(len));
        let digest = Digest::sha256(&bytes);
        let state = store.stage(&id).await.unwrap();
        let state = write(&store, id, &state, 0, &bytes).await;
        assert_eq!(store.staged_len(&id, &state).await.unwrap(), Some(len as u64));
        let key = store.commit(&id, &state, &digest, len as u64).await.unwrap();
        assert_eq!(key.to_string().parse::<ObjectKey>(), Ok(key));
        store.probe(&key, len as u64).unwrap();
        assert!(read(&store, &key, len).await == bytes, "{len} bytes");
        let gone = store.open(&id, &StageState::default(), 1).await;
        assert!(matches!(gone, Err(Error::NotStaged { .. } | Error::WrongOffset { .. })));
    }
}

async fn a_writer_can_commit_without_a_pause(store: Store) {
    for (number, len) in [0, 1000, LONG].into_iter().enumerate() {
        let (id, bytes) = (id(number as u8), content(len));
        let state = store.stage(&id).await.unwrap();
        let mut writer = store.open(&id, &state, 0).await.unwrap();
        writer.write(bytes.clone()).await.unwrap();
        let key = writer.commit(&Digest::sha256(&bytes)).await.unwrap();
        assert!(read(&store, &key, len).await == bytes, "{len} bytes");
        assert!(store.list_staged(None, 9).await.unwrap().is_empty());
    }
}

async fn frames_of_any_size_keep_their_order(store: Store) {
    let (id, bytes) = (id(1), content(1_500_000));
    let mut state = store.stage(&id).await.unwrap();
    let (mut offset, mut frames) =
        (0, [1, 8192, 0, 262_143, 262_144, 5, 300_000, 65_536, 65_536].iter().cycle());
    while offset < bytes.len() {
        let mut writer = store.open(&id, &state, offset as u64).await.unwrap();
        for frame in frames.by_ref().take(7) {
            let end = bytes.len().min(offset + frame);
            writer.write(bytes.slice(offset..end)).await.unwrap();
            offset = end;
            assert_eq!(writer.written(), offset as u64);
        }
        state = writer.pause().await.unwrap();
        assert_eq!(store.staged_len(&id, &state).await.unwrap(), Some(offset as u64));
    }
    let key = store.commit(&id, &state, &Digest::sha256(&bytes), offset as u64).await.unwrap();
    assert!(read(&store, &key, offset).await == bytes);
}

async fn small_content_goes_in_at_once(store: Store) {
    let bytes = content(3000);
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let id = id(algorithm as u8);
        let key = store.put(&id, &Digest::of(algorithm, &bytes), bytes.clone()).await.unwrap();
        assert_eq!(read(&store, &key, 3000).await, bytes);
        assert_eq!(key.stage_id(), id);
    }
    assert!(store.list_staged(None, 9).await.unwrap().is_empty());
}

async fn writing_continues_where_the_state_says(store: Store) {
    let (id, bytes) = (id(1), content(LONG));
    let mut state = store.stage(&id).await.unwrap();
    let mut offset = 0;
    for end in [0, 1, 70_000, 8 << 20, (8 << 20) + 5, LONG] {
        state = write(&store, id, &state, offset as u64, &bytes.slice(offset..end)).await;
        offset = end;
        // A writer that was cut off: what it took is not there for the one that comes after it.
        let mut lost = store.open(&id, &state, offset as u64).await.unwrap();
        lost.write(Bytes::from_static(b"lost with its process")).await.unwrap();
        lost.write(content(9 << 20)).await.unwrap();
        drop(lost);
        // And one that paused, but was cut off before its state was kept.
        write(&store, id, &state, offset as u64, &content(3000)).await;
    }
    let digest = Digest::sha256(&bytes);
    let state = store.open(&id, &state, LONG as u64).await.unwrap().pause().await.unwrap();
    let key = store.commit(&id, &state, &digest, LONG as u64).await.unwrap();
    assert!(read(&store, &key, LONG).await == bytes);
}

async fn what_is_staged_can_be_read(store: Store) {
    let (id, bytes) = (id(1), content(200_000));
    let state = store.stage(&id).await.unwrap();
    let state = write(&store, id, &state, 0, &bytes).await;
    let all = store.read_staged(&id, &state, 0..200_000).await.unwrap().collect().await.unwrap();
    assert!(all == bytes);
    let tail = store.read_staged(&id, &state, 199_990..200_000).await.unwrap().collect().await.unwrap();
    assert_eq!(tail, bytes.slice(199_990..));
    assert!(matches!(
        store.read_staged(&id, &state, 0..200_001).await,
        Err(Error::WrongOffset { expected: 200_001, found: 200_000, .. })
    ));
}

async fn an_offset_that_is_not_there_is_refused(store: Store) {
    let id = id(1);
    let state = store.stage(&id).await.unwrap();
    let state = write(&store, id, &state, 0, &content(10)).await;
    assert!(matches!(
        store.open(&id, &state, 11).await,
        Err(Error::WrongOffset { expected: 11, found: 10, .. })
    ));
    let digest = Digest::sha256(&content(11));
    assert!(matches!(store.commit(&id, &state, &digest, 11).await, Err(Error::WrongOffset { .. })));
    // And the refusal did no harm.
    let digest = Digest::sha256(&content(10));
    store.commit(&id, &state, &digest, 10).await.unwrap();
}

async fn a_commit_can_be_done_again(store: Store) {
    for (number, len) in [10, LONG].into_iter().enumerate() {
        let (id, bytes) = (id(number as u8), content(len));
        let digest = Digest::sha256(&bytes);
        let state = store.stage(&id).await.unwrap();
        let state = write(&store, id, &state, 0, &bytes).await;
        let key = store.commit(&id, &state, &digest, len as u64).await.unwrap();
        assert_eq!(store.commit(&id, &state, &digest, len as u64).await.unwrap(), key);
        assert!(read(&store, &key, len).await == bytes);
    }
}

async fn a_discarded_stage_is_gone(store: Store) {
    for (number, len) in [0, 10, LONG].into_iter().enumerate() {
        let id = id(number as u8);
        let state = store.stage(&id).await.unwrap();
        let state = write(&store, id, &state, 0, &content(len)).await;
        store.discard(&id, &state).await.unwrap();
        store.discard(&id, &state).await.unwrap();
        assert!(store.list_staged(None, 9).await.unwrap().is_empty());
        let digest = Digest::sha256(&content(len));
        let again = store.commit(&id, &state, &digest, len as u64).await;
        // Nothing is a whole object of a store that names its objects late.
        assert!(again.is_err() || len == 0, "{len} bytes");
    }
}

async fn a_removed_object_is_missing_and_its_twin_is_not(store: Store) {
    let bytes = content(100_000);
    let digest = Digest::sha256(&bytes);
    let old = store.put(&id(1), &digest, bytes.clone()).await.unwrap();
    let new = store.put(&id(2), &digest, bytes.clone()).await.unwrap();
    assert_ne!(old, new);
    store.remove(&old).await.unwrap();
    store.remove(&old).await.unwrap();
    assert!(matches!(store.read(&old, 0..1, 100_000).await, Err(Error::Missing { key }) if key == old));
    assert!(read(&store, &new, 100_000).await == bytes);
}

async fn a_wrong_size_is_said_before_the_first_byte(store: Store) {
    let bytes = content(100_000);
    let key = store.put(&id(1), &Digest::sha256(&bytes), bytes).await.unwrap();
    for size in [99_999, 100_001] {
        for range in [0..0, 0..10, 0..99_999] {
            match store.read(&key, range, size).await {
                Err(Error::WrongSize { expected, found: 100_000, .. }) => assert_eq!(expected, size),
                other => panic!("{other:?}"),
            }
        }
    }
}

async fn listings_are_sorted_and_paged(store: Store) {
    let before = SystemTime::now() - Duration::from_mins(1);
    let mut keys = Vec::new();
    for number in 0..20 {
        let bytes = content(usize::from(number));
        let algorithm = if number % 3 == 0 { Algorithm::Sha512 } else { Algorithm::Sha256 };
        keys.push(store.put(&id(number * 7), &Digest::of(algorithm, &bytes), bytes).await.unwrap());
    }
    keys.sort_unstable();
    for limit in [1, 3, 20, 100] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = store.list(after.as_ref(), limit).await.unwrap();
            assert!(page.len() <= limit && page.iter().all(|object| object.modified > before));
            seen.extend(page.iter().map(|object| object.key));
            match page.last() {
                Some(last) if page.len() == limit => after = Some(last.key),
                _ => break,
            }
        }
        assert_eq!(seen, keys);
    }
}

/// What a killed process leaves behind shows in a listing, and can be removed with nothing but the listing.
async fn leftovers_are_listed(store: Store) {
    for (number, len) in [100, LONG].into_iter().enumerate() {
        let id = id(number as u8);
        let state = store.stage(&id).await.unwrap();
        write(&store, id, &state, 0, &content(len)).await;
    }
    let orphan = store.put(&id(9), &Digest::sha256(b"orphan"), Bytes::from_static(b"orphan")).await.unwrap();

    let first = store.list_staged(None, 1).await.unwrap();
    let second = store.list_staged(Some(&id(0)), 9).await.unwrap();
    assert_eq!(first.iter().chain(&second).map(|staged| staged.id).collect::<Vec<_>>(), [id(0), id(1)]);
    let objects = store.list(None, 9).await.unwrap();
    assert_eq!(objects.iter().map(|object| (object.key, object.size)).collect::<Vec<_>>(), [(orphan, 6)]);

    for staged in first.iter().chain(&second) {
        store.discard(&staged.id, &StageState::default()).await.unwrap();
    }
    store.remove(&orphan).await.unwrap();
    assert!(store.list_staged(None, 9).await.unwrap().is_empty());
    assert!(store.list(None, 9).await.unwrap().is_empty());
}

async fn every_range_is_the_slice_it_names(store: Store) {
    let bytes = content(LONG);
    let size = LONG as u64;
    let key = store.put(&id(1), &Digest::sha256(&bytes), bytes.clone()).await.unwrap();
    let edges = prop_oneof![
        0..=size,
        (0..36_u64, -2..=2_i64)
            .prop_map(|(buffers, near)| (buffers * (256 << 10)).saturating_add_signed(near)),
        Just(size)
    ];
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..64 {
        let (one, other) = (edges.clone(), edges.clone()).new_tree(&mut runner).unwrap().current();
        let (one, other) = (one.min(size), other.min(size));
        let range = one.min(other)..one.max(other);
        let mut reader = store.read(&key, range.clone(), size).await.unwrap();
        assert_eq!(reader.remaining(), range.end - range.start);
        let mut at = range.start as usize;
        while let Some(piece) = reader.next().await {
            let piece = piece.unwrap();
            assert!(!piece.is_empty() && piece == bytes.slice(at..at + piece.len()), "{range:?} at {at}");
            at += piece.len();
            assert_eq!(reader.remaining(), range.end - at as u64);
        }
        assert_eq!(at as u64, range.end);
    }
    for (start, end) in [(0, size + 1), (2, 1), (size + 1, size + 1)] {
        assert!(matches!(store.read(&key, start..end, size).await, Err(Error::Range { .. })));
    }
}

/// One test of each promise for each backend; but one for all of S3, whose server takes a second to start.
macro_rules! contract {
    ($($promise:ident)*) => {
        contract!(@files $($promise)*);
        contract!(@memory $($promise)*);

        #[tokio::test]
        async fn s3() {
            let Some(server) = backends::s3().await else { return };
            $(
                println!("{}", stringify!($promise));
                $promise(server.store(stringify!($promise))).await;
            )*
        }
    };
    (@$backend:ident $($promise:ident)*) => {
        mod $backend { $(
            #[tokio::test]
            async fn $promise() {
                let backend = crate::backends::$backend();
                crate::$promise(backend.store.clone()).await;
            }
        )* }
    };
}

contract! {
    what_is_committed_reads_back
    a_writer_can_commit_without_a_pause
    frames_of_any_size_keep_their_order
    small_content_goes_in_at_once
    writing_continues_where_the_state_says
    what_is_staged_can_be_read
    an_offset_that_is_not_there_is_refused
    a_commit_can_be_done_again
    a_discarded_stage_is_gone
    a_removed_object_is_missing_and_its_twin_is_not
    a_wrong_size_is_said_before_the_first_byte
    listings_are_sorted_and_paged
    leftovers_are_listed
    every_range_is_the_slice_it_names
}
