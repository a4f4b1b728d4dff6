//! One host in the cluster: `/v2` is Railhead's and everything else a Gitea's, by the Ingress of the guide.

use std::fs;
use std::path::Path;

use railhead_cluster::kinds;

use crate::cluster::{Cluster, FORGE_PORT, NODE_ADDRESS};
use crate::railhead::{Options, Railhead};
use crate::team::certificate;

/// Where Railhead listens on the node, beside the cluster.
pub const PORT: u16 = 5449;
/// The Ingress, and the secret of its certificate.
const NAME: &str = "one-host";
/// Railhead is no pod here, so its address is written down.
const SERVICE: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: railhead, namespace: default}
spec: {ports: [{name: http, port: 5050, targetPort: PORT}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: railhead, namespace: default, labels: {kubernetes.io/service-name: railhead}}
addressType: IPv4
endpoints: [{addresses: ["ADDRESS"], conditions: {ready: true}}]
ports: [{name: http, port: PORT, protocol: TCP}]
"#;

/// Railhead as the registry of `host`, with the accounts of the forge in the cluster.
pub fn start(cluster: &'static Cluster, home: &Path, host: &str) -> Railhead {
    let words = ["--host", host, "--trusted-proxy", NODE_ADDRESS].map(str::to_owned);
    let forge = format!("http://{NODE_ADDRESS}:{FORGE_PORT}");
    let options = Options {
        listen: Some(format!("{NODE_ADDRESS}:{PORT}")),
        arguments: words.to_vec(),
        variables: vec![("RAILHEAD_FORGE_KIND", "gitea".to_owned()), ("RAILHEAD_FORGE_URL", forge)],
        inside: Some(cluster),
        ..Options::default()
    };
    Railhead::start(home, options)
}

/// The Ingress of the guide, for `host`.
pub fn ingress(host: &str) -> String {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guides/same-host.md");
    let guide = fs::read_to_string(guide).unwrap();
    let section = guide.split_once("## In a cluster\n").unwrap().1;
    let block = section.split_once("```yaml\n").unwrap().1.split_once("```").unwrap().0;
    block.replace("git-example-com-tls", NAME).replace("git.example.com", host)
}

/// Brings `/v2` of `host` to Railhead, and everything else to the forge.
pub fn route(cluster: &Cluster, host: &str) {
    let service = SERVICE.replace("PORT", &PORT.to_string()).replace("ADDRESS", NODE_ADDRESS);
    let secret = certificate(cluster, NAME);
    cluster.api(async |api| api.apply(&secret, false).await.map(drop)).unwrap();
    cluster.apply(&service);
    cluster.apply(&ingress(host));
}

/// Takes it away again.
pub fn end(cluster: &Cluster) {
    cluster.api(async |api| {
        for (kind, name) in [
            (&kinds::INGRESS, NAME),
            (&kinds::SECRET, NAME),
            (&kinds::ENDPOINT_SLICE, "railhead"),
            (&kinds::SERVICE, "railhead"),
        ] {
            assert!(api.delete(kind, Some("default"), name).await.unwrap(), "{name}");
        }
    });
}
