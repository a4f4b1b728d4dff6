//! Settings, the audit, the door.

use railhead_catalog::testing::Place;
use railhead_catalog::{AuditEntry, AuditFilter, Error, OwnerId};

use crate::support::at;

pub async fn settings_are_written_once(place: &Place) {
    let catalog = place.open().await.unwrap();
    assert_eq!(catalog.setting("key").await.unwrap(), None);
    let all = futures(8, |number| {
        let catalog = catalog.clone();
        async move { catalog.setting_or_insert("key", vec![number]).await.unwrap() }
    })
    .await;
    let stored = catalog.setting("key").await.unwrap().unwrap();
    assert!(all.iter().all(|one| *one == stored), "{all:?}");
}

async fn futures<F: Future<Output: Send + 'static> + Send + 'static>(
    count: u8,
    make: impl Fn(u8) -> F,
) -> Vec<F::Output> {
    let tasks: Vec<_> = (0..count).map(|number| tokio::spawn(make(number))).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

pub async fn the_audit_is_newest_first(place: &Place) {
    let catalog = place.open().await.unwrap();
    let entry = |second: i64| AuditEntry {
        at: at(second),
        account: (second % 2 == 0).then_some(OwnerId(7)),
        token: None,
        address: Some("192.0.2.1".to_owned()),
        action: if second < 3 { "push" } else { "delete" }.to_owned(),
        target: format!("team/app:{}", second % 3),
        outcome: "done".to_owned(),
        detail: None,
    };
    catalog.record((0..6).map(entry).collect()).await.unwrap();
    let seconds = async |filter: AuditFilter, limit| {
        let found = catalog.audit(filter, limit).await.unwrap();
        found.iter().map(|one| (one.entry.at.0 - at(0).0) / 1000).collect::<Vec<_>>()
    };
    let all = AuditFilter::default;
    assert_eq!(seconds(all(), 4).await, [5, 4, 3, 2]);
    let oldest = catalog.audit(all(), 4).await.unwrap()[3].id;
    assert_eq!(seconds(AuditFilter { before: Some(oldest), ..all() }, 4).await, [1, 0]);
    assert_eq!(seconds(AuditFilter { account: Some(OwnerId(7)), ..all() }, 9).await, [4, 2, 0]);
    assert_eq!(seconds(AuditFilter { action: Some("push".to_owned()), ..all() }, 9).await, [2, 1, 0]);
    let target = Some("team/app:1".to_owned());
    assert_eq!(seconds(AuditFilter { target: target.clone(), ..all() }, 9).await, [4, 1]);
    let both = AuditFilter { target, account: Some(OwnerId(7)), since: Some(at(2)), ..all() };
    assert_eq!(seconds(both, 9).await, [4]);
    assert_eq!(catalog.audit(all(), 1).await.unwrap()[0].entry, entry(5));
}

pub async fn a_closed_catalog_says_so(place: &Place) {
    let catalog = place.open().await.unwrap();
    catalog.close().await.unwrap();
    assert!(matches!(catalog.ping().await, Err(Error::Closed)));
    assert!(matches!(catalog.setting_or_insert("key", vec![]).await, Err(Error::Closed)));
    catalog.close().await.unwrap();
}

pub async fn a_ping_is_answered(place: &Place) {
    let catalog = place.open().await.unwrap();
    catalog.ping().await.unwrap();
    let exclusive = matches!(place.location(), railhead_catalog::Location::Sqlite(_));
    assert_eq!(catalog.is_exclusive(), exclusive);
}
