//! Names, addresses, ports, and bytes that are no answer.

use super::{Severity, Story};
use crate::Layer;

const WHO: &str = "Who runs the network, the name service and the machine that the route leads to.";

pub(super) static DNS_UNKNOWN: Story = Story {
    code: "RH-DNS-UNKNOWN",
    title: "The name has no address",
    layer: Layer::Network,
    severity: Severity::Error,
    hop: "resolve",
    seen: "The name service says that the name does not exist. Clients print `no such host`.",
    why: "The record was never made, is in another zone, exists only inside of the cluster or the company, or the name is \
          misspelt.",
    who: WHO,
    mend: "Make an A or AAAA record (or a CNAME) for the name, pointing to what is in front of the registry. Where the name \
           cannot resolve here on purpose, give the route an address: `connect=ADDRESS:PORT`.",
    check: "`getent hosts HOST` prints an address on this machine and on every node that pulls.",
};

pub(super) static DNS_SERVICE: Story = Story {
    code: "RH-DNS-SERVICE",
    title: "The name service does not answer",
    layer: Layer::Network,
    severity: Severity::Error,
    hop: "resolve",
    seen: "The resolver of this machine fails or does not answer in time. Clients print `server misbehaving` or \
           `Temporary failure in name resolution`.",
    why: "The servers in /etc/resolv.conf cannot be reached, refuse, or fail for this zone. This says nothing about the \
          registry.",
    who: WHO,
    mend: "Repair the resolver of this machine, or use another one. To go on without it, give addresses by `--resolve \
           HOST=ADDRESS` or the route's `connect=`.",
    check: "`getent hosts HOST` answers within a second.",
};

pub(super) static CONNECT_REFUSED: Story = Story {
    code: "RH-CONNECT-REFUSED",
    title: "Nothing listens at the address",
    layer: Layer::Network,
    severity: Severity::Error,
    hop: "connect",
    seen: "The machine is there and refuses the connection at once. Clients print `connection refused`.",
    why: "The server or its proxy is not running, listens on another port or only on loopback, or the Service, NodePort or \
          port mapping leads nowhere.",
    who: WHO,
    mend: "Start what should listen, or correct the port of the route, the Service or the mapping.",
    check: "`ss -ltn` on that machine shows the port; `curl -si URL/v2/` gives any answer.",
};

pub(super) static CONNECT_UNREACHABLE: Story = Story {
    code: "RH-CONNECT-UNREACHABLE",
    title: "There is no way to the address",
    layer: Layer::Network,
    severity: Severity::Error,
    hop: "connect",
    seen: "The system has no route to the address, or a router says so. Clients print `no route to host` or `network is \
           unreachable`.",
    why: "The address belongs to another network (a pod or cluster address asked from outside), a VPN is down, or this \
          machine has no IPv6.",
    who: WHO,
    mend: "Ask from a machine that has a way to it, bring the VPN up, or give the route an address that can be reached from \
           here.",
    check: "`ip route get ADDRESS` names a way, and `curl -si URL/v2/` gives any answer.",
};

pub(super) static CONNECT_TIMEOUT: Story = Story {
    code: "RH-CONNECT-TIMEOUT",
    title: "The address does not answer",
    layer: Layer::Network,
    severity: Severity::Error,
    hop: "connect",
    seen: "Connecting is answered with silence until the time is over. Clients print `i/o timeout` or `context deadline \
           exceeded`.",
    why: "A firewall or security group drops the packets, the machine is down, or the record points to an address that \
          nobody has any more.",
    who: WHO,
    mend: "Allow the port in every firewall between here and there, or correct the address.",
    check: "`curl -si --connect-timeout 5 URL/v2/` gives any answer.",
};

pub(super) static CONNECT_PARTIAL: Story = Story {
    code: "RH-CONNECT-PARTIAL",
    title: "Some addresses of the name are dead",
    layer: Layer::Network,
    severity: Severity::Warning,
    hop: "connect",
    seen: "The name has several addresses; at least one takes connections and at least one does not. Pulls are slow or fail \
           now and then.",
    why: "A machine behind the name is down, or a record (often AAAA) was left behind when something moved.",
    who: WHO,
    mend: "Remove the dead address from the name's records, or bring what is behind it back.",
    check: "`railhead doctor HOST` connects to every address of the name.",
};

pub(super) static HTTP_CLOSED: Story = Story {
    code: "RH-HTTP-CLOSED",
    title: "The connection is closed without an answer",
    layer: Layer::Network,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "The connection is made, and closed or reset before there is an answer. Clients print `EOF` or `connection reset \
           by peer`.",
    why: "The process behind the port ends or crashes, a load balancer has no target, a firewall cuts by what it reads, or \
          the port expects another protocol (such as the PROXY protocol).",
    who: WHO,
    mend: "Look into the log of what listens there at the time of the request; check the load balancer's targets and whether \
           it is set to speak the PROXY protocol to something that does not.",
    check: "`curl -si URL/v2/` gives any answer.",
};

pub(super) static HTTP_TIMEOUT: Story = Story {
    code: "RH-HTTP-TIMEOUT",
    title: "The connection is taken, and no answer comes",
    layer: Layer::Network,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "The request is sent, and nothing comes back until the time is over. Clients print `Client.Timeout exceeded while \
           awaiting headers`.",
    why: "The process behind the port hangs or is overloaded, or a load balancer keeps connections open towards a target \
          that is dead.",
    who: WHO,
    mend: "Look at the load and the log of what listens there, restart it if it hangs, and check the load balancer's targets.",
    check: "`curl -si -m 10 URL/v2/` gives an answer within a second.",
};

pub(super) static HTTP_FOREIGN: Story = Story {
    code: "RH-HTTP-FOREIGN",
    title: "What answers does not speak HTTP",
    layer: Layer::Network,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "The first bytes of the answer are no HTTP, for example the banner of an SSH server. Clients print `malformed HTTP \
           response`.",
    why: "The port is another service's: a forge's SSH port, a database, a mail server; or the mapping of ports is shifted.",
    who: WHO,
    mend: "Correct the port of the route, the Service or the mapping. The first bytes in the evidence say whose it is.",
    check: "`curl -si URL/v2/` prints a status line.",
};

pub(super) static HTTP_HUGE_HEAD: Story = Story {
    code: "RH-HTTP-HUGE-HEAD",
    title: "The head of the answer is larger than 64 KiB",
    layer: Layer::Network,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "The answer's headers do not end within 64 KiB. Nothing more was read.",
    why: "Something in front adds headers without bound (cookies, policies, a loop of proxies), or it is not what it should \
          be.",
    who: WHO,
    mend: "Find which proxy adds the headers: ask the registry and every proxy in front of it, one after the other.",
    check: "`curl -sI URL/v2/ | wc -c` prints a few hundred.",
};

pub(super) static HTTP_CUT: Story = Story {
    code: "RH-HTTP-CUT",
    title: "The answer's body is shorter than its stated length",
    layer: Layer::Network,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "The connection ends before as many bytes came as `Content-Length` says. Clients print `unexpected EOF`.",
    why: "Something in front closes too early, changes the body without its length, or loses its connection to what is \
          behind it.",
    who: WHO,
    mend: "Ask the registry and every proxy in front of it, one after the other; the first that cuts is the one. Remove \
           whatever rewrites bodies there.",
    check: "`curl -s URL/v2/ -o /dev/null` ends without an error.",
};

pub(super) static HTTP_ENDLESS: Story = Story {
    code: "RH-HTTP-ENDLESS",
    title: "The answer's body does not end",
    layer: Layer::Network,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "The body goes on beyond what a registry ever says here, in bytes or in time. It was not read to its end.",
    why: "What answers is no registry but a stream, or something hostile; or a proxy keeps the connection open without an \
          end.",
    who: WHO,
    mend: "Find out what answers there, and route `/v2/` to the registry.",
    check: "`curl -s -m 10 URL/v2/ | wc -c` ends with a small number.",
};

pub(super) static CLOCK_SKEW: Story = Story {
    code: "RH-CLOCK-SKEW",
    title: "The clocks here and there differ by more than five minutes",
    layer: Layer::Network,
    severity: Severity::Warning,
    hop: "/v2/",
    seen: "The `Date` of the answers is more than five minutes away from this machine's clock. Tokens are then refused as not \
           yet valid or as expired, and certificates too.",
    why: "One of the two machines does not keep its time.",
    who: "Who runs the machine whose clock is wrong; the evidence says how far apart they are.",
    mend: "Turn time synchronisation on (chrony, systemd-timesyncd) on the machine that is wrong; in a virtual machine also \
           after it was suspended.",
    check: "`curl -sI URL/v2/ | grep -i '^date'; date -u` show the same time.",
};
