//! The data directory and what is opened on it: catalog, store, access, registry.
//!
//! Invariant: who opens a catalog in a data directory holds its lock, so that no two processes do.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use railhead_access::{Access, TagRules, TokenScope};
use railhead_blobs::{FileStore, S3Config, S3Store, Store};
use railhead_catalog::{Catalog, Limit, Location};
use railhead_registry::Registry;
use railhead_workload::Workloads;
use rustix::fs::{FlockOperation, flock};
use secrecy::ExposeSecret as _;

use crate::config::{Config, Database};
use crate::failure::{Exit, Failure, Result};

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("the data directory {} is in use by {}", path.display(), holder(*pid))]
    Taken {
        /// The directory.
        path: PathBuf,
        /// Who has it, when that can be read.
        pid: Option<u32>,
    },
    /// The system refused.
    #[error("cannot {act} {}", path.display())]
    Io {
        /// The act.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

/// A data directory that this process has to itself.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    /// Unlocked when it is closed, also when the process is killed.
    _lock: File,
}

impl DataDirectory {
    /// Makes the directory when it is missing, for its owner alone, and locks it.
    pub fn create(path: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError::Io { act: "make the data directory", path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        Self::lock(path)
    }

    /// Locks a directory that is there.
    pub fn lock(path: &Path) -> Result<Self, LockError> {
        let file = path.join("lock");
        let failed = |act| {
            let path = file.clone();
            move |source| LockError::Io { act, path, source }
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut lock = options.open(&file).map_err(failed("open"))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(error) if error == rustix::io::Errno::WOULDBLOCK => {
                let mut text = String::new();
                // Without its number the message is less helpful, and still right.
                let pid = lock.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(LockError::Taken { path: path.to_owned(), pid });
            }
            Err(error) => return Err(failed("lock")(error.into())),
        }
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .map_err(failed("write"))?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether other users of the machine can look into it.
    pub fn is_open_to_others(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
    }
}

/// What a registry works on.
pub struct Site {
    /// Who may what.
    pub access: Access,
    /// What there is.
    pub registry: Registry,
}

impl Site {
    /// Opens everything that the configuration names. The caller holds the data directory.
    pub async fn open(config: &Config) -> Result<Self> {
        Self::open_for(config, None).await
    }

    /// The same, where also the tokens of these workloads count.
    pub async fn open_for(config: &Config, workloads: Option<Workloads<TokenScope>>) -> Result<Self> {
        let failed = |what: &str, error: &(dyn std::error::Error + 'static)| {
            Failure::new(Exit::Failed, format!("cannot open {what}")).because(error)
        };
        let catalog = Catalog::open(location(config)).await.map_err(|error| failed("the catalog", &error))?;
        if let Some(what) = catalog.restoring().await.map_err(|error| failed("the catalog", &error))? {
            let message = format!("the restore of {what} was stopped before its end");
            return Err(Failure::new(Exit::Conflict, message)
                .hint("give the same `railhead restore` again: it goes on where it was"));
        }
        let store = open_store(config)?;
        refuse_lost_catalog(&catalog, &store).await?;
        let registry = Registry::new(catalog.clone(), store, registry_settings(config)?);
        let access = Access::open(catalog, access_settings(config, &registry, workloads)?)
            .await
            .map_err(|error| failed("the accounts", &error))?;
        Ok(Self { access, registry })
    }

    /// Writes what is not written yet, and closes the catalog.
    pub async fn close(&self) -> Result<()> {
        let failed = |error: &(dyn std::error::Error + 'static)| {
            Failure::new(Exit::Failed, "cannot close the catalog").because(error)
        };
        self.access.flush().await.map_err(|error| failed(&error))?;
        self.registry.catalog().close().await.map_err(|error| failed(&error))
    }
}

/// To the sweep after a kill every object would be one that nobody knows, so a store is not opened with a catalog that has
/// lost it.
async fn refuse_lost_catalog(catalog: &Catalog, store: &Store) -> Result<()> {
    let owners = catalog.owners(None, 1).await;
    if !owners.map_err(|error| Failure::of(Exit::Failed, &error))?.is_empty() {
        return Ok(());
    }
    let objects = store.list(None, 1).await.map_err(|error| Failure::of(Exit::Failed, &error))?;
    let Some(object) = objects.first() else { return Ok(()) };
    let message = format!(
        "the catalog is empty, and the store has objects, as {}: the catalog is lost, or the store is another registry's",
        object.key
    );
    Err(Failure::new(Exit::Conflict, message).hint(
        "`railhead restore FROM --catalog-only` makes a catalog for them from a backup; to begin anew, name an empty store",
    ))
}

/// Where the catalog is.
pub fn location(config: &Config) -> Location {
    match &config.database {
        Database::Sqlite => Location::Sqlite(config.data.join("catalog.sqlite")),
        Database::Postgres(url) => Location::Postgres(url.clone()),
    }
}

/// Opens the store that the configuration names.
pub fn open_store(config: &Config) -> Result<Store> {
    let failed = |place: &str, error: &(dyn std::error::Error + 'static)| {
        Failure::new(Exit::Failed, format!("cannot open the store in {place}")).because(error)
    };
    let Some(s3) = &config.s3 else {
        let files =
            FileStore::open(&config.data).map_err(|error| failed(&config.data.to_string_lossy(), &error))?;
        return Ok(Store::Files(files));
    };
    let bucket = S3Store::new(&S3Config {
        endpoint: s3.endpoint.clone(),
        bucket: s3.bucket.clone(),
        region: s3.region.clone(),
        prefix: s3.prefix.clone().unwrap_or_default(),
        access_key: s3.access_key.expose_secret().to_owned(),
        secret_key: s3.secret_key.clone(),
        allow_http: s3.allow_http,
    });
    bucket.map(Store::S3).map_err(|error| failed(&format!("bucket {} at {}", s3.bucket, s3.endpoint), &error))
}

/// A limit of the configuration; negative is none.
pub fn limit(bytes: i64) -> Limit {
    u64::try_from(bytes).map_or(Limit::None, Limit::Bytes)
}

fn access_settings(
    config: &Config,
    registry: &Registry,
    workloads: Option<Workloads<TokenScope>>,
) -> Result<railhead_access::Settings> {
    let registry = registry.clone();
    Ok(railhead_access::Settings {
        forge: crate::forge::open(config)?,
        former_names: config.forge.as_ref().map_or(Duration::ZERO, |forge| forge.former_names),
        webhook: config.forge.as_ref().and_then(|forge| forge.webhook.clone()),
        workloads,
        renamed: railhead_access::Renamed::call(move || registry.forget_names()),
        bearer_life: config.token_lifetime,
        limits: railhead_access::Limits { quota: limit(config.quota), layer: limit(config.layer_limit) },
        ..Default::default()
    })
}

fn registry_settings(config: &Config) -> Result<railhead_registry::Settings> {
    let patterns = config.immutable_tags.iter().map(|text| {
        text.parse().map_err(|error| {
            Failure::new(Exit::Usage, format!("tags.immutable: '{text}' is not a pattern")).because(&error)
        })
    });
    let rules = TagRules::new(patterns.collect::<Result<_>>()?);
    Ok(railhead_registry::Settings {
        quota: limit(config.quota),
        layer_limit: limit(config.layer_limit),
        manifest_max: config.manifest_max as usize,
        sparse: config.sparse,
        verify_reads: config.verify_reads,
        lease: config.lease,
        grace: config.grace,
        follows_forge: config.forge.is_some(),
        frozen: Arc::new(move |_, tag| rules.protects(tag)),
        ..Default::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_is_private_and_has_one_holder() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let held = DataDirectory::create(&path).unwrap();
        assert!(!held.is_open_to_others());
        let error = DataDirectory::create(&path).unwrap_err();
        assert!(
            matches!(error, LockError::Taken { pid: Some(pid), .. } if pid == std::process::id()),
            "{error}"
        );
        drop(held);
        DataDirectory::lock(&path).unwrap();
    }
}
