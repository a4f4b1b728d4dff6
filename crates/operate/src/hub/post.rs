//! Posts what waits, in order. The first failure that is not about one message ends it, and the next try comes later.

use std::time::{Duration, Instant};

use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use jiff::Timestamp;
use railhead_client::{Http, Origin, Trust, chain, full, retry_after};
use serde::Serialize;

use super::HubError;
use super::key::Keys;
use super::outbox::{Outbox, Pause, Refused, Waiting};
use crate::site::Hub;

/// The first wait after a failure; each further one doubles it.
const FIRST: Duration = Duration::from_mins(1);
/// The longest wait that comes of doubling.
const LONGEST: Duration = Duration::from_hours(1);
/// The longest wait that a hub may ask for.
const LONGEST_ASKED: Duration = Duration::from_hours(24);
/// How much of an answer is read.
const ANSWER: usize = 64 << 10;
/// How much of it is said, in letters.
const SAID: usize = 200;

/// How hard it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// In passing, at the end of another command: not before a pause is over, and for seconds only.
    Passing,
    /// Somebody wants it now.
    Now,
}

impl Effort {
    /// How long the hub may take to answer.
    const fn answer(self) -> Duration {
        match self {
            Self::Passing => Duration::from_secs(5),
            Self::Now => Duration::from_secs(20),
        }
    }

    /// How long all of it may take.
    const fn whole(self) -> Option<Duration> {
        match self {
            Self::Passing => Some(Duration::from_secs(10)),
            Self::Now => None,
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sent {
    /// How many messages the hub has taken.
    pub sent: usize,
    /// Those that it refused now.
    pub refused: Vec<Refused>,
    /// How many wait.
    pub waiting: usize,
    /// Why the rest waits, unless only the time was up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
}

/// What the hub made of a message.
enum Answered {
    Taken,
    /// This message is wrong.
    Refused(String),
    /// It cannot be told now.
    Failed {
        why: String,
        wait: Option<Duration>,
    },
}

/// Posts what waits in `outbox` to `hub`.
pub async fn send(outbox: &Outbox, hub: &Hub, effort: Effort) -> Result<Sent, HubError> {
    let begun = Instant::now();
    let mut sent = Sent { waiting: outbox.waiting()?.len(), ..Sent::default() };
    if sent.waiting == 0 {
        return Ok(sent);
    }
    let before = outbox.pause()?;
    if let Some(pause) = before.clone().filter(|pause| is_held(pause, effort)) {
        sent.pause = Some(pause);
        return Ok(sent);
    }
    let _lock = outbox.sending()?;
    let keys = Keys::read(&hub.key_file)?;
    let is_tls = matches!(hub.origin, Origin::Web { https: true, .. });
    let trust = is_tls.then(|| Trust::system(hub.ca.as_deref())).transpose()?;
    let http = Http::new(hub.origin.clone(), trust, effort.answer());
    let is_late = || effort.whole().is_some_and(|whole| begun.elapsed() >= whole);
    let mut failed = before;
    let waiting = outbox.waiting()?;
    sent.waiting = waiting.len();
    for message in &waiting {
        if is_late() {
            break;
        }
        match post(&http, hub, &keys, message).await {
            Answered::Failed { why, wait } => {
                let tries = failed.map_or(1, |pause| pause.tries.saturating_add(1));
                let until = Timestamp::now() + backoff(tries, wait);
                let pause = Pause { tries, until, why };
                outbox.set_pause(Some(&pause))?;
                sent.pause = Some(pause);
                return Ok(sent);
            }
            Answered::Taken => {
                message.taken()?;
                sent.sent += 1;
            }
            Answered::Refused(why) => sent.refused.push(outbox.set_aside(message, &why)?),
        }
        sent.waiting -= 1;
        if failed.take().is_some() {
            outbox.set_pause(None)?;
        }
    }
    Ok(sent)
}

fn is_held(pause: &Pause, effort: Effort) -> bool {
    effort == Effort::Passing && Timestamp::now() < pause.until
}

async fn post(http: &Http, hub: &Hub, keys: &Keys, message: &Waiting) -> Answered {
    let seconds = Timestamp::now().as_second();
    let request = Request::post(&hub.path)
        .header(CONTENT_TYPE, "application/json")
        .header("webhook-id", &message.id)
        .header("webhook-timestamp", seconds)
        .header("webhook-signature", keys.sign(&message.id, seconds, &message.body))
        .body(full(message.body.clone()));
    let failed = |error: &dyn std::error::Error| Answered::Failed { why: chain(error), wait: None };
    let answer = match request {
        Ok(request) => http.send(request).await,
        Err(error) => return failed(&error),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return failed(&error),
    };
    let (status, wait) = (answer.status(), retry_after(answer.headers()));
    // The status is the answer. What a hub says beside it may break off.
    let body = http.read(answer, ANSWER).await.map(|answer| answer.body).unwrap_or_default();
    let said: String = String::from_utf8_lossy(&body).split_whitespace().collect::<Vec<_>>().join(" ");
    let said: String = said.chars().filter(|letter| !letter.is_control()).take(SAID).collect();
    let why = if said.is_empty() {
        format!("it answered {status}")
    } else {
        format!("it answered {status}: {said}")
    };
    judge(status, why, wait)
}

/// A status about one message sets that one aside; every other failure is one of the hub, of its address or of the key.
fn judge(status: StatusCode, why: String, wait: Option<Duration>) -> Answered {
    match status.as_u16() {
        200..300 => Answered::Taken,
        400 | 409 | 413 | 415 | 422 => Answered::Refused(why),
        _ => Answered::Failed { why, wait },
    }
}

fn backoff(tries: u32, asked: Option<Duration>) -> Duration {
    let doubled = FIRST.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1))).min(LONGEST);
    doubled.max(asked.unwrap_or_default().min(LONGEST_ASKED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_an_hour_and_a_hub_may_ask_for_more() {
        let minutes = |tries| backoff(tries, None).as_secs() / 60;
        assert_eq!([1, 2, 3, 6, 7, 40, u32::MAX].map(minutes), [1, 2, 4, 32, 60, 60, 60]);
        assert_eq!(backoff(1, Some(Duration::from_secs(5))), FIRST);
        assert_eq!(backoff(1, Some(Duration::from_hours(3))), Duration::from_hours(3));
        assert_eq!(backoff(1, Some(Duration::from_hours(300))), LONGEST_ASKED);
    }

    #[test]
    fn only_what_is_about_the_message_sets_it_aside() {
        let kind = |status: u16| match judge(StatusCode::from_u16(status).unwrap(), String::new(), None) {
            Answered::Taken => "taken",
            Answered::Refused(_) => "refused",
            Answered::Failed { .. } => "failed",
        };
        for status in [200, 201, 202, 204] {
            assert_eq!(kind(status), "taken", "{status}");
        }
        for status in [400, 409, 413, 415, 422] {
            assert_eq!(kind(status), "refused", "{status}");
        }
        for status in [301, 308, 401, 403, 404, 405, 408, 410, 425, 429, 500, 502, 503] {
            assert_eq!(kind(status), "failed", "{status}");
        }
    }
}
