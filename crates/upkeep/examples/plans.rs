//! Measures what retention costs on a catalog of 100,000 manifests of 1,000 owners: a plan for all of them, and the look ahead
//! that `railhead usage` asks for. Seconds, and memory at its peak beyond what the process had before.
//!
//! `cargo run --release -p railhead-upkeep --example plans [postgres]`
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a tool for people who work on retention")]

use std::collections::BTreeMap;
use std::time::Instant;

use railhead_blobs::{MemoryStore, Store};
use railhead_catalog::testing::Place;
use railhead_catalog::{Location, Timestamp};
use railhead_registry::{Registry, Settings};
use railhead_retention::{Rule, Rules};
use railhead_upkeep::{Retention, Wish};
use secrecy::ExposeSecret as _;

const MANIFESTS: u64 = 100_000;

/// Each owner has a repository with a hundred images, one a day; each has four blobs of its own, and all of an owner's
/// share a base.
///
/// What `||` joins stands in brackets: it binds tighter than `%` in SQLite, and less tight in Postgres.
const FILL: &str = "
    INSERT INTO owner (name_key, name, kind, used_bytes, created_at)
    SELECT 'team' || n, 'team' || n, 'organisation', 400100000, 0 FROM numbers WHERE n < 1000;
    INSERT INTO repository (owner, name, visibility, bytes, created_at)
    SELECT o.id, o.name || '/app', 'private', 400100000, 0 FROM owner AS o;
    INSERT INTO blob (digest, size, object_key, damaged, created_at)
    SELECT d, 1000000, '00/' || substr(d, 40, 32), 0, 0 FROM numbers;
    INSERT INTO repository_blob (repository, digest, linked_at)
    SELECT (SELECT MIN(id) FROM repository) + n / 400 % 1000, d, NOW - n / 4 % 100 * 86400000
    FROM numbers WHERE n < 400000;
    INSERT INTO repository_blob (repository, digest, linked_at)
    SELECT (SELECT MIN(id) FROM repository) + n - 400000, d, NOW - 8640000000 FROM numbers WHERE n >= 400000;
    INSERT INTO manifest (repository, digest, media_type, size, annotations, pushed_at, content)
    SELECT (SELECT MIN(id) FROM repository) + n / 100, d, 'application/vnd.oci.image.manifest.v1+json', 1000,
      '{\"org.opencontainers.image.revision\":\"0123456789abcdef\"}', NOW - n % 100 * 86400000, ZEROS
    FROM numbers WHERE n < 100000;
    INSERT INTO manifest_reference (repository, digest, manifest, child)
    SELECT (SELECT MIN(id) FROM repository) + n / 400, d, (SELECT MIN(id) FROM manifest) + n / 4, 0
    FROM numbers WHERE n < 400000;
    INSERT INTO manifest_reference (repository, digest, manifest, child)
    SELECT m.repository, b.d, m.id, 0 FROM manifest AS m
    JOIN numbers AS b ON b.n = 400000 + m.repository - (SELECT MIN(id) FROM repository);
    INSERT INTO tag (repository, name, digest, created_at, moved_at)
    SELECT (SELECT MIN(id) FROM repository) + n / 100, 'v' || (n % 100), d, 0, NOW - n % 100 * 86400000
    FROM numbers WHERE n < 100000;";

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let postgres = std::env::args().nth(1).as_deref() == Some("postgres");
    let place = if postgres { Place::postgres().unwrap().unwrap() } else { Place::sqlite().unwrap() };
    let catalog = place.open().await.unwrap();
    let now = Timestamp::now();
    run_sql(&place, fill(postgres, now)).await;
    println!("{MANIFESTS} manifests");
    let registry = Registry::new(catalog.clone(), Store::Memory(MemoryStore::default()), Settings::default());
    let retention = Retention::new(registry);

    let newest = Rule { keep_newest: Some(10), ..Rule::default() };
    let all = Wish { rules: Rules { default: newest.clone(), ..Rules::default() }, ..Wish::default() };
    let owners = BTreeMap::from([("team7".to_owned(), newest)]);
    let one = Wish { rules: Rules { owners, ..Rules::default() }, ..Wish::default() };
    measure("a plan, rules for all", async || retention.plan(&all, now).await.unwrap().lost_tags).await;
    measure("a plan, rules for one owner", async || retention.plan(&one, now).await.unwrap().lost_tags).await;
    for (what, wish) in [("all", &all), ("one owner", &one), ("none", &Wish::default())] {
        let free = async || retention.forecast(wish, 1, 1, None, now).await.unwrap().total.rules_free_bytes;
        measure(&format!("usage, rules for {what}"), free).await;
    }
    catalog.close().await.unwrap();
}

async fn measure(what: &str, act: impl AsyncFn() -> u64) {
    // Sets the peak back to what there is now.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let (before, begun) = (memory("VmRSS:"), Instant::now());
    let found = act().await;
    let (took, peak) = (begun.elapsed(), memory("VmHWM:").saturating_sub(before));
    println!("{what}: {:.2} s, {} MiB; {found}", took.as_secs_f64(), peak >> 10);
}

/// In KiB.
fn memory(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn fill(postgres: bool, now: Timestamp) -> String {
    let last = 4 * MANIFESTS + 999;
    let (numbers, zeros, end) = if postgres {
        // 64 bits, as every number in SQLite: milliseconds of a hundred days are more than 32 bits hold.
        let series = format!(
            "SELECT n, 'sha256:' || lpad(to_hex(n), 64, '0') AS d
             FROM generate_series(CAST(0 AS BIGINT), CAST({last} AS BIGINT)) AS n"
        );
        (series, "CAST(repeat('0', 1000) AS BYTEA)", "; ANALYZE")
    } else {
        let series = format!(
            "WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {last})
             SELECT n, printf('sha256:%064x', n) AS d FROM s"
        );
        (series, "zeroblob(1000)", "")
    };
    let fill = FILL.replace("NOW", &now.0.to_string()).replace("ZEROS", zeros);
    format!(
        "BEGIN; CREATE TEMPORARY TABLE numbers AS {numbers}; CREATE INDEX by_n ON numbers (n); {fill} COMMIT{end}"
    )
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
