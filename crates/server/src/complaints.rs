//! What the log is told only now and then, since clients can make it be said with every request.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a name that was complained of is not complained of again.
const EVERY: Duration = Duration::from_mins(10);
/// Names that are remembered, and so also lines in that time: clients choose the names.
const NAMES_MAX: usize = 64;
/// Bytes of a name that are kept; no host has a longer one.
const LENGTH_MAX: usize = 253;

/// Which names were complained of lately.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Mutex<HashMap<Box<str>, Instant>>);

impl Complaints {
    /// The part of `name` to complain of, when that is due at `now`. Asked again, it is not.
    pub(crate) fn due<'n>(&self, name: &'n str, now: Instant) -> Option<&'n str> {
        let name = &name[..name.floor_char_boundary(LENGTH_MAX)];
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.contains_key(name) || names.len() >= NAMES_MAX {
            names.retain(|_, said| now.duration_since(*said) < EVERY);
        }
        if names.contains_key(name) || names.len() >= NAMES_MAX {
            return None;
        }
        names.insert(name.into(), now);
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_complained_of_once_in_a_while() {
        let (complaints, start) = (Complaints::default(), Instant::now());
        assert_eq!(complaints.due("one.test", start), Some("one.test"));
        assert_eq!(complaints.due("one.test", start + EVERY / 2), None);
        assert_eq!(complaints.due("two.test", start + EVERY / 2), Some("two.test"));
        assert_eq!(complaints.due("one.test", start + EVERY), Some("one.test"));
        assert_eq!(complaints.due("two.test", start + EVERY), None);
    }

    #[test]
    fn many_names_take_neither_memory_nor_the_log() {
        let (complaints, start) = (Complaints::default(), Instant::now());
        let many = |from: Instant| {
            (0..1000).filter(|at| complaints.due(&format!("{at}.test"), from).is_some()).count()
        };
        assert_eq!(many(start), NAMES_MAX);
        assert_eq!(many(start + EVERY / 2), 0);
        assert_eq!(many(start + EVERY), NAMES_MAX);
        assert_eq!(complaints.due(&"é".repeat(500), start + EVERY * 3).map(str::len), Some(252));
    }
}
