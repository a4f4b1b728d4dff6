//! Why a node could not pull, out of what its kubelet says: the words of containerd, CRI-O and docker, and of Go below them.
//!
//! A digest may have any letters and digits in it, so no row looks for a number alone.

use railhead_doctor::{Code, Layer};

/// Why, who has to act, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) code: Code,
    pub(super) layer: Layer,
    pub(super) fix: String,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Why.
    Known(Known),
    /// Nothing of that name is there, which has several causes.
    Nothing,
}

/// Where the pull was tried.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) host: &'a str,
    pub(super) namespace: &'a str,
    /// The pull secrets of the pod.
    pub(super) secrets: &'a [String],
    /// Those that the kubelet did not get.
    pub(super) unfetched: &'a [String],
}

/// Any of these words, the code, and what to do about it. The first row that fits counts: what is more exact stands first.
const WORDS: &[(&[&str], Code, &str)] = &[
    (
        &["signed by unknown authority", "certificate is not trusted"],
        Code::TlsUntrusted,
        "make every node trust the authority of HOST: `ca` in /etc/containerd/certs.d/HOST/hosts.toml, in k3s /etc/rancher/k3s/registries.yaml",
    ),
    (
        &[
            "certificate is valid for",
            "not valid for any names",
            "cannot validate certificate for",
            "certificate relies on legacy",
        ],
        Code::TlsName,
        "HOST has to be among the names of the certificate that the node gets",
    ),
    (
        &["certificate has expired or is not yet valid"],
        Code::TlsExpired,
        "renew the certificate of HOST, and compare the node's clock",
    ),
    (
        &["server gave HTTP response to HTTPS client"],
        Code::TlsPlain,
        "a node asks HOST by https: end TLS in front of that port, or name it as http in the node's hosts.toml",
    ),
    (
        &["no such host", "Name or service not known"],
        Code::DnsUnknown,
        "the resolver of the node has to know HOST; it is not the cluster's own",
    ),
    (
        &["dial tcp: lookup ", "Temporary failure in name resolution"],
        Code::DnsService,
        "the name service in the node's /etc/resolv.conf does not answer for HOST",
    ),
    (
        &["connection refused"],
        Code::ConnectRefused,
        "nothing listens where the node finds HOST: compare the address that HOST has on the node, and what listens there",
    ),
    (
        &["no route to host", "network is unreachable"],
        Code::ConnectUnreachable,
        "the node has no way to HOST: look at its routes and firewalls",
    ),
    (
        &["429 Too Many Requests", "toomanyrequests"],
        Code::RouteRate,
        "take /v2/ of HOST out of the limit of requests, or raise it: all nodes may share one address",
    ),
    (&["502 Bad Gateway"], Code::Route502, "what is in front of HOST does not reach the registry"),
    (&["503 Service Unavailable"], Code::Route503, "what is in front of HOST has no backend"),
    (&["504 Gateway Timeout"], Code::Route504, "the registry behind HOST does not answer in time"),
    (
        &["invalid character '<'", "text/html"],
        Code::RouteMisrouted,
        "/v2/ of HOST leads to a page on the node's way: route it to the registry",
    ),
    (
        &["i/o timeout", "deadline exceeded", "Client.Timeout"],
        Code::ConnectTimeout,
        "HOST does not answer the node: look at the firewalls between them",
    ),
];

/// Words of a 404 that no registry writes.
const OF_A_PROXY: [&str; 2] = ["404 page not found", "error parsing HTTP 404 response body"];

const NO_ROUTE: &str = "/v2/ of HOST is answered with a 404 by what is in front on the node's way: route it to the registry there";

/// Reads a message.
pub(super) fn cause(message: &str, at: At<'_>) -> Option<Found> {
    if is_refusal(message) {
        return Some(Found::Known(refused(message, at)));
    }
    let known = |code: Code, fix: &str| {
        // Who trusts too little is the node, where the certificate is good for others.
        let layer = if code == Code::TlsUntrusted { Layer::Client } else { code.story().layer };
        Some(Found::Known(Known { code, layer, fix: fill(fix, message, at.host) }))
    };
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if let Some((_, code, fix)) = WORDS.iter().find(|(words, ..)| has(words)) {
        return known(*code, fix);
    }
    if has(&OF_A_PROXY) {
        return known(Code::Route404, NO_ROUTE);
    }
    if message.contains("404 Not Found") && message.contains("token") {
        return known(
            Code::Realm404,
            "the token endpoint of HOST is not routed on the node's way: route its path to the registry too",
        );
    }
    if message.contains("403 Forbidden") {
        return match at.secrets {
            [] => known(Code::RouteForbidden, "something in front of HOST refuses the node"),
            _ => known(
                Code::AuthRead,
                "the account in the pull secret may not read this repository, or something in front of HOST refuses the node",
            ),
        };
    }
    is_nothing(message).then_some(Found::Nothing)
}

/// Whether a login is asked for, or one was refused.
pub(super) fn is_refusal(message: &str) -> bool {
    [
        "401 Unauthorized",
        "pull access denied",
        "authorization failed",
        "insufficient_scope",
        "no basic auth credentials",
        "authentication required",
        "access to the resource is denied",
        "invalid username/password",
    ]
    .iter()
    .any(|word| message.contains(word))
}

/// Whether nothing of that name is there.
pub(super) fn is_nothing(message: &str) -> bool {
    ["not found", "404 Not Found", "manifest unknown", "name unknown"]
        .iter()
        .any(|word| message.contains(word))
}

/// Why nothing is there though the image was pulled from here. `asks` is whether what the node reaches asks for logins.
pub(super) fn nothing(at: &At<'_>, asks: Option<bool>) -> Known {
    let host = at.host;
    let (code, fix) = match asks {
        Some(false) => (Code::Route404, NO_ROUTE.replace("HOST", host)),
        Some(true) => (
            Code::RouteOther,
            format!(
                "the node reaches a registry without this image: compare the address that {host} has on the node, and its mirrors in \
                 hosts.toml or registries.yaml"
            ),
        ),
        None => (
            Code::RouteOther,
            format!(
                "the image is there when it is asked for from here. The node reaches another registry, or a proxy that does not route \
                 /v2/: compare the address that {host} has on the node, and its mirrors in hosts.toml or registries.yaml"
            ),
        ),
    };
    Known { code, layer: Layer::Routing, fix }
}

/// A 401 does not say why, but who asked is known.
fn refused(message: &str, at: At<'_>) -> Known {
    let At { host, namespace, secrets, unfetched } = at;
    let create = format!("`railhead pull-secret create {host} --namespace {namespace} …` makes one");
    let names = secrets.join(" and ");
    let is_login = message.contains("401 Unauthorized") || message.contains("invalid username/password");
    let (code, fix) = match (secrets, unfetched) {
        // Without any login it would be an anonymous token.
        ([], _) if message.contains("oauth token") => (
            Code::AuthRefused,
            format!(
                "{host} does not take the login that the node has of its own, by a credential provider or in its runtime: the registry's \
                 audit says why"
            ),
        ),
        ([], _) => {
            (Code::AuthRead, format!("{host} asks for a login, and the pod has no pull secret: {create}"))
        }
        (_, [first, ..]) => (
            Code::AuthRead,
            format!("the node does not get the Secret {namespace}/{first}; if it is not there: {create}"),
        ),
        _ if is_login => (
            Code::AuthRefused,
            format!(
                "the login in the Secret {namespace}/{names} is refused, or is for another host than {host}: `railhead pull-secret verify` \
                 says which, `rotate` renews it"
            ),
        ),
        _ => (
            Code::AuthRead,
            format!("the account in the Secret {namespace}/{names} may not read this repository"),
        ),
    };
    Known { code, layer: Layer::Identity, fix }
}

/// The fix with the host that the node asked, which may be a mirror.
fn fill(fix: &str, message: &str, host: &str) -> String {
    let asked = asked(message).unwrap_or(host);
    let fix = fix.replace("HOST", asked);
    if asked == host || host.starts_with(&format!("{asked}:")) {
        return fix;
    }
    format!("{fix}. The node asks {asked} in place of {host}, as its hosts.toml or registries.yaml says")
}

/// The host of the request that failed.
fn asked(message: &str) -> Option<&str> {
    let from = |begin: &str| {
        let rest = message.split_once(begin)?.1;
        let end = rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || ".-:[]".contains(letter)));
        Some(&rest[..end.unwrap_or(rest.len())]).filter(|host| !host.is_empty())
    };
    from(" \"https://")
        .or_else(|| from(" \"http://"))
        .or_else(|| from("pulling from host "))
        .or_else(|| from("dial tcp: lookup "))
}

/// A kubelet's message without what every one of them begins with.
pub(super) fn heart(message: &str) -> &str {
    let begins =
        ["failed to resolve reference \"", "Failed to pull image \"", "failed to pull and unpack image \""];
    let rest = begins.iter().find_map(|begin| message.rsplit_once(begin)?.1.split_once("\": "));
    rest.map_or(message, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "forge.test";
    const DIGEST: &str = "sha256:42942940440340150250350451142942940440340150250350451142940440aa";

    fn words(message: &str, secrets: &[String], unfetched: &[String]) -> String {
        let image = format!("{HOST}/team/app@{DIGEST}");
        let message = format!(
            "Failed to pull image \"{image}\": failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\": {message}"
        );
        let at = At { host: HOST, namespace: "team", secrets, unfetched };
        match cause(&message, at) {
            Some(Found::Known(known)) => {
                assert!(!known.fix.contains("HOST"), "{}", known.fix);
                format!("{} {}: {}", known.code, known.layer, known.fix)
            }
            Some(Found::Nothing) => "nothing".to_owned(),
            None => "unknown".to_owned(),
        }
    }

    #[test]
    fn the_kubelets_words_are_told_apart() {
        let pull = ["pull".to_owned()];
        let request =
            format!("failed to do request: Head \"https://forge.test/v2/team/app/manifests/{DIGEST}\"");
        for (message, secrets, unfetched, wanted) in [
            (format!("{HOST}/team/app@{DIGEST}: not found"), &[][..], &[][..], "nothing"),
            (format!("pulling from host {HOST} failed with status code [manifests {DIGEST}]: 401 Unauthorized"), &[], &[], "RH-AUTH-READ identity: forge.test asks"),
            (format!("pulling from host {HOST} failed with status code [manifests {DIGEST}]: 401 Unauthorized"), &pull, &pull, "RH-AUTH-READ identity: the node does not get the Secret team/pull"),
            ("failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized".into(), &[], &[], "RH-AUTH-REFUSED identity: forge.test does not take the login that the node has"),
            ("failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized".into(), &pull, &[], "RH-AUTH-REFUSED identity: the login in the Secret team/pull"),
            ("pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed".into(), &pull, &[], "RH-AUTH-READ identity: the account in the Secret team/pull"),
            ("failed to authorize: failed to fetch anonymous token: unexpected status: 404 Not Found".into(), &[], &[], "RH-REALM-404 routing"),
            (format!("{request}: x509: certificate signed by unknown authority"), &[], &[], "RH-TLS-UNTRUSTED client: make every node trust the authority of forge.test"),
            (format!("{request}: x509: certificate is valid for a.test, not forge.test"), &[], &[], "RH-TLS-NAME tls"),
            (format!("{request}: dial tcp 10.99.0.1:443: connect: connection refused"), &[], &[], "RH-CONNECT-REFUSED network"),
            (format!("{request}: dial tcp: lookup forge.test on 127.0.0.1:53: no such host"), &[], &[], "RH-DNS-UNKNOWN network"),
            (format!("{request}: dial tcp: lookup forge.test on 127.0.0.1:53: read udp 127.0.0.1:9->127.0.0.1:53: read: connection refused"), &[], &[], "RH-DNS-SERVICE network"),
            (format!("{request}: dial tcp 10.0.0.1:443: i/o timeout"), &[], &[], "RH-CONNECT-TIMEOUT network"),
            (format!("{request}: http: server gave HTTP response to HTTPS client"), &[], &[], "RH-TLS-PLAIN tls"),
            (format!("pulling from host {HOST} failed with status code [manifests {DIGEST}]: 429 Too Many Requests"), &[], &[], "RH-ROUTE-RATE routing"),
            (format!("pulling from host {HOST} failed with status code [manifests {DIGEST}]: 403 Forbidden"), &[], &[], "RH-ROUTE-FORBIDDEN routing"),
            (format!("pulling from host {HOST} failed with status code [manifests {DIGEST}]: 502 Bad Gateway"), &[], &[], "RH-ROUTE-502 routing"),
            ("initializing source docker://a: pinging container registry forge.test: StatusCode: 404, \"404 page not found\\n\"".into(), &[], &[], "RH-ROUTE-404 routing"),
            ("reading manifest sha256:00 in forge.test/team/app: manifest unknown".into(), &[], &[], "nothing"),
            ("something else".into(), &[], &[], "unknown"),
        ] {
            let words = words(&message, secrets, unfetched);
            assert!(words.starts_with(wanted), "{message}\n{words}\n{wanted}");
        }
    }

    #[test]
    fn a_mirror_is_named_in_what_to_do() {
        let message = "failed to do request: Head \"https://mirror.test:5000/v2/x?ns=forge.test\": dial tcp 10.99.0.1:5000: connect: connection refused";
        let words = words(message, &[], &[]);
        assert!(words.contains("where the node finds mirror.test:5000"), "{words}");
        assert!(
            words.ends_with(
                "asks mirror.test:5000 in place of forge.test, as its hosts.toml or registries.yaml says"
            ),
            "{words}"
        );
    }

    #[test]
    fn a_404_is_a_proxys_where_nobody_asks_for_a_login() {
        let at = At { host: HOST, namespace: "team", secrets: &[], unfetched: &[] };
        let codes = [Some(false), Some(true), None].map(|asks| nothing(&at, asks).code.to_string());
        assert_eq!(codes, ["RH-ROUTE-404", "RH-ROUTE-OTHER", "RH-ROUTE-OTHER"]);
    }

    #[test]
    fn a_message_is_told_without_its_beginning() {
        let long = "Failed to pull image \"a@b\": failed to pull and unpack image \"a@b\": failed to resolve reference \"a@b\": a@b: not found";
        assert_eq!(heart(long), "a@b: not found");
        assert_eq!(heart("Failed to pull image \"a\": no"), "no");
        assert_eq!(heart("other"), "other");
    }
}
