//! Waits for a registry that is busy, and asks it no faster than it may be asked.
//!
//! An answer 429 or 503 says how long to wait, or nothing; 500, 502 and 504 pass, as does a connection that breaks. All are asked
//! again a few times, each time later, and what is still so then is the answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, Response, StatusCode};
use hyper::body::Incoming;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{Error, Result};

/// The first wait where nobody says how long.
const FIRST: Duration = Duration::from_millis(500);
/// A server's own fault does not pass by being asked often.
const TRIES_AFTER_FAULT: u32 = 2;

/// How a client waits. Cloning shares what is counted.
#[derive(Clone, Debug)]
pub struct Patience(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    tries: u32,
    longest: Duration,
    interval: Duration,
    next: Mutex<Instant>,
    requests: AtomicU64,
    waits: AtomicU64,
}

impl Patience {
    /// Asks again at most `tries` times, waits at most `longest` before each, and asks `per_second` times a second at most.
    pub fn new(tries: u32, longest: Duration, per_second: Option<u32>) -> Self {
        let interval = per_second.map_or(Duration::ZERO, |count| Duration::from_secs(1) / count.max(1));
        let next = Mutex::new(Instant::now());
        let (requests, waits) = (AtomicU64::new(0), AtomicU64::new(0));
        Self(Arc::new(Inner { tries, longest, interval, next, requests, waits }))
    }

    /// Requests so far.
    pub fn requests(&self) -> u64 {
        self.0.requests.load(Ordering::Relaxed)
    }

    /// How often the registry was waited for so far.
    pub fn waits(&self) -> u64 {
        self.0.waits.load(Ordering::Relaxed)
    }

    /// Sends what `send` sends until the answer is none that passes.
    pub(crate) async fn with<F>(&self, send: impl Fn() -> F) -> Result<Response<Incoming>>
    where
        F: Future<Output = Result<Response<Incoming>>>,
    {
        let mut before: Option<Result<Response<Incoming>>> = None;
        for tried in 0.. {
            self.turn().await;
            let answer = send().await;
            // What can be sent once only ends with what it got.
            if matches!(answer, Err(Error::Spent { .. }))
                && let Some(before) = before
            {
                return before;
            }
            let pause = match &answer {
                Ok(answer) => self.pause(answer.status(), answer.headers(), tried),
                Err(error) if error.is_passing() => self.backoff(tried, self.0.tries),
                Err(_) => None,
            };
            let Some(pause) = pause else { return answer };
            self.0.waits.fetch_add(1, Ordering::Relaxed);
            before = Some(answer);
            sleep(pause).await;
        }
        // The tries are counted, so one of them returned.
        before.unwrap_or_else(|| Err(Error::Spent { to: String::new() }))
    }

    /// Waits until it is time for the next request.
    async fn turn(&self) {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        if self.0.interval.is_zero() {
            return;
        }
        let turn = {
            let mut next = self.0.next.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = (*next).max(Instant::now());
            *next = turn + self.0.interval;
            turn
        };
        sleep_until(turn).await;
    }

    fn pause(&self, status: StatusCode, headers: &HeaderMap, tried: u32) -> Option<Duration> {
        match status.as_u16() {
            429 | 503 if tried < self.0.tries => match retry_after(headers) {
                Some(wait) => (wait <= self.0.longest).then_some(wait),
                None => self.backoff(tried, self.0.tries),
            },
            502 | 504 => self.backoff(tried, self.0.tries),
            500 => self.backoff(tried, self.0.tries.min(TRIES_AFTER_FAULT)),
            _ => None,
        }
    }

    fn backoff(&self, tried: u32, most: u32) -> Option<Duration> {
        (tried < most).then(|| (FIRST * 2_u32.saturating_pow(tried)).min(self.0.longest))
    }
}

/// How long a server says to wait, in seconds or by a date (RFC 9110, 10.2.3).
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(until.duration_since(jiff::Timestamp::now())).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(retry_after: &str) -> HeaderMap {
        [(RETRY_AFTER, retry_after.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn a_busy_registry_is_waited_for_as_long_as_it_says_within_the_bound() {
        let patience = Patience::new(3, Duration::from_mins(1), None);
        let busy = |status: u16, headers: &HeaderMap, tried| {
            patience.pause(StatusCode::from_u16(status).unwrap(), headers, tried)
        };
        for status in [429, 503] {
            assert_eq!(busy(status, &headers("7"), 0), Some(Duration::from_secs(7)));
            assert_eq!(busy(status, &headers("7"), 3), None, "often enough");
            assert_eq!(busy(status, &headers("3600"), 0), None, "too long");
            assert_eq!(busy(status, &HeaderMap::new(), 1), Some(FIRST * 2));
        }
        assert_eq!(busy(429, &headers("Thu, 01 Jan 1970 00:00:00 GMT"), 0), Some(Duration::ZERO));
        assert_eq!(busy(500, &HeaderMap::new(), 2), None);
        for status in [200, 401, 404, 416, 507] {
            assert_eq!(busy(status, &headers("1"), 0), None, "{status}");
        }
    }

    #[tokio::test]
    async fn requests_come_no_faster_than_they_may() {
        let patience = Patience::new(0, Duration::ZERO, Some(100));
        let begun = Instant::now();
        for _ in 0..9 {
            patience.turn().await;
        }
        assert!(begun.elapsed() >= Duration::from_millis(80), "{:?}", begun.elapsed());
        assert_eq!(patience.requests(), 9);
    }
}
