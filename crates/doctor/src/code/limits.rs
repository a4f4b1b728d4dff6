//! What passes through what is in front; looked for with `--limits` only.

use super::{Severity, Story};
use crate::Layer;

const ROUTING: &str = "Who runs what is in front: the ingress, the proxy or the CDN, and its routes.";
const CHECK: &str = "`railhead doctor HOST --user NAME --limits` finds nothing.";

pub(super) static SIZE: Story = Story {
    code: "RH-LIMIT-SIZE",
    title: "What is in front limits the size of uploads",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "limits",
    seen: "413, written by what is in front. Clients print `413 Request Entity Too Large`, or only `Retrying`.",
    why: "A limit of bodies: nginx allows 1 MiB by default, Cloudflare 100 MB, a buffering middleware what it was told. A \
          layer is one body.",
    who: ROUTING,
    mend: "Take the limit away for `/v2/`. Where that is impossible, as behind a CDN, push by a route that does not pass it.",
    check: CHECK,
};

pub(super) static SIZE_APP: Story = Story {
    code: "RH-LIMIT-SIZE-APP",
    title: "The registry limits the size of layers",
    layer: Layer::Application,
    severity: Severity::Error,
    hop: "limits",
    seen: "413 with a registry's error, below 10 GiB.",
    why: "The forge has a limit for containers (`LIMIT_SIZE_CONTAINER`), or the registry has one for layers.",
    who: "Who runs the forge or the registry: its configuration and its release.",
    mend: "Raise the limit, or take it away.",
    check: CHECK,
};

pub(super) static READ_TIMEOUT: Story = Story {
    code: "RH-LIMIT-READ-TIMEOUT",
    title: "What is in front cuts long uploads off",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "limits",
    seen: "A body that comes slowly, but steadily, is cut off after a fixed time. Large layers over slow lines never arrive; \
           Docker prints only `Retrying`.",
    why: "A time-out for the whole request: Traefik's `readTimeout` is 60 s by default since 2.11.2, HAProxy and servers in Go \
          have the like.",
    who: ROUTING,
    mend: "Turn the time-out for reading a request off, or set it to an hour.",
    check: CHECK,
};

pub(super) static IDLE_TIMEOUT: Story = Story {
    code: "RH-LIMIT-IDLE-TIMEOUT",
    title: "What is in front cuts uploads off that pause",
    layer: Layer::Routing,
    severity: Severity::Warning,
    hop: "limits",
    seen: "A body that pauses is cut off. Clients pause while they compress or wait for a slow disk.",
    why: "A time-out between two reads: nginx's `client_body_timeout` is 60 s by default.",
    who: ROUTING,
    mend: "Set it to fifteen minutes for `/v2/`.",
    check: CHECK,
};

pub(super) static ANSWER_TIMEOUT: Story = Story {
    code: "RH-LIMIT-ANSWER-TIMEOUT",
    title: "What is in front does not wait for the registry's answer",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "limits",
    seen: "A whole body was sent, and no answer, or 504, came back.",
    why: "A time-out for answers in front is shorter than the upload took, or than the registry needs to hash and store it.",
    who: ROUTING,
    mend: "Raise the time-out for answers of the backend to fifteen minutes for `/v2/`.",
    check: CHECK,
};

pub(super) static BUFFERING: Story = Story {
    code: "RH-LIMIT-BUFFERING",
    title: "Uploads are kept in front before the registry sees them",
    layer: Layer::Routing,
    severity: Severity::Warning,
    hop: "limits",
    seen: "The registry sees a request only after its last byte. Every layer is written to the proxy's disk first, which costs \
           twice the time, and space there.",
    why: "nginx buffers requests by default; other proxies do it with a buffering middleware.",
    who: ROUTING,
    mend: "Turn request buffering off for `/v2/`.",
    check: CHECK,
};
