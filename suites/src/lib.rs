//! Whole-product tests: the real binary, on a real port, under the hands of the real clients.
//!
//! The library holds what the tests in `tests/` share: [`Program`] finds and runs tools, [`Server`] keeps a child process and
//! its log, [`Railhead`] launches the product, [`Peer`] another registry to check the drivers against, [`TestCa`] makes the
//! certificates, [`image`] and [`layout`] make the images, [`http`] speaks to the server without any client's help.
//! Tests that kill the server share [`Gate`] and [`leftovers`]; [`Bucket`] is an S3 server of a test's own; [`Cluster`] is a real
//! Kubernetes of one node, a [`Team`] has its forge in it, and [`one_host`] puts Railhead before that forge.
//! For the fault bench there are [`Forge`] and [`Distribution`], real [`proxies`] before them, [`Breaker`] which breaks what no
//! proxy breaks, [`certificates`] of every kind, and [`doctor()`] which runs the command and reads what it said.
//!
//! Invariants: everything a test makes lives in its own temporary directory and listens on loopback, on a port the system chose;
//! a process that a test started ends with the test; a tool that is missing fails its test and says how to get it.

#![expect(clippy::missing_panics_doc, reason = "a panic is how the helpers of a test fail it")]
#![expect(clippy::return_self_not_must_use, reason = "an outcome is a check first, and only then a value")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "this library is a part of tests")]

pub mod breaker;
pub mod bucket;
pub mod certificates;
pub mod cluster;
pub mod distribution;
pub mod doctor;
pub mod engine;
pub mod forge;
pub mod gate;
pub mod http;
pub mod image;
pub mod layout;
pub mod leftovers;
pub mod loopback;
pub mod one_host;
pub mod operator;
pub mod peer;
pub mod program;
pub mod proxies;
pub mod railhead;
pub mod random;
pub mod registry;
pub mod sealed;
pub mod server;
pub mod small_disk;
pub mod team;
pub mod tls;

pub use breaker::Breaker;
pub use bucket::Bucket;
pub use cluster::Cluster;
pub use distribution::Distribution;
pub use doctor::{Diagnosis, doctor};
pub use forge::Forge;
pub use gate::Gate;
pub use image::Image;
pub use layout::Layout;
pub use operator::Operator;
pub use peer::Peer;
pub use program::{Outcome, Program};
pub use railhead::Railhead;
pub use random::Random;
pub use registry::Registry;
pub use server::Server;
pub use team::Team;
pub use tls::TestCa;

/// The number in a variable of the environment, such as `SUITES_SEED`; `None` without the variable.
pub fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable} is '{value}'; it has to be a number")))
}
