//! Commands and lines that belong to no server in particular.

use super::Ground;
use crate::recognise::Front;
use crate::url::Url;

pub(super) fn record(ground: &Ground<'_>) -> String {
    format!("# the zone of {host}\n{host}.  300  IN  A  <address-of-what-is-in-front>", host = ground.host())
}

pub(super) fn resolver(ground: &Ground<'_>) -> String {
    format!(
        "# is it this machine's resolver?\ncat /etc/resolv.conf\ngetent hosts {host}\n# without it\nrailhead doctor {authority} --resolve {host}=<address>",
        host = ground.host(),
        authority = ground.authority(),
    )
}

pub(super) fn listening(ground: &Ground<'_>) -> String {
    format!(
        "# on the machine that the route leads to\nss -ltnp\n# in a cluster\nkubectl -n {namespace} get service,endpointslices,pods -o wide\nkubectl -n {namespace} logs deploy/{release} --tail=50",
        namespace = ground.namespace(),
        release = ground.release(),
    )
}

pub(super) fn addresses(ground: &Ground<'_>) -> String {
    let host = ground.host();
    format!(
        "# every address of the name has to answer\ndig +short A {host}\ndig +short AAAA {host}\ncurl -si --resolve {host}:443:<address> https://{host}/v2/"
    )
}

pub(super) fn ask(ground: &Ground<'_>) -> String {
    format!(
        "# the registry itself, then everything in front of it\ncurl -si http://{}/v2/ -H 'Host: {}' | head -c 500",
        ground.upstream(),
        ground.authority(),
    )
}

pub(super) fn clock() -> String {
    "# on the machine whose clock is wrong\ntimedatectl set-ntp true\ntimedatectl status".to_owned()
}

pub(super) fn route_as(ground: &Ground<'_>, scheme: &str) -> String {
    format!("# the site file\n[routes.<name>]\nurl = \"{scheme}://{}\"", ground.authority())
}

pub(super) fn renewal(ground: &Ground<'_>) -> String {
    format!(
        "# with cert-manager: why is it not renewed?\nkubectl -n {namespace} describe certificate,certificaterequest,order,challenge\nkubectl -n {namespace} delete secret {host}-tls   # is made anew\n# with certbot\ncertbot renew --cert-name {host}",
        namespace = ground.namespace(),
        host = ground.host(),
    )
}

pub(super) fn request(ground: &Ground<'_>) -> String {
    format!(
        "# a request for a server's certificate with a name that clients read\nopenssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {host}.key -out {host}.csr \\\n  -subj /CN={host} -addext subjectAltName=DNS:{host} -addext extendedKeyUsage=serverAuth",
        host = ground.host(),
    )
}

pub(super) fn chain(ground: &Ground<'_>) -> String {
    format!(
        "# one file, the server's own certificate first\ncat {host}.crt intermediate.crt > {host}-chain.crt",
        host = ground.host()
    )
}

pub(super) fn trust(ground: &Ground<'_>) -> String {
    format!(
        "# every machine that pulls or pushes, if the authority is a private one (ca.crt is its certificate)\n# docker\ninstall -D -m 644 ca.crt /etc/docker/certs.d/{authority}/ca.crt\n# containerd\ninstall -D -m 644 ca.crt /etc/containerd/certs.d/{authority}/ca.crt\nprintf 'server = \"https://{authority}\"\\n[host.\"https://{authority}\"]\\n  ca = \"/etc/containerd/certs.d/{authority}/ca.crt\"\\n' > /etc/containerd/certs.d/{authority}/hosts.toml\n# Debian, for everything else\ninstall -m 644 ca.crt /usr/local/share/ca-certificates/{host}.crt && update-ca-certificates",
        authority = ground.authority(),
        host = ground.host(),
    )
}

pub(super) fn by_name(ground: &Ground<'_>) -> String {
    format!(
        "# containerd: /etc/containerd/certs.d/{authority}/hosts.toml\nserver = \"https://{authority}\"\n[host.\"https://{authority}\"]\n  capabilities = [\"pull\", \"resolve\"]\n\n# or k3s: /etc/rancher/k3s/registries.yaml\nmirrors:\n  {authority}:\n    endpoint:\n      - \"https://{authority}\"\n\n# where the name does not resolve, on every such machine\necho '{address}  {host}' >> /etc/hosts",
        authority = ground.authority(),
        host = ground.host(),
        address = ground.address().unwrap_or("<address-of-what-is-in-front>"),
    )
}

pub(super) fn forget(ground: &Ground<'_>) -> String {
    format!(
        "# people\ndocker logout {authority}\n# Kubernetes: which pull secrets are for it, and who uses them?\nkubectl get secret -A --field-selector type=kubernetes.io/dockerconfigjson\nkubectl -n <namespace> get serviceaccount,pod -o yaml | grep -A2 imagePullSecrets\nkubectl -n <namespace> delete secret <pull-secret>\n# k3s: /etc/rancher/k3s/registries.yaml must not have it either\n# configs:\n#   {authority}:\n#     auth: …",
        authority = ground.authority(),
    )
}

pub(super) fn compare(ground: &Ground<'_>) -> String {
    format!(
        "# where does each route lead?\nkubectl get service,ingress -A -o wide | grep -e {host} -e {word}\n# the site file: take the wrong one out, or correct it\n[routes.<name>]\nurl = \"https://{authority}\"",
        host = ground.host(),
        word = ground.service_word(),
        authority = ground.authority(),
    )
}

pub(super) fn challenge(ground: &Ground<'_>) -> String {
    format!(
        "# first the registry itself, then what is in front: which of them changes the header?\ncurl -si http://{}/v2/ -H 'Host: {authority}' -H 'X-Forwarded-Proto: https' | grep -i www-authenticate\ncurl -si https://{authority}/v2/ | grep -i www-authenticate",
        ground.upstream(),
        authority = ground.authority(),
    )
}

pub(super) fn realm(realm: Option<&Url>) -> String {
    format!("# has to answer with JSON that has a token\ncurl -si -u <account> '{}'", realm_of(realm))
}

pub(super) fn realm_post(realm: Option<&Url>) -> String {
    format!("# has to answer with JSON, 404 or 405\ncurl -si -X POST '{}'", realm_of(realm))
}

fn realm_of(realm: Option<&Url>) -> String {
    realm.map_or_else(|| "<realm>".to_owned(), Url::to_string)
}

pub(super) fn other(ground: &Ground<'_>, front: Front) -> String {
    format!(
        "# {}: what it has to do\n#   /v2/ and everything below it goes to http://{}, with the path as it came\n#   Host is {authority} and X-Forwarded-Proto is https there; Authorization is passed on\n#   bodies of any size and length of time go through unbuffered; every method is allowed",
        front.name(),
        ground.upstream(),
        authority = ground.authority(),
    )
}
