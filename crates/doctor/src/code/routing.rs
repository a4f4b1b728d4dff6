//! What is in front: paths, proxies, sign-on, CDNs.

use super::{Severity, Story};
use crate::Layer;

const WHO: &str = "Who runs what is in front: the ingress, the proxy or the CDN, and its routes.";
const CHECK: &str = "`curl -si https://HOST/v2/` answers 401 with `Www-Authenticate: Bearer`.";

pub(super) static NOT_FOUND: Story = Story {
    code: "RH-ROUTE-404",
    title: "The proxy has no route for /v2/",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "404, written by what is in front and not by the registry: Traefik's `404 page not found`, or the page of nginx, \
           Caddy or HAProxy. Clients print `error parsing HTTP 404 response body` or `404 Not Found`.",
    why: "The forge's host has a route for its pages, or none at all, but none that takes `/v2/` at the root. The registry \
          protocol has no other place: a registry's name is its host.",
    who: WHO,
    mend: "Route `/v2` of the host to the forge's HTTP service, or to Railhead beside the forge.",
    check: CHECK,
};

pub(super) static MISROUTED: Story = Story {
    code: "RH-ROUTE-MISROUTED",
    title: "/v2/ leads to a page instead of the registry",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "An HTML page of the forge, of another application or of the proxy itself, or an answer that shows that the path \
           was changed on the way.",
    why: "`/v2/` falls through to a route for everything, goes to another service, or a prefix is stripped before the forge \
          gets it.",
    who: WHO,
    mend: "Route `/v2` to the forge's HTTP service before the route for everything else, and leave the path as it is.",
    check: CHECK,
};

pub(super) static SUBPATH: Story = Story {
    code: "RH-ROUTE-SUBPATH",
    title: "A registry's name is its host; it cannot live under a path",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "The registry was given with a path, or the forge lives under one and `/v2/` at the root is not its own. `docker \
           login HOST/path` asks `HOST/v2/` all the same.",
    why: "Clients take the first segment of an image's name as the host and ask `/v2/` at its root; what follows is the \
          repository.",
    who: WHO,
    mend: "Name the registry by its host alone. If the forge is served under a path, route `/v2` at the root of the host to \
           it as well, without changing the path.",
    check: CHECK,
};

pub(super) static SIGN_ON: Story = Story {
    code: "RH-ROUTE-SIGN-ON",
    title: "A sign-on stands in front of /v2/",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "A sign-on page, or a redirect to an identity provider (oauth2-proxy, Authelia, Keycloak and others). Clients \
           cannot fill in a form: `unexpected status 302` or `invalid character '<'`.",
    why: "Single sign-on protects the whole host. The registry has its own login, with tokens.",
    who: WHO,
    mend: "Exempt `/v2/` and the token endpoint from the sign-on. They ask for a token of their own.",
    check: CHECK,
};

pub(super) static BASIC: Story = Story {
    code: "RH-ROUTE-BASIC",
    title: "The proxy asks for a login of its own",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "401 with a `Basic` challenge that is not the registry's. A client can send one login only: the proxy takes it, and \
           the registry never sees the token.",
    why: "`auth_basic`, a `basicAuth` middleware or the like is turned on for the whole host.",
    who: WHO,
    mend: "Turn it off for `/v2/` and the token endpoint.",
    check: CHECK,
};

pub(super) static FORBIDDEN: Story = Story {
    code: "RH-ROUTE-FORBIDDEN",
    title: "What is in front refuses the request",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "403 (or another refusal), written by what is in front. Clients print `403 Forbidden`.",
    why: "A list of addresses, a web application firewall, or a rule for unknown programs refuses this client.",
    who: WHO,
    mend: "Allow `/v2/` and the token endpoint for the addresses and programs that pull and push.",
    check: CHECK,
};

pub(super) static CHALLENGE_PAGE: Story = Story {
    code: "RH-ROUTE-CHALLENGE-PAGE",
    title: "A CDN wants to see a browser",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "A page such as `Just a moment…` that tests for a browser. Registry clients cannot pass it.",
    why: "The CDN's protection against robots is on for the whole host, and every registry client is a robot.",
    who: WHO,
    mend: "Skip the check for `/v2/` and the token endpoint, or take the host out of the CDN: layers are large, and most CDNs \
           limit uploads to 100 MB anyway.",
    check: CHECK,
};

pub(super) static RATE: Story = Story {
    code: "RH-ROUTE-RATE",
    title: "Too many requests, it says",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "429. Clients print `toomanyrequests` or `429 Too Many Requests`; a node that pulls many images is hit first.",
    why: "A limit of requests in front counts all clients behind one address as one, or is made for browsers. One image is \
          dozens of requests.",
    who: WHO,
    mend: "Take `/v2/` out of the limit, or raise it to hundreds of requests a second for each address.",
    check: "`for i in $(seq 100); do curl -so /dev/null -w '%{http_code} ' https://HOST/v2/; done` prints only 401.",
};

pub(super) static REDIRECT: Story = Story {
    code: "RH-ROUTE-REDIRECT",
    title: "/v2/ redirects elsewhere",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "A redirect to another host or path. Clients follow it for some requests and not for others, and never with their \
           login.",
    why: "The host is an old name, `www` or a path is added for browsers, or the forge redirects to its canonical address.",
    who: WHO,
    mend: "Serve `/v2/` where it is asked, without a redirect; or tell clients to use the name that it leads to.",
    check: CHECK,
};

pub(super) static REDIRECT_LOOP: Story = Story {
    code: "RH-ROUTE-REDIRECT-LOOP",
    title: "/v2/ redirects in a circle",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "A redirect that leads back to where it came from, or more than five in a row. Clients print `stopped after 10 \
           redirects`.",
    why: "Mostly two things redirect to https, and the inner one never learns that the outer one already ended TLS.",
    who: WHO,
    mend: "Let one of them redirect, and pass `X-Forwarded-Proto` to what is behind it. Behind Cloudflare set the mode of \
           encryption to Full (strict).",
    check: CHECK,
};

pub(super) static BAD_GATEWAY: Story = Story {
    code: "RH-ROUTE-502",
    title: "The proxy cannot reach the registry",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "502, written by what is in front. Clients print `502 Bad Gateway`.",
    why: "The backend's address or port is wrong, it is not running, or the proxy speaks http to a backend that wants https \
          (or the other way round).",
    who: WHO,
    mend: "Correct the backend's address, port and scheme in the proxy, or start the registry.",
    check: CHECK,
};

pub(super) static NO_BACKEND: Story = Story {
    code: "RH-ROUTE-503",
    title: "The proxy has no backend for the registry",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "503, written by what is in front: Traefik's `no available server`, HAProxy's `No server is available`.",
    why: "The Service has no ready endpoint (no pod, a selector that matches none, a failing readiness probe), or every server \
          of the backend is marked down.",
    who: WHO,
    mend: "Look at the endpoints of the Service, or at the health checks of the backend, and correct what does not match.",
    check: "`kubectl get endpointslices -l kubernetes.io/service-name=SERVICE` lists an address.",
};

pub(super) static GATEWAY_TIMEOUT: Story = Story {
    code: "RH-ROUTE-504",
    title: "The registry does not answer the proxy in time",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "504, written by what is in front. Clients print `504 Gateway Timeout`.",
    why: "The backend hangs or is overloaded, a network policy drops the packets between the proxy and it, or the time-out in \
          front is too short.",
    who: WHO,
    mend: "Ask the backend from the proxy's place. If it answers there, correct the network policy; if it does not, it is the \
           registry's turn.",
    check: CHECK,
};

pub(super) static OTHER: Story = Story {
    code: "RH-ROUTE-OTHER",
    title: "Two routes lead to different registries",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "Routes that should be one registry answer as different servers, or with different services in their challenge. \
           What is pushed over one is not there over the other.",
    why: "A route still leads to an old installation, or a NodePort or tunnel belongs to another service.",
    who: WHO,
    mend: "Lead all routes to the same registry, or take the wrong one out of the site file.",
    check: "`railhead doctor HOST` with all routes shows the same server behind each.",
};

pub(super) static COMPRESSED: Story = Story {
    code: "RH-ROUTE-COMPRESSED",
    title: "Answers are compressed though nobody asked for it",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "`Content-Encoding` on an answer to a request that did not allow it. The bytes of a manifest then differ from its \
           digest, and clients print `invalid character '\\x1f'`.",
    why: "A compress middleware or a CDN rewrites bodies without looking at `Accept-Encoding`.",
    who: WHO,
    mend: "Turn compression off for `/v2/` and the token endpoint.",
    check: "`curl -sI https://HOST/v2/ | grep -i content-encoding` prints nothing.",
};

pub(super) static CACHED: Story = Story {
    code: "RH-ROUTE-CACHED",
    title: "Answers of the registry come from a cache",
    layer: Layer::Routing,
    severity: Severity::Warning,
    hop: "/v2/",
    seen: "`Age` or `X-Cache: HIT` on the answer of `/v2/` or of the token endpoint. One client may get another's answer, a \
           moved tag stays old, and a revoked token goes on working.",
    why: "A CDN or a caching proxy keeps what it sees under `/v2/`.",
    who: WHO,
    mend: "Do not cache `/v2/` and the token endpoint. Layers by digest may be cached by a cache that asks who may see them.",
    check: "`curl -sI https://HOST/v2/ | grep -iE '^(age|x-cache)'` prints nothing.",
};

pub(super) static AUTH_DROPPED: Story = Story {
    code: "RH-ROUTE-AUTH-DROPPED",
    title: "The login does not arrive at the registry",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "login",
    seen: "A login that the same registry takes over another route is refused over this one.",
    why: "What is in front removes or replaces the `Authorization` header: a login of its own, a middleware, or a rule that \
          strips it.",
    who: WHO,
    mend: "Pass the `Authorization` header on unchanged for `/v2/` and the token endpoint.",
    check: "`railhead doctor HOST --user NAME` logs in over this route.",
};

pub(super) static METHOD: Story = Story {
    code: "RH-ROUTE-METHOD",
    title: "What is in front does not let uploads through",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "write",
    seen: "`POST`, `PATCH` or `DELETE` gets 403, 404 or 405, written by what is in front, while `GET` arrives at the registry.",
    why: "Methods are limited (`limit_except`, a firewall's rule set, a CDN's list of allowed methods), or the route matches \
          `GET` only.",
    who: WHO,
    mend: "Allow GET, HEAD, POST, PUT, PATCH and DELETE for `/v2/`.",
    check: "`railhead doctor HOST --user NAME` begins and cancels an upload.",
};
