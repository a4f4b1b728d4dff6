//! Helm's records of releases, read without Helm: base64 of gzip of JSON in Secrets, one a revision.
//!
//! Invariant: values are masked before anything else looks at them. A key that may name a secret hides all below it, and a text
//! that may be one hides itself.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::look::{list, text};
use crate::yaml::{self, YamlError};

/// The most that a record may unpack to: a chart with all of its files, rendered.
const LARGEST: u64 = 64 << 20;
/// What stands for a value that is not shown.
pub const MASK: &str = "***";
/// What stands for a value that SOPS has encrypted.
pub const SEALED: &str = "(encrypted)";

/// What a record says, with masked values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// The release.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The revision.
    pub revision: u64,
    /// `deployed`, `superseded`, `failed`, `pending-upgrade`, ….
    pub status: String,
    /// What Helm says about it.
    pub description: String,
    /// When it was last changed.
    pub updated: String,
    /// The chart.
    pub chart: String,
    /// Its version.
    pub chart_version: String,
    /// The version of what it installs.
    pub app_version: String,
    /// The values that its user gave.
    pub given: Value,
    /// The chart's own values under those.
    pub effective: Value,
}

impl Record {
    /// Reads a record out of the Secret or ConfigMap that keeps it; none if it is no record, or is damaged.
    pub fn read(object: &Value) -> Option<Self> {
        let kept = text(object, "/data/release");
        // A Secret's data is encoded once more.
        let encoded =
            if object["kind"] == "Secret" { STANDARD.decode(kept).ok()? } else { kept.as_bytes().to_vec() };
        let packed = STANDARD.decode(encoded.trim_ascii()).ok()?;
        let plain = if packed.starts_with(&[0x1f, 0x8b]) { unpack(&packed)? } else { packed };
        let release: Value = serde_json::from_slice(&plain).ok()?;
        let chart = "/chart/metadata";
        let given = release.get("config").cloned().unwrap_or_default();
        let mut effective = release.pointer("/chart/values").cloned().unwrap_or_default();
        overlay(&mut effective, &given);
        Some(Self {
            name: text(&release, "/name").to_owned(),
            namespace: text(&release, "/namespace").to_owned(),
            revision: release["version"].as_u64()?,
            status: text(&release, "/info/status").to_owned(),
            description: text(&release, "/info/description").to_owned(),
            updated: text(&release, "/info/last_deployed").to_owned(),
            chart: text(&release, &format!("{chart}/name")).to_owned(),
            chart_version: text(&release, &format!("{chart}/version")).to_owned(),
            app_version: text(&release, &format!("{chart}/appVersion")).to_owned(),
            given: masked(given),
            effective: masked(effective),
        })
    }

    /// Whether it installs a forge.
    pub fn is_forge(&self) -> bool {
        ["gitea", "forgejo"].contains(&self.chart.as_str())
    }
}

fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(packed).take(LARGEST).read_to_end(&mut plain).ok()?;
    Some(plain)
}

/// Lays values over others, as Helm does: maps are merged, and null takes away.
pub fn overlay(below: &mut Value, above: &Value) {
    let (Value::Object(under), Value::Object(over)) = (&mut *below, above) else {
        if !above.is_null() {
            *below = above.clone();
        }
        return;
    };
    for (key, value) in over {
        if value.is_null() {
            under.remove(key);
        } else {
            overlay(under.entry(key).or_insert(Value::Null), value);
        }
    }
}

/// Values with everything hidden that may be a secret.
pub fn masked(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let hide = |(key, value): (String, Value)| {
                let value = if names_a_secret(&key) { hidden(value) } else { masked(value) };
                (key, value)
            };
            Value::Object(fields.into_iter().map(hide).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(masked).collect()),
        Value::String(text) if is_a_secret(&text) => MASK.into(),
        other => other,
    }
}

/// Everything in it is hidden; what is empty, a switch, or the name of a Secret's key stays.
fn hidden(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(key, value)| (key, hidden(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(hidden).collect()),
        Value::String(text) if text.is_empty() => Value::String(text),
        Value::Bool(_) | Value::Null => value,
        _ => MASK.into(),
    }
}

fn names_a_secret(key: &str) -> bool {
    let key: String = key.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    let words = [
        "password",
        "passwd",
        "secret",
        "token",
        "privatekey",
        "apikey",
        "accesskey",
        "credential",
        "passphrase",
        "connstr",
        "dsn",
    ];
    // The name of a Secret is none.
    let names = [
        "existingsecret",
        "secretname",
        "imagepullsecrets",
        "passwordmode",
        "secretkeyref",
        "existingsecretname",
    ];
    words.iter().any(|word| key.contains(word)) && !names.contains(&key.as_str())
}

/// A text that is a secret by its form: a key, a token, a login in an address.
fn is_a_secret(text: &str) -> bool {
    let login = text.split_once("://").is_some_and(|(_, rest)| {
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        authority.split_once('@').is_some_and(|(login, _)| login.contains(':'))
    });
    let begins = ["eyJ", "rh_", "ghp_", "glpat-", "AGE-SECRET-KEY-", "AKIA"];
    let assigned = text.lines().any(|line| {
        line.split_once(['=', ':'])
            .is_some_and(|(key, value)| names_a_secret(key.trim()) && !value.trim().is_empty())
    });
    login
        || assigned
        || text.contains("PRIVATE KEY-----")
        || begins.iter().any(|begin| text.starts_with(begin))
}

/// A values file, as somebody gave it to Helm.
#[derive(Clone, Debug, PartialEq)]
pub struct ValuesFile {
    /// Its path, as it was given.
    pub name: String,
    /// Its values, masked; what SOPS has encrypted is [`SEALED`].
    pub values: Value,
    /// Whether SOPS has encrypted it.
    pub sealed: bool,
}

/// Why a values file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ValuesError {
    /// The system refused.
    #[error("cannot read the values file {path}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is not YAML.
    #[error("the values file {path} cannot be read")]
    Yaml {
        /// The file.
        path: String,
        /// Where.
        source: YamlError,
    },
    /// It is YAML, and no map.
    #[error("the values file {path} is no map of values")]
    Form {
        /// The file.
        path: String,
    },
}

impl ValuesFile {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, ValuesError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| ValuesError::Read { path: name.clone(), source })?;
        Self::parse(name, &text)
    }

    /// Reads a text.
    pub fn parse(name: String, text: &str) -> Result<Self, ValuesError> {
        let documents =
            yaml::read(text).map_err(|source| ValuesError::Yaml { path: name.clone(), source })?;
        let mut values = documents.into_iter().next().unwrap_or_else(|| Value::Object(Map::new()));
        let Some(fields) = values.as_object_mut() else { return Err(ValuesError::Form { path: name }) };
        let sealed = fields.remove("sops").is_some();
        Ok(Self { name, values: masked(unsealed(values)), sealed })
    }
}

/// SOPS writes `ENC[…]` for each value.
fn unsealed(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(key, value)| (key, unsealed(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(unsealed).collect()),
        Value::String(text) if text.starts_with("ENC[") => SEALED.into(),
        other => other,
    }
}

/// Every leaf with its path, as `gitea.config.server.ROOT_URL`.
pub fn leaves(value: &Value) -> BTreeMap<String, Value> {
    fn walk(value: &Value, path: &str, into: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                for (key, value) in fields {
                    let key = if key.contains('.') { format!("\"{key}\"") } else { key.clone() };
                    let below = if path.is_empty() { key } else { format!("{path}.{key}") };
                    walk(value, &below, into);
                }
            }
            other => {
                into.insert(path.to_owned(), other.clone());
            }
        }
    }
    let mut all = BTreeMap::new();
    if !list(value, "").is_empty() || value.as_object().is_some_and(|fields| !fields.is_empty()) {
        walk(value, "", &mut all);
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_laid_over_each_other_and_secrets_hidden() {
        let mut values = json!({"a": {"b": 1, "c": 2}, "d": [1]});
        overlay(&mut values, &json!({"a": {"c": null, "e": 3}, "d": [2]}));
        assert_eq!(values, json!({"a": {"b": 1, "e": 3}, "d": [2]}));
        let shown = masked(json!({
            "admin": {"username": "alice", "password": "geheim", "existingSecret": "gitea-admin", "passwordMode": "keepUpdated"},
            "config": {"database": {"DB_TYPE": "postgres", "PASSWD": "geheim"}, "cache": {"HOST": "redis://u:geheim@h/0", "CONN_STR": ""}},
            "tokens": {"a": ["geheim"], "on": true}, "extra": "eyJgeheim", "raw": "x: 1\nsecret_key = geheim"
        }));
        assert!(!shown.to_string().contains("geheim"), "{shown}");
        assert_eq!(shown["admin"]["username"], "alice");
        assert_eq!(shown["admin"]["existingSecret"], "gitea-admin");
        assert_eq!(shown["config"]["cache"]["CONN_STR"], "");
        assert_eq!(shown["tokens"]["on"], true);
    }

    #[test]
    fn a_file_of_sops_shows_its_keys() {
        let text = "gitea:\n  config:\n    server:\n      ROOT_URL: ENC[AES256_GCM,data:x,type:str]\n    database:\n      PASSWD: ENC[x]\nsops:\n  mac: x\n";
        let file = ValuesFile::parse("v.sops.yaml".into(), text).unwrap();
        assert!(file.sealed);
        let leaves = leaves(&file.values);
        assert_eq!(leaves["gitea.config.server.ROOT_URL"], SEALED);
        assert!(!leaves.contains_key("sops.mac"));
        let error = ValuesFile::parse("v.yaml".into(), "a: [1").unwrap_err();
        assert_eq!(error.to_string(), "the values file v.yaml cannot be read");
        assert!(matches!(ValuesFile::parse("v.yaml".into(), "- 1"), Err(ValuesError::Form { .. })));
    }

    #[test]
    fn a_record_is_read_as_helm_writes_it() {
        let release = json!({"name": "gitea", "namespace": "default", "version": 3, "info": {"status": "deployed", "last_deployed": "2026-05-15T08:00:00Z"},
            "chart": {"metadata": {"name": "gitea", "version": "12.5.0", "appVersion": "1.25.4"}, "values": {"replicaCount": 1}},
            "config": {"gitea": {"admin": {"password": "geheim"}}}});
        let mut packed = Vec::new();
        let mut gzip = flate2::write::GzEncoder::new(&mut packed, flate2::Compression::default());
        std::io::Write::write_all(&mut gzip, release.to_string().as_bytes()).unwrap();
        gzip.finish().unwrap();
        let once = STANDARD.encode(&packed);
        let secret = json!({"kind": "Secret", "data": {"release": STANDARD.encode(&once)}});
        let record = Record::read(&secret).unwrap();
        assert_eq!((record.revision, record.chart_version.as_str(), record.is_forge()), (3, "12.5.0", true));
        assert_eq!(record.effective, json!({"replicaCount": 1, "gitea": {"admin": {"password": "***"}}}));
        assert_eq!(Record::read(&json!({"kind": "ConfigMap", "data": {"release": once}})).unwrap(), record);
        for damaged in ["", "%%%", "aGFsbG8="] {
            assert_eq!(Record::read(&json!({"kind": "Secret", "data": {"release": damaged}})), None);
        }
    }
}
