//! Traefik: Ingress, `IngressRoute`, and the static configuration, which k3s keeps in a `HelmChartConfig`.

use std::fmt::Write as _;

use super::{Ground, Need, paths};

pub(super) fn blocks(ground: &Ground<'_>, need: Need) -> Vec<String> {
    match need {
        Need::Route => vec![ingress(ground), route(ground)],
        Need::Certificate => vec![certificate(ground)],
        Need::Headers => vec![headers()],
        Need::Patience => vec![patience(), patience_static()],
        Need::Backend => vec![backend(ground)],
        Need::Open => vec![open(ground)],
        Need::Size | Need::Stream => vec![middlewares(
            ground,
            "no `buffering` middleware on the route of /v2: it limits and keeps bodies",
        )],
        Need::Untouched => vec![middlewares(ground, "no `compress` middleware on the route of /v2")],
        Need::Methods => {
            vec![middlewares(ground, "no `Method(…)` in the rule of /v2, and no plugin that filters methods")]
        }
        Need::Protocol => vec![protocol()],
    }
}

/// An Ingress for the registry's paths alone.
fn ingress(ground: &Ground<'_>) -> String {
    let mut text = format!(
        "# Traefik: an Ingress for the registry's paths, beside what is there; kubectl apply -f FILE\n\
         # If https then still answers 404: traefik.ingress.kubernetes.io/router.tls: \"true\" as an annotation.\n\
         apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: {word}-registry\n  namespace: {namespace}\n\
         spec:\n  ingressClassName: traefik\n  tls:\n    - hosts: [\"{host}\"]\n      secretName: {host}-tls\n  rules:\n    - host: {host}\n      http:\n        paths:\n",
        word = ground.service_word(),
        namespace = ground.namespace(),
        host = ground.host(),
    );
    for path in paths(ground.software) {
        let _ = write!(
            text,
            "          - path: {path}\n            pathType: Prefix\n            backend:\n              service:\n                name: {}\n                port:\n                  number: {}\n",
            ground.service(),
            ground.port(),
        );
    }
    text
}

fn route(ground: &Ground<'_>) -> String {
    let rules: Vec<String> =
        paths(ground.software).iter().map(|path| format!("PathPrefix(`{path}`)")).collect();
    format!(
        "# or as an IngressRoute\napiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata:\n  name: {word}-registry\n  namespace: {namespace}\n\
         spec:\n  entryPoints: [websecure]\n  routes:\n    - kind: Rule\n      match: Host(`{host}`) && ({rules})\n      services:\n        - name: {service}\n          port: {port}\n  tls:\n    secretName: {host}-tls",
        word = ground.service_word(),
        namespace = ground.namespace(),
        host = ground.host(),
        rules = rules.join(" || "),
        service = ground.service(),
        port = ground.port(),
    )
}

fn certificate(ground: &Ground<'_>) -> String {
    format!(
        "# Traefik: the Ingress of the host names a Secret, which cert-manager fills\nmetadata:\n  annotations:\n    cert-manager.io/cluster-issuer: <issuer>\n\
         spec:\n  tls:\n    - hosts: [\"{host}\"]\n      secretName: {host}-tls\n# or by hand, the chain in one file\n# kubectl -n {namespace} create secret tls {host}-tls --cert={host}-chain.crt --key={host}.key",
        host = ground.host(),
        namespace = ground.namespace(),
    )
}

fn headers() -> String {
    "# Traefik passes Host on and sets X-Forwarded-Proto itself. With another proxy before it that ends TLS, trust that one:\n\
     # k3s: /var/lib/rancher/k3s/server/manifests/traefik-config.yaml\napiVersion: helm.cattle.io/v1\nkind: HelmChartConfig\nmetadata:\n  name: traefik\n  namespace: kube-system\n\
     spec:\n  valuesContent: |-\n    ports:\n      web:\n        forwardedHeaders:\n          trustedIPs: [\"<address-of-the-outer-proxy>\"]\n      websecure:\n        forwardedHeaders:\n          trustedIPs: [\"<address-of-the-outer-proxy>\"]"
        .to_owned()
}

fn patience() -> String {
    "# Traefik in k3s: /var/lib/rancher/k3s/server/manifests/traefik-config.yaml (kubectl apply works, too)\n\
     apiVersion: helm.cattle.io/v1\nkind: HelmChartConfig\nmetadata:\n  name: traefik\n  namespace: kube-system\n\
     spec:\n  valuesContent: |-\n    ports:\n      websecure:\n        transport:\n          respondingTimeouts:\n            readTimeout: 0s      # 60s by default since 2.11.2\n            writeTimeout: 0s\n            idleTimeout: 180s"
        .to_owned()
}

fn patience_static() -> String {
    "# Traefik elsewhere: its static configuration\nentryPoints:\n  websecure:\n    transport:\n      respondingTimeouts:\n        readTimeout: 0s\n        writeTimeout: 0s\n        idleTimeout: 180s"
        .to_owned()
}

fn backend(ground: &Ground<'_>) -> String {
    format!(
        "# Traefik: does the Service of the route have a ready endpoint, on the port that the route names?\n\
         kubectl -n {namespace} get service {service} -o jsonpath='{{.spec.selector}} {{.spec.ports}}{{\"\\n\"}}'\n\
         kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={service}\n\
         kubectl -n {namespace} get pods --show-labels",
        namespace = ground.namespace(),
        service = ground.service(),
    )
}

fn open(ground: &Ground<'_>) -> String {
    format!(
        "{}\n\n{}",
        middlewares(
            ground,
            "no middleware (basicAuth, forwardAuth, ipAllowList, rateLimit, headers on Authorization) on the route of /v2"
        ),
        route(ground).replacen(
            "# or as an IngressRoute",
            "# a route of its own for /v2, without middlewares; the longer rule wins",
            1
        ),
    )
}

fn middlewares(ground: &Ground<'_>, what: &str) -> String {
    format!(
        "# Traefik: {what}. Which are there?\nkubectl -n {namespace} get ingress -o yaml | grep -A1 router.middlewares\nkubectl get middlewares.traefik.io -A\nkubectl -n {namespace} get ingressroute -o yaml | grep -A5 middlewares",
        namespace = ground.namespace(),
    )
}

fn protocol() -> String {
    "# Traefik: a TLSOption without client certificates and old versions\napiVersion: traefik.io/v1alpha1\nkind: TLSOption\nmetadata:\n  name: default\n  namespace: default\nspec:\n  minVersion: VersionTLS12\n  # no clientAuth"
        .to_owned()
}
