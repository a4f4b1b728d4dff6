//! What happens over time: uploads that nobody goes on with end, what the rules let go is moved to the trash, what no
//! manifest needs is collected, what a kill left behind is cleaned up, and every blob is hashed again and healed.
//!
//! Nothing here stops the registry or makes it read-only; everything takes the same locks as a request does.

mod clock;
mod collect;
mod expire;
mod retain;
pub mod scrub;
mod sweep;

pub use collect::{Collection, Collector, Totals};
pub use expire::expire_uploads;
pub use retain::{Applied, Recovered, Retention, RetentionError, RetentionTotals, Wish};
pub use sweep::{Swept, sweep};
