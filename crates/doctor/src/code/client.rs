//! The programs that pull and push, and their machines.

use super::{Severity, Story};
use crate::Layer;

pub(super) static BY_ADDRESS: Story = Story {
    code: "RH-CLIENT-BY-ADDRESS",
    title: "The registry is asked by an address, and what is in front goes by its name",
    layer: Layer::Client,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "A route whose URL has an address gets the proxy's 404 (or its own certificate, or no handshake), while a route \
           with the name leads to the registry. containerd then goes on to the next endpoint, and shows only the error of \
           the last.",
    why: "A mirror in `hosts.toml` or in k3s's `registries.yaml`, or an image's name, has the address of the ingress. Ingresses \
          tell hosts apart by `Host` and SNI, and an address is neither.",
    who: "Who configures the machines that pull: containerd, k3s, Docker.",
    mend: "Name the registry by its host in the client's configuration, and let the name resolve there.",
    check: "`railhead doctor HOST` with the route by name finds nothing; `crictl pull HOST/OWNER/IMAGE` on the node works.",
};
