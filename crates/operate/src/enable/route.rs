//! The object that brings `/v2` of the host to the forge, and nothing else of the host: an Ingress, an `IngressRoute`, or an
//! `HTTPRoute`. What a proxy needs for large images stands with it, where the object can say it.

use serde_json::{Value, json};

use super::change::MARK;
use crate::site::RouteKind;
use crate::yaml;

/// What reads an Ingress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// Traefik.
    Traefik,
    /// The nginx controller, by the name of its class.
    Nginx(String),
    /// Another one; its annotations are not known.
    Other(String),
}

impl Class {
    /// By the name of the class.
    pub fn of(name: &str) -> Self {
        match name {
            "traefik" => Self::Traefik,
            name if name.contains("nginx") => Self::Nginx(name.to_owned()),
            name => Self::Other(name.to_owned()),
        }
    }

    /// The name of the class.
    pub fn name(&self) -> &str {
        match self {
            Self::Traefik => "traefik",
            Self::Nginx(name) | Self::Other(name) => name,
        }
    }
}

/// Where the certificate is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The Secret that has it.
    pub secret: String,
    /// Who fills the Secret: a `ClusterIssuer` or an Issuer of the namespace; none when it is there.
    pub issuer: Option<String>,
}

/// What is to be routed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The kind of object.
    pub kind: RouteKind,
    /// What the object is called.
    pub name: String,
    /// The namespace of the release.
    pub namespace: String,
    /// The host, without a port.
    pub host: String,
    /// The paths, each a prefix by segments.
    pub paths: &'static [&'static str],
    /// The Service.
    pub service: String,
    /// Its port.
    pub port: u16,
    /// Who reads an Ingress.
    pub class: Class,
    /// The certificate.
    pub tls: Tls,
    /// The Gateway of an `HTTPRoute`, as NAME or NAMESPACE/NAME.
    pub gateway: String,
}

impl Route {
    /// The objects, in the order in which they are applied.
    pub fn objects(&self) -> Vec<Value> {
        match self.kind {
            RouteKind::Ingress => vec![self.ingress()],
            RouteKind::IngressRoute => self.certificate().into_iter().chain([self.ingress_route()]).collect(),
            RouteKind::HttpRoute => vec![self.http_route()],
        }
    }

    /// The file.
    pub fn manifest(&self) -> String {
        let objects: Vec<String> = self
            .objects()
            .iter()
            .map(|object| yaml::write(object, &["apiVersion", "kind", "metadata", "spec"]))
            .collect();
        format!(
            "# {MARK}: brings {} of {} to the registry, and no other path.\n{}",
            self.paths.join(" and "),
            self.host,
            objects.join("---\n")
        )
    }

    fn metadata(&self) -> Value {
        json!({
            "name": self.name,
            "namespace": self.namespace,
            "labels": {"app.kubernetes.io/managed-by": "railhead"},
        })
    }

    fn ingress(&self) -> Value {
        let mut metadata = self.metadata();
        let annotations = self.annotations();
        if !annotations.is_empty() {
            metadata["annotations"] =
                annotations.into_iter().map(|(key, value)| (key, json!(value))).collect();
        }
        let backend = json!({"service": {"name": self.service, "port": {"number": self.port}}});
        let paths: Vec<Value> = self
            .paths
            .iter()
            .map(|path| json!({"path": path, "pathType": "Prefix", "backend": backend}))
            .collect();
        json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": metadata,
            "spec": {
                "ingressClassName": self.class.name(),
                "tls": [{"hosts": [self.host], "secretName": self.tls.secret}],
                "rules": [{"host": self.host, "http": {"paths": paths}}],
            },
        })
    }

    fn annotations(&self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        if let Some(issuer) = &self.tls.issuer {
            let (key, name) = match issuer.split_once('/') {
                Some((_, name)) => ("cert-manager.io/issuer", name),
                None => ("cert-manager.io/cluster-issuer", issuer.as_str()),
            };
            all.push((key, name));
        }
        match &self.class {
            // https alone: without the second, Traefik answers 404 where its entry point has no TLS by default.
            Class::Traefik => all.extend([
                ("traefik.ingress.kubernetes.io/router.entrypoints", "websecure"),
                ("traefik.ingress.kubernetes.io/router.tls", "true"),
            ]),
            Class::Nginx(_) => all.extend([
                ("nginx.ingress.kubernetes.io/proxy-body-size", "0"),
                ("nginx.ingress.kubernetes.io/proxy-request-buffering", "off"),
                ("nginx.ingress.kubernetes.io/proxy-read-timeout", "900"),
                ("nginx.ingress.kubernetes.io/proxy-send-timeout", "900"),
            ]),
            Class::Other(_) => {}
        }
        all.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    /// Only an Ingress can ask for its certificate by an annotation.
    fn certificate(&self) -> Option<Value> {
        let issuer = self.tls.issuer.as_ref()?;
        let (kind, name) = match issuer.split_once('/') {
            Some((_, name)) => ("Issuer", name),
            None => ("ClusterIssuer", issuer.as_str()),
        };
        Some(json!({
            "apiVersion": "cert-manager.io/v1",
            "kind": "Certificate",
            "metadata": self.metadata(),
            "spec": {
                "dnsNames": [self.host],
                "issuerRef": {"group": "cert-manager.io", "kind": kind, "name": name},
                "secretName": self.tls.secret,
            },
        }))
    }

    fn ingress_route(&self) -> Value {
        // PathPrefix alone would take /v2x as well.
        let paths: Vec<String> =
            self.paths.iter().map(|path| format!("Path(`{path}`) || PathPrefix(`{path}/`)")).collect();
        json!({
            "apiVersion": "traefik.io/v1alpha1",
            "kind": "IngressRoute",
            "metadata": self.metadata(),
            "spec": {
                "entryPoints": ["websecure"],
                "routes": [{
                    "kind": "Rule",
                    "match": format!("Host(`{}`) && ({})", self.host, paths.join(" || ")),
                    "services": [{"name": self.service, "port": self.port}],
                }],
                "tls": {"secretName": self.tls.secret},
            },
        })
    }

    fn http_route(&self) -> Value {
        let parent = match self.gateway.split_once('/') {
            Some((namespace, name)) => json!({"name": name, "namespace": namespace}),
            None => json!({"name": self.gateway}),
        };
        let matches: Vec<Value> =
            self.paths.iter().map(|path| json!({"path": {"type": "PathPrefix", "value": path}})).collect();
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": self.metadata(),
            "spec": {
                "parentRefs": [parent],
                "hostnames": [self.host],
                "rules": [{
                    "matches": matches,
                    "backendRefs": [{"name": self.service, "port": self.port}],
                }],
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(kind: RouteKind, class: &str, issuer: Option<&str>) -> Route {
        Route {
            kind,
            name: "gitea-registry".to_owned(),
            namespace: "default".to_owned(),
            host: "gitea.coulomb.example".to_owned(),
            paths: &["/v2"],
            service: "gitea-http".to_owned(),
            port: 3000,
            class: Class::of(class),
            tls: Tls { secret: "gitea-tls".to_owned(), issuer: issuer.map(str::to_owned) },
            gateway: "kube-system/traefik".to_owned(),
        }
    }

    #[test]
    fn every_kind_takes_the_registrys_path_alone() {
        for (name, route) in [
            ("traefik", route(RouteKind::Ingress, "traefik", Some("letsencrypt-prod"))),
            ("nginx", route(RouteKind::Ingress, "nginx-public", Some("team/ca"))),
            ("other", route(RouteKind::Ingress, "haproxy", None)),
            ("ingress_route", route(RouteKind::IngressRoute, "traefik", Some("letsencrypt-prod"))),
            ("http_route", route(RouteKind::HttpRoute, "traefik", None)),
        ] {
            insta::assert_snapshot!(name, route.manifest());
        }
    }
}
