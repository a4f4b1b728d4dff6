//! What every request needs, made once.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use railhead_access::Access;
use railhead_registry::Registry;
use railhead_retention::Rules;

use crate::access_log::AccessLog;
use crate::api::Api;
use crate::complaints::Complaints;
use crate::host::Hosts;
use crate::metrics::Metrics;

/// How the server behaves towards clients.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Names under which clients reach it, and proxies whose word counts.
    pub hosts: Hosts,
    /// How long running requests may go on after the server was told to stop.
    pub shutdown: Duration,
    /// After so long without a byte an upload is ended.
    pub upload_life: Duration,
    /// How often collection runs; never by itself without it.
    pub collect_every: Option<Duration>,
    /// The rules of retention.
    pub rules: Rules,
    /// How often they are applied; never by itself without it.
    pub retain_every: Option<Duration>,
    /// How often to look whether that is due, and whether the time of something in the trash is over.
    pub retain_look: Duration,
    /// How every blob is hashed again.
    pub scrub: railhead_upkeep::scrub::Settings,
    /// Whether the server before this one was killed, so that what it left behind is to be cleaned up.
    pub sweep: bool,
}

/// Shared by all connections.
pub(crate) struct Core {
    pub(crate) access: Access,
    pub(crate) registry: Registry,
    pub(crate) api: Api,
    pub(crate) settings: Settings,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) log: AccessLog,
    /// Of host names that the server does not know.
    pub(crate) complaints: Complaints,
    /// Of messages to the webhook, by the status of the refusal.
    pub(crate) refused_messages: Complaints,
    /// Of repositories that are pulled under a former name of their owner.
    pub(crate) former_names: Complaints,
}

/// The header that tells an old client that this is a registry.
pub(crate) const API_VERSION: HeaderValue = HeaderValue::from_static("registry/2.0");

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("settings", &self.settings).finish_non_exhaustive()
    }
}
