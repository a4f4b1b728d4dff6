//! Measures the hot operations of the catalog: CPU of the whole process (all threads, user and system), time from
//! question to answer, and memory at rest.
//!
//! `cargo run --release -p railhead-catalog --features testing --example measure [postgres]`
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a tool for people who work on the catalog")]

use std::time::{Duration, Instant};

use railhead_catalog::testing::Place;
use railhead_catalog::{Catalog, Limit, NewBlob, NewManifest, Repository, Timestamp};
use railhead_oci::{Digest, Reference, RepositoryName, Tag};

const TAGS: usize = 100_000;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let place = match std::env::args().nth(1).as_deref() {
        Some("postgres") => Place::postgres().unwrap().unwrap(),
        _ => Place::sqlite().unwrap(),
    };
    let catalog = place.open().await.unwrap();
    println!("resident after open: {} KiB", resident());
    catalog.create_organisation("team", Timestamp::now()).await.unwrap();
    let name: RepositoryName = "team/app".parse().unwrap();
    let repository = catalog.ensure_repository(&name, Timestamp::now()).await.unwrap();
    fill(&catalog, &repository).await;
    println!("resident after {TAGS} tags: {} KiB", resident());

    let id = repository.id;
    measure("tags_json, first 100 of 100,000", 20_000, async || {
        assert!(catalog.tags_json(id, None, 100).await.unwrap().more);
    })
    .await;
    measure("tags_json, 100 in the middle", 20_000, async || {
        assert!(catalog.tags_json(id, Some("v50000"), 100).await.unwrap().more);
    })
    .await;
    let (present, absent) = (digest(1), digest(u64::MAX));
    measure("blob_in, present", 50_000, async || {
        assert!(catalog.blob_in(&name, &present).await.unwrap().is_some());
    })
    .await;
    measure("blob_in, absent", 50_000, async || {
        assert!(catalog.blob_in(&name, &absent).await.unwrap().is_none());
    })
    .await;
    let reference = Reference::Tag("v77777".parse().unwrap());
    measure("manifest by tag (1 KiB)", 50_000, async || {
        assert!(catalog.manifest(&name, &reference).await.unwrap().is_some());
    })
    .await;
    let mut number = 1_000_000;
    measure("commit_blob, one at a time", 2_000, async || {
        number += 1;
        catalog.commit_blob(blob(&repository, number), Timestamp::now()).await.unwrap();
    })
    .await;
    measure("commit_blob, 32 at once (each)", 200 * 32, {
        let mut rest = 0;
        let (catalog, repository) = (&catalog, &repository);
        async move || {
            rest += 1;
            if rest % 32 == 0 {
                commit_together(catalog, repository, 2_000_000 + rest).await;
            }
        }
    })
    .await;
    println!("resident at the end: {} KiB", resident());
    catalog.close().await.unwrap();
}

async fn commit_together(catalog: &Catalog, repository: &Repository, first: u64) {
    let tasks: Vec<_> = (first..first + 32)
        .map(|number| {
            let (catalog, new) = (catalog.clone(), blob(repository, number));
            tokio::spawn(async move { catalog.commit_blob(new, Timestamp::now()).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

async fn fill(catalog: &Catalog, repository: &Repository) {
    let tags: Vec<Tag> = (0..TAGS).map(|number| format!("v{number}").parse().unwrap()).collect();
    catalog.commit_blob(blob(repository, 1), Timestamp::now()).await.unwrap();
    for (number, tags) in (0..).zip(tags.chunks(1000)) {
        let bytes = format!("{number:01024}").into_bytes();
        let new = NewManifest {
            repository: repository.id,
            digest: Digest::sha256(&bytes),
            media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
            bytes,
            subject: None,
            artifact_type: None,
            annotations: None,
            blobs: vec![digest(1)],
            children: Vec::new(),
            sparse: false,
            tags: tags.to_vec(),
            frozen: Vec::new(),
            account: None,
            quota: Limit::None,
        };
        catalog.put_manifest(new, Timestamp::now()).await.unwrap();
    }
}

fn digest(number: u64) -> Digest {
    Digest::sha256(&number.to_be_bytes())
}

fn blob(repository: &Repository, number: u64) -> NewBlob {
    NewBlob {
        repository: repository.id,
        digest: digest(number),
        size: 1,
        key: format!("blobs/{number}"),
        upload: None,
        leased_until: Timestamp::now().plus_millis(3_600_000),
        quota: Limit::None,
    }
}

async fn measure(what: &str, count: u32, mut act: impl AsyncFnMut()) {
    for _ in 0..count / 10 {
        act().await;
    }
    let (before, begun) = (cpu(), Instant::now());
    for _ in 0..count {
        act().await;
    }
    let (cpu, wall) = (cpu().saturating_sub(before) / count, begun.elapsed() / count);
    println!("{what}: {:.1} µs CPU, {:.1} µs", micros(cpu), micros(wall));
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// CPU that this process has used, in steps of 10 ms.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = |field| fields.split(' ').nth(field).unwrap().parse::<u64>().unwrap();
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

/// Resident memory in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
