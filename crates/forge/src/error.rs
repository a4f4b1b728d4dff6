//! What there is when the forge gives no answer.

/// The forge could not be asked, or what it said is no answer. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub(crate) String);
