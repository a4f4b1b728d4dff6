//! Walks against servers that are right, wrong, and hostile.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as the tests do")]

mod bounds;
mod breaks;
mod certificates;
mod credentials;
mod limits;
mod server;
mod walks;
