//! What came of looking at something in the cluster.

use crate::MissingRight;

/// What there is, that it is not there, or that the caller may not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen<T> {
    /// It is there.
    Found(T),
    /// The cluster has no such object, or no such kind.
    Absent,
    /// The caller may not look.
    Denied(MissingRight),
}

impl<T> Seen<T> {
    /// What was found.
    pub fn found(self) -> Option<T> {
        match self {
            Self::Found(found) => Some(found),
            Self::Absent | Self::Denied(_) => None,
        }
    }

    /// The right that was missing.
    pub fn denied(&self) -> Option<&MissingRight> {
        match self {
            Self::Denied(right) => Some(right),
            Self::Found(_) | Self::Absent => None,
        }
    }

    /// The same with something else made of what was found.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Seen<U> {
        match self {
            Self::Found(found) => Seen::Found(make(found)),
            Self::Absent => Seen::Absent,
            Self::Denied(right) => Seen::Denied(right),
        }
    }
}
