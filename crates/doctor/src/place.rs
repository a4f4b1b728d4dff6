//! What is known of a registry besides its walks: its name, its forge, who owns which layer.

use crate::url::{Url, host_of};
use crate::{Owners, Software};

/// A registry as the site describes it, or as the command line does.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The `HOST[:PORT]` that clients name.
    pub host: String,
    /// The path that somebody wrote behind the host, where none can be.
    pub path: Option<String>,
    /// What the site says is behind the routes; what answers counts more.
    pub forge: Option<Software>,
    /// Who owns which layer.
    pub owners: Owners,
    /// The account that logs in, if one does.
    pub account: Option<String>,
    /// The repository that is read and written; none if nobody named one, and then what it does not have is no finding.
    pub repository: Option<String>,
    /// Names in the cluster, for fixes.
    pub names: Names,
    /// Nobody named the routes: `https` and `http` of the host were tried. A registry needs only one of them.
    pub assumed_routes: bool,
}

/// Names in the cluster. What is unknown becomes a placeholder in a fix.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The Helm release.
    pub release: Option<String>,
    /// Its namespace.
    pub namespace: Option<String>,
    /// The Service that speaks HTTP.
    pub service: Option<String>,
    /// The Service's port.
    pub port: Option<u16>,
}

impl Place {
    /// A registry of which only the name is known.
    pub fn new(host: impl Into<String>) -> Self {
        Self { host: host.into(), ..Self::default() }
    }

    /// The host without its port, in lower case.
    pub(crate) fn host_name(&self) -> String {
        host_of(&self.host).to_ascii_lowercase()
    }

    /// The port that clients name, or https's own.
    pub(crate) fn port(&self) -> u16 {
        Url::parse(&format!("https://{}/", self.host)).map_or(443, |url| url.port)
    }
}
