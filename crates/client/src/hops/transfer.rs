//! What pulling and pushing meet: a list of tags, and an upload that is begun and cancelled.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION};

use super::course::Course;
use super::exchange::{Ask, Heard};
use super::reach::Spot;
use super::record::{Answered, Broken, Step, WriteSeen};
use super::redirect::place;
use crate::http1::{Body, stream};

/// A registry at the end of a route, and the header that opens it.
pub(super) struct Desk<'a> {
    pub(super) course: &'a Course<'a>,
    pub(super) spot: &'a Spot,
    /// None where the registry asks for no login.
    pub(super) authorization: Option<HeaderValue>,
}

impl Desk<'_> {
    /// A list of tags.
    pub(super) async fn read(&self) -> Result<Answered, Broken> {
        let path = format!("/v2/{}/tags/list", self.course.guide.settings.repository);
        Ok(self.ask(Ask::get(path)).await?.answered)
    }

    /// Begins an upload, sends it a little, and cancels it.
    pub(super) async fn write(&self) -> Result<WriteSeen, Broken> {
        let begin = self.begin().await?;
        let Some(path) = self.upload(&begin, "/") else {
            return Ok(WriteSeen { begin: begin.answered, location: None, patch: None, cancel: None });
        };
        let location = self.location(&begin);
        if begin.answered.status != 202 {
            return Ok(WriteSeen { begin: begin.answered, location, patch: None, cancel: None });
        }
        let since = Instant::now();
        // In pieces and without a length, as Docker sends every layer.
        let body = stream([Bytes::from_static(b"rail"), Bytes::from_static(b"\n")]);
        let answer = self.ask(patch(&path, body)).await;
        let next = answer.as_ref().ok().and_then(|heard| self.upload(heard, &path)).unwrap_or(path);
        let answer = Step::ended(since, answer.map(|heard| heard.answered));
        let cancel = self.cancel(&next).await;
        Ok(WriteSeen { begin: begin.answered, location, patch: Some(answer), cancel: Some(cancel) })
    }

    /// Begins an upload.
    pub(super) async fn begin(&self) -> Result<Heard, Broken> {
        let path = format!("/v2/{}/blobs/uploads/", self.course.guide.settings.repository);
        self.ask(Ask::new(Method::POST, path).with_header(CONTENT_LENGTH, "0")).await
    }

    /// Ends an upload.
    pub(super) async fn cancel(&self, path: &str) -> Step<Answered> {
        let since = Instant::now();
        let cancelled = self.ask(Ask::new(Method::DELETE, path)).await;
        Step::ended(since, cancelled.map(|heard| heard.answered))
    }

    /// Where an upload goes on, as a path on this route: whatever host a `Location` names, the token stays here.
    pub(super) fn upload(&self, heard: &Heard, from: &str) -> Option<String> {
        place(&self.spot.end.origin, from, heard.header(&LOCATION)?).map(|place| place.path)
    }

    fn location(&self, heard: &Heard) -> Option<String> {
        let place = place(&self.spot.end.origin, "/", heard.header(&LOCATION)?)?;
        Some(self.course.secrets.url(&format!("{}{}", place.origin, place.path)))
    }

    pub(super) async fn ask(&self, ask: Ask) -> Result<Heard, Broken> {
        self.course.ask(self.spot, ask.with_credentials(self.authorization.clone())).await
    }

    pub(super) async fn ask_within(&self, ask: Ask, within: Duration) -> Result<Heard, Broken> {
        self.course.ask_within(self.spot, ask.with_credentials(self.authorization.clone()), within).await
    }
}

/// Bytes for an upload.
pub(super) fn patch(path: &str, body: Body) -> Ask {
    Ask::new(Method::PATCH, path).with_header(CONTENT_TYPE, "application/octet-stream").with_body(body)
}
