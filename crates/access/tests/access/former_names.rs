//! Former names of owners of a forge.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use railhead_access::{Access, Clock, PasswordCost, Settings};
use railhead_catalog::{Catalog, Location, OwnerKind, Timestamp};
use railhead_client::Http;
use railhead_forge::{Forge, Kind, system_now};

use crate::world::repository;

const START: i64 = 1_800_000_000_000;
const DAY: Duration = Duration::from_hours(24);

/// One that nobody asks.
fn forge() -> Forge {
    Forge::new(railhead_forge::Settings {
        kind: Kind::Gitea,
        http: Http::new("http://127.0.0.1:9".parse().unwrap(), None, Duration::from_secs(1)),
        token: None,
        cache: Duration::from_mins(1),
        stale: Duration::from_mins(10),
        timeout: Duration::from_secs(1),
        now: system_now,
    })
}

#[tokio::test]
async fn a_repository_is_found_under_the_former_name_of_its_owner_until_the_time_is_over() {
    let directory = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(Location::Sqlite(directory.path().join("catalog.sqlite"))).await.unwrap();
    let time = Arc::new(AtomicI64::new(START));
    let clock = Arc::clone(&time);
    let settings = Settings {
        clock: Clock::from_fn(move || Timestamp(clock.load(Ordering::SeqCst))),
        password_cost: PasswordCost { memory_kib: 8, passes: 1 },
        forge: Some(forge()),
        former_names: 3 * DAY,
        ..Settings::default()
    };
    let access = Access::open(catalog.clone(), settings.clone()).await.unwrap();
    let found = async |access: &Access, name: &str| {
        access.current_name(&repository(name)).await.unwrap().map(|current| current.name.to_string())
    };
    catalog.mirror_owner(2, "bob", OwnerKind::User, Timestamp(START)).await.unwrap();
    assert_eq!(found(&access, "bob/app").await, None);
    catalog.mirror_owner(2, "Robert", OwnerKind::User, Timestamp(START)).await.unwrap();
    // Who changes what the catalog knows says so.
    access.changed();
    assert_eq!(found(&access, "bob/a/b").await.as_deref(), Some("robert/a/b"));
    assert_eq!(found(&access, "robert/a/b").await, None);
    let until = access.current_name(&repository("bob/app")).await.unwrap().unwrap().until;
    assert_eq!(until, Timestamp(START + 3 * 86_400_000));
    time.store(until.0 - 1, Ordering::SeqCst);
    assert_eq!(found(&access, "bob/app").await.as_deref(), Some("robert/app"));
    time.store(until.0, Ordering::SeqCst);
    assert_eq!(found(&access, "bob/app").await, None, "the time is over");

    time.store(START, Ordering::SeqCst);
    let off = Access::open(catalog.clone(), Settings { former_names: Duration::ZERO, ..settings.clone() });
    assert_eq!(found(&off.await.unwrap(), "bob/app").await, None, "no time is set");
    let local = Access::open(catalog, Settings { forge: None, ..settings }).await.unwrap();
    assert_eq!(found(&local, "bob/app").await, None, "accounts are not a forge's");
}
