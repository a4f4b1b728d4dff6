//! What happens over time: uploads that nobody goes on with end, and what a kill left behind is cleaned up.
//!
//! Nothing here stops the registry or makes it read-only; everything takes the same locks as a request does.

mod expire;
mod sweep;

pub use expire::expire_uploads;
pub use sweep::{Swept, sweep};
