//! The values file that turns the registry on: what changes and nothing else, so that it can be read and committed.

use serde_json::{Map, Value};

use super::change::MARK;
use super::settings::{CONFIG, Setting};
use crate::yaml;

/// Its text.
pub(super) fn overlay(changes: &[Setting], host: &str) -> String {
    let mut config = Map::new();
    for change in changes {
        let section = config.entry(change.section).or_insert_with(|| Value::Object(Map::new()));
        if let Some(section) = section.as_object_mut() {
            section.insert(change.key.to_owned(), change.wanted.clone());
        }
    }
    let root = CONFIG.iter().rev().fold(Value::Object(config), |inner, key| {
        Value::Object([((*key).to_owned(), inner)].into_iter().collect())
    });
    format!(
        "# {MARK}: turns on the container registry of {host}. It holds no secret and can be committed.\n\
         # helm gets it after the other values files, so that it counts more.\n{}",
        yaml::write(&root, &[])
    )
}
