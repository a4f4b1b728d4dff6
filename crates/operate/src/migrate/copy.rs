//! One blob on its way: asked for at the target, mounted, or poured from one registry into the other.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use railhead_client::{Download, Error, Pipe, pipe};
use railhead_oci::{Digest, RepositoryName};
use tokio::time::timeout;

use super::{Outcome, Run, STALL, chain};

/// How often a blob is begun anew, and how often the source is asked for the rest of one.
const TRIES: u32 = 3;
/// How long the target may take to answer behind the last byte: it syncs gigabytes.
const ANSWER: Duration = Duration::from_mins(10);
/// No bound: who stalls is noticed by [`STALL`] and [`ANSWER`], and a slow line is no fault.
const WHOLE: Duration = Duration::from_hours(24 * 7);

/// Why a blob is not there.
pub(super) enum Trouble {
    /// It cannot be had, or the target does not take it.
    Lost(String),
    /// The target takes nothing into this repository.
    Refused(String),
    /// A registry does not answer any more.
    Ended(Error),
}

impl Trouble {
    /// What an error of the source means for one blob.
    fn of_source(error: Error) -> Self {
        if error.is_passing() { Self::Ended(error) } else { Self::Lost(chain(&error)) }
    }

    /// What an error of the target means.
    pub(super) fn of_target(error: Error) -> Self {
        match error {
            error if error.is_passing() => Self::Ended(error),
            Error::Unexpected { status, .. } if is_refusal(status) => Self::Refused(chain(&error)),
            error => Self::Lost(chain(&error)),
        }
    }
}

/// Whether the target refuses whatever is pushed there.
fn is_refusal(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::INSUFFICIENT_STORAGE
    )
}

impl Run<'_> {
    /// Brings a blob to the target, unless it is there; how, and its size.
    pub(super) async fn blob(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        size: Option<u64>,
    ) -> Result<(Outcome, Option<u64>), Trouble> {
        let to = &self.plan.to.client;
        let there = to.blob_size(name, digest).await.map_err(Trouble::of_target)?;
        if let Some(there) = there {
            return match size {
                Some(size) if size != there => {
                    Err(Trouble::Lost(format!("it has {size} bytes, and the target's has {there}")))
                }
                _ => Ok((Outcome::There, Some(there))),
            };
        }
        let mut session = None;
        if let Some(place) = self.elsewhere(digest, name) {
            match to.mount_or_begin(place, name, digest).await {
                Ok(None) => return Ok((Outcome::Mounted, size)),
                Ok(begun) => session = begun,
                // Who may not mount may still push.
                Err(Error::Unexpected { .. }) => {}
                Err(error) => return Err(Trouble::of_target(error)),
            }
        }
        let mut tried = 0;
        loop {
            let begun = match session.take() {
                Some(begun) => begun,
                None => to.begin(name).await.map_err(Trouble::of_target)?,
            };
            tried += 1;
            match self.pour(name, digest, size, &begun).await {
                Ok(size) => return Ok((Outcome::Copied, Some(size))),
                Err(Poured::Again(_)) if tried < TRIES => {}
                // A registry that is gone is noticed at the next question; this blob breaks it each time.
                Err(Poured::Again(error)) => return Err(Trouble::Lost(chain(&error))),
                Err(Poured::Not(trouble)) => {
                    // The session is of no use any more; one that stays ends by itself.
                    let _ = to.cancel(name, &begun).await;
                    return Err(trouble);
                }
            }
        }
    }

    /// Streams a blob into an upload; how many bytes it had.
    async fn pour(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        size: Option<u64>,
        session: &str,
    ) -> Result<u64, Poured> {
        let (from, to) = (&self.plan.from.client, &self.plan.to.client);
        let content = from.open_blob(name, digest).await;
        let content = content.map_err(|error| Poured::Not(Trouble::of_source(error)))?;
        let content = content.going_on(from, name, TRIES);
        if let (Some(said), Some(served)) = (size, content.length())
            && said != served
        {
            let why = format!("its manifest says {said} bytes, and the source serves {served}");
            return Err(Poured::Not(Trouble::Lost(why)));
        }
        let length = content.length().or(size);
        let (sink, body) = pipe();
        let patient = to.within(WHOLE);
        let mut giving = pin!(self.give(content, sink));
        let mut pushing = pin!(patient.push_into(name, session, digest, length, body));
        let given = tokio::select! {
            given = &mut giving => given,
            // It answered before the end was seen here: it has all, or it refuses, or it broke off.
            pushed = &mut pushing => match (pushed, length) {
                (Ok(_), Some(length)) => return Ok(length),
                (Ok(_), None) => return giving.await.map_err(Poured::Again),
                (Err(error), _) => return Err(of_push(error)),
            },
        };
        let given = given.map_err(|error| match error {
            Error::Unexpected { .. } => Poured::Not(Trouble::Lost(chain(&error))),
            other => Poured::Again(other),
        })?;
        let late = || Error::Timeout { to: to.http().origin().to_string(), seconds: ANSWER.as_secs() };
        let pushed = timeout(ANSWER, pushing).await.map_err(|_| Poured::Again(late()))?;
        pushed.map(|_| given).map_err(of_push)
    }

    /// Reads a blob and writes it on, no faster than it may go; how many bytes it had. A piece waits for the next one: the last
    /// goes only when the whole is what its digest says, so that what is wrong never gets to an end.
    async fn give(&self, mut content: Download, sink: Pipe) -> Result<u64, Error> {
        let (mut given, mut waiting) = (0, None);
        loop {
            let piece = content.next().await?;
            let is_last = piece.is_none();
            if let Some(before) = std::mem::replace(&mut waiting, piece) {
                given += before.len() as u64;
                self.write(before, &sink).await?;
            }
            if is_last {
                return Ok(given);
            }
        }
    }

    async fn write(&self, piece: Bytes, sink: &Pipe) -> Result<(), Error> {
        let bytes = piece.len();
        self.pace.take(bytes).await;
        match timeout(STALL, sink.write(piece)).await {
            Ok(true) => {}
            // Nobody reads any more: whoever pushes knows why.
            Ok(false) => std::future::pending::<()>().await,
            Err(_) => {
                let to = self.plan.to.client.http().origin().to_string();
                return Err(Error::Timeout { to, seconds: STALL.as_secs() });
            }
        }
        self.tell(|progress| progress.bytes += bytes as u64);
        Ok(())
    }
}

/// Why a blob was not poured.
enum Poured {
    /// Something that passes: from the beginning once more.
    Again(Error),
    /// Something that stays.
    Not(Trouble),
}

/// What it means when the push fails.
fn of_push(error: Error) -> Poured {
    let is_later = match &error {
        // Content that is wanted again: a login that ended in the middle.
        Error::Spent { .. } => true,
        // Asking for a new upload waits for who is busy.
        Error::Unexpected { status, .. } => matches!(status.as_u16(), 429 | 500 | 502..=504),
        other => other.is_passing(),
    };
    if is_later {
        return Poured::Again(error);
    }
    Poured::Not(Trouble::of_target(error))
}
