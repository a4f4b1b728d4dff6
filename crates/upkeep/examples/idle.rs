//! Measures a run of collection with nothing to do, on a catalog of a million blobs, and one that takes a thousand of them.
//!
//! `cargo run --release -p railhead-upkeep --example idle [postgres]`
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a tool for people who work on collection")]

use std::time::{Duration, Instant};

use railhead_blobs::{MemoryStore, Store};
use railhead_catalog::testing::Place;
use railhead_catalog::{Location, Timestamp};
use railhead_registry::{Registry, Settings};
use railhead_upkeep::Collector;
use secrecy::ExposeSecret as _;

const BLOBS: u64 = 1_000_000;
const RUNS: u32 = 100;
const DUE: u64 = 1000;

/// A million blobs, ten for each of a hundred thousand manifests, in a thousand repositories.
const FILL: &str = "
    INSERT INTO repository (owner, name, visibility, created_at)
    SELECT (SELECT MAX(id) FROM owner), 'team/app' || n, 'private', 0 FROM numbers WHERE n < 1000;
    INSERT INTO blob (digest, size, object_key, damaged, created_at)
    SELECT d, 1000, '00/' || substr(d, 40, 32), 0, 0 FROM numbers;
    INSERT INTO repository_blob (repository, digest, linked_at)
    SELECT (SELECT MIN(id) FROM repository) + n / 10 % 1000, d, 0 FROM numbers;
    INSERT INTO owner_blob (owner, digest, repositories) SELECT (SELECT MAX(id) FROM owner), d, 1 FROM numbers;
    INSERT INTO manifest (repository, digest, media_type, size, pushed_at, content)
    SELECT (SELECT MIN(id) FROM repository) + n % 1000, d, 'x', 2, 0, CAST('{}' AS CONTENT)
    FROM numbers WHERE n < 100000;
    INSERT INTO manifest_reference (repository, digest, manifest, child)
    SELECT (SELECT MIN(id) FROM repository) + n / 10 % 1000, d, (SELECT MIN(id) FROM manifest) + n / 10, 0
    FROM numbers;
    UPDATE owner SET used_bytes = 1000200000;
    UPDATE repository SET bytes = 1000200;";

/// The last hundred manifests no longer need their blobs, whose time has come.
const MAKE_DUE: &str = "
    DELETE FROM manifest_reference WHERE manifest > (SELECT MAX(id) FROM manifest) - 100;
    UPDATE repository_blob SET due_at = 1 WHERE NOT EXISTS (SELECT 1 FROM manifest_reference AS f
      WHERE f.repository = repository_blob.repository AND f.digest = repository_blob.digest)";

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let postgres = std::env::args().nth(1).as_deref() == Some("postgres");
    let place = if postgres { Place::postgres().unwrap().unwrap() } else { Place::sqlite().unwrap() };
    let catalog = place.open().await.unwrap();
    catalog.create_organisation("team", Timestamp::now()).await.unwrap();
    run_sql(&place, fill(postgres)).await;
    println!("{BLOBS} blobs");

    let registry = Registry::new(catalog.clone(), Store::Memory(MemoryStore::default()), Settings::default());
    let collector = Collector::new(registry);
    let run = async || collector.run_at(Timestamp::now(), Duration::MAX).await.unwrap();
    assert_eq!(run().await.links, 0);
    let (before, begun) = (cpu(), Instant::now());
    for _ in 0..RUNS {
        assert_eq!(run().await.links, 0);
    }
    let (used, took) = (cpu().saturating_sub(before) / RUNS, begun.elapsed() / RUNS);
    println!("a run with nothing to do: {used:?} CPU, {took:?}, mean of {RUNS}");

    run_sql(&place, MAKE_DUE.to_owned()).await;
    let (before, begun) = (cpu(), Instant::now());
    let done = run().await;
    println!(
        "a run that takes {} links: {:?} CPU, {:?}",
        done.links,
        cpu().saturating_sub(before),
        begun.elapsed()
    );
    assert_eq!((done.links, done.objects + done.failed), (DUE, DUE));
    catalog.close().await.unwrap();
}

fn fill(postgres: bool) -> String {
    let last = BLOBS - 1;
    let (numbers, content, end) = if postgres {
        let series = format!(
            "SELECT n, 'sha256:' || lpad(to_hex(n), 64, '0') AS d FROM generate_series(0, {last}) AS n"
        );
        (series, "BYTEA", "; ANALYZE")
    } else {
        let series = format!(
            "WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {last})
             SELECT n, printf('sha256:%064x', n) AS d FROM s"
        );
        (series, "BLOB", "")
    };
    let script = format!("BEGIN; CREATE TEMPORARY TABLE numbers AS {numbers}; {FILL} COMMIT{end}");
    script.replace("AS CONTENT", &format!("AS {content}"))
}

async fn run_sql(place: &Place, script: String) {
    match place.location() {
        Location::Sqlite(path) => rusqlite::Connection::open(path).unwrap().execute_batch(&script).unwrap(),
        Location::Postgres(url) => {
            let run = move || {
                let mut client = postgres::Client::connect(url.expose_secret(), postgres::NoTls).unwrap();
                client.batch_execute(&script).unwrap();
            };
            tokio::task::spawn_blocking(run).await.unwrap();
        }
    }
}

/// CPU that this process has used, in steps of 10 ms. With Postgres that is without its server.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = |field| fields.split(' ').nth(field).unwrap().parse::<u64>().unwrap();
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}
