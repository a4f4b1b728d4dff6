//! Settings: small values that all processes of a registry share, such as its id and its signing key.

use crate::sql::{Sql, params};
use crate::{Catalog, Error, Result};

fn get(sql: &mut dyn Sql, name: &str) -> Result<Option<Vec<u8>>> {
    let row = sql.first("SELECT value FROM setting WHERE name = ?1", params![name])?;
    row.map(|mut row| row.take()).transpose()
}

impl Catalog {
    /// The value of that name.
    pub async fn setting(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let name = name.to_owned();
        self.read("read a setting", move |sql| get(sql, &name)).await
    }

    /// The value of that name, which is `value` when there was none: all who ask get the same one.
    pub async fn setting_or_insert(&self, name: &str, value: Vec<u8>) -> Result<Vec<u8>> {
        let name = name.to_owned();
        self.write("write a setting", move |sql| {
            sql.execute(
                "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING",
                params![&name, &value[..]],
            )?;
            get(sql, &name)?.ok_or_else(|| Error::NotFound(format!("setting '{name}'")))
        })
        .await
    }
}
