//! The forge or the registry itself, its database and its storage.

use super::{Severity, Story};
use crate::Layer;

const WHO: &str = "Who runs the forge or the registry: its configuration and its release.";
const CHECK: &str = "`curl -si https://HOST/v2/` answers 401 with `Www-Authenticate: Bearer`.";

pub(super) static DISABLED: Story = Story {
    code: "RH-APP-DISABLED",
    title: "The forge's package registry is turned off",
    layer: Layer::Application,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "404, written by the forge itself: `Not found.` The request arrives, and the forge has no registry there.",
    why: "`[packages] ENABLED = false`, or a release from before packages (Gitea before 1.17).",
    who: WHO,
    mend: "Turn packages on in the forge's configuration and restart it.",
    check: CHECK,
};

pub(super) static ERROR: Story = Story {
    code: "RH-APP-ERROR",
    title: "The application fails",
    layer: Layer::Application,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "500, or another failure that the application itself reports.",
    why: "A fault in the forge or the registry; its log has the reason.",
    who: WHO,
    mend: "Read the application's log at the time in the evidence, and mend what it names.",
    check: CHECK,
};

pub(super) static STARTING: Story = Story {
    code: "RH-APP-STARTING",
    title: "The application says that it cannot serve now",
    layer: Layer::Application,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "503, written by the application: it starts, migrates, is in maintenance, or waits for something.",
    why: "It was started a moment ago, or what it depends on is missing.",
    who: WHO,
    mend: "Wait a minute and ask again. If it stays, read the application's log.",
    check: CHECK,
};

pub(super) static NOT_REGISTRY: Story = Story {
    code: "RH-APP-NOT-REGISTRY",
    title: "What answers at /v2/ is not a registry",
    layer: Layer::Application,
    severity: Severity::Error,
    hop: "/v2/",
    seen: "An answer without anything that registries say: neither their header, nor their errors, nor a challenge.",
    why: "Another application lives at this address, or has `/v2/` for an interface of its own.",
    who: WHO,
    mend: "Lead the route to the registry, or give the registry a host of its own where another application needs `/v2/`.",
    check: CHECK,
};

pub(super) static DATABASE: Story = Story {
    code: "RH-APP-DATABASE",
    title: "The application cannot use its database",
    layer: Layer::Database,
    severity: Severity::Error,
    hop: "any",
    seen: "A failure whose text speaks of the database.",
    why: "The database is down, refuses the login, is full, or cannot be reached from the application.",
    who: "Who runs the database.",
    mend: "Bring the database back, check its address and login in the application's configuration, then restart the \
           application if it does not recover by itself.",
    check: CHECK,
};

pub(super) static STORAGE_FULL: Story = Story {
    code: "RH-STORAGE-FULL",
    title: "The storage is full",
    layer: Layer::Storage,
    severity: Severity::Error,
    hop: "write",
    seen: "507, or a failure that says that no space is left. Pulls go on, pushes fail.",
    why: "The volume or bucket has reached its size.",
    who: "Who runs the storage.",
    mend: "Make the volume larger, or make room: delete images that nobody needs and let the registry clean up.",
    check: "`df -h` of the volume shows room; `railhead doctor HOST --user NAME` begins an upload.",
};

pub(super) static STORAGE_ERROR: Story = Story {
    code: "RH-STORAGE-ERROR",
    title: "An upload fails where its bytes are kept",
    layer: Layer::Storage,
    severity: Severity::Error,
    hop: "write",
    seen: "5xx when an upload is begun or takes bytes, while `/v2/` and reading work.",
    why: "The volume is read-only or not mounted, its rights are wrong, or the bucket refuses.",
    who: "Who runs the storage.",
    mend: "Read the application's log at the time in the evidence; check the mount, its owner, and the bucket's credentials.",
    check: "`railhead doctor HOST --user NAME` begins and cancels an upload.",
};
