//! Where a route through the cluster leads: how it is written, and read.

use std::fmt;

use railhead_client::hops::Route;
use railhead_cluster::Via;

/// How `connect` of such a route begins.
const SCHEME: &str = "cluster:";

/// A text does not say where to connect in a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViaError {
    route: String,
    why: String,
}

impl fmt::Display for ViaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the route '{}' {}", self.route, self.why)
    }
}

impl std::error::Error for ViaError {}

/// Whether a route goes through the cluster's API server.
pub fn is_through(route: &Route) -> bool {
    route.connect.as_deref().is_some_and(|connect| connect.starts_with(SCHEME))
}

/// Where such a route leads.
pub fn via(route: &Route) -> Result<Via, ViaError> {
    let wrong = |why: String| ViaError { route: route.name.clone(), why };
    let connect = route.connect.as_deref().unwrap_or_default();
    if route.is_tls() {
        let why = "goes through the API server, which shows nothing of TLS: write its url with http://";
        return Err(wrong(why.to_owned()));
    }
    let form = || {
        wrong(format!(
            "does not say where '{connect}' is in the cluster; write it as cluster:service/NAMESPACE/NAME:PORT, \
             cluster:pod/NAMESPACE/NAME:PORT or cluster:node/NAME:PORT"
        ))
    };
    let (path, port) =
        connect.strip_prefix(SCHEME).and_then(|rest| rest.rsplit_once(':')).ok_or_else(form)?;
    let number: u16 = port.parse().map_err(|_| form())?;
    let parts: Vec<String> = path.split('/').map(str::to_owned).collect();
    match parts.as_slice() {
        all if all.iter().any(String::is_empty) => Err(form()),
        [kind, namespace, name] if kind == "service" => Ok(Via::Service {
            namespace: namespace.clone(),
            name: name.clone(),
            port: port.to_owned(),
            tls: false,
        }),
        [kind, namespace, name] if kind == "pod" => {
            Ok(Via::Pod { namespace: namespace.clone(), name: name.clone(), port: number })
        }
        [kind, name] if kind == "node" => Ok(Via::Node { name: name.clone(), port: number }),
        _ => Err(form()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_says_where_it_leads_in_the_cluster() {
        for (connect, wanted) in [
            ("cluster:service/default/gitea-http:3000", Some("service default/gitea-http:3000")),
            ("cluster:pod/default/gitea-0:3000", Some("pod default/gitea-0:3000")),
            ("cluster:node/node1:32166", Some("node node1:32166")),
            ("cluster:service/gitea-http:3000", None),
            ("cluster:pod//x:3000", None),
            ("cluster:gateway/a/b:1", None),
        ] {
            let route: Route = format!("in=http://git.example.com,connect={connect}").parse().unwrap();
            assert!(is_through(&route), "{connect}");
            match (via(&route), wanted) {
                (Ok(via), Some(wanted)) => assert_eq!(via.to_string(), wanted),
                (Err(error), None) => assert!(error.to_string().contains("cluster:service/"), "{error}"),
                (read, _) => panic!("{connect}: {read:?}"),
            }
        }
        let plain: Route = "pod=http://git.example.com,connect=10.0.0.7:3000".parse().unwrap();
        assert!(!is_through(&plain));
        let tls: Route = "in=https://git.example.com,connect=cluster:pod/a/b:1".parse().unwrap();
        assert!(via(&tls).unwrap_err().to_string().contains("http://"));
    }
}
