//! Reads the server's part of the site file, with the line of every value; the operator's tables are read elsewhere.

use std::collections::BTreeMap;
use std::path::Path;

use railhead_operate::{TABLES, nearest};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ConfigError;
use super::keys::{self, KEYS, Key, Kind};
use super::values::{Origin, Value, beside};

/// Reads the values of the file at `path`, by key.
pub fn read(path: &Path) -> Result<BTreeMap<&'static str, Value>, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        ConfigError::new(format!("cannot read the configuration file {}", path.display())).because(error)
    })?;
    let table = DeTable::parse(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(&text, span.start));
        ConfigError::new(format!("{}:{line} is not TOML: {}", path.display(), error.message()))
    })?;
    let mut reading = Reading { path, text: &text, values: BTreeMap::new() };
    reading.table("", table.get_ref())?;
    Ok(reading.values)
}

struct Reading<'a> {
    path: &'a Path,
    text: &'a str,
    values: BTreeMap<&'static str, Value>,
}

impl Reading<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) -> Result<(), ConfigError> {
        for (name, value) in table {
            let passed_over = |name: &str| TABLES.contains(&name) || name == super::workloads::TABLE;
            if prefix.is_empty() && passed_over(name.get_ref()) {
                continue;
            }
            let full = if prefix.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{prefix}.{}", name.get_ref())
            };
            let line = line_of(self.text, name.span().start);
            if let Some(key) = keys::by_name(&full) {
                let value = self.value(key, line, value)?;
                self.values.insert(key.name, value);
            } else if let DeValue::Table(inner) = value.get_ref()
                && KEYS.iter().any(|key| key.name.starts_with(&format!("{full}.")))
            {
                self.table(&full, inner)?;
            } else {
                return Err(self.unknown(&full, line));
            }
        }
        Ok(())
    }

    fn value(
        &self,
        key: &'static Key,
        line: usize,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Value, ConfigError> {
        let place = format!("{} ({}:{line})", key.name, self.path.display());
        if let Some(file) = key.secret_file {
            let error =
                ConfigError::new(format!("{place} is a secret, and secrets do not belong in this file"));
            return Err(error
                .hint(format!("put it into the variable {}, or name a file with `{file}`", key.variable)));
        }
        let texts = match (key.kind, value.get_ref()) {
            (Kind::List, DeValue::Array(items)) => items
                .iter()
                .map(|item| item.get_ref().as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| ConfigError::new(format!("{place} must be a list of texts")))?,
            (Kind::Bool, DeValue::Boolean(value)) => vec![value.to_string()],
            (Kind::Count(_) | Kind::Size(_) | Kind::Limit, DeValue::Integer(number)) => {
                let number = i64::from_str_radix(number.as_str(), number.radix()).map_err(|error| {
                    ConfigError::new(format!("{place} is too large a number")).because(error)
                })?;
                vec![number.to_string()]
            }
            (Kind::Path, DeValue::String(text)) => vec![beside(self.path, text)],
            (
                Kind::Address | Kind::Text | Kind::Size(_) | Kind::Limit | Kind::Choice(_),
                DeValue::String(text),
            ) => {
                vec![text.to_string()]
            }
            _ => return Err(ConfigError::new(format!("{place} must be: {}", key.kind.words()))),
        };
        Ok(Value { texts, origin: Origin::File(self.path.to_owned(), line) })
    }

    fn unknown(&self, name: &str, line: usize) -> ConfigError {
        let error = ConfigError::new(format!("{}:{line}: the key '{name}' is unknown", self.path.display()));
        match nearest(name, KEYS.iter().map(|key| key.name).chain(TABLES)) {
            Some(meant) => error.hint(format!("did you mean '{meant}'?")),
            None => error.hint("`railhead config show` lists every key"),
        }
    }
}

pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
