//! A body that is sent at a pace, to see who loses patience.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use http_body_util::BodyExt as _;
use tokio::time::{Sleep, sleep};

use crate::http1::Body;

/// Pieces, each with the silence before it.
pub(super) struct Paced {
    pieces: VecDeque<(Duration, Bytes)>,
    silence: Option<Pin<Box<Sleep>>>,
    /// Whether the body never ends, though nothing more comes.
    hangs: bool,
    is_sent: Sent,
}

/// Whether the last piece of a body was handed over to be sent. Cloning shares it.
#[derive(Clone, Default)]
pub(super) struct Sent(Arc<AtomicBool>);

impl Sent {
    pub(super) fn is_all(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Paced {
    /// A body of these pieces, and whether it was sent.
    pub(super) fn body(pieces: impl IntoIterator<Item = (Duration, Bytes)>) -> (Body, Sent) {
        let is_sent = Sent::default();
        let pieces = pieces.into_iter().collect();
        let body = Self { pieces, silence: None, hangs: false, is_sent: is_sent.clone() };
        (body.boxed_unsync(), is_sent)
    }

    /// The beginning of a body whose rest never comes.
    pub(super) fn beginning(piece: Bytes) -> Body {
        let pieces = VecDeque::from([(Duration::ZERO, piece)]);
        Self { pieces, silence: None, hangs: true, is_sent: Sent::default() }.boxed_unsync()
    }
}

impl http_body::Body for Paced {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Some((silence, _)) = self.pieces.front() else {
            return if self.hangs { Poll::Pending } else { Poll::Ready(None) };
        };
        let silence = *silence;
        let waiting = self.silence.get_or_insert_with(|| Box::pin(sleep(silence)));
        if !silence.is_zero() && waiting.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.silence = None;
        let piece = self.pieces.pop_front().map(|(_, piece)| Ok(Frame::data(piece)));
        // Nobody asks for the end of a body whose length is known.
        self.is_sent.0.store(self.pieces.is_empty(), Ordering::Relaxed);
        Poll::Ready(piece)
    }
}
