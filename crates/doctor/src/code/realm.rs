//! The challenge, and the token endpoint that it names.

use super::{Severity, Story};
use crate::Layer;

const APPLICATION: &str = "Who runs the forge or the registry: its configuration and its release.";
const ROUTING: &str = "Who runs what is in front: the ingress, the proxy or the CDN, and its routes.";
const CHECK: &str = "`curl -si https://HOST/v2/ | grep -i www-authenticate` shows one Bearer challenge whose realm is \
                     below https://HOST/.";

pub(super) static CHALLENGE_MISSING: Story = Story {
    code: "RH-CHALLENGE-MISSING",
    title: "401 without a challenge",
    layer: Layer::Application,
    severity: Severity::Error,
    hop: "challenge",
    seen: "401 without `WWW-Authenticate`. Clients do not know how to log in and print `no basic auth credentials` or \
           `unauthorized`.",
    why: "The registry does not send it, or something in front removes it. If another route shows a challenge, it is what is \
          in front.",
    who: "Who runs the registry; if another route shows the challenge, who runs what is in front.",
    mend: "Let `WWW-Authenticate` through unchanged.",
    check: CHECK,
};

pub(super) static CHALLENGE_BROKEN: Story = Story {
    code: "RH-CHALLENGE-BROKEN",
    title: "The challenge cannot be read",
    layer: Layer::Application,
    severity: Severity::Error,
    hop: "challenge",
    seen: "A `WWW-Authenticate` that is neither `Bearer` nor `Basic` with well-formed parameters.",
    why: "The registry writes it wrongly, or something in front rewrites it.",
    who: APPLICATION,
    mend: "The header has to be `Bearer realm=\"https://HOST/…\",service=\"…\"`.",
    check: CHECK,
};

pub(super) static CHALLENGE_NO_REALM: Story = Story {
    code: "RH-CHALLENGE-NO-REALM",
    title: "The challenge names no token endpoint",
    layer: Layer::Application,
    severity: Severity::Error,
    hop: "challenge",
    seen: "`Bearer` without `realm`. Clients print `no realm in challenge` or the like.",
    why: "The registry's configuration of its token service is incomplete.",
    who: APPLICATION,
    mend: "Configure the address of the token service.",
    check: CHECK,
};

pub(super) static CHALLENGE_REALM_INVALID: Story = Story {
    code: "RH-CHALLENGE-REALM-INVALID",
    title: "The realm is not a URL",
    layer: Layer::Application,
    severity: Severity::Error,
    hop: "challenge",
    seen: "The realm is not an absolute http or https URL. Clients print `unsupported protocol scheme`.",
    why: "The forge's own address is configured without a scheme, or as a path.",
    who: APPLICATION,
    mend: "Configure the whole address, with its scheme.",
    check: CHECK,
};

pub(super) static CHALLENGE_NO_SERVICE: Story = Story {
    code: "RH-CHALLENGE-NO-SERVICE",
    title: "The challenge has no service",
    layer: Layer::Application,
    severity: Severity::Warning,
    hop: "challenge",
    seen: "`Bearer` without `service`. Docker copes; some clients, such as apple/container, do not.",
    why: "The registry does not name itself.",
    who: APPLICATION,
    mend: "Configure a service name.",
    check: CHECK,
};

pub(super) static CHALLENGE_TWO: Story = Story {
    code: "RH-CHALLENGE-TWO",
    title: "There is a second challenge beside Bearer",
    layer: Layer::Application,
    severity: Severity::Warning,
    hop: "challenge",
    seen: "Two challenges, mostly `Bearer` and `Basic`. Some clients take the wrong one and are refused.",
    why: "The registry offers both, or something in front adds its own.",
    who: APPLICATION,
    mend: "Send the Bearer challenge alone.",
    check: CHECK,
};

pub(super) static CHALLENGE_SCOPE: Story = Story {
    code: "RH-CHALLENGE-SCOPE",
    title: "The challenge asks for another repository than was asked",
    layer: Layer::Application,
    severity: Severity::Warning,
    hop: "read",
    seen: "401 on a repository whose `scope` names another one. The token that a client then gets does not open the door.",
    why: "The path was rewritten on the way, or the registry computes the scope wrongly.",
    who: APPLICATION,
    mend: "Leave the path as it is on the way to the registry.",
    check: "`curl -si https://HOST/v2/OWNER/IMAGE/tags/list | grep -i www-authenticate` names OWNER/IMAGE.",
};

pub(super) static CHALLENGE_OPEN: Story = Story {
    code: "RH-CHALLENGE-OPEN",
    title: "The registry is open: nobody has to log in",
    layer: Layer::Identity,
    severity: Severity::Warning,
    hop: "/v2/",
    seen: "200 without a login. `docker login` succeeds with any password, so a wrong one is noticed only at the first push.",
    why: "The registry has no authentication, or allows everything to everybody.",
    who: "Who owns accounts and access.",
    mend: "Turn authentication on; if the registry is open on purpose, know that everybody who reaches it can push.",
    check: "`curl -so /dev/null -w '%{http_code}' https://HOST/v2/` prints 401.",
};

pub(super) static SCHEME: Story = Story {
    code: "RH-REALM-SCHEME",
    title: "Clients are sent to http:// to log in, while the host has https",
    layer: Layer::Application,
    severity: Severity::Error,
    hop: "realm",
    seen: "The realm of the challenge begins with `http://`. Clients send the token in the clear, are refused, or print `server \
           gave HTTP response to HTTPS client`.",
    why: "The forge builds the realm from its ROOT_URL, which still says http; or from `X-Forwarded-Proto`, which what is in \
          front does not send.",
    who: APPLICATION,
    mend: "Set ROOT_URL to the https address. Where the realm follows the proxy's headers, send `X-Forwarded-Proto: https`.",
    check: CHECK,
};

pub(super) static PRIVATE: Story = Story {
    code: "RH-REALM-PRIVATE",
    title: "Clients are sent to an internal address to log in",
    layer: Layer::Application,
    severity: Severity::Error,
    hop: "realm",
    seen: "The realm names a loopback, private or cluster-internal host. Clients cannot reach it, or refuse it on purpose: \
           crane prints `invalid realm in www-authenticate`.",
    why: "The forge's ROOT_URL is an internal address, or the proxy sends its backend's name as `Host`.",
    who: APPLICATION,
    mend: "Set ROOT_URL to the public address, and let the proxy pass `Host` on.",
    check: CHECK,
};

pub(super) static HOST: Story = Story {
    code: "RH-REALM-HOST",
    title: "Clients are sent to another host to log in",
    layer: Layer::Application,
    severity: Severity::Error,
    hop: "realm",
    seen: "The realm names another public host than the registry's. Careful clients refuse to send a token there.",
    why: "ROOT_URL still has an old or another name of the forge, or the proxy changes `Host`. Or this is a mirror that passes \
          its upstream's challenge on: then clients leave the mirror to log in.",
    who: APPLICATION,
    mend: "Set ROOT_URL to the address that clients use. A mirror has to answer with a challenge of its own, or with none.",
    check: CHECK,
};

pub(super) static PORT: Story = Story {
    code: "RH-REALM-PORT",
    title: "Clients are sent to another port to log in",
    layer: Layer::Application,
    severity: Severity::Error,
    hop: "realm",
    seen: "The realm names the right host with the wrong port, mostly the one that the forge listens on behind the proxy.",
    why: "ROOT_URL has the inner port (Gitea's 3000), or lacks the outer one; or the proxy passes `Host` without its port.",
    who: APPLICATION,
    mend: "Set ROOT_URL to the address that clients use, with its port if it is not 443.",
    check: CHECK,
};

pub(super) static UNREACHABLE: Story = Story {
    code: "RH-REALM-UNREACHABLE",
    title: "The token endpoint cannot be reached",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "realm",
    seen: "The host of the realm does not resolve, take connections, show a good certificate, or answer. Login fails although \
           `/v2/` answers.",
    why: "The realm is on a port or name that is not served, or that is not open from here. A mirror that passes its upstream's \
          absolute realm on sends its clients there, too.",
    who: ROUTING,
    mend: "Serve the token endpoint where the realm says, or let the realm name what is served.",
    check: "`curl -si REALM` answers with JSON.",
};

pub(super) static NOT_FOUND: Story = Story {
    code: "RH-REALM-404",
    title: "The token endpoint is not routed",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "realm",
    seen: "The realm answers 404. Clients print `404 Not Found` at login although `/v2/` answers.",
    why: "`/v2/` is routed and the token endpoint, which lies elsewhere (`/token`, `/service/token`), is not; or the route \
          matches `/v2/` exactly and nothing below it.",
    who: ROUTING,
    mend: "Route the path of the realm to the same service as `/v2/`.",
    check: "`curl -si REALM` answers with JSON.",
};

pub(super) static REDIRECT: Story = Story {
    code: "RH-REALM-REDIRECT",
    title: "The token endpoint redirects",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "realm",
    seen: "The realm answers with a redirect. Clients drop the login when they follow it, and are refused.",
    why: "http redirects to https while the realm says http, a sign-on stands in front, or a path is added.",
    who: ROUTING,
    mend: "Let the realm name the final address, and serve it without a redirect.",
    check: "`curl -si REALM` answers with JSON.",
};

pub(super) static HTML: Story = Story {
    code: "RH-REALM-HTML",
    title: "The token endpoint answers with a page",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "realm",
    seen: "HTML instead of JSON. Clients print `invalid character '<' looking for beginning of value`.",
    why: "The path of the realm leads to the pages of the forge, to a sign-on, or to another application.",
    who: ROUTING,
    mend: "Route the path of the realm to the same service as `/v2/`, without a sign-on.",
    check: "`curl -si REALM` answers with JSON.",
};

pub(super) static ERROR: Story = Story {
    code: "RH-REALM-ERROR",
    title: "The token endpoint fails",
    layer: Layer::Application,
    severity: Severity::Error,
    hop: "realm",
    seen: "5xx, or an answer that no token service gives. Nobody can log in.",
    why: "A fault in the forge or its token service; its log has the reason.",
    who: APPLICATION,
    mend: "Read the log of the token service at the time in the evidence.",
    check: "`curl -si REALM` answers with JSON.",
};

pub(super) static POST: Story = Story {
    code: "RH-REALM-POST",
    title: "The token endpoint fails for POST",
    layer: Layer::Application,
    severity: Severity::Warning,
    hop: "realm",
    seen: "`GET` of the realm works, `POST` gets HTML or 5xx. containerd and helm try POST first, and go on with GET only \
           after 401, 404 or 405.",
    why: "POST is caught by a check against forged forms, by a sign-on, or by a firewall.",
    who: APPLICATION,
    mend: "Let POST of the realm through to the registry, or answer it with 404 or 405.",
    check: "`curl -si -X POST REALM` answers JSON, 404 or 405.",
};
