//! What is in front of a registry lets through: how large, how slow, and whether it passes a request on while it comes.
//!
//! Every trial has an upload of its own, which is cancelled afterwards, and all of them run at the same time, so that
//! everything together takes as long as the slowest. Little is sent: most proxies judge a size by its announcement.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use http::header::{CONTENT_LENGTH, HeaderValue};

use super::exchange::Ask;
use super::paced::Paced;
use super::record::{Answered, Broke, Broken, Limits, SizeLimit, Slow};
use super::settings::LimitSettings;
use super::step::millis;
use super::transfer::{Desk, patch};

/// Sizes just above what proxies and CDNs are known to allow: nginx 1 MiB, Cloudflare 100 MB, some gateways 1 GiB.
const SIZES: [u64; 5] = [(1 << 20) + 1, 10 << 20, (100 << 20) + 1, 1 << 30, 10 << 30];
/// What is sent of a body that was announced.
const BEGINNING: usize = 16 << 10;
/// What is really sent, for those who count instead of reading the announcement.
const COUNTED: u64 = 2 << 20;
/// What is announced where a registry answers before the body. A server that wants to keep the connection reads a
/// small rest of it first: this is more than Go's does, and just what nginx takes by default.
const UNREAD: usize = 1 << 20;

/// Looks for all limits of what is in front of `desk`.
pub(super) async fn measure(desk: &Desk<'_>, settings: &LimitSettings) -> Limits {
    let bound = settings.time;
    let second = Duration::from_secs(1);
    let trickle = (0..bound.as_secs().max(1)).map(|_| (second.min(bound), Bytes::from_static(b"r")));
    let half = Bytes::from(vec![0; BEGINNING]);
    let pause = [(Duration::ZERO, half.clone()), (bound, half)];
    let (size, trickle, pause, buffered) = tokio::join!(
        size(desk, settings),
        slow(desk, trickle.collect(), bound),
        slow(desk, pause.to_vec(), bound),
        buffered(desk, settings),
    );
    Limits { size, trickle, pause, buffered }
}

/// An upload for one trial.
async fn upload(desk: &Desk<'_>) -> Result<String, String> {
    let begun = desk.begin().await.map_err(|broke| broke.to_string())?;
    match desk.upload(&begun, "/") {
        Some(path) if begun.answered.status == 202 => Ok(path),
        Some(_) | None => {
            Err(format!("no upload could be begun: the registry answered {}", begun.answered.status))
        }
    }
}

/// What became of an announcement.
enum Announced {
    /// Whoever reads it waits for the rest.
    Taken,
    Refused(Answered),
    /// Another answer, or none.
    Untold,
}

async fn size(desk: &Desk<'_>, settings: &LimitSettings) -> SizeLimit {
    let sizes: Vec<u64> = SIZES.into_iter().filter(|size| *size <= settings.size).collect();
    let announced = join_all(sizes.iter().map(|size| announce(desk, *size, settings.watch)));
    let (announced, counted) = tokio::join!(announced, count(desk));
    let mut limit = SizeLimit { passed: 0, refused: None };
    for (size, announced) in sizes.into_iter().zip(announced) {
        match announced {
            Announced::Taken => limit.passed = size,
            Announced::Refused(answer) => {
                limit.refused = Some((size, answer));
                break;
            }
            Announced::Untold => break,
        }
    }
    if let Some(answer) = counted
        && limit.refused.as_ref().is_none_or(|(size, _)| *size > COUNTED)
    {
        limit.passed = limit.passed.min(SIZES[0]);
        limit.refused = Some((COUNTED, answer));
    }
    limit
}

/// Announces a body of `size` and sends its beginning.
async fn announce(desk: &Desk<'_>, size: u64, watch: Duration) -> Announced {
    let Ok(path) = upload(desk).await else { return Announced::Untold };
    let body = Paced::beginning(Bytes::from(vec![0; BEGINNING]));
    let answer = desk.ask_within(announcing(patch(&path, body), size), watch).await;
    desk.cancel(&path).await;
    match answer {
        Err(broke) if broke.kind == Broke::AnswerTimeout => Announced::Taken,
        Ok(heard) if heard.answered.status == 413 => Announced::Refused(heard.answered),
        Ok(_) | Err(_) => Announced::Untold,
    }
}

/// Sends a body without a length; the answer if that is too large.
async fn count(desk: &Desk<'_>) -> Option<Answered> {
    let path = upload(desk).await.ok()?;
    let piece = Bytes::from(vec![0; 64 << 10]);
    let pieces = (0..COUNTED / piece.len() as u64).map(|_| (Duration::ZERO, piece.clone()));
    let answer = desk.ask(patch(&path, Paced::body(pieces).0)).await;
    desk.cancel(&path).await;
    answer.ok().map(|heard| heard.answered).filter(|answered| answered.status == 413)
}

/// Sends a body at a pace.
async fn slow(desk: &Desk<'_>, pieces: Vec<(Duration, Bytes)>, bound: Duration) -> Slow {
    let path = match upload(desk).await {
        Ok(path) => path,
        Err(why) => return Slow::Untried { why },
    };
    let (body, sent) = Paced::body(pieces);
    let since = Instant::now();
    // The answer may take its own time when all is sent.
    let within = bound + desk.course.guide.settings.answer_timeout;
    let answer = desk.ask_within(patch(&path, body), within).await;
    let millis = millis(since);
    let slow = judge(answer.map(|heard| heard.answered), sent.is_all(), millis);
    desk.cancel(&path).await;
    slow
}

fn judge(answer: Result<Answered, Broken>, is_sent: bool, millis: u64) -> Slow {
    match answer {
        Ok(answered) if is_sent && answered.status < 300 => Slow::Passed { millis },
        Ok(answered) => Slow::Cut { millis, whole: is_sent, answer: Some(answered) },
        Err(_) if is_sent => Slow::Unanswered { millis },
        Err(_) => Slow::Cut { millis, whole: false, answer: None },
    }
}

/// Whether the answer to a request whose body nobody reads comes only behind its last byte.
///
/// `GET /v2/` with a body is such a request: a registry answers it at once, for it is right. One that is wrong would
/// not do: some registries read the whole body before they refuse, or the client would never see the reason.
async fn buffered(desk: &Desk<'_>, settings: &LimitSettings) -> Option<bool> {
    let few = Bytes::from(vec![0; 1 << 10]);
    let rest = Bytes::from(vec![0; UNREAD - BEGINNING - few.len()]);
    // Servers made with Go hold an answer back while they wait for bytes of the body: a few more set it free.
    let pieces = [
        (Duration::ZERO, Bytes::from(vec![0; BEGINNING])),
        (settings.watch / 2, few),
        (settings.watch / 2, rest),
    ];
    let (body, sent) = Paced::body(pieces);
    let ask = announcing(Ask::get("/v2/").with_body(body), UNREAD as u64);
    let heard =
        desk.ask_within(ask, settings.watch + desk.course.guide.settings.answer_timeout).await.ok()?;
    // Whoever takes offence at the body says nothing about when it was read. A gateway does on which the registry hung up,
    // because it has answered already.
    matches!(heard.answered.status, 200 | 502).then(|| sent.is_all())
}

/// With the length of a body that is sent otherwise.
fn announcing(mut ask: Ask, size: u64) -> Ask {
    ask.headers.push((CONTENT_LENGTH, HeaderValue::from(size)));
    ask
}
