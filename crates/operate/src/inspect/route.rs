//! Which path on which host reaches what: Ingresses, Traefik's IngressRoutes, routes of the Gateway API.

use std::collections::BTreeSet;

use railhead_cluster::kinds;
use serde::Serialize;
use serde_json::Value;

use super::collect::Collected;
use super::forge::{behind, find};
use super::look::{flag, full_name, list, namespace, text};

/// One host and path, and what is behind them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Route {
    /// The host; `*` is any.
    pub host: String,
    /// The path.
    pub path: String,
    /// Whether only that path is meant, and not what is below it.
    pub exact: bool,
    /// As `Ingress default/gitea`.
    pub object: String,
    /// The class, or the gateway.
    pub class: String,
    /// The namespace of the service.
    pub namespace: String,
    /// The service.
    pub service: String,
    /// Its port, by number or name.
    pub port: String,
    /// Whether there is TLS for the host.
    pub tls: bool,
    /// The Secret with the certificate, as `default/gitea-tls`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Addresses behind the service that are ready; none where there is no such service.
    pub ready: Option<usize>,
}

impl Route {
    /// Whether it takes a request, and how closely it fits; the largest takes it.
    fn fits(&self, host: &str, path: &str) -> Option<(usize, usize, bool)> {
        let host_fits = if self.host == host {
            2
        } else if self.host == "*" {
            0
        } else {
            let above = self.host.strip_prefix("*.")?;
            let (_, domain) = host.split_once('.')?;
            (above == domain).then_some(1)?
        };
        let below = || {
            let own = self.path.trim_end_matches('/');
            path == own || path.strip_prefix(own).is_some_and(|rest| rest.starts_with('/'))
        };
        let path_fits = if self.exact { path == self.path } else { below() };
        path_fits.then_some((host_fits, self.path.trim_end_matches('/').len(), self.exact))
    }

    /// As `forge.test/v2`.
    pub fn words(&self) -> String {
        format!("{}{}", self.host, self.path)
    }
}

/// The route that takes `path` of `host`.
pub fn winner<'a>(routes: &'a [Route], host: &str, path: &str) -> Option<&'a Route> {
    let fitting = routes.iter().filter_map(|route| Some((route.fits(host, path)?, route)));
    fitting.max_by_key(|(fit, _)| *fit).map(|(_, route)| route)
}

/// All routes, by host and path.
pub fn routes(collected: &Collected) -> Vec<Route> {
    let mut all = Vec::new();
    for ingress in collected.of(&kinds::INGRESS) {
        of_ingress(ingress, &mut all);
    }
    for kind in [&kinds::INGRESS_ROUTE, &kinds::OLD_INGRESS_ROUTE] {
        for route in collected.of(kind) {
            of_ingress_route(route, &mut all);
        }
    }
    for route in collected.of(&kinds::HTTP_ROUTE) {
        of_http_route(route, collected.of(&kinds::GATEWAY), &mut all);
    }
    for route in &mut all {
        let service = find(collected.of(&kinds::SERVICE), &route.namespace, &route.service);
        let slices = collected.of(&kinds::ENDPOINT_SLICE);
        route.ready = service.map(|_| behind(slices, &route.namespace, &route.service).0);
    }
    all.sort_by_key(|route| (route.host.clone(), route.path.clone(), route.object.clone()));
    all
}

/// The TLS secrets that routes name.
pub fn secrets(collected: &Collected) -> BTreeSet<(String, String)> {
    let routes = routes(collected).into_iter().filter_map(|route| {
        let (namespace, name) = route.secret?.split_once('/').map(|(a, b)| (a.to_owned(), b.to_owned()))?;
        Some((namespace, name))
    });
    routes.collect()
}

fn of_ingress(ingress: &Value, into: &mut Vec<Route>) {
    let class = match text(ingress, "/spec/ingressClassName") {
        "" => text(ingress, "/metadata/annotations/kubernetes.io~1ingress.class"),
        class => class,
    };
    let tls = list(ingress, "/spec/tls");
    for rule in list(ingress, "/spec/rules") {
        let host = if text(rule, "/host").is_empty() { "*" } else { text(rule, "/host") };
        let mine = tls.iter().find(|entry| list(entry, "/hosts").iter().any(|named| covers(named, host)));
        let secret = mine.map(|entry| text(entry, "/secretName")).filter(|name| !name.is_empty());
        for path in list(rule, "/http/paths") {
            let backend = "/backend/service";
            let port = match path.pointer(&format!("{backend}/port/number")).and_then(Value::as_u64) {
                Some(number) => number.to_string(),
                None => text(path, &format!("{backend}/port/name")).to_owned(),
            };
            into.push(Route {
                host: host.to_owned(),
                path: or_root(text(path, "/path")),
                exact: text(path, "/pathType") == "Exact",
                object: format!("Ingress {}", full_name(ingress)),
                class: class.to_owned(),
                namespace: namespace(ingress).to_owned(),
                service: text(path, &format!("{backend}/name")).to_owned(),
                port,
                tls: mine.is_some(),
                secret: secret.map(|name| format!("{}/{name}", namespace(ingress))),
                ready: None,
            });
        }
    }
}

fn covers(named: &Value, host: &str) -> bool {
    let named = named.as_str().unwrap_or_default();
    named == host
        || named
            .strip_prefix("*.")
            .is_some_and(|above| host.split_once('.').is_some_and(|(_, of)| of == above))
}

fn or_root(path: &str) -> String {
    if path.is_empty() { "/".to_owned() } else { path.to_owned() }
}

fn of_ingress_route(object: &Value, into: &mut Vec<Route>) {
    let secret = Some(text(object, "/spec/tls/secretName")).filter(|name| !name.is_empty());
    let tls = object.pointer("/spec/tls").is_some_and(|tls| !tls.is_null());
    for route in list(object, "/spec/routes") {
        let rule = text(route, "/match");
        let hosts = arguments(rule, &["Host"]);
        let exact = arguments(rule, &["Path"]);
        let below = arguments(rule, &["PathPrefix"]);
        let paths = exact
            .iter()
            .map(|path| (path.clone(), true))
            .chain(below.iter().map(|path| (path.clone(), false)));
        let mut paths: Vec<(String, bool)> = paths.collect();
        if paths.is_empty() {
            paths.push(("/".to_owned(), false));
        }
        let hosts = if hosts.is_empty() { vec!["*".to_owned()] } else { hosts };
        for service in list(route, "/services") {
            let port =
                service.get("port").map(|port| port.as_str().map_or_else(|| port.to_string(), str::to_owned));
            let within = match text(service, "/namespace") {
                "" => namespace(object),
                other => other,
            };
            for host in &hosts {
                for (path, exact) in &paths {
                    into.push(Route {
                        host: host.clone(),
                        path: path.clone(),
                        exact: *exact,
                        object: format!("IngressRoute {}", full_name(object)),
                        class: "traefik".to_owned(),
                        namespace: within.to_owned(),
                        service: text(service, "/name").to_owned(),
                        port: port.clone().unwrap_or_default(),
                        tls,
                        secret: secret.map(|name| format!("{}/{name}", namespace(object))),
                        ready: None,
                    });
                }
            }
        }
    }
}

/// The arguments of a matcher in a rule of Traefik, as ``Host(`a`, `b`) && PathPrefix(`/v2`)``; one behind `!` is none.
fn arguments(rule: &str, names: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = rule;
    while let Some(at) = rest.find('(') {
        let (before, after) = rest.split_at(at);
        let word = before.rsplit(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or_default();
        let negated = before[..before.len() - word.len()].trim_end().ends_with('!');
        if word.is_empty() || negated {
            rest = &after[1..];
            continue;
        }
        let inside = after[1..].split(')').next().unwrap_or_default();
        if names.contains(&word) {
            let quoted = inside.split(['`', '"', '\'']).skip(1).step_by(2);
            found.extend(quoted.map(str::to_owned));
        }
        rest = &after[1..];
    }
    found
}

fn of_http_route(object: &Value, gateways: &[Value], into: &mut Vec<Route>) {
    let hosts: Vec<String> =
        list(object, "/spec/hostnames").iter().filter_map(|host| host.as_str().map(str::to_owned)).collect();
    let hosts = if hosts.is_empty() { vec!["*".to_owned()] } else { hosts };
    let parents: Vec<&Value> = list(object, "/spec/parentRefs")
        .iter()
        .filter_map(|parent| {
            let within = match text(parent, "/namespace") {
                "" => namespace(object),
                other => other,
            };
            find(gateways, within, text(parent, "/name"))
        })
        .collect();
    let class = parents.first().map(|gateway| full_name(gateway)).unwrap_or_default();
    for rule in list(object, "/spec/rules") {
        let mut paths: Vec<(String, bool)> = list(rule, "/matches")
            .iter()
            .map(|one| (or_root(text(one, "/path/value")), text(one, "/path/type") == "Exact"))
            .collect();
        if paths.is_empty() {
            paths.push(("/".to_owned(), false));
        }
        for backend in list(rule, "/backendRefs") {
            let within = match text(backend, "/namespace") {
                "" => namespace(object),
                other => other,
            };
            for host in &hosts {
                let listener = parents.iter().find_map(|gateway| secret_of(gateway, host));
                for (path, exact) in &paths {
                    into.push(Route {
                        host: host.clone(),
                        path: path.clone(),
                        exact: *exact,
                        object: format!("HTTPRoute {}", full_name(object)),
                        class: class.clone(),
                        namespace: within.to_owned(),
                        service: text(backend, "/name").to_owned(),
                        port: backend.get("port").map(Value::to_string).unwrap_or_default(),
                        tls: listener.is_some(),
                        secret: listener.clone().filter(|name| !name.is_empty()),
                        ready: None,
                    });
                }
            }
        }
    }
}

/// The certificate of the gateway's listener for a host; empty where the listener has TLS and names none.
fn secret_of(gateway: &Value, host: &str) -> Option<String> {
    let mine = |listener: &&Value| {
        let named = listener.get("hostname").cloned().unwrap_or_default();
        text(listener, "/protocol") == "HTTPS" && (named.is_null() || covers(&named, host))
    };
    let listener = list(gateway, "/spec/listeners").iter().find(mine)?;
    let reference = list(listener, "/tls/certificateRefs").first();
    Some(reference.map_or_else(String::new, |reference| {
        let within = match text(reference, "/namespace") {
            "" => namespace(gateway),
            other => other,
        };
        format!("{within}/{}", text(reference, "/name"))
    }))
}

/// What can be reached from outside of the cluster without a route: a service's own port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exposed {
    /// As `Service default/gitea-http`.
    pub object: String,
    /// `NodePort`, `LoadBalancer`, `hostPort`, `externalIP`.
    pub how: String,
    /// The port outside.
    pub port: u64,
    /// Whether it leads to the forge.
    pub forge: bool,
}

/// Everything that is open to the outside.
pub fn exposed(collected: &Collected, forge: &[&Value]) -> Vec<Exposed> {
    let mut all = Vec::new();
    for service in collected.of(&kinds::SERVICE) {
        let kind = text(service, "/spec/type");
        let mine = forge.iter().any(|one| full_name(one) == full_name(service));
        let object = format!("Service {}", full_name(service));
        for port in list(service, "/spec/ports") {
            let open = |how: &str, pointer: &str| {
                let port = port.pointer(pointer).and_then(Value::as_u64)?;
                Some(Exposed { object: object.clone(), how: how.to_owned(), port, forge: mine })
            };
            if kind == "LoadBalancer" {
                all.extend(open("LoadBalancer", "/port"));
            }
            if kind == "NodePort"
                || (kind == "LoadBalancer" && text(service, "/spec/allocateLoadBalancerNodePorts") != "false")
            {
                all.extend(open("NodePort", "/nodePort"));
            }
            if !list(service, "/spec/externalIPs").is_empty() {
                all.extend(open("externalIP", "/port"));
            }
        }
    }
    for pod in collected.of(&kinds::POD) {
        let network = flag(pod, "/spec/hostNetwork");
        for port in list(pod, "/spec/containers").iter().flat_map(|container| list(container, "/ports")) {
            let pointer = if network { "/containerPort" } else { "/hostPort" };
            if let Some(port) = port.pointer(pointer).and_then(Value::as_u64).filter(|port| *port > 0) {
                let how = if network { "hostNetwork" } else { "hostPort" }.to_owned();
                all.push(Exposed { object: format!("Pod {}", full_name(pod)), how, port, forge: false });
            }
        }
    }
    all.sort_by_key(|one| (!one.forge, one.object.clone(), one.port));
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_rule_of_traefik_is_read() {
        let rule =
            "(Host(`a.example`) || Host(\"b.example\")) && PathPrefix(`/v2`) && !PathPrefix(`/v2/private`)";
        assert_eq!(arguments(rule, &["Host"]), ["a.example", "b.example"]);
        assert_eq!(arguments(rule, &["PathPrefix"]), ["/v2"]);
        assert_eq!(arguments("HostRegexp(`.*`)", &["Host"]), [""; 0]);
        assert_eq!(arguments("((((", &["Host"]), [""; 0]);
    }

    fn ingress(host: &str, path: &str, service: &str) -> Vec<Route> {
        let mut routes = Vec::new();
        let object = json!({"metadata": {"name": service, "namespace": "n"}, "spec": {"tls": [{"hosts": ["*.example"], "secretName": "s"}],
            "rules": [{"host": host, "http": {"paths": [{"path": path, "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"number": 3000}}}}]}}]}});
        of_ingress(&object, &mut routes);
        routes
    }

    #[test]
    fn the_closest_route_takes_a_request() {
        let mut routes = ingress("git.example", "/", "web");
        routes.extend(ingress("git.example", "/v2", "registry"));
        routes.extend(ingress("*.example", "/v2/token", "other"));
        let at = |path| winner(&routes, "git.example", path).map(|route| route.service.as_str());
        assert_eq!(
            (at("/v2/"), at("/v2"), at("/v21"), at("/v2/token")),
            (Some("registry"), Some("registry"), Some("web"), Some("registry"))
        );
        assert_eq!(winner(&routes, "else.example", "/v2/token/x").unwrap().service, "other");
        assert_eq!(winner(&routes, "a.b.example", "/v2/"), None);
        assert_eq!((routes[0].tls, routes[0].secret.as_deref()), (true, Some("n/s")));
    }

    #[test]
    fn a_route_of_the_gateway_api_has_its_listeners_certificate() {
        let gateway = json!({"metadata": {"name": "g", "namespace": "infra"}, "spec": {"listeners": [
            {"protocol": "HTTP"}, {"protocol": "HTTPS", "hostname": "*.example", "tls": {"certificateRefs": [{"name": "wild"}]}}]}});
        let object = json!({"metadata": {"name": "r", "namespace": "n"}, "spec": {"parentRefs": [{"name": "g", "namespace": "infra"}],
            "hostnames": ["git.example"], "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "/v2"}}], "backendRefs": [{"name": "web", "port": 3000}]}]}});
        let mut routes = Vec::new();
        of_http_route(&object, &[gateway], &mut routes);
        let Route { path, service, port, secret, .. } = &routes[0];
        assert_eq!(
            (path.as_str(), service.as_str(), port.as_str(), secret.as_deref()),
            ("/v2", "web", "3000", Some("infra/wild"))
        );
    }
}
