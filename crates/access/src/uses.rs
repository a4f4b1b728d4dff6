//! When tokens were last used: collected in memory, at most once a minute for each token, written in batches.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use railhead_catalog::{Catalog, Timestamp, TokenId, TokenUse};

use crate::Result;

/// Milliseconds in which a use of a token is noted once.
pub(crate) const NOTE_EVERY: i64 = 60_000;
/// Tokens remembered at once; beyond it the oldest minute is forgotten, and those are merely noted more often.
const CAPACITY: usize = 50_000;

#[derive(Default)]
pub(crate) struct Uses(Mutex<State>);

#[derive(Default)]
struct State {
    noted: HashMap<TokenId, Timestamp>,
    waiting: Vec<TokenUse>,
}

impl Uses {
    pub fn note(&self, token: TokenId, from: IpAddr, now: Timestamp) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recently = |noted: &Timestamp| (0..NOTE_EVERY).contains(&(now.0 - noted.0));
        if state.noted.get(&token).is_some_and(recently) {
            return;
        }
        if state.noted.len() >= CAPACITY {
            state.noted.retain(|_, noted| recently(noted));
        }
        if state.noted.len() < CAPACITY {
            state.noted.insert(token, now);
        }
        state.waiting.push(TokenUse { token, at: now, address: from.to_string() });
    }

    /// Writes what was noted. After an error it is dropped: the next use is a minute away.
    pub async fn flush(&self, catalog: &Catalog) -> Result<()> {
        let waiting = std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).waiting);
        if !waiting.is_empty() {
            catalog.touch_tokens(waiting).await?;
        }
        Ok(())
    }
}
