//! Bodies of answers. One that streams a blob carries the request's [`Story`], which is told when the last byte is
//! handed over or when the client is gone.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use railhead_registry::BlobBody;

use crate::access_log::End;
use crate::sendfile::FileQueue;
use crate::story::Story;

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum Body {
    /// None.
    Empty,
    /// All at once.
    Whole(Bytes),
    /// A blob, piece by piece.
    Blob(Box<Streamed>),
}

/// A blob on its way out.
#[derive(Debug)]
pub(crate) struct Streamed {
    bytes: BlobBody,
    /// Where the connection itself can move bytes from a file to the socket.
    files: Option<FileQueue>,
    sent: u64,
    story: Option<Story>,
}

/// The stored bytes are not what they should be, or cannot be read; the connection is cut so that nobody takes what
/// was sent for the whole.
#[derive(Debug, thiserror::Error)]
#[error("the answer was cut")]
pub(crate) struct CutError(#[source] railhead_registry::Error);

impl Body {
    pub(crate) fn blob(bytes: BlobBody, story: Story, files: Option<FileQueue>) -> Self {
        Self::Blob(Box::new(Streamed { bytes, files, sent: 0, story: Some(story) }))
    }
}

impl Streamed {
    fn end(&mut self, end: End) {
        if let Some(mut story) = self.story.take() {
            story.sent = self.sent;
            story.tell(end);
        }
    }
}

impl Streamed {
    /// The next piece: a place in a file that the connection sends by itself, or bytes.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<railhead_registry::Result<Bytes>>> {
        if let Some(files) = &self.files
            && let Some(region) = self.bytes.take_region(FileQueue::REGION_MAX)
        {
            return Poll::Ready(Some(Ok(files.push(region))));
        }
        self.bytes.poll_next(cx)
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        if self.bytes.remaining() == 0 {
            self.end(End::Complete);
        } else {
            self.end(End::ClientLeftReading(self.sent));
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = CutError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutError>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            whole @ Self::Whole(_) => match std::mem::replace(whole, Self::Empty) {
                Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                _ => Poll::Ready(None),
            },
            Self::Blob(streamed) => match ready!(streamed.poll_next(cx)) {
                Some(Ok(piece)) => {
                    streamed.sent += piece.len() as u64;
                    Poll::Ready(Some(Ok(Frame::data(piece))))
                }
                Some(Err(error)) => {
                    streamed.end(End::Cut(streamed.sent));
                    Poll::Ready(Some(Err(CutError(error))))
                }
                None => Poll::Ready(None),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Blob(streamed) => streamed.bytes.remaining() == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Empty => 0,
            Self::Whole(bytes) => bytes.len() as u64,
            Self::Blob(streamed) => streamed.bytes.remaining(),
        })
    }
}
