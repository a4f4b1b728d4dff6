//! Settings: small values that all processes of a registry share, such as its id and its signing key.

use crate::sql::{Sql, params};
use crate::{Catalog, Error, Result, Timestamp};

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

    /// Takes a turn that comes once in `every` milliseconds, for one process of all; `false` when it has not come yet. The first
    /// comes `every` after somebody has asked for the first time, or after the clock was set back behind the last.
    pub async fn take_turn(&self, name: &str, every: i64, now: Timestamp) -> Result<bool> {
        let name = name.to_owned();
        self.write("take a turn", move |sql| {
            sql.execute(
                "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING",
                params![&name, &now.0.to_be_bytes()[..]],
            )?;
            let statement = "SELECT value FROM setting WHERE name = ?1 /*postgres: FOR UPDATE*/";
            let row = sql.first(statement, params![&name])?;
            let last = row.map(|mut row| row.take::<Vec<u8>>()).transpose()?.unwrap_or_default();
            let last = last.try_into().map(i64::from_be_bytes);
            let last = last.map_err(|_| Error::Corrupt(format!("setting '{name}' is not a time")))?;
            let has_come = now.0.saturating_sub(last) >= every;
            if has_come || last > now.0 {
                let statement = "UPDATE setting SET value = ?2 WHERE name = ?1";
                sql.execute(statement, params![&name, &now.0.to_be_bytes()[..]])?;
            }
            Ok(has_come)
        })
        .await
    }
}
