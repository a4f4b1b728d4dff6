//! Values files, read and merged as helm does: a later file counts more, key by key; a `null` takes a key away.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::pull_secret::{Sops, SopsError};
use crate::yaml::{self, YamlError};

/// The key that sops keeps its own things under.
const SOPS: &str = "sops";
/// How a value begins that sops encrypted.
const ENCRYPTED: &str = "ENC[";

/// Why values cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ValuesError {
    /// The file is not there, or cannot be read.
    #[error("cannot read the values file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not YAML.
    #[error("the values file {} cannot be used", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// Why.
        source: YamlError,
    },
    /// It is YAML, and not a table of values.
    #[error("the values file {} is not one table of values", .0.display())]
    Shape(PathBuf),
    /// sops cannot decrypt it, for another reason than a key that is not here.
    #[error(transparent)]
    Sops(#[from] SopsError),
}

/// How a file can be read.
#[derive(Debug)]
pub enum Opened {
    /// It is plain.
    Plain,
    /// sops decrypted it: its text.
    Decrypted(SecretString),
    /// It is encrypted, and this says why it cannot be decrypted here. Its keys are known, its values are not.
    Closed(String),
}

/// One values file.
pub struct ValuesFile {
    path: PathBuf,
    opened: Opened,
    root: Value,
    /// As it stands in the file, for the keys that are encrypted there.
    outside: Value,
}

impl fmt::Debug for ValuesFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValuesFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl ValuesFile {
    /// Reads the file at `path`, with `sops` if it is encrypted and that is here.
    pub fn read(path: &Path, sops: Result<&Sops, &SopsError>) -> Result<Self, ValuesError> {
        let text =
            fs::read_to_string(path).map_err(|source| ValuesError::Read { path: path.to_owned(), source })?;
        let mut outside = table(path, &text)?;
        let is_encrypted = outside.get(SOPS).is_some_and(|sops| sops["mac"].is_string());
        if !is_encrypted {
            return Ok(Self {
                path: path.to_owned(),
                opened: Opened::Plain,
                root: outside.clone(),
                outside: Value::Null,
            });
        }
        if let Some(map) = outside.as_object_mut() {
            map.remove(SOPS);
        }
        let plain = match sops {
            Ok(sops) => sops.decrypt(&text, path),
            Err(_) => Err(SopsError::Missing),
        };
        let (opened, root) = match plain {
            Ok(plain) => {
                let root = table(path, plain.expose_secret())?;
                (Opened::Decrypted(plain), root)
            }
            Err(error @ SopsError::Missing) => (Opened::Closed(error.to_string()), outside.clone()),
            Err(error) if error.is_closed() => {
                (Opened::Closed("its key is not here".to_owned()), outside.clone())
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self { path: path.to_owned(), opened, root, outside })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How it can be read.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// Whether sops encrypts it.
    pub fn is_encrypted(&self) -> bool {
        !matches!(self.opened, Opened::Plain)
    }

    /// Whether it has this table.
    pub fn has(&self, path: &[&str]) -> bool {
        !yaml::at(&self.root, path).is_null()
    }

    /// Every value that sops encrypts, with its keys. None is known of a file that is closed.
    pub(super) fn hidden_values(&self) -> Vec<(Vec<String>, SecretString)> {
        let mut all = Vec::new();
        if matches!(self.opened, Opened::Decrypted(_)) {
            leaves(&self.root, &mut Vec::new(), &mut |path, text| {
                if is_hidden(&self.outside, path) {
                    all.push((path.to_vec(), text.to_owned().into()));
                }
            });
        }
        all
    }

    /// The keys of every value that sops encrypts.
    pub(super) fn hidden_keys(&self) -> Vec<Vec<String>> {
        let mut all = Vec::new();
        leaves(&self.outside, &mut Vec::new(), &mut |path, text| {
            if text.starts_with(ENCRYPTED) {
                all.push(path.to_vec());
            }
        });
        all
    }
}

/// One document, which is a table. A file that has none is an empty one.
fn table(path: &Path, text: &str) -> Result<Value, ValuesError> {
    let read = yaml::read(text).map_err(|source| ValuesError::Yaml { path: path.to_owned(), source })?;
    match <[Value; 1]>::try_from(read) {
        Ok([root]) if root.is_object() => Ok(root),
        Err(none) if none.is_empty() => Ok(Value::Object(serde_json::Map::new())),
        _ => Err(ValuesError::Shape(path.to_owned())),
    }
}

/// Every text and number, with its keys; items of lists have their number for a key.
pub(super) fn leaves(value: &Value, path: &mut Vec<String>, visit: &mut dyn FnMut(&[String], &str)) {
    let mut inside = |key: String, value: &Value, path: &mut Vec<String>| {
        path.push(key);
        leaves(value, path, visit);
        path.pop();
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| inside(key.clone(), value, path)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(at, value)| inside(at.to_string(), value, path));
        }
        Value::String(text) => visit(path, text),
        Value::Number(number) => visit(path, &number.to_string()),
        Value::Null | Value::Bool(_) => {}
    }
}

fn is_hidden(outside: &Value, path: &[String]) -> bool {
    let found = path.iter().try_fold(outside, |value, key| match value {
        Value::Array(list) => key.parse::<usize>().ok().and_then(|at| list.get(at)),
        value => value.get(key),
    });
    found.and_then(Value::as_str).is_some_and(|text| text.starts_with(ENCRYPTED))
}

/// What the files say of a key.
#[derive(Debug, PartialEq)]
pub enum Found<'a> {
    /// None says anything.
    Absent,
    /// This one says it, and it counts.
    Set {
        /// The value.
        value: &'a Value,
        /// The file.
        file: &'a Path,
        /// It is encrypted there, and not to be shown.
        hidden: bool,
    },
    /// This one says it, and it is encrypted with a key that is not here.
    Hidden {
        /// The file.
        file: &'a Path,
    },
}

/// The values files of a release, in the order of helm.
#[derive(Debug, Default)]
pub struct Values(Vec<ValuesFile>);

impl Values {
    /// Of these files.
    pub fn new(files: Vec<ValuesFile>) -> Self {
        Self(files)
    }

    /// The files.
    pub fn files(&self) -> &[ValuesFile] {
        &self.0
    }

    /// The files that cannot be decrypted here, with why.
    pub fn closed(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.0.iter().filter_map(|file| match &file.opened {
            Opened::Closed(why) => Some((file.path.as_path(), why.as_str())),
            Opened::Plain | Opened::Decrypted(_) => None,
        })
    }

    /// All of them in one, which holds secrets.
    pub(super) fn merged(&self) -> Value {
        self.0.iter().fold(Value::Object(serde_json::Map::new()), |mut whole, file| {
            merge(&mut whole, &file.root);
            whole
        })
    }

    /// What counts at a path of keys.
    pub fn find(&self, path: &[&str]) -> Found<'_> {
        for file in self.0.iter().rev() {
            let mut value = &file.root;
            let mut depth = 0;
            while let Some(next) = path.get(depth).and_then(|key| value.get(*key)) {
                value = next;
                depth += 1;
            }
            if depth == path.len() {
                return match value {
                    Value::Null => Found::Absent,
                    Value::String(text)
                        if text.starts_with(ENCRYPTED) && matches!(file.opened, Opened::Closed(_)) =>
                    {
                        Found::Hidden { file: &file.path }
                    }
                    value => {
                        let keys: Vec<String> = path.iter().map(|key| (*key).to_owned()).collect();
                        let hidden = file.is_encrypted() && is_hidden(&file.outside, &keys);
                        Found::Set { value, file: &file.path, hidden }
                    }
                };
            }
            // What is no table takes the place of every table before it.
            if !value.is_object() {
                return Found::Absent;
            }
        }
        Found::Absent
    }
}

/// Puts `over` on `under` as helm does: key by key; a `null` stays, since it takes a default of the chart away.
fn merge(under: &mut Value, over: &Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                merge(under.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (under, over) => under.clone_from(over),
    }
}

/// A value as it stands in an `app.ini`.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Plain files of these texts.
    pub(in crate::enable) fn plain(texts: &[&str]) -> Values {
        Values::new(texts.iter().enumerate().map(|(at, text)| file(&format!("{at}.yaml"), text)).collect())
    }

    fn file(name: &str, text: &str) -> ValuesFile {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        let mut file = ValuesFile::read(&path, Err(&SopsError::Missing)).unwrap();
        file.path = name.into();
        file
    }

    fn said(values: &Values, path: &[&str]) -> String {
        match values.find(path) {
            Found::Absent => "absent".to_owned(),
            Found::Set { value, file, .. } => format!("{} {value}", file.display()),
            Found::Hidden { file } => format!("{} hidden", file.display()),
        }
    }

    #[test]
    fn a_later_file_counts_more_key_by_key() {
        let values = plain(&[
            "gitea: {config: {server: {ROOT_URL: a, DOMAIN: d}, packages: {ENABLED: true}}, x: {y: 1}}",
            "",
            "gitea: {config: {server: {ROOT_URL: b}, packages: null}, x: 3}",
        ]);
        for (path, wanted) in [
            ("gitea config server ROOT_URL", "2.yaml \"b\""),
            ("gitea config server DOMAIN", "0.yaml \"d\""),
            ("gitea config packages ENABLED", "absent"),
            ("gitea x y", "absent"),
            ("gitea x", "2.yaml 3"),
            ("gitea config server", "2.yaml {\"ROOT_URL\":\"b\"}"),
            ("nothing here", "absent"),
        ] {
            assert_eq!(said(&values, &path.split(' ').collect::<Vec<_>>()), wanted, "{path}");
        }
        let whole = serde_json::json!({"gitea": {"config": {"server": {"ROOT_URL": "b", "DOMAIN": "d"}, "packages": null}, "x": 3}});
        assert_eq!(values.merged(), whole);
    }

    #[test]
    fn without_the_key_the_keys_are_known_and_the_values_are_not() {
        let closed = "gitea:\n  config:\n    server:\n      ROOT_URL: ENC[AES256_GCM,data:x]\n      DOMAIN: plain\nsops: {mac: 'ENC[x]'}\n";
        let values = plain(&[closed]);
        assert_eq!(said(&values, &["gitea", "config", "server", "ROOT_URL"]), "0.yaml hidden");
        assert_eq!(said(&values, &["gitea", "config", "server", "DOMAIN"]), "0.yaml \"plain\"");
        assert_eq!(said(&values, &["sops"]), "absent");
        let why: Vec<_> = values.closed().map(|(_, why)| why.to_owned()).collect();
        assert_eq!(why, ["the program sops is not in the PATH"]);
        assert_eq!(
            values.files()[0].hidden_keys(),
            [["gitea", "config", "server", "ROOT_URL"].map(str::to_owned)]
        );
        assert!(values.files()[0].hidden_values().is_empty());
    }

    #[test]
    fn what_is_no_table_of_values_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.yaml");
        for (text, why) in [
            ("- a", "not one table"),
            ("a: 1\n---\nb: 2", "not one table"),
            ("a: [geheim123", "cannot be used"),
        ] {
            fs::write(&path, text).unwrap();
            let error = ValuesFile::read(&path, Err(&SopsError::Missing)).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
            assert!(!format!("{error:?}").contains("geheim"), "{error:?}");
        }
    }
}
