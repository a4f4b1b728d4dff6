//! One value for each key, and where it came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use railhead_operate::nearest;

use super::keys::{self, KEYS, Key, Kind};
use super::service_link::is_service_link;
use super::{ConfigError, file, size};

/// The file that is read when no other is named, if it is there.
pub const DEFAULT_FILE: &str = "railhead.toml";

/// What the configuration is made of, before it is looked at.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// Values of flags, by the name of their key.
    pub flags: Vec<(&'static str, Vec<String>)>,
    /// The variables of the process whose names start with `RAILHEAD_`.
    pub variables: BTreeMap<String, String>,
    /// The file named by `--config`.
    pub file: Option<PathBuf>,
}

impl Layers {
    /// Layers with this process's variables.
    pub fn of_process() -> Result<Self, ConfigError> {
        let mut variables = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str().filter(|name| name.starts_with("RAILHEAD_")) else { continue };
            let value = value
                .into_string()
                .map_err(|_| ConfigError::new(format!("the variable {name} is not UTF-8 text")))?;
            variables.insert(name.to_owned(), value);
        }
        Ok(Self { variables, ..Self::default() })
    }

    /// A variable that is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The file to read: the one that is named, or the usual one if it is there.
    pub fn site_file(&self) -> Option<PathBuf> {
        self.file
            .clone()
            .or_else(|| self.variable("RAILHEAD_CONFIG").map(PathBuf::from))
            .or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()))
    }
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The program itself.
    Default,
    /// The file, at this line.
    File(PathBuf, usize),
    /// A variable of the environment.
    Variable(&'static str),
    /// A flag.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

/// A value and where it came from.
#[derive(Clone)]
pub struct Value {
    /// One text, or those of a list; none when the key is not set.
    pub texts: Vec<String>,
    /// Where they came from.
    pub origin: Origin,
}

/// The value of every key.
pub struct Values(Vec<(&'static Key, Value)>);

impl Values {
    /// Lays the layers over each other.
    pub fn read(layers: &Layers) -> Result<Self, ConfigError> {
        check_variables(layers)?;
        let mut from_file = match layers.site_file() {
            Some(path) => file::read(&path)?,
            None => BTreeMap::new(),
        };
        let mut values = Vec::with_capacity(KEYS.len());
        for key in KEYS {
            let flag = layers.flags.iter().find(|(name, _)| *name == key.name);
            let value = if let Some((_, texts)) = flag {
                Value { texts: texts.clone(), origin: Origin::Flag(key.flag.unwrap_or("flag")) }
            } else if let Some(text) = layers.variable(key.variable) {
                Value { texts: split(key, text), origin: Origin::Variable(key.variable) }
            } else if let Some(value) = from_file.remove(key.name) {
                value
            } else {
                Value { texts: split(key, key.default), origin: Origin::Default }
            };
            for text in &value.texts {
                check(key, text, &value.origin)?;
            }
            values.push((key, value));
        }
        Ok(Self(values))
    }

    /// Every key with its value, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Key, &Value)> {
        self.0.iter().map(|(key, value)| (*key, value))
    }

    /// The value of a key of the table.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key.name == name).map(|(_, value)| value)
    }
}

fn split(key: &Key, text: &str) -> Vec<String> {
    match key.kind {
        _ if text.is_empty() => Vec::new(),
        Kind::List => {
            text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
        }
        _ => vec![text.to_owned()],
    }
}

/// A misspelt variable would otherwise be a setting that somebody believes in.
fn check_variables(layers: &Layers) -> Result<(), ConfigError> {
    let known =
        || KEYS.iter().map(|key| key.variable).chain(keys::OTHER_VARIABLES.iter().map(|other| other.0));
    for name in layers.variables.keys() {
        if known().any(|known| known == name) || is_service_link(name) {
            continue;
        }
        let error = ConfigError::new(format!("the variable {name} is unknown"));
        return Err(match nearest(name, known()) {
            Some(meant) => error.hint(format!("did you mean {meant}?")),
            None => error
                .hint("`railhead config show` lists every key; unset the variable if it is not for Railhead"),
        });
    }
    Ok(())
}

/// Checks a value's form, so that a mistake is reported with its place.
fn check(key: &Key, text: &str, origin: &Origin) -> Result<(), ConfigError> {
    let wrong = match key.kind {
        Kind::Address => match text.parse::<std::net::SocketAddr>() {
            Ok(_) => return Ok(()),
            Err(_) => {
                format!("'{text}' is not an address with a port; write it as 127.0.0.1:5050 or [::]:5050")
            }
        },
        Kind::Bool if !matches!(text, "true" | "false") => format!("'{text}' is neither true nor false"),
        Kind::Count(least) if text.parse::<u64>().ok().is_none_or(|number| number < least) => {
            format!("'{text}' is not a whole number of at least {least}")
        }
        Kind::Size(least) => match size::parse(text) {
            Ok(bytes) if bytes >= least => return Ok(()),
            Ok(_) => format!("'{text}' is less than {}", size::show(least)),
            Err(wrong) => wrong,
        },
        Kind::Limit => match size::parse_limit(text) {
            Ok(_) => return Ok(()),
            Err(wrong) => wrong,
        },
        Kind::Choice(words) if !words.contains(&text) => {
            format!("'{text}' is not one of {}", words.join(", "))
        }
        _ => return Ok(()),
    };
    Err(ConfigError::new(format!("{} ({origin}): {wrong}", key.name)))
}

/// A path in the file is relative to the file.
pub fn beside(file: &Path, text: &str) -> String {
    match file.parent() {
        Some(parent) if Path::new(text).is_relative() => parent.join(text).to_string_lossy().into_owned(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(file: &str, variables: &[(&str, &str)]) -> (tempfile::TempDir, Layers) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("site.toml");
        std::fs::write(&path, file).unwrap();
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        (directory, Layers { variables, file: Some(path), ..Layers::default() })
    }

    fn shown(layers: &Layers, name: &str) -> (Vec<String>, String) {
        let values = Values::read(layers).unwrap();
        let value = values.value(name).unwrap();
        (value.texts.clone(), value.origin.to_string())
    }

    #[test]
    fn flags_come_before_variables_before_the_file_before_defaults() {
        let (directory, mut layers) =
            layers("\nlisten = '127.0.0.1:1'\nhosts = ['a', 'b']\n[tls]\ncert = 'c.pem'\n", &[]);
        let file = directory.path().join("site.toml");
        assert_eq!(shown(&layers, "listen"), (vec!["127.0.0.1:1".into()], format!("{}:2", file.display())));
        assert_eq!(shown(&layers, "hosts").0, ["a", "b"]);
        assert_eq!(shown(&layers, "tls.cert").0, [directory.path().join("c.pem").to_str().unwrap()]);
        assert_eq!(shown(&layers, "workers"), (vec![], "default".into()));
        layers.variables.insert("RAILHEAD_LISTEN".into(), "127.0.0.1:2".into());
        layers.variables.insert("RAILHEAD_HOSTS".into(), "c, d,".into());
        assert_eq!(shown(&layers, "listen"), (vec!["127.0.0.1:2".into()], "RAILHEAD_LISTEN".into()));
        assert_eq!(shown(&layers, "hosts").0, ["c", "d"]);
        layers.flags.push(("listen", vec!["127.0.0.1:3".into()]));
        assert_eq!(shown(&layers, "listen"), (vec!["127.0.0.1:3".into()], "--listen".into()));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place_and_what_was_meant() {
        for (file, variables, message, hint) in [
            (
                "[quota]\ndefault_byte = 1",
                &[][..],
                ":2: the key 'quota.default_byte' is unknown",
                "quota.default_bytes",
            ),
            ("[database]\nurl = 'x'", &[], "database.url", "RAILHEAD_DATABASE_URL"),
            ("tls = 3", &[], "the key 'tls' is unknown", "config show"),
            ("[sit]\nhost = 'a'", &[], ":1: the key 'sit' is unknown", "did you mean 'site'?"),
            ("workers = 0", &[], "not a whole number of at least 1", ""),
            ("workers = '2'", &[], "workers", ""),
            ("hosts = 'a'", &[], "hosts", ""),
            ("listen = 'x'", &[], ":1): 'x' is not an address", ""),
            ("a = = b", &[], ":1 is not TOML", ""),
            ("[manifests]\nmax_bytes = '1MiB'", &[], "is less than 4 MiB", ""),
            ("[log]\nformat = 'xml'", &[], "text, json", ""),
            ("", &[("RAILHEAD_LISTN", "x")], "RAILHEAD_LISTN is unknown", "RAILHEAD_LISTEN"),
            ("", &[("RAILHEAD_TLS_SELF_SIGNED", "1")], "neither true nor false", ""),
        ] {
            let (_directory, layers) = layers(file, variables);
            let Err(error) = Values::read(&layers) else { panic!("{file} is taken") };
            assert!(error.to_string().contains(message), "{file}: {error}");
            assert!(error.hint.unwrap_or_default().contains(hint), "{file}: {message}");
        }
    }

    #[test]
    fn the_operators_tables_are_passed_over() {
        let (_directory, layers) = layers("[site]\nhost = 'a'\n[routes.public]\nurl = 'https://a'\n", &[]);
        assert_eq!(shown(&layers, "listen").1, "default");
    }

    #[test]
    fn variables_that_kubernetes_adds_are_passed_over() {
        let (_directory, layers) =
            layers("", &[("RAILHEAD_PORT", "tcp://10.0.0.1:5050"), ("RAILHEAD_LISTEN", "")]);
        assert_eq!(shown(&layers, "listen").1, "default");
    }
}
