//! One request and its answer: read what is asked, find out who asks and whether they may, do it, tell the story.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderName};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use railhead_access::{Act, Action, Decision, FORGE_QUESTION, Identity, Outcome, Reason};
use railhead_catalog::{OwnerId, Timestamp};
use railhead_oci::{ErrorCode, Query, RepositoryName};
use railhead_registry::BlobBody;

use crate::access_log::End;
use crate::body::Body;
use crate::core::{API_VERSION, Core};
use crate::failure::Failure;
use crate::host::{self, Origin, Peer};
use crate::operation::{Kind, Operation};
use crate::sendfile::FileQueue;
use crate::story::Story;
use crate::{denial, forge_hook, former_name, service, token, v2};

/// A refused request may still be sending: so much of its body is read before it is answered, because a client that
/// is cut off while it sends never sees the reason.
const DRAIN_BYTES: u64 = 64 << 20;
/// And so long.
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// A request being answered.
pub(crate) struct Exchange {
    pub(crate) story: Story,
    pub(crate) body: Incoming,
    files: Option<FileQueue>,
    /// As the client calls the repository, when its owner has another name now.
    pub(crate) former: Option<RepositoryName>,
    /// When it came.
    pub(crate) now: Timestamp,
}

/// What an operation answers.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Content,
}

/// The body of an answer.
pub(crate) enum Content {
    Empty,
    Whole(Bytes),
    Blob(BlobBody),
}

impl Answer {
    pub(crate) fn new(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::with_capacity(8), content: Content::Empty }
    }

    pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Self {
        let mut answer = Self::new(status);
        answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer.content = Content::Whole(body.into());
        answer
    }

    pub(crate) fn text(body: impl Into<Bytes>) -> Self {
        let mut answer = Self::new(StatusCode::OK);
        answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        answer.content = Content::Whole(body.into());
        answer
    }

    /// Adds a header whose value was made of parsed parts. One that cannot stand in a header is a fault of ours.
    pub(crate) fn header(mut self, name: HeaderName, value: impl Into<Bytes>) -> Result<Self, Failure> {
        let value =
            HeaderValue::from_maybe_shared(value.into()).map_err(|error| Failure::internal(&error))?;
        self.headers.insert(name, value);
        Ok(self)
    }
}

/// Answers a request of a client.
pub(crate) async fn answer(
    core: Arc<Core>,
    peer: Peer,
    files: Option<FileQueue>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    // Only HTTP/1.1 sends a body as it is; HTTP/2 cuts it into frames.
    let files = files.filter(|_| parts.version == Version::HTTP_11);
    let operation = if parts.headers.contains_key(FORGE_QUESTION) {
        Err(Failure::no_forge())
    } else {
        Operation::read(&parts.method, parts.uri.path())
    };
    let kind = operation.as_ref().map_or(Kind::Unknown, Operation::kind);
    let story = Story::begin(core, parts, peer, kind);
    let mut exchange = Exchange { story, body, files, former: None, now: Timestamp::now() };
    let outcome = match operation {
        Ok(operation) => exchange.run(operation).await,
        Err(failure) => Err(failure),
    };
    Ok(exchange.close(outcome).await)
}

/// Answers a request on the control socket, which only the data directory's owner can open.
pub(crate) async fn control(
    core: Arc<Core>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let peer = Peer { remote: nowhere, local: nowhere, tls: false };
    let operator = core.access.operator();
    let mut story = Story::begin(core, parts, peer, Kind::Api);
    story.identity = Some(operator.clone());
    let mut exchange = Exchange { story, body, files: None, former: None, now: Timestamp::now() };
    let outcome = service::api(&mut exchange, operator, None).await;
    Ok(exchange.close(outcome).await)
}

impl Exchange {
    async fn run(&mut self, operation: Operation) -> Result<Answer, Failure> {
        let Some((name, action)) = operation.needs() else { return self.perform(operation).await };
        self.require(name, action).await?;
        if action != Action::Pull {
            return self.perform(operation).await;
        }
        // Only after the decision, see `current_name`.
        let current = self.core().access.current_name(name).await;
        match current.map_err(|error| denial::refuse(error, self, None))? {
            None => self.perform(operation).await,
            Some(current) => Box::pin(former_name::pull(self, operation, current)).await,
        }
    }

    /// Does what may be done.
    pub(crate) async fn perform(&mut self, operation: Operation) -> Result<Answer, Failure> {
        match operation {
            Operation::Base => v2::base(self).await,
            Operation::Token => token::token(self).await,
            Operation::Repositories => v2::lists::repositories(self).await,
            Operation::PullBlob { name, digest, head } => v2::blobs::pull(self, &name, &digest, head).await,
            Operation::DeleteBlob { name, digest } => v2::blobs::delete(self, &name, &digest).await,
            Operation::BeginUpload { name } => v2::uploads::begin(self, &name).await,
            Operation::UploadStatus { name, id } => v2::uploads::status(self, &name, id).await,
            Operation::WriteUpload { name, id } => v2::uploads::write(self, &name, id).await,
            Operation::FinishUpload { name, id } => v2::uploads::finish(self, &name, id).await,
            Operation::CancelUpload { name, id } => v2::uploads::cancel(self, &name, id).await,
            Operation::PullManifest { name, reference, head } => {
                v2::manifests::pull(self, &name, &reference, head).await
            }
            Operation::PushManifest { name, reference } => v2::manifests::push(self, name, reference).await,
            Operation::DeleteManifest { name, reference } => {
                v2::manifests::delete(self, &name, &reference).await
            }
            Operation::Tags { name } => v2::lists::tags(self, &name).await,
            Operation::Referrers { name, digest } => v2::lists::referrers(self, &name, &digest).await,
            Operation::Api => {
                let who = self.identify().await?;
                service::api(self, who, Some(self.story.client)).await
            }
            Operation::ForgeHook => forge_hook::answer(self).await,
            Operation::Health => Ok(Answer::text("ok\n")),
            Operation::Ready => service::ready(self).await,
            Operation::Metrics => service::metrics(self).await,
            Operation::Welcome => Ok(service::welcome()),
        }
    }

    /// The account that asks, once it is known.
    pub(crate) fn account(&self) -> Option<OwnerId> {
        self.story.identity.as_ref().and_then(|identity| identity.account_id())
    }

    /// Notes an act that was done.
    pub(crate) fn audit(&self, action: &str, target: &str) {
        let Some(who) = self.story.identity.as_deref() else { return };
        let from = Some(self.story.client);
        let act = Act { who, from, action, target, outcome: Outcome::Done, detail: None };
        self.core().access.audit().note(&act, self.now);
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.story.core
    }

    /// Where the client believes this server to be.
    pub(crate) fn origin(&self) -> Origin {
        let parts = &self.story.parts;
        let origin =
            self.core().settings.hosts.origin(self.story.peer, &parts.headers, parts.uri.authority());
        if let Some(name) = &origin.unknown
            && let Some(name) = self.core().complaints.due(name, Instant::now())
        {
            tracing::warn!(
                name,
                told = origin.authority,
                "a client used a host name that is not among `hosts`; it is told another one"
            );
        }
        origin
    }

    /// Who asks. Wrong credentials are refused even where none are needed.
    pub(crate) async fn identify(&mut self) -> Result<Arc<Identity>, Failure> {
        let access = &self.story.core.access;
        let header = match self.story.parts.headers.get(AUTHORIZATION).map(HeaderValue::to_str) {
            None => None,
            Some(Ok(text)) => Some(text),
            Some(Err(_)) => {
                let challenge = denial::challenge(self, None, None);
                return Err(Failure::unauthorized(
                    &challenge,
                    "the Authorization header is not readable text",
                ));
            }
        };
        let identity = match header.and_then(|header| access.remembered(header)) {
            Some(identity) => identity,
            None => match access.authenticate(header, self.story.client).await {
                Ok(identity) => identity,
                Err(denied) => return Err(denial::refuse(denied, self, None)),
            },
        };
        self.story.identity = Some(identity.clone());
        Ok(identity)
    }

    /// Refuses a login of which nobody knows whose it is: it must not look like a wrong one.
    pub(crate) fn verified(&self, identity: &Identity) -> Result<(), Failure> {
        identity.verified().map_err(|denial| denial::deny(denial, self, None))
    }

    /// Makes sure that the client may do this in the repository.
    pub(crate) async fn require(&mut self, name: &RepositoryName, action: Action) -> Result<(), Failure> {
        let identity =
            self.identify().await.map_err(|failure| denial::with_scope(failure, self, name, action))?;
        let access = &self.story.core.access;
        let decision = match access.remembered_decision(&identity, action, name) {
            Some(decision) => decision,
            None => match access.decide(&identity, action, name).await {
                Ok(decision) => decision,
                Err(error) => return Err(denial::refuse(error, self, Some((name, action)))),
            },
        };
        match decision {
            Decision::Allowed => Ok(()),
            Decision::Denied(denied) => Err(denial::deny(*denied, self, Some((name, action)))),
        }
    }

    /// Whether the request comes from this machine, and by a name of it.
    pub(crate) fn is_local(&self) -> bool {
        let parts = &self.story.parts;
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
        let host = host.as_ref().or(parts.uri.authority());
        self.story.client.is_loopback() && host.is_some_and(host::is_loopback)
    }

    /// The repository that a mount is from, when the request asks for one.
    pub(crate) fn mount_source(&self) -> Option<RepositoryName> {
        if self.story.kind != Kind::BeginUpload {
            return None;
        }
        let query = Query::new(self.story.parts.uri.query());
        query.get("mount").ok()??;
        query.get("from").ok()??.parse().ok()
    }

    /// Whether the client may pull from the source of a mount.
    ///
    /// A bearer token that lacks only the scope is answered with a challenge for both repositories, as the mount
    /// needs them; every other obstacle makes the mount an upload.
    pub(crate) async fn may_mount(
        &mut self,
        from: &RepositoryName,
        to: &RepositoryName,
    ) -> Result<bool, Failure> {
        let identity = self.identify().await?;
        match self.story.core.access.decide(&identity, Action::Pull, from).await {
            Ok(Decision::Allowed) => Ok(true),
            Ok(Decision::Denied(denial)) if denial.reason == Reason::NeedsScope => {
                Err(denial::deny(*denial, self, Some((to, Action::Push))))
            }
            Ok(Decision::Denied(_)) => Ok(false),
            Err(error) => Err(denial::refuse(error, self, None)),
        }
    }

    /// Reads the whole body, up to `limit` bytes.
    pub(crate) async fn collect(&mut self, limit: usize) -> Result<Bytes, Failure> {
        let too_large = || {
            Failure::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                ErrorCode::SizeInvalid,
                "the body is larger than allowed",
            )
            .detail(serde_json::json!({ "limit_bytes": limit }))
        };
        if self.announced().is_some_and(|announced| announced > limit as u64) {
            return Err(too_large());
        }
        let mut all = bytes::BytesMut::new();
        while let Some(frame) = self.body.frame().await {
            let Ok(frame) = frame else { return Err(Failure::client_gone()) };
            let Ok(piece) = frame.into_data() else { continue };
            self.story.received += piece.len() as u64;
            if all.len() + piece.len() > limit {
                return Err(too_large());
            }
            all.extend_from_slice(&piece);
        }
        Ok(all.freeze())
    }

    /// The length that the client announced for its body, if it did.
    pub(crate) fn announced(&self) -> Option<u64> {
        self.story.parts.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }

    async fn close(mut self, outcome: Result<Answer, Failure>) -> Response<Body> {
        let answer = match outcome {
            Ok(answer) => answer,
            Err(failure) if failure.is_client_gone() => {
                let received = self.story.received;
                self.story.status = failure.status().as_u16();
                self.story.tell(End::ClientLeftSending(received));
                let mut response = Response::new(Body::Empty);
                *response.status_mut() = StatusCode::BAD_REQUEST;
                return response;
            }
            Err(failure) => {
                self.drain().await;
                self.failed(failure)
            }
        };
        let Answer { status, headers, content } = answer;
        let head = self.story.parts.method == Method::HEAD;
        self.story.status = status.as_u16();
        let v2 = self.story.parts.uri.path().starts_with("/v2");
        let body = match content {
            Content::Blob(bytes) => Body::blob(bytes, self.story, self.files),
            Content::Whole(bytes) => {
                self.story.sent = if head { 0 } else { bytes.len() as u64 };
                self.story.tell(End::Complete);
                Body::Whole(bytes)
            }
            Content::Empty => {
                self.story.tell(End::Complete);
                Body::Empty
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        if v2 {
            response.headers_mut().insert("docker-distribution-api-version", API_VERSION);
        }
        response
    }

    fn failed(&mut self, failure: Failure) -> Answer {
        let parts = failure.into_parts();
        self.story.note = parts.note;
        let mut answer = Answer::json(parts.status, parts.body);
        for (name, value) in parts.headers {
            answer.headers.insert(name, value);
        }
        answer
    }

    async fn drain(&mut self) {
        if self.story.parts.headers.contains_key(EXPECT) {
            // The client waits for leave to send, and has not got it.
            return;
        }
        let mut left = DRAIN_BYTES;
        let body = &mut self.body;
        let read = async {
            while let Some(Ok(frame)) = body.frame().await {
                left = left.saturating_sub(frame.data_ref().map_or(0, |piece| piece.len() as u64));
                if left == 0 {
                    break;
                }
            }
        };
        // Out of time or not, the answer is sent; the rest is up to the connection.
        let _ = tokio::time::timeout(DRAIN_TIME, read).await;
    }
}
