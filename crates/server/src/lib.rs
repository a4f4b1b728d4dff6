//! The HTTP face of the registry.
//!
//! A request becomes an operation (method and path, `operation`), gets an identity and a right (`exchange`), is
//! run (`v2`, `token`, `service`, `api`), and its end is told once (`story`). Errors become status codes in `failure`
//! and `denial` and nowhere else.
//!
//! Order: [`Server::new`] → [`Server::run`] with the listeners, which returns when it was told to stop and the last
//! request ended or ran out of time.

mod access_log;
pub mod api;
mod body;
mod complaints;
mod core;
mod denial;
mod exchange;
mod failure;
mod forge_hook;
mod former_name;
mod host;
mod listener;
mod metrics;
mod operation;
mod pulls;
mod sendfile;
mod service;
mod story;
mod tls;
mod token;
mod v2;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use railhead_access::Access;
use railhead_catalog::Timestamp;
use railhead_registry::Registry;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

pub use access_log::{AccessLog, LogFormat, LogWriter};
pub use core::Settings;
pub use host::{AddressBlock, Hosts};
pub use tls::{Certificates, TlsError};

use core::Core;
use listener::Door;

/// How often what was gathered in memory is written: last use of tokens, the audit.
const FLUSH_EVERY: Duration = Duration::from_secs(2);
/// How often stale uploads are looked for.
const EXPIRE_EVERY: Duration = Duration::from_mins(5);
/// How often the certificate's files are looked at.
const RELOAD_EVERY: Duration = Duration::from_secs(2);

/// The server.
#[derive(Clone, Debug)]
pub struct Server(Arc<Core>);

/// Where it listens.
#[derive(Debug)]
pub struct Listeners {
    /// For clients.
    pub tcp: Vec<TcpListener>,
    /// What they are served with; none is plain HTTP.
    pub certificates: Option<Certificates>,
    /// For the command line on the same machine.
    pub control: Option<UnixListener>,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Connections that were cut because they did not end in time.
    pub cut: usize,
    /// Whether nothing is left to be cleaned up from an earlier run that was killed.
    pub clean: bool,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl Server {
    /// A server for this registry.
    pub fn new(access: Access, registry: Registry, settings: Settings, log: AccessLog) -> Self {
        let api =
            api::Api::new(access.clone(), registry.clone(), settings.rules.clone(), settings.scrub.clone());
        Self(Arc::new(Core {
            access,
            registry,
            metrics: metrics::Metrics::new(
                Arc::clone(api.collector()),
                Arc::clone(api.retention()),
                Arc::clone(api.scrubber()),
            ),
            api,
            settings,
            log,
            complaints: complaints::Complaints::default(),
            refused_messages: complaints::Complaints::default(),
            former_names: complaints::Complaints::default(),
        }))
    }

    /// Serves until `stop` turns true.
    pub async fn run(&self, listeners: Listeners, stop: watch::Receiver<bool>) -> Result<Ended, ServeError> {
        let acceptor = listeners.certificates.as_ref().map(Certificates::acceptor).transpose()?;
        let tcp = listeners.tcp.into_iter().map(|listener| Door::Clients(listener, acceptor.clone()));
        let doors = tcp.chain(listeners.control.map(Door::Control)).collect();
        let mut aside = tokio::task::JoinSet::new();
        aside.spawn(flush(self.0.clone()));
        aside.spawn(expire(self.0.clone()));
        aside.spawn(collect(self.0.clone()));
        aside.spawn(note_pulls(self.0.clone()));
        aside.spawn(retain(self.0.clone()));
        aside.spawn(scrub(self.0.clone()));
        let sweeping = self.0.settings.sweep.then(|| tokio::spawn(sweep(self.0.clone(), SystemTime::now())));
        if let Some(certificates) = listeners.certificates {
            aside.spawn(reload(certificates));
        }
        let cut = listener::serve(self.0.clone(), doors, stop, self.0.settings.shutdown).await;
        let clean = match sweeping {
            None => true,
            // It has as long as a request has; what it does not get to, it gets to after the next start.
            Some(sweeping) => {
                let ended = tokio::time::timeout(self.0.settings.shutdown, sweeping).await;
                matches!(ended, Ok(Ok(true)))
            }
        };
        aside.shutdown().await;
        flush_once(&self.0).await;
        write_pulls(&self.0).await;
        Ok(Ended { cut, clean })
    }
}

async fn flush(core: Arc<Core>) {
    loop {
        tokio::time::sleep(FLUSH_EVERY).await;
        flush_once(&core).await;
    }
}

async fn flush_once(core: &Core) {
    if let Err(error) = core.access.flush().await {
        tracing::warn!(
            error = failure::chain(&error),
            "the audit and the last use of tokens could not be written yet"
        );
    }
}

async fn expire(core: Arc<Core>) {
    loop {
        tokio::time::sleep(EXPIRE_EVERY).await;
        match railhead_upkeep::expire_uploads(&core.registry, core.settings.upload_life, Timestamp::now())
            .await
        {
            Ok(0) => {}
            Ok(ended) => tracing::info!(ended, "uploads that nobody went on with were ended"),
            Err(error) => tracing::warn!(error = failure::chain(&error), "stale uploads could not be ended"),
        }
    }
}

/// How often pulls are written.
const PULLS_EVERY: Duration = Duration::from_mins(1);

async fn note_pulls(core: Arc<Core>) {
    loop {
        tokio::time::sleep(PULLS_EVERY).await;
        write_pulls(&core).await;
    }
}

async fn write_pulls(core: &Core) {
    let pulls = core.api.pulls().take();
    if pulls.is_empty() {
        return;
    }
    if let Err(error) = core.registry.note_pulls(pulls).await {
        tracing::warn!(error = failure::chain(&error), "pulls of the last minute could not be noted");
    }
}

/// Ends the trash of what has been there long enough, and where the configuration says so applies the rules.
async fn retain(core: Arc<Core>) {
    loop {
        tokio::time::sleep(core.settings.retain_look).await;
        match core.api.retention().end_trash(core.access.now(), Instant::now()).await {
            Ok(0) => {}
            Ok(manifests) => tracing::info!(manifests, "the time of what was in the trash is over"),
            Err(error) => tracing::warn!(error = failure::chain(&error), "the trash could not be looked at"),
        }
        let Some(every) = core.settings.retain_every else { continue };
        match core.api.retain(every).await {
            Ok(None) => {}
            Ok(Some(applied)) => tracing::info!(
                plan = applied.plan,
                tags = applied.tags,
                manifests = applied.manifests,
                until = %applied.until,
                "what the rules let go is in the trash"
            ),
            Err(error) => {
                tracing::warn!(
                    error = failure::chain(&error),
                    "retention did nothing; it is tried again later"
                );
            }
        }
    }
}

/// A run of collection takes as long as it takes.
const NO_END: Duration = Duration::MAX;

async fn collect(core: Arc<Core>) {
    let Some(every) = core.settings.collect_every else { return };
    loop {
        tokio::time::sleep(every).await;
        match core.api.collector().run(NO_END).await {
            Ok(run) if (run.links, run.objects, run.failed) == (0, 0, 0) => {}
            Ok(run) => tracing::info!(
                links = run.links,
                objects = run.objects,
                bytes = run.bytes,
                failed = run.failed,
                held = run.held,
                "what no manifest needs was collected"
            ),
            Err(error) => {
                tracing::warn!(error = failure::chain(&error), "collection failed; it goes on later");
            }
        }
    }
}

/// After a failure the scrub waits so long: the store or the catalog may be away.
const SCRUB_AGAIN: Duration = Duration::from_mins(1);

async fn scrub(core: Arc<Core>) {
    let scrubber = core.api.scrubber();
    if scrubber.settings().round.is_zero() {
        return;
    }
    loop {
        let wait = match scrubber.tick(Timestamp::now()).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::warn!(error = failure::chain(&error), "the scrub cannot go on; it tries again");
                SCRUB_AGAIN
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// Cleans up after a kill, beside the requests. True when nothing is left to be cleaned up.
async fn sweep(core: Arc<Core>, started: SystemTime) -> bool {
    match railhead_upkeep::sweep(&core.registry, started).await {
        Ok(swept) => {
            if swept != railhead_upkeep::Swept::default() {
                tracing::info!(
                    staged = swept.staged,
                    objects = swept.objects,
                    bytes = swept.bytes,
                    "what the last run left behind when it was killed is removed"
                );
            }
            true
        }
        Err(error) => {
            tracing::warn!(
                error = failure::chain(&error),
                "what the last run left behind could not be removed"
            );
            false
        }
    }
}

async fn reload(certificates: Certificates) {
    loop {
        tokio::time::sleep(RELOAD_EVERY).await;
        match certificates.reload_if_changed() {
            Ok(false) => {}
            Ok(true) => tracing::info!("the certificate has changed and is served from now on"),
            Err(error) => tracing::error!(
                error = failure::chain(&error),
                "the certificate has changed and cannot be used; the old one is served"
            ),
        }
    }
}
