//! A pull secret as it stands in a file: reading it, making one, changing a login in it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use railhead_client::Credentials;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};

use super::keyring;
use crate::yaml::{self, YamlError};

const KIND: &str = "kubernetes.io/dockerconfigjson";
const KEY: &str = ".dockerconfigjson";
/// The form before there was `auths`.
const OLD_KIND: &str = "kubernetes.io/dockercfg";
const OLD_KEY: &str = ".dockercfg";
/// Keys that people look for first.
const ORDER: [&str; 5] = ["apiVersion", "kind", "metadata", "type", "data"];
/// What a cluster adds, and what says nothing, or an old token, when it is sent back.
const OF_THE_CLUSTER: [&str; 6] =
    ["creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"];
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Why a text is no pull secret that can be used. Nothing of the text is repeated.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is not YAML.
    #[error("the manifest cannot be read")]
    Yaml(#[from] YamlError),
    /// No document is a pull secret.
    #[error("there is no Secret of the type {KIND} in it")]
    None,
    /// No pull secret has this name.
    #[error("there is no pull secret named '{wanted}' in it; there is {}", found.join(", "))]
    NoName {
        /// The name.
        wanted: String,
        /// The names that there are.
        found: Vec<String>,
    },
    /// Several are there, and nobody said which.
    #[error("there are several pull secrets in it: {}", .0.join(", "))]
    Several(Vec<String>),
    /// `sops` encrypted it.
    #[error("the manifest is encrypted by sops")]
    Encrypted,
    /// The data is missing.
    #[error("the Secret '{secret}' has no {key}")]
    NoData {
        /// The Secret.
        secret: String,
        /// The key.
        key: &'static str,
    },
    /// The data cannot be used, and a kubelet refuses the whole Secret.
    #[error("the {key} of the Secret '{secret}' cannot be used: {why}")]
    Data {
        /// The Secret.
        secret: String,
        /// The key.
        key: &'static str,
        /// Why.
        why: String,
    },
    /// A name that Kubernetes does not take.
    #[error("'{text}' cannot be {what}: it may have lower-case letters, digits, '-'{} and up to {max} of them", if *.dots { ", '.'" } else { "" })]
    Name {
        /// What it is to name.
        what: &'static str,
        /// The name.
        text: String,
        /// Whether dots are allowed.
        dots: bool,
        /// How long it may be.
        max: usize,
    },
    /// No entry is for the host.
    #[error("the Secret '{secret}' has no login for {host}; it has {}", if .found.is_empty() { "none".to_owned() } else { .found.join(", ") })]
    NoEntry {
        /// The Secret.
        secret: String,
        /// The host.
        host: String,
        /// The servers that it has.
        found: Vec<String>,
    },
    /// Several accounts are kept for the host, and nobody said which.
    #[error("the Secret '{secret}' has several accounts for {host}: {}", users.join(", "))]
    Users {
        /// The Secret.
        secret: String,
        /// The host.
        host: String,
        /// The accounts.
        users: Vec<String>,
    },
}

/// One login of a pull secret.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its server, as it is written.
    pub server: String,
    /// The account; none where a kubelet finds no user and no password.
    pub login: Option<Credentials>,
}

/// What [`Manifest::rotate`] changed.
#[derive(Clone, Debug)]
pub struct Rotated {
    /// The servers whose login is new.
    pub servers: Vec<String>,
    /// The login that they had.
    pub before: Option<Credentials>,
}

/// A file with a pull secret.
#[derive(Clone)]
pub struct Manifest {
    /// The file; none if it was made here.
    text: Option<SecretString>,
    /// Its documents.
    documents: Vec<Value>,
    /// Which of them is the pull secret.
    at: usize,
}

impl std::fmt::Debug for Manifest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Manifest").field("name", &self.name()).finish_non_exhaustive()
    }
}

impl Manifest {
    /// A new one with one login.
    pub fn new(
        name: &str,
        namespace: Option<&str>,
        host: &str,
        login: &Credentials,
    ) -> Result<Self, ManifestError> {
        subdomain("the name of a Secret", name)?;
        let mut metadata = json!({ "name": name });
        if let Some(namespace) = namespace {
            label("a namespace", namespace)?;
            metadata["namespace"] = namespace.into();
        }
        let document = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": KIND });
        let mut manifest = Self { text: None, documents: vec![document], at: 0 };
        let mut entry = json!({});
        put(&mut entry, login);
        manifest.keep(&Map::from_iter([(host.to_owned(), entry)]));
        Ok(manifest)
    }

    /// Reads a file, and in it the pull secret `wanted`, or the only one.
    pub fn read(text: &str, wanted: Option<&str>) -> Result<Self, ManifestError> {
        let documents = flat(yaml::read(text)?);
        let is_one = |document: &Value| {
            document["kind"] == "Secret" && matches!(document["type"].as_str(), Some(KIND | OLD_KIND))
        };
        let found: Vec<usize> = (0..documents.len()).filter(|at| is_one(&documents[*at])).collect();
        let name = |at: &usize| name_of(&documents[*at]).to_owned();
        let at = match (found.as_slice(), wanted) {
            _ if is_encrypted(&documents) => return Err(ManifestError::Encrypted),
            ([], _) => return Err(ManifestError::None),
            (found, Some(wanted)) => {
                let missing = || ManifestError::NoName {
                    wanted: wanted.to_owned(),
                    found: found.iter().map(name).collect(),
                };
                *found.iter().find(|at| name(at) == wanted).ok_or_else(missing)?
            }
            ([only], None) => *only,
            (several, None) => return Err(ManifestError::Several(several.iter().map(name).collect())),
        };
        Ok(Self { text: Some(text.to_owned().into()), documents, at })
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        name_of(self.secret())
    }

    /// Where it belongs, if it says so.
    pub fn namespace(&self) -> Option<&str> {
        yaml::at(self.secret(), &["metadata", "namespace"]).as_str()
    }

    /// Its type.
    pub fn kind(&self) -> &str {
        if self.is_old() { OLD_KIND } else { KIND }
    }

    /// Whether the cluster refuses every change of it.
    pub fn is_immutable(&self) -> bool {
        self.secret()["immutable"] == true
    }

    /// How many documents the file has.
    pub fn documents(&self) -> usize {
        self.documents.len()
    }

    /// The keys to the data in the document, and the data, as `sops set` wants both.
    pub fn data(&self) -> ([&'static str; 2], String) {
        let place = self.place();
        (place, yaml::at(self.secret(), &place).as_str().unwrap_or_default().to_owned())
    }

    /// The logins, in the order of their servers.
    pub fn entries(&self) -> Result<Vec<Entry>, ManifestError> {
        let auths = self.auths()?;
        auths
            .iter()
            .map(|(server, entry)| {
                let login =
                    login(entry).map_err(|why| self.wrong(format!("the entry of '{server}' {why}")))?;
                Ok(Entry { server: server.clone(), login })
            })
            .collect()
    }

    /// Gives `host` a new login: in every entry of it that has the account `user`, or the only account that there is.
    pub fn rotate(
        &mut self,
        host: &str,
        user: Option<&str>,
        secret: &SecretString,
    ) -> Result<(Rotated, Credentials), ManifestError> {
        let entries = self.entries()?;
        let here = |entry: &&Entry| keyring::host(&keyring::key(&entry.server)) == host;
        let own: Vec<&Entry> = entries.iter().filter(here).collect();
        let name = |entry: &&Entry| entry.login.as_ref().map_or(String::new(), |login| login.user.clone());
        let mut users: Vec<String> = own.iter().map(name).collect();
        users.dedup();
        let (secret_name, host_name) = (self.name().to_owned(), host.to_owned());
        let chosen = match (users.as_slice(), user) {
            ([], _) => {
                let found = entries.iter().map(|entry| entry.server.clone()).collect();
                return Err(ManifestError::NoEntry { secret: secret_name, host: host_name, found });
            }
            ([only], _) => only.clone(),
            (several, Some(user)) if several.iter().any(|one| one == user) => user.to_owned(),
            _ => return Err(ManifestError::Users { secret: secret_name, host: host_name, users }),
        };
        let changed: Vec<&Entry> = own.into_iter().filter(|entry| name(entry) == chosen).collect();
        let login = Credentials { user: user.unwrap_or(&chosen).to_owned(), secret: secret.clone() };
        let rotated = Rotated {
            servers: changed.iter().map(|entry| entry.server.clone()).collect(),
            before: changed.first().and_then(|entry| entry.login.clone()),
        };
        let mut auths = self.auths()?;
        for server in &rotated.servers {
            if let Some(entry) = auths.get_mut(server) {
                put(entry, &login);
            }
        }
        self.keep(&auths);
        self.forget_the_cluster();
        Ok((rotated, login))
    }

    /// The file: as it was, with its comments, where only the data has changed; else written anew. Whether it is as it was.
    pub fn text(&self) -> (String, bool) {
        if let Some(text) = self.text.as_ref().and_then(|text| self.in_place(text.expose_secret())) {
            return (text, true);
        }
        let documents: Vec<String> =
            self.documents.iter().map(|document| yaml::write(document, &ORDER)).collect();
        (documents.join("---\n"), false)
    }

    /// The Secret alone.
    pub fn secret(&self) -> &Value {
        &self.documents[self.at]
    }

    /// The old text with the new data in the old one's place, if that means the same as the documents.
    fn in_place(&self, text: &str) -> Option<String> {
        let before = flat(yaml::read(text).ok()?);
        let old = yaml::at(before.get(self.at)?, &self.place()).as_str()?;
        let (_, new) = self.data();
        // A text in quotes, or over several lines, is not there letter by letter.
        if old.is_empty() || text.matches(old).count() != 1 {
            return None;
        }
        let written = text.replace(old, &new);
        (flat(yaml::read(&written).ok()?) == self.documents).then_some(written)
    }

    fn is_old(&self) -> bool {
        self.secret()["type"] == OLD_KIND
    }

    /// Where the data is: `stringData` is laid over `data`.
    fn place(&self) -> [&'static str; 2] {
        let key = if self.is_old() { OLD_KEY } else { KEY };
        let table = if self.secret()["stringData"][key].is_string() { "stringData" } else { "data" };
        [table, key]
    }

    fn wrong(&self, why: impl Into<String>) -> ManifestError {
        ManifestError::Data { secret: self.name().to_owned(), key: self.place()[1], why: why.into() }
    }

    /// The map from server to login.
    fn auths(&self) -> Result<Map<String, Value>, ManifestError> {
        let [table, key] = self.place();
        let Some(text) = self.secret()[table][key].as_str() else {
            return Err(ManifestError::NoData { secret: self.name().to_owned(), key });
        };
        let json = if table == "stringData" {
            text.as_bytes().to_vec()
        } else {
            let text: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
            STANDARD.decode(text).map_err(|_| self.wrong("it is not base64"))?
        };
        // What serde says of a value may repeat it.
        let root: Value = serde_json::from_slice(&json).map_err(|_| self.wrong("it is not JSON"))?;
        let auths = if self.is_old() { Some(root) } else { root.get("auths").cloned() };
        match auths {
            Some(Value::Object(auths)) => Ok(auths),
            _ => Err(self.wrong("it has no auths")),
        }
    }

    /// Puts the logins in.
    fn keep(&mut self, auths: &Map<String, Value>) {
        let [table, key] = self.place();
        let json = if self.is_old() { json!(auths) } else { self.root_with(auths) }.to_string();
        let text = if table == "data" { STANDARD.encode(json) } else { json };
        if let Some(map) = yaml::map_at(&mut self.documents[self.at], table) {
            map.insert(key.to_owned(), text.into());
        }
    }

    /// What else stands beside `auths` stays.
    fn root_with(&self, auths: &Map<String, Value>) -> Value {
        let [table, key] = self.place();
        let text = self.secret()[table][key].as_str().unwrap_or_default();
        let json = if table == "data" { STANDARD.decode(text).unwrap_or_default() } else { text.into() };
        let mut root = serde_json::from_slice::<Value>(&json).unwrap_or_else(|_| json!({}));
        root["auths"] = json!(auths);
        root
    }

    /// A cluster keeps the whole old Secret in an annotation, with its token.
    fn forget_the_cluster(&mut self) {
        let Some(metadata) = yaml::map_at(&mut self.documents[self.at], "metadata") else { return };
        metadata.retain(|key, _| !OF_THE_CLUSTER.contains(&key.as_str()));
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(LAST_APPLIED);
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
}

/// The documents, with those of a `List` beside the others.
fn flat(documents: Vec<Value>) -> Vec<Value> {
    let mut all = Vec::new();
    for mut document in documents {
        match document["items"].take() {
            Value::Array(items) if document["kind"] == "List" => all.extend(items),
            items => {
                if !items.is_null() {
                    document["items"] = items;
                } else if let Some(map) = document.as_object_mut() {
                    map.remove("items");
                }
                all.push(document);
            }
        }
    }
    all
}

fn is_encrypted(documents: &[Value]) -> bool {
    documents.iter().any(|document| document["sops"]["mac"].is_string())
}

fn name_of(document: &Value) -> &str {
    yaml::at(document, &["metadata", "name"]).as_str().unwrap_or("without a name")
}

/// The account of an entry, as a kubelet reads it: `auth` counts more than the two fields.
fn login(entry: &Value) -> Result<Option<Credentials>, String> {
    let text = |name: &str| entry[name].as_str().unwrap_or_default();
    let (user, secret) = match text("auth").trim() {
        "" => (text("username").to_owned(), text("password").to_owned()),
        auth => {
            let padded = auth.ends_with('=');
            let decoded = if padded { STANDARD.decode(auth) } else { STANDARD_NO_PAD.decode(auth) };
            let decoded = decoded.ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let pair = decoded.as_deref().and_then(|text| text.split_once(':'));
            let (user, secret) = pair.ok_or("has an auth that is not the base64 of USER:TOKEN")?;
            (user.to_owned(), secret.to_owned())
        }
    };
    let is_empty = user.is_empty() && secret.is_empty();
    Ok((!is_empty).then(|| Credentials { user, secret: secret.into() }))
}

/// Writes a login as `kubectl create secret docker-registry` does, and takes out what is of another one.
fn put(entry: &mut Value, login: &Credentials) {
    if !entry.is_object() {
        *entry = json!({});
    }
    let secret = login.secret.expose_secret();
    entry["username"] = login.user.as_str().into();
    entry["password"] = secret.into();
    entry["auth"] = STANDARD.encode(format!("{}:{secret}", login.user)).into();
    if let Some(entry) = entry.as_object_mut() {
        entry.remove("identitytoken");
        entry.remove("registrytoken");
    }
}

/// A name as of a host: labels, joined by dots.
fn subdomain(what: &'static str, text: &str) -> Result<(), ManifestError> {
    named(what, text, 253, true)
}

/// One label.
fn label(what: &'static str, text: &str) -> Result<(), ManifestError> {
    named(what, text, 63, false)
}

fn named(what: &'static str, text: &str, max: usize, dots: bool) -> Result<(), ManifestError> {
    let end = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let part = |part: &str| {
        part.starts_with(end)
            && part.ends_with(end)
            && part.chars().all(|letter| end(letter) || letter == '-')
    };
    let is_fine = text.len() <= max && if dots { text.split('.').all(part) } else { part(text) };
    if is_fine { Ok(()) } else { Err(ManifestError::Name { what, text: text.to_owned(), dots, max }) }
}

#[cfg(test)]
mod tests;
