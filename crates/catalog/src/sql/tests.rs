//! The plans of the hot statements, and what becomes of a group when one of its operations goes wrong.

use crate::sql::{Dialect, params};
use crate::testing::Place;
use crate::{Catalog, Error, blobs, manifests, tags, tokens};

fn plan(statement: &str) -> Vec<String> {
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    for migration in super::migrate::SQLITE {
        connection.execute_batch(migration).unwrap();
    }
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
    let parameters = statement.parameter_count();
    let rows =
        statement.query_map(rusqlite::params_from_iter(vec![1; parameters]), |row| row.get(3)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn hot_statements_use_their_indices() {
    for (what, statement) in [
        ("manifest by tag", manifests::BY_TAG),
        ("manifest by digest", manifests::BY_DIGEST),
        ("referrers", manifests::REFERRERS),
        ("blob_in", blobs::IN_REPOSITORY),
        ("token_by_hash", tokens::BY_HASH),
        ("tags page", tags::page_statement(Dialect::Sqlite)),
    ] {
        let plan = plan(statement);
        assert!(plan.iter().any(|step| step.starts_with("SEARCH")), "{what}: {plan:#?}");
        for step in &plan {
            // The page itself is read through: it is what was asked for.
            let scan = step.starts_with("SCAN") && step != "SCAN page" && step != "SCAN CONSTANT ROW";
            assert!(!scan && !step.contains("TEMP B-TREE"), "{what}: {plan:#?}");
        }
    }
    assert!(plan(manifests::REFERRERS)[0].contains("manifest_subject"));
}

async fn with_bad_operations(catalog: Catalog) {
    let mut asked = Vec::new();
    for number in 0..30_u8 {
        let catalog = catalog.clone();
        asked.push(tokio::spawn(async move {
            catalog
                .write("try", move |sql| {
                    let name = format!("setting {number}");
                    sql.execute(
                        "INSERT INTO setting (name, value) VALUES (?1, ?2)",
                        params![name, &[number][..]],
                    )?;
                    match number % 3 {
                        0 => Ok(()),
                        1 => Err(Error::NotFound("anything".to_owned())),
                        _ => panic!("a mistake"),
                    }
                })
                .await
        }));
    }
    for (number, task) in asked.into_iter().enumerate() {
        let answer = task.await.unwrap();
        match number % 3 {
            0 => assert!(answer.is_ok(), "{answer:?}"),
            1 => assert!(matches!(answer, Err(Error::NotFound(_))), "{answer:?}"),
            _ => assert!(matches!(answer, Err(Error::Corrupt(_))), "{answer:?}"),
        }
        let stored = catalog.setting(&format!("setting {number}")).await.unwrap();
        assert_eq!(stored.is_some(), number % 3 == 0, "{number}");
    }
}

#[tokio::test]
async fn a_bad_operation_spoils_no_other_one() {
    let place = Place::sqlite().unwrap();
    with_bad_operations(place.open().await.unwrap()).await;
    if let Some(place) = Place::postgres().unwrap() {
        with_bad_operations(place.open().await.unwrap()).await;
    }
}

#[tokio::test]
async fn a_full_disk_is_told_apart_and_loses_nothing() {
    let place = Place::sqlite().unwrap();
    let catalog = place.open().await.unwrap();
    let pages = |most: &'static str| {
        let catalog = catalog.clone();
        async move { catalog.read_on_writer(most).await.unwrap() }
    };
    catalog.setting_or_insert("before", vec![0; 100]).await.unwrap();
    pages("PRAGMA max_page_count = 1").await;
    let asked: Vec<_> = (0..8)
        .map(|number| {
            let catalog = catalog.clone();
            tokio::spawn(async move {
                let size = if number == 0 { 10 } else { 1 << 20 };
                catalog.setting_or_insert(&format!("setting {number}"), vec![1; size]).await
            })
        })
        .collect();
    for (number, task) in asked.into_iter().enumerate() {
        let answer = task.await.unwrap();
        if number == 0 {
            // It fits into a page that is there, whatever became of those it was grouped with.
            assert_eq!(answer.unwrap().len(), 10);
        } else {
            assert!(matches!(answer, Err(Error::Full { .. })), "{answer:?}");
        }
    }
    pages("PRAGMA max_page_count = 1000000").await;
    assert_eq!(catalog.setting_or_insert("after", vec![1; 1 << 20]).await.unwrap().len(), 1 << 20);
    assert_eq!(catalog.setting("before").await.unwrap().unwrap().len(), 100);
    assert_eq!(catalog.setting("setting 1").await.unwrap(), None);
}

impl Catalog {
    /// Runs a pragma on the connection that writes.
    async fn read_on_writer(&self, pragma: &'static str) -> crate::Result<()> {
        self.write("set a pragma", move |sql| Ok(sql.query(pragma, &[]).map(drop)?)).await
    }
}
