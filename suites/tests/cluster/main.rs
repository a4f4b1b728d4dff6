//! The commands for clusters, on a real Kubernetes of one node with a Gitea from its own chart.
//!
//! One cluster serves all tests of this program: it comes up for the first that asks, and ends with the program. Each test
//! leaves the cluster as it found it.

#![expect(clippy::unwrap_used, reason = "this is a test")]

mod codes;
mod in_use;
mod ingress_route;
mod inspect;
mod nodes;
mod one_host;
mod others;
mod rules;
mod through;
mod workload;

use std::sync::{Mutex, MutexGuard, PoisonError};

use railhead_suites::cluster::Shared;

/// The cluster of this program.
static SHARED: Shared = Shared::empty();

/// Held by a test that changes what another looks at.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
