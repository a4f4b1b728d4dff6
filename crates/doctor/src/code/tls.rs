//! Certificates, names, trust.

use super::{Severity, Story};
use crate::Layer;

const WHO: &str = "Who owns certificates and the end of TLS: mostly who runs what is in front.";

pub(super) static PLAIN: Story = Story {
    code: "RH-TLS-PLAIN",
    title: "The port of an https route speaks plain HTTP",
    layer: Layer::Tls,
    severity: Severity::Error,
    hop: "tls",
    seen: "The handshake is answered with plain text. Clients print `server gave HTTP response to HTTPS client`.",
    why: "TLS was never turned on at this port, or the request reached the port that is meant for plain HTTP.",
    who: WHO,
    mend: "Turn TLS on there, or lead the route to the port that has it. Only for an internal route that is plain on purpose, \
           write it as http.",
    check: "`openssl s_client -connect HOST:443 -servername HOST </dev/null` shows a certificate.",
};

pub(super) static REQUIRED: Story = Story {
    code: "RH-TLS-REQUIRED",
    title: "The port of an http route speaks TLS",
    layer: Layer::Tls,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "Plain HTTP is answered with a TLS alert, or with a sentence such as `The plain HTTP request was sent to HTTPS \
           port`.",
    why: "The route says http, and the port behind it ends TLS; or a proxy speaks plain HTTP to a backend that wants TLS.",
    who: WHO,
    mend: "Write the route as https. If a proxy asks its backend this way, tell it that the backend speaks TLS.",
    check: "`curl -si https://HOST:PORT/v2/` answers 401.",
};

pub(super) static NONE: Story = Story {
    code: "RH-TLS-NONE",
    title: "The host has no https, only http",
    layer: Layer::Tls,
    severity: Severity::Error,
    hop: "connect",
    seen: "Nothing listens for https, while the registry answers over plain http of the same host. Clients refuse to send a \
           password there: `dial tcp …:443: connect: connection refused`.",
    why: "TLS was never set up for the host. Clients use plain HTTP for loopback addresses only.",
    who: WHO,
    mend: "Get a certificate for the host, and end TLS in front of the registry.",
    check: "`curl -si https://HOST/v2/` answers 401.",
};

pub(super) static VERSION: Story = Story {
    code: "RH-TLS-VERSION",
    title: "The server speaks only TLS that clients have given up",
    layer: Layer::Tls,
    severity: Severity::Error,
    hop: "tls",
    seen: "The handshake ends without a common version or cipher. Clients print `protocol version not supported` or \
           `handshake failure`.",
    why: "The server is limited to TLS 1.0 or 1.1, or to ciphers without forward secrecy.",
    who: WHO,
    mend: "Allow TLS 1.2 and 1.3 with their usual ciphers.",
    check: "`openssl s_client -tls1_2 -connect HOST:443 -servername HOST </dev/null` ends with a session.",
};

pub(super) static NAME_REFUSED: Story = Story {
    code: "RH-TLS-NAME-REFUSED",
    title: "The server does not know the name and ends the handshake",
    layer: Layer::Tls,
    severity: Severity::Error,
    hop: "tls",
    seen: "The handshake ends with the alert `unrecognized_name`.",
    why: "The server is strict about names (SNI) and has no certificate for this one.",
    who: WHO,
    mend: "Give the server a certificate for the name, in the place where it looks for them.",
    check: "`openssl s_client -connect HOST:443 -servername HOST </dev/null` shows a certificate for the name.",
};

pub(super) static CLIENT_CERT: Story = Story {
    code: "RH-TLS-CLIENT-CERT",
    title: "The server demands a certificate of the client",
    layer: Layer::Tls,
    severity: Severity::Error,
    hop: "tls",
    seen: "The handshake ends with `certificate required`, or the answer is `400 No required SSL certificate was sent`.",
    why: "Mutual TLS is turned on for the whole host. Docker, containerd and Kubernetes can be given client certificates, but \
          only on every machine by hand.",
    who: WHO,
    mend: "Do not demand client certificates for `/v2/` and the token endpoint, or give every client its certificate.",
    check: "`curl -si https://HOST/v2/` answers 401 without a certificate.",
};

pub(super) static HANDSHAKE: Story = Story {
    code: "RH-TLS-HANDSHAKE",
    title: "The TLS handshake fails",
    layer: Layer::Tls,
    severity: Severity::Error,
    hop: "tls",
    seen: "The server ends the handshake with an alert, or does what the protocol does not allow.",
    why: "Mostly the server has no certificate at all for the name, or its key and certificate do not belong together.",
    who: WHO,
    mend: "Read the log of what ends TLS at the time of the handshake, and check that certificate and key belong together.",
    check: "`openssl s_client -connect HOST:443 -servername HOST </dev/null` ends with a session.",
};

pub(super) static DEFAULT_CERT: Story = Story {
    code: "RH-TLS-DEFAULT-CERT",
    title: "The proxy shows its built-in certificate",
    layer: Layer::Tls,
    severity: Severity::Error,
    hop: "tls",
    seen: "The certificate is Traefik's default one, or the fake one of ingress-nginx. Clients print `x509: certificate \
           signed by unknown authority` or `is valid for …traefik.default, not HOST`.",
    why: "Nobody gave the proxy a certificate for this name: the Ingress has no `tls`, its Secret is missing or in another \
          namespace, or the certificate was not issued yet.",
    who: WHO,
    mend: "Name a TLS Secret for the host in the Ingress, and have it filled by cert-manager or by hand.",
    check: "`kubectl get certificate,secret` shows it ready; the next walk shows its issuer.",
};

pub(super) static EXPIRED: Story = Story {
    code: "RH-TLS-EXPIRED",
    title: "The certificate has expired",
    layer: Layer::Tls,
    severity: Severity::Error,
    hop: "tls",
    seen: "The certificate's time is over. Clients print `x509: certificate has expired or is not yet valid`.",
    why: "Renewal is not automatic or fails, or the server was not told of the new certificate.",
    who: WHO,
    mend: "Renew it, load it, and repair what should have renewed it.",
    check: "`openssl s_client -connect HOST:443 -servername HOST </dev/null | openssl x509 -noout -enddate` is in the future.",
};

pub(super) static NOT_YET: Story = Story {
    code: "RH-TLS-NOT-YET",
    title: "The certificate is not valid yet",
    layer: Layer::Tls,
    severity: Severity::Error,
    hop: "tls",
    seen: "The certificate begins in the future. Clients print `x509: certificate has expired or is not yet valid`.",
    why: "It was issued by a machine whose clock is ahead, or the clock here is behind, or it was loaded too early.",
    who: WHO,
    mend: "Compare the clocks first. Then load a certificate that is valid now.",
    check: "`openssl x509 -noout -startdate` of the certificate is in the past.",
};

pub(super) static NO_NAMES: Story = Story {
    code: "RH-TLS-NO-NAMES",
    title: "The certificate has only a common name",
    layer: Layer::Tls,
    severity: Severity::Error,
    hop: "tls",
    seen: "There is no subject alternative name. Clients print `x509: certificate relies on legacy Common Name field`.",
    why: "It was made by an old recipe. Clients have not read the common name for years.",
    who: WHO,
    mend: "Make it anew with the host as a subject alternative name.",
    check: "`openssl x509 -noout -ext subjectAltName` of the certificate names the host.",
};

pub(super) static NAME: Story = Story {
    code: "RH-TLS-NAME",
    title: "The certificate does not name the host",
    layer: Layer::Tls,
    severity: Severity::Error,
    hop: "tls",
    seen: "The names in the certificate are others. Clients print `x509: certificate is valid for A, not B`.",
    why: "The proxy has no certificate for this name and shows that of another host, or the route's name or address is not \
          the one that it was made for.",
    who: WHO,
    mend: "Get a certificate that names the host, and load it for this host.",
    check: "`openssl s_client -connect HOST:443 -servername HOST </dev/null | openssl x509 -noout -ext subjectAltName` names it.",
};

pub(super) static CHAIN: Story = Story {
    code: "RH-TLS-CHAIN",
    title: "The intermediate certificate is not sent",
    layer: Layer::Tls,
    severity: Severity::Error,
    hop: "tls",
    seen: "The server sends its own certificate alone. Browsers fetch what is missing; registry clients do not and print \
           `x509: certificate signed by unknown authority`.",
    why: "The file with the certificate alone was loaded instead of the one with the chain.",
    who: WHO,
    mend: "Load the certificate followed by its intermediates, in one file, the server's first.",
    check: "`openssl s_client -showcerts -connect HOST:443 -servername HOST </dev/null` shows two certificates or more.",
};

pub(super) static SELF_SIGNED: Story = Story {
    code: "RH-TLS-SELF-SIGNED",
    title: "The certificate is signed by itself",
    layer: Layer::Tls,
    severity: Severity::Error,
    hop: "tls",
    seen: "Nobody vouches for the certificate. Clients print `x509: certificate signed by unknown authority`.",
    why: "It was made by hand for a first try, or by an appliance.",
    who: WHO,
    mend: "Get a certificate of an authority that clients trust. Until then every client needs this one as an authority.",
    check: "`railhead doctor HOST` without `--ca` finds nothing.",
};

pub(super) static UNTRUSTED: Story = Story {
    code: "RH-TLS-UNTRUSTED",
    title: "The certificate's authority is not trusted here",
    layer: Layer::Tls,
    severity: Severity::Error,
    hop: "tls",
    seen: "The chain ends at an authority that this machine does not know. Clients print `x509: certificate signed by unknown \
           authority`.",
    why: "It is a private authority whose certificate was not installed on this machine, or a proxy that opens TLS on the \
          way.",
    who: WHO,
    mend: "Install the authority on every machine that pulls or pushes, or use a certificate of a public one.",
    check: "`railhead doctor HOST --ca FILE` trusts it; without `--ca` it shows what this machine trusts.",
};

pub(super) static INVALID: Story = Story {
    code: "RH-TLS-INVALID",
    title: "The certificate is refused",
    layer: Layer::Tls,
    severity: Severity::Error,
    hop: "tls",
    seen: "Verification fails for another reason than time, name or authority.",
    why: "The certificate is made for another purpose (client authentication only), breaks a rule of its chain, or its \
          signature is bad.",
    who: WHO,
    mend: "Issue it anew as a server's certificate (extended key usage `serverAuth`) with a signature of today.",
    check: "`openssl verify -purpose sslserver -CAfile CA CERTIFICATE` says OK.",
};

pub(super) static EXPIRES_SOON: Story = Story {
    code: "RH-TLS-EXPIRES-SOON",
    title: "The certificate expires soon",
    layer: Layer::Tls,
    severity: Severity::Warning,
    hop: "tls",
    seen: "Fewer than 14 days are left; for certificates that live a month or less, less than a tenth of their life.",
    why: "Renewal is by hand, or is automatic and has not happened although it was due.",
    who: WHO,
    mend: "Renew it now, and look at why it was not renewed by itself.",
    check: "`openssl s_client -connect HOST:443 -servername HOST </dev/null | openssl x509 -noout -enddate` is far enough.",
};
