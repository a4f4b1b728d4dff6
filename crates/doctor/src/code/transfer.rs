//! Reading and writing.

use super::{Severity, Story};
use crate::Layer;

const APPLICATION: &str = "Who runs the forge or the registry: its configuration and its release.";
const ROUTING: &str = "Who runs what is in front: the ingress, the proxy or the CDN, and its routes.";
const CHECK: &str = "`railhead doctor HOST --user NAME --repository OWNER/IMAGE` finds nothing.";

pub(super) static READ_ERROR: Story = Story {
    code: "RH-READ-ERROR",
    title: "Reading a repository fails",
    layer: Layer::Application,
    severity: Severity::Error,
    hop: "read",
    seen: "`/v2/` works, and the list of a repository's tags gets 5xx or an answer that no registry gives.",
    why: "A fault in the forge or the registry, its database or its storage; its log has the reason.",
    who: APPLICATION,
    mend: "Read the application's log at the time in the evidence.",
    check: CHECK,
};

pub(super) static READ_MISROUTED: Story = Story {
    code: "RH-READ-MISROUTED",
    title: "/v2/ is routed, and what is below it is not",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "read",
    seen: "`/v2/` answers as a registry, and paths below it get the proxy's 404 or a page. Login works, every pull fails.",
    why: "The route matches `/v2/` exactly instead of everything that begins with it, or a rule for deeper paths comes first.",
    who: ROUTING,
    mend: "Match the prefix: `pathType: Prefix`, `PathPrefix`, `location /v2/`, `/v2/*`.",
    check: "`curl -si https://HOST/v2/OWNER/IMAGE/tags/list` answers 401 as a registry.",
};

pub(super) static WRITE_LOCATION: Story = Story {
    code: "RH-WRITE-LOCATION",
    title: "An upload is sent to a wrong address",
    layer: Layer::Application,
    severity: Severity::Error,
    hop: "write",
    seen: "The `Location` of an upload is missing, or names another scheme, host or port than the registry's. Logins and pulls \
           work, pushes hang or fail at the first layer.",
    why: "The registry builds it from its own idea of its address, because the proxy does not pass `Host` and \
          `X-Forwarded-Proto` on.",
    who: APPLICATION,
    mend: "Pass both headers on, or tell the registry its public address, or let it send relative locations.",
    check: CHECK,
};

pub(super) static WRITE_READ_ONLY: Story = Story {
    code: "RH-WRITE-READ-ONLY",
    title: "The registry takes no uploads",
    layer: Layer::Application,
    severity: Severity::Error,
    hop: "write",
    seen: "405 `UNSUPPORTED`, said by the registry itself.",
    why: "It is read-only: a mirror (pull-through cache), or in maintenance.",
    who: APPLICATION,
    mend: "End the maintenance, or push to the registry that the mirror is of.",
    check: CHECK,
};

pub(super) static WRITE_PATCH: Story = Story {
    code: "RH-WRITE-PATCH",
    title: "An upload is not taken as clients send it",
    layer: Layer::Application,
    severity: Severity::Error,
    hop: "write",
    seen: "Beginning an upload, or the chunk that follows, is answered with another status than 202. Docker prints \
           `unexpected status` or retries for ever.",
    why: "The registry does not do what the specification says, or the upload is not known where the chunk arrives, as with \
          several replicas that do not share their uploads.",
    who: APPLICATION,
    mend: "Let all replicas share the place where uploads are kept, or use one replica. Else it is a fault of the registry.",
    check: CHECK,
};

pub(super) static CHUNKED: Story = Story {
    code: "RH-ROUTE-CHUNKED",
    title: "What is in front refuses a body without a stated length",
    layer: Layer::Routing,
    severity: Severity::Error,
    hop: "write",
    seen: "An upload begins, and its first chunk gets 411, 501 or 400. That is how Docker sends every layer: chunked, without \
           `Content-Length`.",
    why: "A proxy or firewall that demands `Content-Length`, or that speaks HTTP/1.0.",
    who: ROUTING,
    mend: "Allow chunked request bodies for `/v2/`, and HTTP/1.1 towards the registry.",
    check: CHECK,
};

pub(super) static WRITE_CANCEL: Story = Story {
    code: "RH-WRITE-CANCEL",
    title: "The registry does not let an upload be cancelled",
    layer: Layer::Application,
    severity: Severity::Info,
    hop: "write",
    seen: "`DELETE` of an upload is refused. The upload of this diagnosis stays until the registry forgets it.",
    why: "Cancelling is optional in the specification.",
    who: "Nobody has to act.",
    mend: "Nothing has to be done: the registry removes abandoned uploads by itself.",
    check: "There is nothing to check: pushes and pulls do not need it.",
};
