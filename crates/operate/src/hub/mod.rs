//! The hub: somebody who is told what the evidence of a site shows, one message for each task and each finding that changes.
//!
//! Order: evidence is written first, as without a hub. [`Outbox::gather`] compares what the evidence shows with what it showed
//! when the hub was told last, and writes a message for each difference into the outbox. [`send`] posts what is there, the oldest
//! first, signed, and takes away what the hub has taken.
//!
//! Invariants: the evidence is the journal. A document counts as told when its messages are on the disk, synced; a kill before
//! that makes them anew, with the same ids. A message leaves the outbox after a 2xx, or to the refused ones when the hub says that
//! this message is wrong. What is sent twice has the same id. Signatures follow the Standard Webhooks specification, 1.0.0.

mod change;
mod error;
mod key;
mod outbox;
mod post;
#[cfg(test)]
mod tests;

pub use error::HubError;
pub use outbox::{Outbox, Pause, Refused, Waiting};
pub use post::{Effort, Sent, send};
