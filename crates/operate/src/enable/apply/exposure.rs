//! What of the cluster can be reached from outside, before and after: a registry is turned on without opening anything else.
//!
//! It is read from what the objects say, and not tried: a port that a firewall closes counts as open.

use std::collections::BTreeSet;
use std::fmt;

use railhead_cluster::{Cluster, Error, Kind, Seen, kinds};
use serde::Serialize;
use serde_json::Value;

use crate::enable::Route;

/// The kinds that open something.
const OPENING: [Kind; 5] =
    [kinds::SERVICE, kinds::INGRESS, kinds::INGRESS_ROUTE, kinds::OLD_INGRESS_ROUTE, kinds::HTTP_ROUTE];

/// One way in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Way {
    /// The kind of the object that opens it.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What is reached: a host and a path, or a port.
    pub what: String,
    /// The Service behind it.
    pub service: String,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, namespace, name, what, service } = self;
        write!(f, "{what} by {kind} {namespace}/{name} to {service}")
    }
}

/// Every way in that could be seen, and what could not be looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// The ways.
    pub ways: BTreeSet<Way>,
    /// The rights that were missing.
    pub unseen: Vec<String>,
}

impl Exposure {
    /// Reads it of the whole cluster; where that is not allowed, of the namespace of the release.
    pub async fn read(cluster: &Cluster, namespace: &str) -> Result<Self, Error> {
        let mut exposure = Self::default();
        for kind in OPENING {
            let mut seen = cluster.list(&kind, None).await?;
            if let Seen::Denied(_) = seen {
                seen = cluster.list(&kind, Some(namespace)).await?;
            }
            match seen {
                Seen::Found(objects) => {
                    exposure.ways.extend(objects.iter().flat_map(ways));
                }
                Seen::Absent => {}
                Seen::Denied(right) => exposure.unseen.push(right.to_string()),
            }
        }
        Ok(exposure)
    }

    /// What is open now, was not before, and is not the route that was asked for.
    pub fn broader<'a>(&'a self, before: &'a Self, route: &'a Route) -> impl Iterator<Item = &'a Way> {
        self.ways.difference(&before.ways).filter(|way| !is_wanted(way, route))
    }
}

fn is_wanted(way: &Way, route: &Route) -> bool {
    let is_object = way.name == route.name && way.namespace == route.namespace;
    let is_path = route.paths.iter().any(|path| way.what == format!("{}{path}", route.host));
    is_object && is_path && way.service == format!("{}/{}", route.namespace, route.service)
}

/// What an object opens.
fn ways(object: &Value) -> Vec<Way> {
    match object["kind"].as_str() {
        Some("Service") => service(object),
        Some("Ingress") => ingress(object),
        Some("IngressRoute") => ingress_route(object),
        Some("HTTPRoute") => http_route(object),
        _ => Vec::new(),
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn way(object: &Value, what: String, service: String) -> Way {
    Way {
        kind: text(object, "/kind").to_owned(),
        namespace: text(object, "/metadata/namespace").to_owned(),
        name: text(object, "/metadata/name").to_owned(),
        what,
        service,
    }
}

/// `NAMESPACE/NAME` of a Service that an object names.
fn behind(object: &Value, backend: &Value) -> String {
    let own = text(object, "/metadata/namespace");
    let namespace = backend["namespace"].as_str().unwrap_or(own);
    format!("{namespace}/{}", backend["name"].as_str().unwrap_or("nothing"))
}

fn service(object: &Value) -> Vec<Way> {
    let kind = text(object, "/spec/type");
    let own = format!("{}/{}", text(object, "/metadata/namespace"), text(object, "/metadata/name"));
    let mut all = Vec::new();
    for port in list(object, "/spec/ports") {
        if kind == "LoadBalancer" {
            all.push(way(object, format!("port {} of a load balancer", port["port"]), own.clone()));
        }
        if let Some(port) = port["nodePort"].as_u64() {
            all.push(way(object, format!("port {port} of every node"), own.clone()));
        }
    }
    for address in list(object, "/spec/externalIPs") {
        all.push(way(object, format!("the address {}", address.as_str().unwrap_or_default()), own.clone()));
    }
    all
}

fn ingress(object: &Value) -> Vec<Way> {
    let mut all = Vec::new();
    if let Some(backend) = object.pointer("/spec/defaultBackend/service") {
        all.push(way(object, "every host and path".to_owned(), behind(object, backend)));
    }
    for rule in list(object, "/spec/rules") {
        let host = rule["host"].as_str().filter(|host| !host.is_empty()).unwrap_or("every host");
        for path in list(rule, "/http/paths") {
            let what = format!("{host}{}", path["path"].as_str().unwrap_or("/"));
            let backend = path.pointer("/backend/service").unwrap_or(&Value::Null);
            all.push(way(object, what, behind(object, backend)));
        }
    }
    all
}

/// The rule is a language of its own: a rule that another one differs from is another way. Ours is known by its exact text.
fn ingress_route(object: &Value) -> Vec<Way> {
    let mut all = Vec::new();
    for route in list(object, "/spec/routes") {
        let rule = text(route, "/match");
        for backend in list(route, "/services") {
            for what in rule_words(rule) {
                all.push(way(object, what, behind(object, backend)));
            }
        }
    }
    all
}

/// `HOST/v2` for a rule as `enable` writes it, else the rule.
fn rule_words(rule: &str) -> Vec<String> {
    let ours = || {
        let (host, rest) = rule.strip_prefix("Host(`")?.split_once("`) && (")?;
        let paths = rest.strip_suffix(')')?.split(" || ").collect::<Vec<_>>();
        let mut all = Vec::new();
        for pair in paths.chunks(2) {
            let exact = pair.first()?.strip_prefix("Path(`")?.strip_suffix("`)")?;
            if pair.get(1)? != &format!("PathPrefix(`{exact}/`)") {
                return None;
            }
            all.push(format!("{host}{exact}"));
        }
        Some(all)
    };
    ours().unwrap_or_else(|| vec![rule.to_owned()])
}

fn http_route(object: &Value) -> Vec<Way> {
    let mut hosts: Vec<&str> = list(object, "/spec/hostnames").iter().filter_map(Value::as_str).collect();
    if hosts.is_empty() {
        hosts.push("every host");
    }
    let mut all = Vec::new();
    for rule in list(object, "/spec/rules") {
        let paths: Vec<&str> = list(rule, "/matches")
            .iter()
            .map(|one| one.pointer("/path/value").and_then(Value::as_str).unwrap_or("/"))
            .collect();
        let paths = if paths.is_empty() { vec!["/"] } else { paths };
        for backend in list(rule, "/backendRefs") {
            for (host, path) in hosts.iter().flat_map(|host| paths.iter().map(move |path| (host, path))) {
                all.push(way(object, format!("{host}{path}"), behind(object, backend)));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::enable::{Class, Tls};
    use crate::site::RouteKind;

    fn route(kind: RouteKind) -> Route {
        Route {
            kind,
            name: "gitea-registry".to_owned(),
            namespace: "default".to_owned(),
            host: "git.example.com".to_owned(),
            paths: &["/v2", "/token"],
            service: "gitea-http".to_owned(),
            port: 3000,
            class: Class::Traefik,
            tls: Tls { secret: "gitea-tls".to_owned(), issuer: None },
            gateway: "traefik".to_owned(),
        }
    }

    fn exposure(objects: &[Value]) -> Exposure {
        Exposure { ways: objects.iter().flat_map(ways).collect(), unseen: Vec::new() }
    }

    #[test]
    fn the_route_that_was_asked_for_is_no_broader_and_every_other_one_is() {
        let node = json!({"kind": "Service", "metadata": {"namespace": "default", "name": "gitea-http"},
            "spec": {"type": "NodePort", "ports": [{"port": 3000, "nodePort": 32166}]}});
        let before = exposure(std::slice::from_ref(&node));
        for kind in RouteKind::ALL {
            let route = route(kind);
            let objects: Vec<Value> = std::iter::once(node.clone()).chain(route.objects()).collect();
            let after = exposure(&objects);
            assert_eq!(after.ways.len(), 3, "{kind:?}: {:?}", after.ways);
            assert_eq!(after.broader(&before, &route).count(), 0, "{kind:?}");
        }
        let mut wide = route(RouteKind::Ingress).objects();
        wide[0]["spec"]["rules"][0]["http"]["paths"][0]["path"] = "/".into();
        let balancer = json!({"kind": "Service", "metadata": {"namespace": "default", "name": "gitea-ssh"},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 22}], "externalIPs": ["203.0.113.4"]}});
        wide.extend([node, balancer]);
        let after = exposure(&wide);
        let route = route(RouteKind::Ingress);
        let said: Vec<String> = after.broader(&before, &route).map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "git.example.com/ by Ingress default/gitea-registry to default/gitea-http",
                "port 22 of a load balancer by Service default/gitea-ssh to default/gitea-ssh",
                "the address 203.0.113.4 by Service default/gitea-ssh to default/gitea-ssh",
            ]
        );
    }

    #[test]
    fn what_names_no_host_or_path_is_open_to_all() {
        let any = json!({"kind": "Ingress", "metadata": {"namespace": "a", "name": "b"}, "spec": {
            "defaultBackend": {"service": {"name": "s"}}, "rules": [{"http": {"paths": [{"backend": {"service": {"name": "t"}}}]}}]}});
        let http = json!({"kind": "HTTPRoute", "metadata": {"namespace": "a", "name": "c"}, "spec": {
            "rules": [{"backendRefs": [{"name": "u", "namespace": "x"}]}]}});
        let traefik = json!({"kind": "IngressRoute", "metadata": {"namespace": "a", "name": "d"}, "spec": {
            "routes": [{"match": "HostRegexp(`.*`)", "services": [{"name": "v"}]}]}});
        let said: Vec<String> = exposure(&[any, http, traefik])
            .ways
            .iter()
            .map(|way| format!("{} {}", way.what, way.service))
            .collect();
        assert_eq!(
            said,
            ["every host/ x/u", "every host and path a/s", "every host/ a/t", "HostRegexp(`.*`) a/v"]
        );
    }
}
