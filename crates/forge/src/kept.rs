//! Answers that are kept for a while.
//!
//! Order of a look-up: a fresh answer; else the turn of this question, in which a fresh one may have come; else the forge;
//! and when that fails an older answer that is not too old. Whoever waits for a turn waits for one question of another.
//! The question runs on its own, so a client that hangs up does not make the next one ask from the beginning.

use std::fmt;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quick_cache::sync::Cache;

use crate::Unavailable;
use crate::line::RETRY;

/// An answer, and until when it may be used without asking again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known<T> {
    /// The answer.
    pub value: T,
    /// In Unix milliseconds.
    pub until: i64,
}

pub(crate) struct Kept<K, V> {
    slots: Cache<K, Arc<Slot<V>>>,
    fresh: i64,
    stale: i64,
    /// Answers of an older epoch are forgotten.
    epoch: AtomicU64,
}

struct Slot<V> {
    turn: Arc<tokio::sync::Mutex<()>>,
    answer: Mutex<Option<Answer<V>>>,
}

#[derive(Clone)]
struct Answer<V> {
    value: V,
    at: i64,
    /// Not asked again before, because that has just failed.
    retry: i64,
    epoch: u64,
}

impl<V: Clone> Slot<V> {
    fn answer(&self) -> Option<Answer<V>> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, answer: Answer<V>) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }
}

impl<K: Hash + Eq + Clone, V: Clone + Send + 'static> Kept<K, V> {
    pub fn new(capacity: usize, fresh: Duration, stale: Duration) -> Self {
        let fresh = millis(fresh);
        Self { slots: Cache::new(capacity), fresh, stale: millis(stale).max(fresh), epoch: AtomicU64::new(0) }
    }

    /// Makes every answer too old to be used without asking again. When that fails, they are still there.
    pub fn forget(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// An answer that can be used without asking.
    pub fn fresh(&self, key: &K, now: i64) -> Option<Known<V>> {
        self.usable(&self.slots.get(key)?.answer()?, now)
    }

    /// The last answer, however old.
    pub fn last(&self, key: &K) -> Option<V> {
        Some(self.slots.get(key)?.answer()?.value)
    }

    /// The answer to `key`: a fresh one, or what `ask` gives, or an older one.
    pub async fn get<F>(&self, key: &K, now: fn() -> i64, ask: F) -> Result<Known<V>, Unavailable>
    where
        F: Future<Output = Result<V, Unavailable>> + Send + 'static,
    {
        let slot = self.slot(key);
        if let Some(known) = slot.answer().and_then(|answer| self.usable(&answer, now())) {
            return Ok(known);
        }
        let turn = Arc::clone(&slot.turn).lock_owned().await;
        if let Some(known) = slot.answer().and_then(|answer| self.usable(&answer, now())) {
            return Ok(known);
        }
        // Read before the question: what is forgotten meanwhile is not kept as if it were new.
        let (epoch, at) = (self.epoch.load(Ordering::Acquire), now());
        let (asking, ask) = (Arc::clone(&slot), Box::pin(ask));
        let asked = tokio::spawn(async move {
            let answer = ask.await;
            if let Ok(value) = &answer {
                asking.keep(Answer { value: value.clone(), at, retry: i64::MIN, epoch });
            }
            drop(turn);
            answer
        });
        let answer = asked
            .await
            .unwrap_or_else(|_| Err(Unavailable("the question to the forge broke off".to_owned())));
        match answer {
            Ok(value) => Ok(Known { value, until: at.saturating_add(self.fresh) }),
            Err(error) => self.older(&slot, now()).ok_or(error),
        }
    }

    fn slot(&self, key: &K) -> Arc<Slot<V>> {
        let make = || {
            let turn = Arc::new(tokio::sync::Mutex::new(()));
            Ok::<_, std::convert::Infallible>(Arc::new(Slot { turn, answer: Mutex::new(None) }))
        };
        match self.slots.get_or_insert_with(key, make) {
            Ok(slot) => slot,
            Err(never) => match never {},
        }
    }

    fn usable(&self, answer: &Answer<V>, now: i64) -> Option<Known<V>> {
        let current = answer.epoch == self.epoch.load(Ordering::Acquire);
        let fresh = if current { answer.at.saturating_add(self.fresh) } else { i64::MIN };
        let until = fresh.max(answer.retry);
        // A clock that was set back makes it old, not fresh for ever.
        (now >= answer.at && now < until).then(|| Known { value: answer.value.clone(), until })
    }

    /// What was answered before, when it is not too old; it is used for a moment, and then the forge is asked again.
    fn older(&self, slot: &Slot<V>, now: i64) -> Option<Known<V>> {
        let answer = slot.answer()?;
        if !(answer.at..answer.at.saturating_add(self.stale)).contains(&now) {
            return None;
        }
        let retry = now.saturating_add(millis(RETRY)).min(answer.at.saturating_add(self.stale));
        let value = answer.value.clone();
        slot.keep(Answer { retry, ..answer });
        Some(Known { value, until: retry })
    }
}

impl<K, V> fmt::Debug for Kept<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, AtomicUsize};

    use super::*;

    static NOW: AtomicI64 = AtomicI64::new(1_000_000);

    fn now() -> i64 {
        NOW.load(Ordering::SeqCst)
    }

    #[tokio::test]
    async fn an_answer_is_kept_for_a_while_asked_once_and_used_longer_when_there_is_no_other() {
        let kept = Arc::new(Kept::<&str, usize>::new(10, Duration::from_mins(1), Duration::from_mins(10)));
        let asked = Arc::new(AtomicUsize::new(0));
        let ask = || {
            let asked = Arc::clone(&asked);
            async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok(asked.fetch_add(1, Ordering::SeqCst) + 1)
            }
        };
        let fails = || async { Err(Unavailable("down".to_owned())) };
        let many = (0..20).map(|_| {
            let (kept, ask) = (Arc::clone(&kept), ask());
            tokio::spawn(async move { kept.get(&"a", now, ask).await })
        });
        for one in many.collect::<Vec<_>>() {
            assert_eq!(one.await.unwrap(), Ok(Known { value: 1, until: now() + 60_000 }));
        }
        // Who hangs up has asked all the same.
        let hung_up = tokio::time::timeout(Duration::from_millis(5), kept.get(&"b", now, ask())).await;
        assert!(hung_up.is_err());
        assert_eq!(kept.get(&"b", now, ask()).await.unwrap().value, 2);

        NOW.fetch_add(60_000, Ordering::SeqCst);
        assert_eq!(kept.fresh(&"a", now()), None);
        let retry = millis(RETRY);
        assert_eq!(kept.get(&"a", now, fails()).await, Ok(Known { value: 1, until: now() + retry }));
        // For a moment it is not asked again.
        assert_eq!(kept.get(&"a", now, ask()).await.unwrap().value, 1);
        NOW.fetch_add(retry, Ordering::SeqCst);
        assert_eq!(kept.get(&"a", now, ask()).await.unwrap().value, 3);
        NOW.fetch_add(599_000, Ordering::SeqCst);
        assert_eq!(
            kept.get(&"a", now, fails()).await,
            Ok(Known { value: 3, until: now() + 1000 }),
            "not beyond"
        );
        NOW.fetch_add(1000, Ordering::SeqCst);
        assert_eq!(kept.get(&"a", now, fails()).await, Err(Unavailable("down".to_owned())));

        assert_eq!(kept.get(&"a", now, ask()).await.unwrap().value, 4);
        kept.forget();
        assert_eq!(
            kept.get(&"a", now, fails()).await.unwrap().value,
            4,
            "still there when it cannot be asked"
        );
        NOW.fetch_add(retry, Ordering::SeqCst);
        assert_eq!(kept.get(&"a", now, ask()).await.unwrap().value, 5);
        NOW.fetch_sub(3_600_000, Ordering::SeqCst);
        assert_eq!(kept.get(&"a", now, ask()).await.unwrap().value, 6, "a clock that was set back");
    }
}
