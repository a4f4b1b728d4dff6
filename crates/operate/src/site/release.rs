//! The table `[release]`: the forge's Helm release, and the files that `enable` writes for it.

use std::path::{Path, PathBuf};

use railhead_client::Origin;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::DeValue;

use super::error::SiteError;
use super::keys;
use super::read::{At, Entry, beside};

/// The kind of object that brings `/v2` to the forge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouteKind {
    /// `networking.k8s.io` Ingress.
    #[default]
    Ingress,
    /// Traefik's `IngressRoute`.
    IngressRoute,
    /// The Gateway API's `HTTPRoute`.
    HttpRoute,
}

impl RouteKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ingress, Self::IngressRoute, Self::HttpRoute];

    /// The word in the file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::IngressRoute => "ingress-route",
            Self::HttpRoute => "http-route",
        }
    }
}

/// A forge's Helm release. Paths are usable as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Release {
    /// Its name.
    pub name: Option<String>,
    /// Its namespace.
    pub namespace: Option<String>,
    /// The chart as `helm` takes it.
    pub chart: Option<String>,
    /// The chart's version.
    pub version: Option<String>,
    /// The values files, in order.
    pub values: Vec<PathBuf>,
    /// The values file that is written.
    pub overlay: Option<PathBuf>,
    /// `LIMIT_SIZE_CONTAINER` where no values file says it.
    pub limit_container: Option<String>,
    /// The Service behind `/v2`.
    pub service: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// The kind of route.
    pub route: RouteKind,
    /// The class of an Ingress.
    pub class: Option<String>,
    /// cert-manager's issuer.
    pub issuer: Option<String>,
    /// The Secret with the certificate.
    pub tls_secret: Option<String>,
    /// The Gateway of an `HTTPRoute`.
    pub gateway: Option<String>,
    /// The file with the route.
    pub manifest: Option<PathBuf>,
    /// The file with the targets.
    pub makefile: Option<PathBuf>,
    /// Where Git is cloned from.
    pub git: Option<Origin>,
    /// How many hours old a backup may be.
    pub backup_hours: Option<u32>,
}

impl<'a> At<'a> {
    pub(super) fn release(&self, value: &'a Spanned<DeValue<'a>>) -> Result<Release, SiteError> {
        let mut release = Release::default();
        for entry in self.entries(value, Some(&keys::names("release")))? {
            let path = |text: String| beside(self.path, &text);
            match entry.key {
                "name" => release.name = Some(entry.name()?),
                "namespace" => release.namespace = Some(entry.name()?),
                "chart" => release.chart = Some(self.chart(entry.line()?)),
                "version" => release.version = Some(entry.line()?),
                "values" => release.values = entry.list()?.into_iter().map(path).collect(),
                "overlay" => release.overlay = Some(path(entry.line()?)),
                "limit_container" => release.limit_container = Some(entry.line()?),
                "service" => release.service = Some(entry.name()?),
                "port" => release.port = Some(entry.port()?),
                "route" => release.route = entry.choice(&RouteKind::ALL, RouteKind::word)?,
                "class" => release.class = Some(entry.name()?),
                "issuer" => release.issuer = Some(entry.names()?),
                "tls_secret" => release.tls_secret = Some(entry.name()?),
                "gateway" => release.gateway = Some(entry.names()?),
                "manifest" => release.manifest = Some(path(entry.line()?)),
                "makefile" => release.makefile = Some(path(entry.line()?)),
                "git" => release.git = Some(entry.url()?),
                _ => release.backup_hours = Some(entry.days()?),
            }
        }
        Ok(release)
    }

    fn chart(&self, text: String) -> String {
        let is_archive = Path::new(&text).extension().is_some_and(|extension| extension == "tgz");
        let is_path = text.starts_with(['.', '/']) || (is_archive && !text.contains("://"));
        if is_path { beside(self.path, &text).to_string_lossy().into_owned() } else { text }
    }
}

impl Entry<'_> {
    /// A name as Kubernetes takes it (RFC 1123, section 2.1, with dots between its parts).
    fn name(&self) -> Result<String, SiteError> {
        let text = self.line()?;
        if is_name(&text) { Ok(text) } else { Err(self.wanted("a name of Kubernetes, as in gitea-http")) }
    }

    /// `NAME` or `NAMESPACE/NAME`.
    fn names(&self) -> Result<String, SiteError> {
        let text = self.line()?;
        if text.split('/').count() <= 2 && text.split('/').all(is_name) {
            return Ok(text);
        }
        Err(self.wanted("a name of Kubernetes, with its namespace if it has one, as in team/letsencrypt"))
    }

    fn port(&self) -> Result<u16, SiteError> {
        let port = u16::try_from(self.days()?).ok().filter(|port| *port > 0);
        port.ok_or_else(|| self.wanted("a port, as in 3000"))
    }
}

/// Whether Kubernetes takes it as the name of an object.
pub fn is_name(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let part = |part: &str| {
        let bytes = part.as_bytes();
        bytes.iter().all(|byte| letter(*byte) || *byte == b'-')
            && bytes.first().is_some_and(|byte| letter(*byte))
            && bytes.last().is_some_and(|byte| letter(*byte))
    };
    text.len() <= 253 && text.split('.').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Site;

    fn parse(text: &str) -> Result<Release, SiteError> {
        Site::parse(Path::new("/srv/railhead.toml"), &format!("[release]\n{text}")).map(|site| site.release)
    }

    #[test]
    fn a_chart_is_a_path_or_what_helm_finds() {
        for (text, chart) in [
            ("./gitea", "/srv/./gitea"),
            ("charts/gitea-12.5.0.tgz", "/srv/charts/gitea-12.5.0.tgz"),
            ("/opt/gitea", "/opt/gitea"),
            ("oci://docker.gitea.com/charts/gitea", "oci://docker.gitea.com/charts/gitea"),
            ("gitea-charts/gitea", "gitea-charts/gitea"),
        ] {
            assert_eq!(parse(&format!("chart = '{text}'")).unwrap().chart.as_deref(), Some(chart), "{text}");
        }
        let release = parse("values = ['a.yaml', '/b.yaml']\nroute = 'http-route'\nport = 80").unwrap();
        assert_eq!(release.values, [Path::new("/srv/a.yaml"), Path::new("/b.yaml")]);
        assert_eq!((release.route, release.port), (RouteKind::HttpRoute, Some(80)));
    }

    #[test]
    fn names_that_a_cluster_would_refuse_are_refused_here() {
        for (text, message) in [
            ("name = 'Gitea'", "release.name must be a name of Kubernetes"),
            ("namespace = 'a b'", "release.namespace must be a name"),
            ("service = '--all'", "release.service must be a name"),
            ("issuer = 'a/b/c'", "release.issuer must be a name"),
            ("port = 0", "release.port must be a port"),
            ("port = 70000", "release.port must be a port"),
            ("route = 'gateway'", "one of ingress, ingress-route, http-route"),
            ("git = 'https://a/b'", "without a path"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.to_string().contains(message), "{text}: {error}");
        }
    }
}
