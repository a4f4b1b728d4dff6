//! The site file: what the operator knows of a registry's site. It is `railhead.toml`, which also configures the server.
//!
//! The operator's tables are [`TABLES`]; all others are the server's, and each reader passes over those of the other. A key
//! that nothing reads is an error that names the key meant. A secret in the file is refused, whatever its key is called.

mod error;
mod first;
mod hub;
mod inspected;
mod keys;
mod read;
mod release;
mod retention;
mod suggest;

use std::fs;
use std::path::{Path, PathBuf};

use railhead_client::hops::Route;
use railhead_doctor::Owners;
use serde::{Deserialize, Serialize};

pub use error::SiteError;
pub use first::Answers;
pub use hub::Hub;
pub use keys::reference;
pub use release::{Release, RouteKind};
pub use retention::Retention;
pub use suggest::nearest;

/// The operator's tables in the site file.
pub const TABLES: [&str; 7] = ["site", "routes", "owners", "cluster", "release", "retention", "hub"];

/// Where evidence goes unless the site says otherwise.
pub const DEFAULT_EVIDENCE: &str = "railhead-evidence";

/// What answers at the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Forge {
    /// Gitea with its own registry.
    Gitea,
    /// Forgejo with its own registry.
    Forgejo,
    /// Railhead.
    Railhead,
    /// The reference implementation.
    Distribution,
    /// Something else.
    None,
}

impl Forge {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Gitea, Self::Forgejo, Self::Railhead, Self::Distribution, Self::None];

    /// The word in the file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Gitea => "gitea",
            Self::Forgejo => "forgejo",
            Self::Railhead => "railhead",
            Self::Distribution => "distribution",
            Self::None => "none",
        }
    }
}

/// Whether everybody may pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Without a login.
    Public,
    /// Only with one.
    Private,
}

impl Visibility {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Public, Self::Private];

    /// The word in the file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
        }
    }
}

/// The cluster that pulls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// The context of its `kubeconfig`.
    pub context: Option<String>,
    /// The namespace of pull secrets.
    pub namespace: Option<String>,
    /// The nodes that pull in a proof; all that are ready without any.
    pub nodes: Vec<String>,
    /// What a pull secret is called.
    pub pull_secret: Option<String>,
    /// The file that keeps the pull secret.
    pub pull_secret_file: Option<PathBuf>,
    /// Whether secrets are kept encrypted by `sops`.
    pub sops: bool,
    /// The rules of `sops`, when it would not find them by itself.
    pub sops_config: Option<PathBuf>,
}

/// What the operator knows of a site. Paths are usable as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The file that says so; none without one.
    pub file: Option<PathBuf>,
    /// What the site is called.
    pub name: Option<String>,
    /// `HOST[:PORT]` as images are named.
    pub host: Option<String>,
    /// What answers there.
    pub forge: Option<Forge>,
    /// Whether everybody is meant to be able to pull.
    pub visibility: Option<Visibility>,
    /// The owner under which images are published.
    pub owner: Option<String>,
    /// How images are named, as `HOST/team/APP:VERSION`.
    pub naming: Option<String>,
    /// The directory of the evidence.
    pub evidence: PathBuf,
    /// Links to where the images come from and to what was decided.
    pub provenance: Vec<String>,
    /// What is known not to work.
    pub limits: Vec<String>,
    /// The routes, the most important first.
    pub routes: Vec<Route>,
    /// Who owns which layer.
    pub owners: Owners,
    /// The cluster that pulls.
    pub cluster: Cluster,
    /// The forge's Helm release.
    pub release: Release,
    /// What may go over time.
    pub retention: Retention,
    /// Who is told what the evidence shows.
    pub hub: Option<Hub>,
}

impl Default for Site {
    fn default() -> Self {
        Self {
            file: None,
            name: None,
            host: None,
            forge: None,
            visibility: None,
            owner: None,
            naming: None,
            evidence: PathBuf::from(DEFAULT_EVIDENCE),
            provenance: Vec::new(),
            limits: Vec::new(),
            routes: Vec::new(),
            owners: Owners::default(),
            cluster: Cluster::default(),
            release: Release::default(),
            retention: Retention::default(),
            hub: None,
        }
    }
}

impl Site {
    /// Reads the file at `path`.
    pub fn read(path: &Path) -> Result<Self, SiteError> {
        let text =
            fs::read_to_string(path).map_err(|source| SiteError::Read { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    /// Reads `text` as if it stood in the file at `path`.
    pub fn parse(path: &Path, text: &str) -> Result<Self, SiteError> {
        read::read(path, text)
    }

    /// The routes, in the order of the file.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// Whether the registry is one beside the forge, as Railhead on the forge's own host.
    pub fn has_registry_beside(&self) -> bool {
        matches!(self.forge, Some(Forge::Railhead | Forge::Distribution))
    }

    /// Who owns which layer.
    pub fn owners(&self) -> &Owners {
        &self.owners
    }
}

#[cfg(test)]
mod tests {
    use railhead_doctor::Layer;

    use super::*;

    fn parse(text: &str) -> Result<Site, SiteError> {
        Site::parse(Path::new("/etc/railhead/railhead.toml"), text)
    }

    #[test]
    fn the_operators_tables_are_read_and_the_servers_passed_over() {
        let site = parse(
            r#"
listen = "127.0.0.1:5050"
[site]
host = "Git.example.com"
forge = "gitea"
visibility = "public"
owner = "coulomb"
provenance = ["https://git.example.com/coulomb/state-hub"]
[routes.public]
url = "https://git.example.com"
[routes.nodeport]
url = "http://git.example.com"
connect = "203.0.113.254:32166"
[routes.inside]
url = "https://git.example.com"
ca = "ca.pem"
[owners]
application = "railiance-apps"
routing = "railiance-cluster"
[cluster]
namespace = "state-hub"
sops = true
[tls]
self_signed = true
"#,
        )
        .unwrap();
        assert_eq!(site.host.as_deref(), Some("git.example.com"));
        assert_eq!((site.forge, site.visibility), (Some(Forge::Gitea), Some(Visibility::Public)));
        assert_eq!(site.evidence, Path::new("/etc/railhead/railhead-evidence"));
        let routes: Vec<_> = site.routes().iter().map(ToString::to_string).collect();
        assert_eq!(
            routes,
            [
                "public=https://git.example.com",
                "nodeport=http://git.example.com,connect=203.0.113.254:32166",
                "inside=https://git.example.com,ca=/etc/railhead/ca.pem",
            ]
        );
        assert_eq!(site.owners().of(Layer::Routing), Some("railiance-cluster"));
        assert_eq!(site.cluster.namespace.as_deref(), Some("state-hub"));
        assert!(site.cluster.sops);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place_and_what_was_meant() {
        for (text, message, hint) in [
            ("[site]\nhots = 'a'", ":2: the key 'site.hots' is unknown", "'site.host'"),
            ("[site]\nzebra = 'a'", "'site.zebra' is unknown", "name, host"),
            ("[site]\nforge = 'github'", ":2: site.forge must be one of gitea", ""),
            ("[site]\nhost = 'https://a'", "a host alone", ""),
            ("[site]\nhost = 'a/b'", "a host alone", ""),
            ("[site]\nname = 3", "a text of one line", ""),
            ("site = 3", "site must be a table", ""),
            ("[routes]\npublic = 3", "routes.public must be a table", ""),
            ("[routes.public]\nca = 'x'", "routes.public.url must be there", ""),
            ("[routes.public]\nurl = 'x'", "routes.public.url is not usable", ""),
            ("[routes.public]\nurl = 'https://a/git'", "without a path", ""),
            ("[routes.public]\nurl = 'https://a'\nconnect = 'b'", "ADDRESS:PORT", ""),
            ("[owners]\nroutin = 'x'", "'owners.routin' is unknown", "'owners.routing'"),
            ("[cluster]\nsops = 'yes'", "true or false", ""),
            ("[site]\ntoken = 'x'", "'site.token' is a secret", "RAILHEAD_TOKEN"),
            ("[cluster]\nregistry_password = 'x'", "is a secret", "RAILHEAD_TOKEN"),
            (
                "[site]\nnaming = 'rh_aaaaaaaaaaaaaaaaaaaaaaaaa'",
                "'site.naming' is a secret",
                "RAILHEAD_TOKEN",
            ),
            ("a = = b", ":1 is not TOML", ""),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.to_string().contains(message), "{text}: {error}");
            assert!(error.hint().unwrap_or_default().contains(hint), "{text}: {:?}", error.hint());
        }
        let error = parse("[site]\ntoken = 'geheim'").unwrap_err();
        assert!(!format!("{error:?}").contains("geheim"));
    }
}
