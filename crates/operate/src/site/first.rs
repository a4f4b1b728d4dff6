//! Writes a first site file: every key with a comment, those that are known with their value, the others as an example.
//!
//! Invariant: what [`accepts`] takes is in the file as it was given, and the reader takes the file. Both are the same reader,
//! so a secret cannot get in either.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use railhead_client::hops::Route;
use toml::Value;

use super::error::SiteError;
use super::keys::{KEYS, Key, ROUTE, about};
use super::{Site, read};

/// What is known of a site: values by key, as `site.host`, and routes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    values: BTreeMap<String, Value>,
    routes: Vec<Route>,
}

impl Answers {
    /// With a value, if the reader takes it. `key` is as `site.host`.
    pub fn put(&mut self, key: &str, value: impl Into<Value>) -> Result<(), SiteError> {
        let value = value.into();
        accepts(key, &value)?;
        self.values.insert(key.to_owned(), value);
        Ok(())
    }

    /// The text of a key, if it is known.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key)?.as_str()
    }

    /// Whether there is a value for a key.
    pub fn knows(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// With one more route, if the reader takes it.
    pub fn route(&mut self, route: Route) -> Result<(), SiteError> {
        let mut one = Self::default();
        one.routes.push(route);
        one.read()?;
        self.routes.append(&mut one.routes);
        Ok(())
    }

    /// Whether there is a route.
    pub fn has_route(&self) -> bool {
        !self.routes.is_empty()
    }

    /// The file.
    pub fn file(&self) -> String {
        let mut file = String::from(
            "# The site file of Railhead: what `railhead doctor`, `prove`, `handoff`, `pull-secret` and `report` know of a\n\
             # registry. Every key is here; those with a '#' before them are not set. Never put a secret here.\n",
        );
        let mut table = "";
        for key in KEYS {
            if key.table != table {
                table = key.table;
                let _ = write!(file, "\n# {}\n", about(table));
                match table {
                    ROUTE => self.routes(&mut file),
                    _ => {
                        let _ = writeln!(file, "[{table}]");
                    }
                }
            }
            if table != ROUTE {
                line(&mut file, key, self.values.get(&format!("{table}.{}", key.name)));
            }
        }
        file
    }

    fn routes(&self, file: &mut String) {
        for route in &self.routes {
            let _ = writeln!(file, "[routes.{}]", quoted(&route.name));
            let text = |value: &dyn std::fmt::Display| Value::from(value.to_string());
            let connect = route.connect.as_ref().map(|connect| text(connect));
            let ca = route.ca.as_ref().map(|ca| text(&ca.display()));
            let values = [Some(text(&route.url)), connect, ca];
            for (key, value) in KEYS.iter().filter(|key| key.table == ROUTE).zip(values) {
                line(file, key, value.as_ref());
            }
        }
        if self.routes.is_empty() {
            let _ = writeln!(file, "# [routes.public]");
            for key in KEYS.iter().filter(|key| key.table == ROUTE) {
                line(file, key, None);
            }
        }
    }

    fn read(&self) -> Result<Site, SiteError> {
        read::read(Path::new("railhead.toml"), &self.file())
    }
}

/// A name as a key of TOML.
fn quoted(name: &str) -> String {
    let is_bare = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    if name.chars().all(is_bare) { name.to_owned() } else { Value::from(name).to_string() }
}

fn line(file: &mut String, key: &Key, value: Option<&Value>) {
    let Key { name, doc, example, .. } = key;
    let _ = match value {
        Some(value) => writeln!(file, "# {doc}\n{name} = {value}"),
        None => writeln!(file, "# {doc}\n# {name} = {example}"),
    };
}

/// Whether the reader takes `value` for `key`.
pub fn accepts(key: &str, value: &Value) -> Result<(), SiteError> {
    let known = KEYS.iter().find(|one| one.table != ROUTE && format!("{}.{}", one.table, one.name) == key);
    if known.is_none() {
        let known = KEYS.iter().map(|key| key.name).collect::<Vec<_>>().join(", ");
        return Err(SiteError::Unknown { place: String::new(), key: key.to_owned(), meant: None, known });
    }
    let mut alone = Answers::default();
    alone.values.insert(key.to_owned(), value.clone());
    alone.read().map(|_| ())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_line_is_explained() {
        let mut answers = Answers::default();
        answers.put("site.host", "git.example.com").unwrap();
        answers.put("site.forge", "gitea").unwrap();
        answers.put("owners.routing", "railiance-cluster").unwrap();
        answers.put("cluster.sops", true).unwrap();
        answers.route("public=https://git.example.com".parse().unwrap()).unwrap();
        answers.route("pod=http://git.example.com,connect=10.0.0.7:3000,ca=ca.pem".parse().unwrap()).unwrap();
        insta::assert_snapshot!(answers.file());
        let site = answers.read().unwrap();
        assert_eq!(site.host.as_deref(), Some("git.example.com"));
        assert_eq!((site.routes.len(), site.cluster.sops), (2, true));
        let nothing = Answers::default().read().unwrap();
        assert_eq!((nothing.host, nothing.routes.len()), (None, 0));
    }

    #[test]
    fn what_is_not_taken_says_why() {
        let mut answers = Answers::default();
        for (key, value, why) in [
            ("site.host", "https://git.example.com", "a host alone"),
            ("site.forge", "github", "one of gitea"),
            ("site.name", "a\nb", "one line"),
            ("site.name", "", "one line"),
            ("site.owner", "rh_aaaaaaaaaaaaaaaaaaaaaaaaa", "is a secret"),
            ("site.hots", "x", "unknown"),
            ("routes.NAME.url", "x", "unknown"),
        ] {
            let error = answers.put(key, value).unwrap_err();
            assert!(error.to_string().contains(why), "{key}: {error}");
        }
        assert_eq!(answers, Answers::default());
    }

    proptest! {
        #[test]
        fn what_is_taken_is_in_the_file_and_nothing_else_is(
            texts in prop::collection::vec(("(\\PC|[\"'\\\\#=\\[\\]\n\t]){0,30}|[a-z.:0-9]{1,20}", 0..KEYS.len()), 0..8),
            names in prop::collection::vec("[A-Za-z0-9._-]{1,8}", 0..3),
        ) {
            let mut answers = Answers::default();
            for (text, at) in &texts {
                let key = format!("{}.{}", KEYS[*at].table, KEYS[*at].name);
                // What is refused leaves no trace.
                let _ = answers.put(&key, text.as_str());
            }
            for (at, name) in names.iter().enumerate() {
                let text = format!("{at}{name}=https://git.example.com");
                answers.route(text.parse().unwrap()).unwrap();
            }
            let site = answers.read();
            prop_assert!(site.is_ok(), "{site:?}\n{}", answers.file());
            let site = site.unwrap();
            prop_assert_eq!(site.name.as_deref(), answers.text("site.name"));
            prop_assert_eq!(site.naming.as_deref(), answers.text("site.naming"));
            prop_assert_eq!(site.cluster.namespace.as_deref(), answers.text("cluster.namespace"));
            prop_assert_eq!(site.owners.of(railhead_doctor::Layer::Client), answers.text("owners.client"));
            prop_assert_eq!(site.routes.len(), names.len());
        }
    }
}
