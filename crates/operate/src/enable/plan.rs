//! What has to change, as files: from the site and the values, without a cluster and without a network.

use std::path::{Path, PathBuf};

use railhead_client::Origin;
use railhead_doctor::{Layer, Owners};
use serde::Serialize;
use serde_json::Value;

use super::change::{Change, Part, ReplaceError};
use super::makefile::makefile;
use super::overlay::overlay;
use super::route::{Class, Route, Tls};
use super::settings::{CONFIG, Settings, settings};
use super::values::Values;
use crate::follow_up::FollowUp;
use crate::site::{Forge, RouteKind, Site};

/// The charts that the projects publish.
const GITEA_CHART: &str = "oci://docker.gitea.com/charts/gitea";
const FORGEJO_CHART: &str = "oci://code.forgejo.org/forgejo-helm/forgejo";
/// `LIMIT_SIZE_CONTAINER` where nobody says anything: no limit of its own.
const NO_LIMIT: &str = "-1";
/// The port of the forge's Service.
const PORT: u16 = 3000;

/// What is wanted, with every name that the files need.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// `HOST[:PORT]` as images are named.
    pub host: String,
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// The chart.
    pub chart: String,
    /// The chart's version.
    pub version: Option<String>,
    /// The context of the kubeconfig.
    pub context: Option<String>,
    /// The values files, in order, without the overlay.
    pub values: Vec<PathBuf>,
    /// The overlay.
    pub overlay: Option<PathBuf>,
    /// The file with the route.
    pub manifest: Option<PathBuf>,
    /// The file with the targets of make.
    pub makefile: Option<PathBuf>,
    /// `LIMIT_SIZE_CONTAINER`.
    pub limit: String,
    /// The route.
    pub route: Route,
    /// Who owns which layer.
    pub owners: Owners,
    /// Whose changes may be applied: the owner of the application.
    pub operator: Option<String>,
    /// What paths in the files are relative to: the directory of the site file.
    pub base: PathBuf,
}

impl Wanted {
    /// For the registry at `host` of `site`, in `namespace`.
    pub fn of(site: &Site, host: &str, namespace: &str) -> Self {
        let release = &site.release;
        let forge = site.forge.unwrap_or(Forge::Gitea);
        let word = if forge == Forge::Forgejo { "forgejo" } else { "gitea" };
        let name = release.name.clone().unwrap_or_else(|| word.to_owned());
        let base = site.file.as_deref().and_then(Path::parent).unwrap_or(Path::new("")).to_owned();
        let file = |own: &Option<PathBuf>, name: String| own.clone().unwrap_or_else(|| base.join(name));
        let secret = release.tls_secret.clone().unwrap_or_else(|| format!("{name}-tls"));
        let route = Route {
            kind: release.route,
            name: format!("{name}-registry"),
            namespace: namespace.to_owned(),
            host: without_port(host),
            paths: if forge == Forge::Railhead { &["/v2", "/token"] } else { &["/v2"] },
            service: release.service.clone().unwrap_or_else(|| service(&name, word)),
            port: release.port.unwrap_or(PORT),
            class: Class::of(release.class.as_deref().unwrap_or("traefik")),
            tls: Tls { secret, issuer: release.issuer.clone() },
            gateway: release.gateway.clone().unwrap_or_else(|| "gateway".to_owned()),
        };
        let chart = if forge == Forge::Forgejo { FORGEJO_CHART } else { GITEA_CHART };
        Self {
            host: host.to_owned(),
            namespace: namespace.to_owned(),
            chart: release.chart.clone().unwrap_or_else(|| chart.to_owned()),
            version: release.version.clone(),
            context: site.cluster.context.clone(),
            values: release.values.clone(),
            overlay: Some(file(&release.overlay, format!("helm/{name}-registry-values.yaml"))),
            manifest: Some(file(&release.manifest, format!("manifests/{name}-ingress.yaml"))),
            makefile: release.makefile.clone(),
            limit: release.limit_container.clone().unwrap_or_else(|| NO_LIMIT.to_owned()),
            route,
            owners: site.owners.clone(),
            operator: site.owners.of(Layer::Application).map(str::to_owned),
            release: name,
            base,
        }
    }

    /// A path as it is written into files: relative to where they are used.
    pub(super) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.base).unwrap_or(path).display().to_string()
    }

    /// Whether a change of this owner is the operator's own. A layer that has no owner is everybody's.
    pub fn is_own(&self, owner: Option<&str>) -> bool {
        match (owner, self.operator.as_deref()) {
            (Some(owner), Some(operator)) => owner == operator,
            (Some(_), None) => false,
            (None, _) => true,
        }
    }
}

/// How the chart calls its Service: by the release alone, if that has the chart's name in it.
fn service(release: &str, chart: &str) -> String {
    if release.contains(chart) { format!("{release}-http") } else { format!("{release}-{chart}-http") }
}

fn without_port(host: &str) -> String {
    match format!("https://{host}").parse::<Origin>() {
        Ok(Origin::Web { host, .. }) => host,
        _ => host.to_owned(),
    }
}

/// What has to change.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// `HOST[:PORT]`.
    pub host: String,
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// The keys of `app.ini` that change.
    pub settings: Settings,
    /// The files.
    pub changes: Vec<Change>,
    /// The same settings as lines for sops, for those who keep them in the encrypted file.
    pub sops: Vec<String>,
    /// What others have to do.
    pub follow_ups: Vec<FollowUp>,
    /// The operator's own repository or team; only that one's changes are applied.
    pub operator: Option<String>,
}

impl Plan {
    /// Whether no file changes.
    pub fn is_there(&self) -> bool {
        self.changes.iter().all(Change::is_there)
    }

    /// A part's change.
    pub fn part(&self, part: Part) -> Option<&Change> {
        self.changes.iter().find(|change| change.part == part)
    }
}

/// Compares what is wanted with the values and the files.
pub fn plan(wanted: &Wanted, values: &Values) -> Result<Plan, ReplaceError> {
    let settings = settings(values, &wanted.host, &wanted.limit);
    let application = wanted.owners.of(Layer::Application);
    let mut changes = Vec::new();
    // One that was needed once, and is not any more, would count all the same.
    let overlay_file = wanted.overlay.as_ref().filter(|file| !settings.changes.is_empty() || file.exists());
    if let Some(file) = overlay_file {
        let names: Vec<String> = settings.changes.iter().map(super::Setting::name).collect();
        let what = if names.is_empty() { "no values any more".to_owned() } else { names.join(", ") };
        changes.push(Change::new(
            Part::Overlay,
            format!("values: {what}"),
            Layer::Application,
            application,
            file,
            overlay(&settings.changes, &wanted.host),
        )?);
    }
    if let Some(file) = &wanted.manifest {
        let route = &wanted.route;
        let paths = route.paths.join(" and ");
        changes.push(Change::new(
            Part::Route,
            format!("{} of {} goes to {}/{}", paths, route.host, route.namespace, route.service),
            Layer::Application,
            application,
            file,
            route.manifest(),
        )?);
    }
    if let Some(file) = &wanted.makefile {
        let what = format!("targets {0}-deploy, {0}-status and {0}-ingress-deploy", wanted.release);
        let text = makefile(wanted, values, overlay_file.map(PathBuf::as_path));
        changes.push(Change::new(Part::Makefile, what, Layer::Application, application, file, text)?);
    }
    Ok(Plan {
        host: wanted.host.clone(),
        release: wanted.release.clone(),
        namespace: wanted.namespace.clone(),
        sops: sops_lines(wanted, values, &settings),
        follow_ups: follow_ups(wanted),
        settings,
        changes,
        operator: wanted.operator.clone(),
    })
}

/// One line of sops for each setting, for the encrypted file that the settings of the forge are in.
fn sops_lines(wanted: &Wanted, values: &Values, settings: &Settings) -> Vec<String> {
    let encrypted = || values.files().iter().rev().filter(|file| file.is_encrypted());
    let Some(file) = encrypted().find(|file| file.has(&CONFIG)).or_else(|| encrypted().next()) else {
        return Vec::new();
    };
    let file = word(&wanted.shown(file.path()));
    let line = |change: &super::Setting| {
        let keys = [CONFIG[0], CONFIG[1], change.section, change.key];
        let index = keys.iter().fold(String::new(), |index, key| format!("{index}[{}]", Value::from(*key)));
        // These values are no secrets; one that is goes by --value-stdin.
        format!("sops set {file} {} {}", word(&index), word(&change.wanted.to_string()))
    };
    settings.changes.iter().map(line).collect()
}

/// A word for the shell.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/:@%+,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

fn follow_ups(wanted: &Wanted) -> Vec<FollowUp> {
    let mut all = Vec::new();
    let owner = |layer| wanted.owners.of(layer).map(str::to_owned);
    let is_traefik = wanted.route.class == Class::Traefik && wanted.route.kind != RouteKind::HttpRoute;
    if is_traefik {
        all.push(FollowUp {
            key: "traefik-timeouts".to_owned(),
            layer: Layer::Routing,
            owner: owner(Layer::Routing),
            title: format!("Let uploads of images to {} take longer than a minute", wanted.host),
            text: TRAEFIK.replace("HOST", &wanted.host),
        });
    }
    all
}

const TRAEFIK: &str = "\
Traefik ends every request that takes longer than 60 s to arrive (`respondingTimeouts.readTimeout`, since 2.11.2 and 3.0), and so every upload of \
a large layer over a slow line. The timeout is the entry point's, for all hosts, so it is not set together with the route of the registry.

In k3s, as `/var/lib/rancher/k3s/server/manifests/traefik-config.yaml`, or with `kubectl apply`:

```yaml
apiVersion: helm.cattle.io/v1
kind: HelmChartConfig
metadata:
  name: traefik
  namespace: kube-system
spec:
  valuesContent: |-
    ports:
      websecure:
        transport:
          respondingTimeouts:
            readTimeout: 0s
            writeTimeout: 0s
            idleTimeout: 180s
```

Elsewhere the same keys are under `entryPoints.websecure.transport.respondingTimeouts` of Traefik's static configuration. Where nginx is in front: \
`client_max_body_size 0`, `proxy_request_buffering off`, `proxy_read_timeout 900s`.

To check it: `railhead doctor HOST --limits`
";

#[cfg(test)]
mod tests {
    use super::super::values::tests::plain;
    use super::*;

    const CLOSED: &str = "gitea:\n  admin: {password: 'ENC[x]'}\n  config:\n    server: {ROOT_URL: 'ENC[x]'}\nsops: {mac: 'ENC[x]'}\n";

    fn site(directory: &Path, more: &str) -> Site {
        let text = format!(
            "[site]\nhost = 'gitea.coulomb.example'\nforge = 'gitea'\n[owners]\napplication = 'railiance-apps'\nrouting = 'railiance-cluster'\n\
             [release]\nnamespace = 'default'\nversion = '12.5.0'\nissuer = 'letsencrypt-prod'\nmakefile = 'Makefile'\n{more}"
        );
        Site::parse(&directory.join("railhead.toml"), &text).unwrap()
    }

    fn planned(directory: &Path, more: &str, files: &[&str]) -> Plan {
        let site = site(directory, more);
        plan(&Wanted::of(&site, "gitea.coulomb.example", "default"), &plain(files)).unwrap()
    }

    /// As it is shown, without where the test runs.
    fn shown(plan: &Plan, directory: &Path) -> String {
        let files: String = plan.changes.iter().map(|change| change.diff.as_str()).collect();
        format!("{files}\n{}", plan.sops.join("\n")).replace(directory.to_str().unwrap(), "")
    }

    #[test]
    fn the_files_of_the_true_story() {
        let directory = tempfile::tempdir().unwrap();
        let plan = planned(directory.path(), "", &[CLOSED]);
        insta::assert_snapshot!(shown(&plan, directory.path()));
        let whose: Vec<_> = plan.changes.iter().map(|change| change.owner.as_deref()).collect();
        assert_eq!(whose, [Some("railiance-apps"); 3]);
        assert_eq!(plan.follow_ups[0].owner.as_deref(), Some("railiance-cluster"));
    }

    #[test]
    fn what_is_there_is_no_change_and_what_is_somebody_elses_stays() {
        let directory = tempfile::tempdir().unwrap();
        let more = "overlay = 'overlay.yaml'\nmanifest = 'route.yaml'\n";
        let first = planned(directory.path(), more, &["gitea: {}"]);
        assert!(!first.is_there());
        for change in &first.changes {
            std::fs::write(&change.file, &change.text).unwrap();
        }
        assert!(planned(directory.path(), more, &["gitea: {}"]).is_there());
        std::fs::write(directory.path().join("route.yaml"), "kind: Ingress\n").unwrap();
        let site = site(directory.path(), more);
        let wanted = Wanted::of(&site, "gitea.coulomb.example", "default");
        assert!(
            matches!(plan(&wanted, &plain(&[])), Err(ReplaceError::Foreign(path)) if path.ends_with("route.yaml"))
        );
    }

    #[test]
    fn odd_names_are_words_of_the_shell_and_of_make() {
        let directory = tempfile::tempdir().unwrap();
        let mut wanted = Wanted::of(&site(directory.path(), ""), "gitea.coulomb.example", "default");
        wanted.manifest = Some(directory.path().join("a b/$(x)'.yaml"));
        let overlay = wanted.overlay.clone();
        let text = makefile(&wanted, &plain(&[CLOSED, CLOSED, "gitea: {}"]), overlay.as_deref());
        insta::assert_snapshot!(text);
    }

    #[test]
    fn only_the_operators_own_changes_are_applied() {
        let directory = tempfile::tempdir().unwrap();
        let wanted = Wanted::of(&site(directory.path(), ""), "gitea.coulomb.example", "default");
        assert!(wanted.is_own(Some("railiance-apps")) && wanted.is_own(None));
        assert!(!wanted.is_own(Some("railiance-cluster")));
        assert_eq!(service("forge", "gitea"), "forge-gitea-http");
        assert_eq!(without_port("git.example.com:8443"), "git.example.com");
    }
}
