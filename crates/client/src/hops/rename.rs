//! Calls the address that was connected to by what is behind it.

use super::record::{Answered, Resolved, Step, Walk};

impl Walk {
    /// Says `words` wherever the record of a walk as far as the challenge says `address`, which was only a means.
    pub fn address_as(&mut self, address: &str, words: &str) {
        let rename = |answered: &mut Answered| {
            if answered.address == address {
                words.clone_into(&mut answered.address);
            }
        };
        if let Step::Taken { seen, .. } = &mut self.resolve {
            *seen = Resolved { name: words.to_owned(), addresses: vec![words.to_owned()] };
        }
        if let Step::Taken { seen, .. } = &mut self.connect {
            words.clone_into(&mut seen.address);
            for attempt in &mut seen.attempts {
                words.clone_into(&mut attempt.address);
            }
        }
        if let Step::Taken { seen, .. } = &mut self.registry {
            rename(seen);
        }
        let behind = &mut self.behind;
        for answered in behind.root.iter_mut().chain(&mut behind.version).chain(&mut behind.nowhere) {
            rename(answered);
        }
    }
}
