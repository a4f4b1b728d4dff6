//! What becomes of one request, from its head to its end, told once: to the metrics and to the access log.
//!
//! A story that is dropped untold is one whose client vanished while its request was received.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::USER_AGENT;
use http::request::Parts;
use railhead_access::Identity;

use crate::access_log::{End, Line};
use crate::core::Core;
use crate::host::Peer;
use crate::metrics::Running;
use crate::operation::Kind;

#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) core: Arc<Core>,
    pub(crate) parts: Parts,
    pub(crate) peer: Peer,
    /// The client's address, as far as proxies may be believed.
    pub(crate) client: IpAddr,
    pub(crate) kind: Kind,
    pub(crate) identity: Option<Arc<Identity>>,
    pub(crate) digest: Option<Bytes>,
    pub(crate) status: u16,
    /// Bytes of the request's body.
    pub(crate) received: u64,
    /// Bytes of the answer's body.
    pub(crate) sent: u64,
    /// Why it was refused or failed, for the operator.
    pub(crate) note: Cow<'static, str>,
    started: Instant,
    _running: Running,
    told: bool,
}

impl Story {
    pub(crate) fn begin(core: Arc<Core>, parts: Parts, peer: Peer, kind: Kind) -> Self {
        let client = core.settings.hosts.client(peer, &parts.headers);
        let running = core.metrics.start();
        Self {
            core,
            parts,
            peer,
            client,
            kind,
            identity: None,
            digest: None,
            status: 0,
            received: 0,
            sent: 0,
            note: Cow::Borrowed(""),
            started: Instant::now(),
            _running: running,
            told: false,
        }
    }

    /// Ends the story.
    pub(crate) fn tell(mut self, end: End) {
        self.tell_once(end);
    }

    fn tell_once(&mut self, end: End) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        let took = self.started.elapsed();
        self.core.metrics.count(self.kind, self.status, self.received, self.sent, took);
        let agent = self.parts.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or("-");
        self.core.log.line(&Line {
            method: self.parts.method.as_str(),
            path: self.parts.uri.path(),
            status: self.status,
            operation: self.kind.name(),
            account: self.identity.as_deref().filter(|identity| !identity.is_anonymous()).map(Identity::name),
            client: self.client,
            agent,
            digest: self.digest.as_deref().and_then(|digest| std::str::from_utf8(digest).ok()),
            received: self.received,
            sent: self.sent,
            took,
            end,
            note: &self.note,
        });
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        self.tell_once(End::ClientLeftSending(self.received));
    }
}
