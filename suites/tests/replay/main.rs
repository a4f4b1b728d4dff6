//! The true story that Railhead exists for, from its first look to its last report, on a real Kubernetes.
//!
//! A team's Gitea 1.25.4 is installed by its chart: an address without TLS, no settings of packages, a port of the node, Traefik
//! without a route of `/v2`, values encrypted by sops and age, a Makefile that names another namespace, a volume of 10 GiB, no backup.
//! At the end images are pushed and pulled by docker, a page tells the next team how, and every gap has an owner.
//!
//! What the commands make is what is in `examples/railiance`, and what they came to is `docs/reference/replay.md`; `SUITES_WRITE=1`
//! writes both. Times, sizes and digests may differ, and nothing else.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "this is a test")]

mod kept;
mod railhead;
mod scene;
mod story;
