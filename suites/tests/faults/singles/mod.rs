//! One thing is broken, hop by hop.

mod application;
mod identity;
mod limits;
mod network;
mod realm;
mod routing;
mod tls;
mod transfer;

use crate::bench::Bench;
use crate::case::{Case, Expected, Kind, Setup};

/// All of them, in the order of the hops.
pub fn cases() -> Vec<Case> {
    let families = [
        network::cases,
        tls::cases,
        routing::cases,
        application::cases,
        realm::cases,
        identity::cases,
        transfer::cases,
        limits::cases,
    ];
    families.iter().flat_map(|family| family()).collect()
}

fn single(
    name: &str,
    server: &str,
    expected: Expected,
    set_up: impl Fn(&Bench) -> Setup + Send + Sync + 'static,
) -> Case {
    Case::new(Kind::Single, name, server, &[expected], set_up)
}
