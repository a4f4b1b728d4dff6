//! The kinds of objects that Railhead looks at.

use std::fmt::Write as _;

/// A kind of object, by the place where the API server keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind {
    /// The API group; empty for the core.
    pub group: &'static str,
    /// Its versions that can be read, the newest first.
    pub versions: &'static [&'static str],
    /// As in the path.
    pub plural: &'static str,
    /// As in a manifest.
    pub name: &'static str,
    /// Whether its objects are in namespaces.
    pub namespaced: bool,
}

impl Kind {
    const fn of(
        group: &'static str,
        versions: &'static [&'static str],
        plural: &'static str,
        name: &'static str,
    ) -> Self {
        Self { group, versions, plural, name, namespaced: true }
    }

    const fn cluster_wide(self) -> Self {
        Self { namespaced: false, ..self }
    }

    /// `networking.k8s.io/v1`, or `v1` in the core.
    pub(crate) fn api_version(&self, version: &str) -> String {
        if self.group.is_empty() { version.to_owned() } else { format!("{}/{version}", self.group) }
    }

    /// The path of its objects, of one namespace or of all.
    pub(crate) fn path(&self, version: &str, namespace: Option<&str>) -> String {
        let root = if self.group.is_empty() { "/api" } else { "/apis" };
        let api = self.api_version(version);
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => format!("{root}/{api}/namespaces/{}/{}", segment(namespace), self.plural),
            None => format!("{root}/{api}/{}", self.plural),
        }
    }
}

/// A text as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}

/// The kinds by name.
#[expect(missing_docs, reason = "each is called as Kubernetes or its project calls it")]
pub mod kinds {
    use super::Kind;

    pub const CONFIG_MAP: Kind = Kind::of("", &["v1"], "configmaps", "ConfigMap");
    pub const EVENT: Kind = Kind::of("", &["v1"], "events", "Event");
    pub const NAMESPACE: Kind = Kind::of("", &["v1"], "namespaces", "Namespace").cluster_wide();
    pub const NODE: Kind = Kind::of("", &["v1"], "nodes", "Node").cluster_wide();
    pub const POD: Kind = Kind::of("", &["v1"], "pods", "Pod");
    pub const SECRET: Kind = Kind::of("", &["v1"], "secrets", "Secret");
    pub const SERVICE: Kind = Kind::of("", &["v1"], "services", "Service");
    pub const VOLUME: Kind = Kind::of("", &["v1"], "persistentvolumes", "PersistentVolume").cluster_wide();
    pub const VOLUME_CLAIM: Kind = Kind::of("", &["v1"], "persistentvolumeclaims", "PersistentVolumeClaim");

    pub const CONTROLLER_REVISION: Kind =
        Kind::of("apps", &["v1"], "controllerrevisions", "ControllerRevision");
    pub const DAEMON_SET: Kind = Kind::of("apps", &["v1"], "daemonsets", "DaemonSet");
    pub const DEPLOYMENT: Kind = Kind::of("apps", &["v1"], "deployments", "Deployment");
    pub const REPLICA_SET: Kind = Kind::of("apps", &["v1"], "replicasets", "ReplicaSet");
    pub const STATEFUL_SET: Kind = Kind::of("apps", &["v1"], "statefulsets", "StatefulSet");
    pub const CRON_JOB: Kind = Kind::of("batch", &["v1", "v1beta1"], "cronjobs", "CronJob");
    pub const JOB: Kind = Kind::of("batch", &["v1"], "jobs", "Job");

    pub const ENDPOINT_SLICE: Kind =
        Kind::of("discovery.k8s.io", &["v1", "v1beta1"], "endpointslices", "EndpointSlice");
    pub const INGRESS: Kind = Kind::of("networking.k8s.io", &["v1"], "ingresses", "Ingress");
    pub const INGRESS_CLASS: Kind =
        Kind::of("networking.k8s.io", &["v1"], "ingressclasses", "IngressClass").cluster_wide();
    pub const STORAGE_CLASS: Kind =
        Kind::of("storage.k8s.io", &["v1"], "storageclasses", "StorageClass").cluster_wide();

    pub const INGRESS_ROUTE: Kind = Kind::of("traefik.io", &["v1alpha1"], "ingressroutes", "IngressRoute");
    /// Before Traefik 3.
    pub const OLD_INGRESS_ROUTE: Kind =
        Kind::of("traefik.containo.us", &["v1alpha1"], "ingressroutes", "IngressRoute");
    pub const GATEWAY: Kind =
        Kind::of("gateway.networking.k8s.io", &["v1", "v1beta1"], "gateways", "Gateway");
    pub const HTTP_ROUTE: Kind =
        Kind::of("gateway.networking.k8s.io", &["v1", "v1beta1"], "httproutes", "HTTPRoute");

    pub const CERTIFICATE: Kind = Kind::of("cert-manager.io", &["v1"], "certificates", "Certificate");
    pub const ISSUER: Kind = Kind::of("cert-manager.io", &["v1"], "issuers", "Issuer");
    pub const CLUSTER_ISSUER: Kind =
        Kind::of("cert-manager.io", &["v1"], "clusterissuers", "ClusterIssuer").cluster_wide();

    /// A Postgres of CloudNativePG.
    pub const PG_CLUSTER: Kind = Kind::of("postgresql.cnpg.io", &["v1"], "clusters", "Cluster");
    pub const PG_BACKUP: Kind = Kind::of("postgresql.cnpg.io", &["v1"], "backups", "Backup");
    pub const PG_SCHEDULED_BACKUP: Kind =
        Kind::of("postgresql.cnpg.io", &["v1"], "scheduledbackups", "ScheduledBackup");

    pub const VELERO_BACKUP: Kind = Kind::of("velero.io", &["v1"], "backups", "Backup");
    pub const VELERO_SCHEDULE: Kind = Kind::of("velero.io", &["v1"], "schedules", "Schedule");
    pub const VOLUME_SNAPSHOT: Kind =
        Kind::of("snapshot.storage.k8s.io", &["v1"], "volumesnapshots", "VolumeSnapshot");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_api_and_names_cannot_leave_their_segment() {
        assert_eq!(kinds::SECRET.path("v1", Some("a/../b?x")), "/api/v1/namespaces/a%2F..%2Fb%3Fx/secrets");
        assert_eq!(kinds::INGRESS.path("v1", None), "/apis/networking.k8s.io/v1/ingresses");
        assert_eq!(kinds::NODE.path("v1", Some("x")), "/api/v1/nodes");
    }
}
