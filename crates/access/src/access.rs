//! The door of the crate: [`Access`], and what its parts share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use railhead_catalog::{Catalog, Timestamp};
use railhead_forge::Forge;

use crate::audit::Audit;
use crate::bearer::Key;
use crate::former_names::FormerNames;
use crate::generation::Generation;
use crate::password::Passwords;
use crate::remember::Remembered;
use crate::seal::Seal;
use crate::settings::millis;
use crate::throttle::Throttle;
use crate::uses::Uses;
use crate::webhook::Webhook;
use crate::{Error, Identity, Limits, Principal, Result, Settings};

/// Entries of the audit that wait in memory at most.
const AUDIT_WAITING: usize = 20_000;
/// Where the catalog keeps the key of bearer tokens.
const KEY_SETTING: &str = "access.bearer-key";

/// Who is asking and what they may do. Cloning shares it.
#[derive(Clone)]
pub struct Access(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub catalog: Catalog,
    pub settings: Settings,
    pub key: Key,
    pub seal: Seal,
    pub webhook: Webhook,
    pub passwords: Passwords,
    pub throttle: Throttle,
    pub generation: Generation,
    pub former_names: FormerNames,
    pub remembered: Remembered,
    pub uses: Uses,
    pub audit: Audit,
    pub anonymous: Arc<Identity>,
    serial: AtomicU64,
}

impl Access {
    /// Reads, or on a new catalog makes, the key of bearer tokens.
    pub async fn open(catalog: Catalog, settings: Settings) -> Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(Error::Random)?;
        let key = catalog.setting_or_insert(KEY_SETTING, key.to_vec()).await?;
        let key: [u8; 32] = key
            .try_into()
            .map_err(|_| Error::Corrupt(format!("setting '{KEY_SETTING}' is not a key of 32 bytes")))?;
        let poll_every = (!catalog.is_exclusive()).then(|| millis(settings.remember));
        let anonymous = Identity::of(0, Principal::Anonymous, 0);
        Ok(Self(Arc::new(Shared {
            key: Key::new(&key),
            seal: Seal::new(&key)?,
            webhook: Webhook::new(settings.webhook.clone()),
            passwords: Passwords::new(settings.password_cost).await?,
            throttle: Throttle::new(settings.throttle),
            generation: Generation::new(poll_every, settings.forge.clone()),
            former_names: FormerNames::default(),
            remembered: Remembered::new(),
            uses: Uses::default(),
            audit: Audit::new(catalog.clone(), AUDIT_WAITING),
            anonymous: Arc::new(anonymous),
            serial: AtomicU64::new(1),
            catalog,
            settings,
        })))
    }

    /// Nobody.
    pub fn anonymous(&self) -> Arc<Identity> {
        Arc::clone(&self.0.anonymous)
    }

    /// The person on the machine itself. Only for callers that reached the control socket or the data directory.
    pub fn operator(&self) -> Arc<Identity> {
        Arc::new(Identity::of(self.0.next_serial(), Principal::Operator, 0))
    }

    /// The `service` of challenges and bearer tokens.
    pub fn service(&self) -> &str {
        &self.0.settings.service
    }

    /// The limits of owners that have none of their own.
    pub fn limits(&self) -> Limits {
        self.0.settings.limits
    }

    /// The audit.
    pub fn audit(&self) -> &Audit {
        &self.0.audit
    }

    /// The forge whose accounts these are, if they are one's.
    pub fn forge(&self) -> Option<&Forge> {
        self.0.settings.forge.as_ref()
    }

    /// The time by the clock of the settings.
    pub fn now(&self) -> Timestamp {
        self.0.settings.clock.now()
    }

    /// The number of the current generation: it changes with every change made through this value.
    pub fn generation(&self) -> u64 {
        self.0.generation.fresh(self.now()).unwrap_or_default()
    }

    /// Forgets every verdict. To be called after something that verdicts rest on was changed without this value, as
    /// when a repository was deleted: the next one of that name may not be public.
    pub fn changed(&self) {
        self.0.generation.bump();
    }

    /// Writes what was collected: the audit and the last uses of tokens. The server calls it every few seconds and
    /// at its end.
    pub async fn flush(&self) -> Result<()> {
        let audit = self.0.audit.flush(self.now()).await;
        let uses = self.0.uses.flush(&self.0.catalog).await;
        audit.and(uses)
    }

    /// Makes a change and begins a new generation. It runs on its own, so that a client who hangs up cannot stop it
    /// between the commit and the new generation.
    pub(crate) async fn change<T, F>(&self, change: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, railhead_catalog::Error>> + Send + 'static,
    {
        let shared = Arc::clone(&self.0);
        let task = tokio::spawn(async move {
            let done = change.await;
            // Also after an error: the database may have committed before its answer was lost.
            shared.generation.bump();
            done
        });
        Ok(task.await.map_err(|_| railhead_catalog::Error::Closed)??)
    }
}

impl Shared {
    pub fn next_serial(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }
}
