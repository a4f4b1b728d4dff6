//! Both folders of migrations make the same tables.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;

use railhead_catalog::Location;
use railhead_catalog::testing::Place;
use secrecy::ExposeSecret;

/// Table, column, whether it may be absent.
type Columns = BTreeSet<(String, String, bool)>;

fn sqlite(place: &Place) -> Columns {
    let Location::Sqlite(path) = place.location() else { panic!("not SQLite") };
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut statement = connection
        .prepare(
            r#"SELECT t.name, c.name, c."notnull" = 0 AND c.pk = 0
               FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c
               WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'"#,
        )
        .unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn postgres(place: &Place) -> Columns {
    let Location::Postgres(url) = place.location() else { panic!("not Postgres") };
    let mut client = postgres::Client::connect(url.expose_secret(), postgres::NoTls).unwrap();
    let rows = client
        .query(
            "SELECT table_name::text, column_name::text, is_nullable = 'YES' FROM information_schema.columns
             WHERE table_schema = 'public'",
            &[],
        )
        .unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

#[test]
fn both_databases_have_the_same_columns() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let file = Place::sqlite().unwrap();
    runtime.block_on(async { file.open().await.unwrap().close().await.unwrap() });
    let columns = sqlite(&file);
    assert!(columns.contains(&("manifest".to_owned(), "subject".to_owned(), true)), "{columns:?}");
    let Some(server) = Place::postgres().unwrap() else { return };
    runtime.block_on(async { server.open().await.unwrap().close().await.unwrap() });
    let others = postgres(&server);
    let difference: Vec<_> = columns.symmetric_difference(&others).collect();
    assert!(difference.is_empty(), "{difference:#?}");
}
