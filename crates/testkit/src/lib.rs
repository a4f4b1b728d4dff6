//! What tests share: a registry in a test, and a client that shows every status and header as it came.
//!
//! Everything takes its own port and its own directory, so that tests run side by side. A failure in here is a failure
//! of the test, so it panics with a sentence that says what did not work.
#![expect(clippy::expect_used, clippy::missing_panics_doc, reason = "a test has nobody to return errors to")]

mod content;
mod registry;
mod wire;

pub use content::{Image, image, index_of, random_bytes};
pub use registry::{Builder, TestRegistry};
pub use wire::{Ask, Reply, ask};
