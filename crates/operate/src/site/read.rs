//! Reads the operator's tables, with the line of every key. Other tables are the server's, and its reader's business.

use std::path::Path;

use railhead_client::hops::Route;
use railhead_client::{Origin, OriginError};
use railhead_doctor::Owners;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::SiteError;
use super::keys;
use super::suggest::nearest;
use super::{Cluster, DEFAULT_EVIDENCE, Forge, Site, Visibility};

/// Reads the site out of `text`, which was found at `path`.
pub(super) fn read(path: &Path, text: &str) -> Result<Site, SiteError> {
    let whole = DeTable::parse(text).map_err(|error| not_toml(path, text, &error))?;
    let mut site = Site { file: Some(path.to_owned()), ..Site::default() };
    site.evidence = beside(path, DEFAULT_EVIDENCE);
    for (name, value) in whole.get_ref() {
        let at = At { path, text, table: name.get_ref().to_string() };
        match name.get_ref().as_ref() {
            "site" => at.site(&mut site, value)?,
            "routes" => site.routes = at.routes(value)?,
            "owners" => site.owners = at.owners(value)?,
            "cluster" => site.cluster = at.cluster(value)?,
            "release" => site.release = at.release(value)?,
            "retention" => site.retention = at.retention(value)?,
            "hub" => site.hub = at.hub(value)?,
            _ => {}
        }
    }
    Ok(site)
}

pub(super) fn not_toml(path: &Path, text: &str, error: &toml::de::Error) -> SiteError {
    SiteError::Toml {
        place: place(path, text, error.span().map_or(0, |span| span.start)),
        what: error.message().to_owned(),
    }
}

/// A path in the file is relative to the file.
pub(super) fn beside(file: &Path, text: &str) -> std::path::PathBuf {
    file.parent().unwrap_or(Path::new("")).join(text)
}

fn place(path: &Path, text: &str, offset: usize) -> String {
    let line = text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
    format!("{}:{line}", path.display())
}

/// Whether a key's name says that its value is one.
fn names_a_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["token", "password", "passwd", "secret", "credential", "apikey", "api_key"]
        .iter()
        .any(|word| key.contains(word))
}

/// Whether a value is a token by its form: Railhead's, a JWT, or one of a forge behind its prefix.
fn looks_like_a_secret(value: &str) -> bool {
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    let begins = ["rh_", "eyJ", "ghp_", "glpat-", "github_pat_"];
    value.len() >= 20 && plain(value) && begins.iter().any(|begin| value.starts_with(begin))
}

/// A table of the file.
pub(super) struct At<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
    pub(super) table: String,
}

/// One key of a table and its value.
pub(super) struct Entry<'a> {
    pub(super) key: &'a str,
    pub(super) full: String,
    place: String,
    offset: usize,
    pub(super) value: &'a DeValue<'a>,
}

impl<'a> At<'a> {
    /// The keys of a table in the order of the file. `known` is what there may be; none if names are free.
    pub(super) fn entries(
        &self,
        value: &'a Spanned<DeValue<'a>>,
        known: Option<&[&str]>,
    ) -> Result<Vec<Entry<'a>>, SiteError> {
        let DeValue::Table(table) = value.get_ref() else {
            let place = place(self.path, self.text, value.span().start);
            return Err(SiteError::Value { place, key: self.table.clone(), wanted: "a table".to_owned() });
        };
        let mut entries = Vec::new();
        for (name, value) in table {
            let offset = name.span().start;
            let key: &str = name.get_ref();
            let full = format!("{}.{key}", self.table);
            let entry = Entry {
                key,
                full,
                place: place(self.path, self.text, offset),
                offset,
                value: value.get_ref(),
            };
            if let Some(known) = known
                && !known.contains(&key)
            {
                return Err(entry.unknown(&self.table, known));
            }
            entry.refuse_secret_values()?;
            entries.push(entry);
        }
        entries.sort_by_key(|entry| entry.offset);
        Ok(entries)
    }

    /// A key that the table at `offset` has to have.
    pub(super) fn missing(&self, offset: usize, name: &str, wanted: &str) -> SiteError {
        let place = place(self.path, self.text, offset);
        SiteError::Value { place, key: format!("{}.{name}", self.table), wanted: wanted.to_owned() }
    }

    fn site(&self, site: &mut Site, value: &'a Spanned<DeValue<'a>>) -> Result<(), SiteError> {
        for entry in self.entries(value, Some(&keys::names("site")))? {
            match entry.key {
                "name" => site.name = Some(entry.line()?),
                "host" => site.host = Some(entry.host()?),
                "forge" => site.forge = Some(entry.choice(&Forge::ALL, Forge::word)?),
                "visibility" => {
                    site.visibility = Some(entry.choice(&Visibility::ALL, Visibility::word)?);
                }
                "owner" => site.owner = Some(entry.line()?),
                "naming" => site.naming = Some(entry.line()?),
                "evidence" => site.evidence = beside(self.path, &entry.line()?),
                "provenance" => site.provenance = entry.list()?,
                _ => site.limits = entry.list()?,
            }
        }
        Ok(())
    }

    fn routes(&self, value: &'a Spanned<DeValue<'a>>) -> Result<Vec<Route>, SiteError> {
        let DeValue::Table(tables) = value.get_ref() else {
            return self.entries(value, None).map(|_| Vec::new());
        };
        let mut routes = Vec::new();
        for (name, value) in tables {
            let at = At { table: format!("routes.{}", name.get_ref()), ..*self };
            let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
            if name.get_ref().is_empty() || !name.get_ref().chars().all(plain) {
                let place = place(self.path, self.text, name.span().start);
                let wanted = "named by letters, digits, '-', '_' and '.'".to_owned();
                return Err(SiteError::Value { place, key: at.table, wanted });
            }
            routes.push((name.span().start, at.route(name.get_ref(), name.span().start, value)?));
        }
        routes.sort_by_key(|(offset, _)| *offset);
        Ok(routes.into_iter().map(|(_, route)| route).collect())
    }

    fn route(&self, name: &str, offset: usize, value: &'a Spanned<DeValue<'a>>) -> Result<Route, SiteError> {
        let (mut url, mut connect, mut ca) = (None, None, None);
        for entry in self.entries(value, Some(&keys::names(keys::ROUTE)))? {
            match entry.key {
                "url" => url = Some(entry.url()?),
                "connect" => connect = Some(entry.address()?),
                _ => ca = Some(beside(self.path, &entry.line()?)),
            }
        }
        let Some(url) = url else {
            return Err(self.missing(offset, "url", "there, as in url = \"https://git.example.com\""));
        };
        let mut route = Route::new(name, url);
        (route.connect, route.ca) = (connect, ca);
        Ok(route)
    }

    fn owners(&self, value: &'a Spanned<DeValue<'a>>) -> Result<Owners, SiteError> {
        let mut owners = Owners::default();
        for entry in self.entries(value, Some(&keys::names("owners")))? {
            if let Some(layer) = keys::layer(entry.key) {
                owners = owners.with(layer, entry.line()?);
            }
        }
        Ok(owners)
    }

    fn cluster(&self, value: &'a Spanned<DeValue<'a>>) -> Result<Cluster, SiteError> {
        let mut cluster = Cluster::default();
        for entry in self.entries(value, Some(&keys::names("cluster")))? {
            match entry.key {
                "context" => cluster.context = Some(entry.line()?),
                "namespace" => cluster.namespace = Some(entry.line()?),
                "nodes" => cluster.nodes = entry.list()?,
                "pull_secret" => cluster.pull_secret = Some(entry.line()?),
                "pull_secret_file" => cluster.pull_secret_file = Some(beside(self.path, &entry.line()?)),
                "sops" => cluster.sops = entry.flag()?,
                _ => cluster.sops_config = Some(beside(self.path, &entry.line()?)),
            }
        }
        Ok(cluster)
    }
}

impl Entry<'_> {
    fn unknown(&self, table: &str, known: &[&str]) -> SiteError {
        let (place, key) = (self.place.clone(), self.full.clone());
        if names_a_secret(self.key) {
            return SiteError::Secret { place, key };
        }
        let meant = nearest(self.key, known.iter().copied()).map(|meant| format!("{table}.{meant}"));
        SiteError::Unknown { place, key, meant, known: known.join(", ") }
    }

    fn refuse_secret_values(&self) -> Result<(), SiteError> {
        let is_secret = match self.value {
            DeValue::String(text) => looks_like_a_secret(text),
            DeValue::Array(items) => {
                items.iter().filter_map(|item| item.get_ref().as_str()).any(looks_like_a_secret)
            }
            _ => false,
        };
        if is_secret {
            return Err(SiteError::Secret { place: self.place.clone(), key: self.full.clone() });
        }
        Ok(())
    }

    pub(super) fn wanted(&self, wanted: impl Into<String>) -> SiteError {
        SiteError::Value { place: self.place.clone(), key: self.full.clone(), wanted: wanted.into() }
    }

    /// A text of one line, which is not empty.
    pub(super) fn line(&self) -> Result<String, SiteError> {
        match self.value {
            DeValue::String(text) if !text.trim().is_empty() && !text.contains(char::is_control) => {
                Ok(text.to_string())
            }
            _ => Err(self.wanted("a text of one line")),
        }
    }

    pub(super) fn list(&self) -> Result<Vec<String>, SiteError> {
        let wanted = || self.wanted("a list of texts, as in [\"one\", \"two\"]");
        let DeValue::Array(items) = self.value else { return Err(wanted()) };
        items.iter().map(|item| item.get_ref().as_str().map(str::to_owned).ok_or_else(wanted)).collect()
    }

    pub(super) fn flag(&self) -> Result<bool, SiteError> {
        match self.value {
            DeValue::Boolean(value) => Ok(*value),
            _ => Err(self.wanted("true or false")),
        }
    }

    pub(super) fn choice<T: Copy>(
        &self,
        all: &[T],
        word: impl Fn(T) -> &'static str,
    ) -> Result<T, SiteError> {
        let text = self.line()?;
        all.iter().copied().find(|one| word(*one) == text).ok_or_else(|| {
            let words: Vec<_> = all.iter().map(|one| word(*one)).collect();
            self.wanted(format!("one of {}", words.join(", ")))
        })
    }

    /// `HOST[:PORT]` as it stands before an image's name.
    fn host(&self) -> Result<String, SiteError> {
        let text = self.line()?;
        match format!("https://{text}").parse::<Origin>() {
            Ok(origin) if origin.base().is_empty() && !text.ends_with('/') => Ok(text.to_ascii_lowercase()),
            _ => Err(self.wanted("a host alone, as in git.example.com or git.example.com:8443")),
        }
    }

    pub(super) fn url(&self) -> Result<Origin, SiteError> {
        let origin: Result<Origin, OriginError> = self.line()?.parse();
        let origin = origin.map_err(|source| SiteError::Url {
            place: self.place.clone(),
            key: self.full.clone(),
            source,
        })?;
        if origin.base().is_empty() {
            return Ok(origin);
        }
        Err(self.wanted("a URL without a path, for /v2/ is at the root of a registry's host"))
    }

    fn address(&self) -> Result<String, SiteError> {
        let text = self.line()?;
        let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
        match port.and_then(|(_, port)| port.parse::<u16>().ok()) {
            Some(_) => Ok(text),
            None => Err(self.wanted("ADDRESS:PORT, as in 10.0.0.7:3000")),
        }
    }
}
